//! `portcullis bench URL`: one line, one document, one exit code.

use std::process::{Output, Stdio};
use std::time::Duration;

use portcullis_bench::stand_in::{Behaviour, Delay, Failures, Fault, StandIn, Which};
use serde_json::Value;

use super::folder::Folder;
use super::gate::{Gate, command, eventually, portcullis, signal};
use super::secure::Identity;
use super::upstream::Upstream;

fn bench(folder: &Folder, arguments: &[&str]) -> Output {
    command(folder.path(), &[&["bench"], arguments].concat())
}

fn said(output: &Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

/// A server that answers everything, and its URL.
fn server() -> (StandIn, String) {
    let server = StandIn::start(Behaviour::default()).unwrap();
    let url = format!("http://{}/", server.address());
    (server, url)
}

#[test]
fn one_line_measures_a_server() {
    let (server, url) = server();
    let folder = Folder::new();
    let output = bench(
        &folder,
        &[
            &url, "--rate", "200", "--for", "500ms", "-H", "X-A: $b", "--format", "json", "-c", "4",
        ],
    );
    let (out, error, code) = said(&output);
    assert!(matches!(code, Some(0 | 4)), "{out}{error}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["profile"], "load");
    let counted: u64 = report["measured"]["phases"][0]["due"].as_u64().unwrap();
    assert_eq!(counted, 100, "the rate is kept: {error}");
    // The trial of the first request comes before.
    assert!(server.requests() >= 101, "{}", server.requests());
}

#[test]
fn objectives_decide_about_the_exit_code() {
    let (_server, url) = server();
    let folder = Folder::new();
    let run = |objective: &str| {
        let arguments = [&*url, "--users", "2", "--for", "300ms", "-O", objective];
        said(&bench(&folder, &arguments))
    };
    let (out, error, code) = run("max < 1us");
    assert_eq!(code, Some(3), "{out}{error}");
    let (out, error, code) = run("errors < 1%");
    assert!(matches!(code, Some(0 | 4)), "{out}{error}");
    let (_, error, code) = run("p99 < soon");
    assert_eq!((code, error.lines().count()), (Some(1), 1), "{error}");
    assert!(error.contains("p99 < soon"), "{error}");
}

#[test]
fn failures_are_counted_and_told() {
    let failures = Failures {
        which: Which::Every(2),
        fault: Fault::Status(503),
    };
    let server = StandIn::start(Behaviour {
        failures: Some(failures),
        ..Behaviour::default()
    })
    .unwrap();
    let url = format!("http://{}/", server.address());
    let folder = Folder::new();
    let output = bench(
        &folder,
        &[&url, "--users", "1", "--for", "200ms", "-O", "errors < 1%", "-q"],
    );
    let (out, error, code) = said(&output);
    assert_eq!(code, Some(3), "{out}{error}");
    assert!(out.contains("503"), "{out}");
}

#[test]
fn what_cannot_be_reached_is_one_line() {
    let folder = Folder::new();
    let nobody = format!("http://{}/", Upstream::nobody());
    for arguments in [
        &[&*nobody, "--for", "1s"][..],
        &["127.0.0.1:80"],
        &["ftp://127.0.0.1/"],
        &["http://127.0.0.1:80/", "--rate", "many"],
        &["http://127.0.0.1:80/", "-H", "none"],
    ] {
        let (out, error, code) = said(&bench(&folder, arguments));
        assert_eq!(
            (code, error.lines().count(), &*out),
            (Some(1), 1, ""),
            "{arguments:?}: {error}"
        );
    }
    let (_, error, _) = said(&bench(&folder, &[&nobody]));
    assert!(error.to_lowercase().contains("refused"), "{error}");
}

#[test]
fn a_bad_certificate_is_one_line_and_can_be_overlooked() {
    let folder = Folder::new();
    Identity::make(&folder, "server", &["127.0.0.1"]);
    let gate = Gate::start_in(
        folder,
        "listeners: [{bind: '127.0.0.1:0', tls: {certificates: [{cert: server.pem, key: server.key}]}}]\n\
         routes: [{path: /, to: {respond: hello}}]\n",
    );
    let url = format!("https://{}/", gate.address());
    let (_, error, code) = said(&bench(&gate.folder, &[&url, "--for", "100ms"]));
    assert_eq!((code, error.lines().count()), (Some(1), 1), "{error}");
    assert!(
        error.contains("unknown issuer") && error.contains("--cacert"),
        "{error}"
    );
    for trust in [&["-k"][..], &["--cacert", "server.pem"]] {
        let arguments = [&[&*url, "--users", "1", "--for", "100ms", "-q"], trust].concat();
        let (out, error, code) = said(&bench(&gate.folder, &arguments));
        assert!(matches!(code, Some(0 | 4)), "{trust:?}: {out}{error}");
    }
}

#[test]
fn a_foreign_host_needs_a_word() {
    let folder = Folder::new();
    // An address for documentation: nobody is there, and nobody is asked.
    let (_, error, code) = said(&bench(&folder, &["http://192.0.2.1/"]));
    assert_eq!((code, error.lines().count()), (Some(1), 1), "{error}");
    assert!(error.contains("--i-own-this-target 192.0.2.1"), "{error}");
}

#[test]
fn results_have_several_forms() {
    let (_server, url) = server();
    let folder = Folder::new();
    let base = [&*url, "--users", "1", "--for", "100ms", "-q", "-O", "errors < 1%"];
    let run = |more: &[&str]| said(&bench(&folder, &[&base[..], more].concat()));
    let (out, error, _) = run(&["--format", "junit"]);
    assert!(out.starts_with("<?xml") && out.contains("<testcase"), "{out}{error}");
    let (out, ..) = run(&["--format", "markdown"]);
    assert!(out.contains('|'), "{out}");
    run(&["--report", "page.html", "--out", "run.json"]);
    let page = std::fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(
        page.contains("<svg") && !page.contains("<script"),
        "it is a page with charts"
    );
    let run: Value = serde_json::from_slice(&std::fs::read(folder.path().join("run.json")).unwrap()).unwrap();
    assert_eq!(run["profile"], "closed");
    let (out, error, code) = said(&bench(&folder, &["report", "run.json", "--format", "json"]));
    assert!(matches!(code, Some(0 | 4)), "{error}");
    assert_eq!(
        serde_json::from_str::<Value>(&out).unwrap(),
        run,
        "it is read as it was written"
    );
}

#[test]
fn content_is_sent() {
    let upstream = Upstream::echo();
    let folder = Folder::new();
    let url = format!("http://{}/a?b=$c", upstream.address());
    let (out, error, _) = said(&bench(
        &folder,
        &[&url, "--users", "1", "--for", "50ms", "-d", "x=${y}"],
    ));
    let last = upstream.last();
    assert_eq!(last.line, "POST /a?b=$c HTTP/1.1", "{out}{error}");
    assert_eq!(last.body, b"x=${y}");
}

#[test]
fn an_interrupt_ends_a_run_in_order() {
    let (server, url) = server();
    let folder = Folder::new();
    let child = portcullis()
        .args(["bench", &url, "--rate", "50", "--for", "10m", "--format", "json"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("load", || server.requests() > 10);
    signal(child.id(), "INT");
    let output = child.wait_with_output().unwrap();
    let (out, error, code) = said(&output);
    assert_eq!(code, Some(4), "{error}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["interrupted"], true);
}

#[test]
fn two_targets_are_compared_in_turn() {
    let (_base, base) = server();
    let slow = StandIn::start(Behaviour {
        delay: Delay::Fixed(Duration::from_millis(20)),
        ..Behaviour::default()
    })
    .unwrap();
    let url = format!("http://{}/", slow.address());
    let folder = Folder::new();
    let arguments = [
        &*url,
        "--against",
        &base,
        "--users",
        "1",
        "--for",
        "100ms",
        "-n",
        "2",
        "-q",
        "--format",
        "json",
    ];
    let (out, error, code) = said(&bench(&folder, &arguments));
    assert_eq!(code, Some(4), "two runs each can prove nothing: {error}");
    let comparison: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(comparison["verdict"], "inconclusive", "{out}");
}
