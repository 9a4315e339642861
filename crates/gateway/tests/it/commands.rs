//! The commands that end: what they print, and how they end.

use std::path::Path;
use std::process::Output;

use super::folder::Folder;
use super::gate::{Gate, command, portcullis};
use super::json::json;
use super::tables::{CONFIGURATION, bank};
use super::upstream::Upstream;

const GOOD: &str = "listeners: [127.0.0.1:0]\nservices: {up: 'http://127.0.0.1:1'}\n\
    policies: {public: {rate_limit: {quota: 5/1m}}}\n\
    routes:\n  - {name: all, path: /**, policies: [public], to: {service: up}}\n  - {name: one, path: /a, to: {respond: a}}\n";

const BAD: &str = "listeners: [127.0.0.1:0]\nroutes:\n  - {path: /**, to: {servise: up}}\n";

fn written(text: &str) -> Folder {
    let folder = Folder::new();
    folder.write("portcullis.yaml", text);
    folder
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn all(output: &Output) -> String {
    stdout(output) + std::str::from_utf8(&output.stderr).unwrap()
}

fn run(folder: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    let output = command(folder, arguments);
    (all(&output), output.status.code())
}

#[test]
fn check_says_whether_a_file_is_good() {
    let good = written(GOOD);
    let (said, code) = run(good.path(), &["check", "portcullis.yaml"]);
    assert_eq!(code, Some(0), "{said}");
    let bad = written(BAD);
    let (said, code) = run(bad.path(), &["check", "portcullis.yaml"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("portcullis.yaml:3:") && said.contains("`service`"),
        "{said}"
    );
}

#[test]
fn check_speaks_json() {
    let good = written(GOOD);
    let output = command(good.path(), &["check", "--format", "json", "portcullis.yaml"]);
    assert_eq!(json(&output.stdout)["problems"], json("[]"));
    let bad = written(BAD);
    let output = command(bad.path(), &["check", "--format", "json", "portcullis.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let told = json(&output.stdout);
    let problem = &told["problems"][0];
    assert_eq!(problem["line"], 3, "{told}");
    assert!(
        problem["column"].is_u64() && problem["message"].is_string() && problem["path"].is_string(),
        "{told}"
    );
}

#[test]
fn check_tells_of_routes_that_can_never_match_or_never_be_told_apart() {
    let folder = written(
        "listeners: [127.0.0.1:0]\nroutes:\n  - {path: /a, to: {respond: first}}\n  - {path: /a, to: {respond: second}}\n",
    );
    let (said, _) = run(folder.path(), &["check", "portcullis.yaml"]);
    assert!(
        said.contains("portcullis.yaml:4:") || said.contains("routes[1]"),
        "{said}"
    );
}

#[test]
fn check_shows_warnings_beside_problems() {
    let text = GOOD.replace("policies: [public]", "policies: []");
    let folder = written(&text);
    let (said, code) = run(folder.path(), &["check"]);
    assert!(said.contains("warning: ") && said.contains("can run"), "{said}");
    assert_eq!(code, Some(0));
    let (_, code) = run(folder.path(), &["check", "--strict"]);
    assert_eq!(code, Some(3), "told apart from a wrong use, which is 2");
    folder.write("portcullis.yaml", text.replace("respond: a", "files: missing/"));
    let (said, code) = run(folder.path(), &["check"]);
    assert!(said.contains("warning: ") && said.contains("1 problem"), "{said}");
    assert_eq!(code, Some(1));
}

#[test]
fn check_refuses_what_run_refuses() {
    let folder = bank();
    let refused = |folder: &Folder, text: &str, words: &[&str]| {
        folder.write("portcullis.yaml", text);
        for command in ["check", "run"] {
            let (said, code) = run(folder.path(), &[command]);
            assert_eq!(code, Some(1), "{command}: {said}");
            assert!(words.iter().all(|word| said.contains(word)), "{command}: {said}");
        }
    };
    let logged = format!("policies: {{log: {{access_log: {{file: logs/a.log}}}}}}\neverywhere: [log]\n{CONFIGURATION}");
    refused(&folder, &logged, &["logs/a.log", "no folder"]);
    let mistyped = CONFIGURATION.replace("{url: 'sqlite:data/bank.db', migrations: migrations}", "sqlite:bnak.db");
    refused(&folder, &mistyped, &["bnak.db", "does not exist"]);
    assert!(!folder.path().join("bnak.db").exists());
    let gate = Gate::start_in(folder, CONFIGURATION);
    let folder = gate.kill();
    folder.write(
        "migrations/0002_bad.sql",
        "CREATE TABLE extra (id INTEGER);\nCREATE TABEL oops (id);",
    );
    refused(&folder, CONFIGURATION, &["0002_bad.sql:2", "TABEL"]);
}

#[test]
fn check_creates_and_changes_nothing() {
    let folder = bank();
    folder.write("portcullis.yaml", CONFIGURATION);
    let (said, code) = run(folder.path(), &["check", "portcullis.yaml"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!folder.path().join("data").exists(), "check created the database");
}

#[test]
fn explain_tells_who_answers_and_why_others_lost() {
    let folder = written(GOOD);
    let (said, code) = run(
        folder.path(),
        &["explain", "GET", "http://gate.test/a", "--file", "portcullis.yaml"],
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("one (routes[1])"), "{said}");
    assert!(
        said.contains("all (routes[0]): it matches, but routes[1] (`one`) goes first"),
        "{said}"
    );
    let (said, _) = run(
        folder.path(),
        &["explain", "GET", "/b?c=d", "--file", "portcullis.yaml"],
    );
    assert!(said.contains("rate_limit") && said.contains("up"), "{said}");
}

#[test]
fn explain_speaks_json_and_takes_fields() {
    let folder = written(
        "listeners: [127.0.0.1:0]\nroutes:\n  - {name: new, path: /a, headers: {X-Version: '2'}, to: {respond: new}}\n\
         \x20 - {name: old, path: /a, to: {respond: old}}\n",
    );
    let with = |arguments: &[&str]| {
        let mut whole = vec!["explain", "GET", "/a", "--file", "portcullis.yaml", "--format", "json"];
        whole.extend(arguments);
        let output = command(folder.path(), &whole);
        assert_eq!(output.status.code(), Some(0), "{}", all(&output));
        json(&output.stdout)
    };
    assert_eq!(with(&[])["claimed"]["route"], "old");
    assert_eq!(with(&["-H", "X-Version: 2"])["claimed"]["route"], "new");
}

#[test]
fn explain_of_what_no_route_claims_says_so() {
    let folder = written("listeners: [127.0.0.1:0]\nroutes:\n  - {path: /a, to: {respond: a}}\n");
    let (said, code) = run(folder.path(), &["explain", "GET", "/b", "--file", "portcullis.yaml"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no route claims it: 404"), "{said}");
    assert!(said.contains("/a (routes[0]): the path does not match"), "{said}");
    let routes: String = (0..60)
        .map(|number| format!("  - {{path: /{number}, to: {{respond: a}}}}\n"))
        .collect();
    let folder = written(&format!("listeners: [127.0.0.1:0]\nroutes:\n{routes}"));
    let (said, _) = run(folder.path(), &["explain", "GET", "/b"]);
    assert_eq!(said.matches("does not match").count(), 50, "{said}");
    assert!(said.contains("and 10 more: --all"), "{said}");
    let (said, _) = run(folder.path(), &["explain", "GET", "/b", "--all"]);
    assert_eq!(said.matches("does not match").count(), 60, "{said}");
}

#[test]
fn explain_tells_what_the_wire_would_answer() {
    let folder = bank();
    folder.write(
        "portcullis.yaml",
        CONFIGURATION.replace("path: /hard,", "path: /hard, method: GET,"),
    );
    let explain = |method: &str, url: &str| run(folder.path(), &["explain", method, url]);
    let (said, code) = explain("PUT", "/hard/1");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("405") && said.contains("allowed are GET"), "{said}");
    assert_eq!(
        said.matches("(routes[2])").count(),
        1,
        "a table's rows and collection are one route:\n{said}"
    );
    let (said, code) = explain("CONNECT", "/hard");
    assert!(said.contains("501") && code == Some(1), "{said}");
    let (said, code) = explain("get", "/hard");
    assert!(said.contains("did you mean GET?") && code == Some(1), "{said}");
    let (said, code) = explain("GET", "/hard/1");
    assert!(!said.contains("others") && code == Some(0), "{said}");
}

#[test]
fn schema_is_a_json_schema() {
    let output = command(Path::new("."), &["schema"]);
    assert_eq!(output.status.code(), Some(0));
    let schema = json(&output.stdout);
    assert!(schema["$schema"].as_str().unwrap().contains("2020-12"), "{schema}");
    assert!(schema["properties"]["routes"].is_object());
}

#[test]
fn proxy_needs_no_file() {
    let upstream = Upstream::echo();
    let mut line = portcullis();
    line.args([
        "proxy",
        &format!("http://{}", upstream.address()),
        "--bind",
        "127.0.0.1:0",
    ]);
    let gate = Gate::spawn(Folder::new(), line);
    assert_eq!(gate.get("/a?b").json()["line"], "GET /a?b HTTP/1.1");
}

#[test]
fn proxy_takes_several_targets() {
    let (one, two) = (Upstream::ok(), Upstream::ok());
    let mut line = portcullis();
    line.arg("proxy")
        .arg(format!("http://{}", one.address()))
        .arg(format!("http://{}", two.address()))
        .args(["--bind", "127.0.0.1:0"]);
    let gate = Gate::spawn(Folder::new(), line);
    let mut client = gate.connect();
    for _ in 0..4 {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!((one.requests().len(), two.requests().len()), (2, 2));
}

#[test]
fn without_arguments_it_says_what_it_can_do() {
    let output = command(Path::new("."), &[]);
    let said = all(&output);
    for word in ["run", "check", "explain", "schema", "proxy"] {
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn help_teaches() {
    for name in ["run", "check", "explain", "schema", "proxy", "bench"] {
        let (said, code) = run(Path::new("."), &[name, "--help"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(
            said.contains("Example") && said.contains("portcullis "),
            "{name} shows no example:\n{said}"
        );
    }
    let (said, code) = run(Path::new("."), &["--version"]);
    assert_eq!(
        (said.trim(), code),
        (concat!("portcullis ", env!("CARGO_PKG_VERSION")), Some(0))
    );
}

#[test]
fn examples_of_the_help_fit_a_narrow_terminal() {
    for name in ["run", "check", "explain", "schema", "proxy", "bench"] {
        let (said, _) = run(Path::new("."), &[name, "--help"]);
        let examples = said.split_once("Example").unwrap().1;
        for line in examples.lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
        }
    }
}

#[test]
fn a_wrong_use_is_exit_code_2() {
    for arguments in [&["chekc"][..], &["explain"], &["run", "--no-such-option"]] {
        let (said, code) = run(Path::new("."), arguments);
        assert_eq!(code, Some(2), "{said}");
    }
    for option in ["--config", "--file", "-f"] {
        let (said, code) = run(Path::new("."), &["run", option, "portcullis.yaml"]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("portcullis run FILE"), "{said}");
    }
}
