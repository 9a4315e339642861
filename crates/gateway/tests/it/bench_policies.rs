//! `portcullis bench policies`: policies are held to what the file says of them, on a gate that reaches nothing else.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::Value;

use super::folder::Folder;
use super::gate::{command, eventually, portcullis};

const SERVICE: &str = "listeners: ['0.0.0.0:80']\nadmin: {bind: '127.0.0.1:9901'}\n\
    services: {up: {targets: 'https://service.invalid', circuit_breaker: {min_requests: 10, window: 1s, open: 500ms}}}\n";

/// The report of tests of one kind, and the exit code.
fn tested(folder: &Folder, configuration: &str, only: &str) -> (Value, Option<i32>) {
    folder.write("portcullis.yaml", configuration);
    let output = command(
        folder.path(),
        &["bench", "policies", "--only", only, "--format", "json", "-q"],
    );
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}"));
    (report, output.status.code())
}

/// The assertion that begins so: what was measured, and whether it held.
fn assertion(report: &Value, begins: &str) -> (String, bool) {
    let objectives = report["objectives"].as_array().unwrap();
    let found = objectives
        .iter()
        .find(|one| one["objective"].as_str().unwrap().starts_with(begins));
    let found = found.unwrap_or_else(|| panic!("no `{begins}` in {objectives:#?}"));
    (
        found["measured"].as_str().unwrap().to_owned(),
        found["met"].as_bool().unwrap(),
    )
}

fn remarks(report: &Value) -> String {
    let remarks = report["remarks"].as_array().unwrap().iter();
    remarks
        .map(|remark| remark.as_str().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_limit_lets_no_more_through_and_nothing_of_the_file_is_touched() {
    let folder = Folder::new();
    let configuration = format!(
        "{SERVICE}stores: {{durable: 'sqlite:store.db'}}\ndatabases: {{d: 'sqlite:data.db'}}\n\
         policies: {{all: {{access_log: {{file: access.log}}}}, few: {{rate_limit: {{quota: 20/1s, burst: 10}}}}}}\n\
         everywhere: all\nbans: {{after: 2/1m}}\nroutes:\n\
         - {{name: orders, path: '/orders/{{id}}', policies: few, objectives: 'p99 < 9s', to: {{service: up}}}}\n\
         - {{name: rows, path: /rows, policies: few, to: {{table: d.rows}}}}\n"
    );
    let (report, code) = tested(&folder, &configuration, "limits");
    for begins in ["at most", "answers are good", "429 has"] {
        let (measured, met) = assertion(&report, begins);
        assert!(met, "{begins}: {measured}");
    }
    assert!(matches!(code, Some(0 | 4)), "{code:?}: {report:#}");
    assert!(
        remarks(&report).contains("Left out: rows: it leads to a table"),
        "{report:#}"
    );
    let refused = report["measured"]["phases"][0]["routes"]["orders"]["statuses"]["429"].as_u64();
    assert!(refused > Some(0), "the spike has its place in the report");
    let mut files: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    files.retain(|file| file != "portcullis.yaml");
    assert!(files.is_empty(), "{files:?}");
}

#[test]
fn a_circuit_opens_and_closes() {
    let folder = Folder::new();
    let configuration = format!("{SERVICE}routes: [{{path: /a, to: {{service: up}}}}]\n");
    let (report, code) = tested(&folder, &configuration, "breakers");
    // How long it takes is the machine's, too; that it happens, and in which order, is not.
    for begins in ["at most 3 probes", "while open 503 has"] {
        let (measured, met) = assertion(&report, begins);
        assert!(met, "{begins}: {measured}");
    }
    for begins in ["it opens within", "it closes within"] {
        let (measured, _) = assertion(&report, begins);
        assert_ne!(measured, "never", "{begins}");
    }
    let told = remarks(&report);
    let place = |what: &str| told.find(what).unwrap_or_else(|| panic!("no `{what}` in {told}"));
    let course = [
        "the service fails",
        "circuit opens",
        "let through",
        "is well again",
        "circuit closes",
    ]
    .map(place);
    assert!(course.is_sorted(), "{told}");
    assert!(matches!(code, Some(0 | 3 | 4)), "{code:?}");
}

const CLASSES: &str = "overload: {requests: 20}\nroutes:\n\
    - {name: pay, path: /pay, priority: high, objectives: 'p99 < 9s', to: {service: up}}\n\
    - {name: report, path: /report, priority: low, to: {service: up}}\n";

#[test]
fn what_is_worth_less_is_sent_away_first() {
    let (report, code) = tested(&Folder::new(), &format!("{SERVICE}{CLASSES}"), "shedding");
    for begins in ["503 has", "answers are good"] {
        let (measured, met) = assertion(&report, begins);
        assert!(met, "{begins}: {measured}");
    }
    // A machine that stands still gathers more of the higher class, too, than there is room for; then nothing is known.
    let kept = assertion(&report, "at most 1 % are").1;
    assert!(kept || report["verdict"] == "invalid", "{report:#}");
    assert!(matches!(code, Some(0 | 4)), "{code:?}: {report:#}");
}

#[test]
fn a_limit_of_another_kind_is_found_out() {
    let narrow = SERVICE.replace("circuit_breaker", "max_connections: 1, circuit_breaker");
    let (report, code) = tested(&Folder::new(), &format!("{narrow}{CLASSES}"), "shedding");
    assert!(!assertion(&report, "at most 1 % are").1, "{report:#}");
    assert!(!assertion(&report, "503 has").1, "{report:#}");
    assert_eq!(
        (code, report["verdict"].as_str()),
        (Some(3), Some("fail")),
        "{report:#}"
    );
}

#[test]
fn retries_keep_to_their_budget() {
    let folder = Folder::new();
    let configuration = format!("{SERVICE}routes: [{{path: /a, to: {{service: up}}}}]\n");
    let (report, code) = tested(&folder, &configuration, "retries");
    let (measured, met) = assertion(&report, "at most 224 retries");
    assert!(met && !measured.starts_with("0 "), "{measured}");
    assert_eq!(code, Some(0));
}

#[test]
fn where_there_is_nothing_to_test_that_is_said() {
    let folder = Folder::new();
    folder.write(
        "portcullis.yaml",
        "listeners: [127.0.0.1:0]\nroutes: [{path: /, to: {respond: a}}]\n",
    );
    for (arguments, said) in [
        (&["bench", "policies", "-q"][..], "no policy that a spike could test"),
        (&["bench", "policies", "-q", "--route", "none"][..], "no route `none`"),
    ] {
        let output = command(folder.path(), arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{error}");
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn the_gate_of_a_test_ends_with_who_started_it() {
    let folder = Folder::new();
    folder.write(
        "portcullis.yaml",
        format!("{SERVICE}routes: [{{path: /a, to: {{service: up}}}}]\n"),
    );
    let mut child = portcullis()
        .args(["bench", "isolated-gate", "portcullis.yaml"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(b"{\"services\": {\"up\": \"127.0.0.1:9\"}, \"subject\": \"limits\"}\n")
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    assert!(lines.any(|line| line.ends_with("ready")), "it serves");
    drop(stdin);
    eventually("the end of the gate", || child.try_wait().unwrap().is_some());
}
