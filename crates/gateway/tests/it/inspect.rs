//! Requests that are inspected for attacks.

use super::folder::Folder;
use super::gate::{Gate, eventually, refused};
use super::upstream::Upstream;

const RULES: &str = r#"
SecDefaultAction "phase:2,log,deny"
SecRule ARGS "@rx (?i)union\s+select" "id:942100,phase:2,block,t:none,msg:'SQL',logdata:'Matched Data: %{MATCHED_VAR}'"
"#;

fn configuration(upstream: &Upstream, inspect: &str) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: 127.0.0.1:0}}\nservices: {{up: 'http://{}'}}\npolicies: {{guard: {{inspect: {inspect}}}}}\n\
         routes:\n  - {{path: /**, policies: [guard], to: {{service: up}}}}\n",
        upstream.address()
    )
}

#[test]
fn an_attack_is_stopped_counted_and_written_down() {
    let upstream = Upstream::echo();
    let folder = Folder::new();
    folder.write("rules/a.conf", RULES);
    let gate = Gate::start_in(
        folder,
        &configuration(&upstream, "{rules: rules, audit_log: audit.log}"),
    );
    let refused = gate.get("/?q=1%20union%20select%20password");
    refused.assert_problem(403, "request_blocked");
    let text = refused.text();
    assert!(!text.contains("942100") && !text.contains("union"), "{text}");
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    // More than is judged on a worker.
    let large = format!("a={}&password=union+select", "x".repeat(100_000));
    gate.connect()
        .ask("POST", "/", &form, &large)
        .assert_problem(403, "request_blocked");
    assert!(upstream.requests().is_empty());
    let honest = format!("a={}", "x".repeat(100_000));
    let answer = gate.connect().ask("POST", "/?q=union", &form, &honest);
    assert_eq!((answer.status, upstream.last().body.len()), (200, honest.len()));
    assert!((gate.metric("portcullis_inspect_hits_total{family=\"942\",action=\"refused\"}") - 2.0).abs() < 0.1);
    eventually("both hits are in the audit log", || {
        gate.folder.read("audit.log").lines().count() == 2
    });
    let log = gate.folder.read("audit.log");
    assert!(
        log.contains("\"rule\":942100") && log.contains("ARGS:password"),
        "{log}"
    );
    assert!(!log.contains("xxx"), "{log}");
}

#[test]
fn rules_of_the_gates_own_guard_without_files() {
    let upstream = Upstream::ok();
    let gate = Gate::start(&configuration(&upstream, "{}"));
    gate.get("/?id=1%27%20or%20%271%27=%271")
        .assert_problem(403, "request_blocked");
    let json = [("Content-Type", "application/json")];
    let mut client = gate.connect();
    client
        .ask("POST", "/", &json, "{\"a\": \"<script>alert(1)</script>\"}")
        .assert_problem(403, "request_blocked");
    assert_eq!(client.ask("POST", "/", &json, "{\"a\": \"honest\"}").status, 200);
}

#[test]
fn rules_that_are_missing_or_wrong_stop_the_start() {
    let upstream = Upstream::ok();
    let folder = Folder::new();
    let (told, _) = refused(&folder, &configuration(&upstream, "{rules: nowhere}"));
    assert!(told.contains("nowhere"), "{told}");
    folder.write("a.conf", "\nSecRule ARGS \"@nothing\" id:1");
    let (told, _) = refused(&folder, &configuration(&upstream, "{rules: a.conf}"));
    assert!(told.contains("a.conf:2") && told.contains("@nothing"), "{told}");
}
