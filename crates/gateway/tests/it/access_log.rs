//! A line for each request, without ever holding one up.

use std::process::Command;

use serde_json::Value;

use super::folder::Folder;
use super::gate::{Gate, eventually};
use super::json::json;
use super::upstream::Upstream;

fn logging(upstream: std::net::SocketAddr, log: &str) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nservices: {{up: \"http://{upstream}\"}}\npolicies: {{watch: {{access_log: {log}}}}}\n\
         everywhere: [watch]\nroutes:\n  - {{name: all, path: /**, to: {{service: up}}}}\n"
    )
}

fn lines(gate: &Gate, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    eventually("lines in the log", || {
        let text = gate.folder.read("access.log");
        lines = text.lines().map(str::to_owned).collect();
        lines.len() >= count && text.ends_with('\n')
    });
    assert_eq!(lines.len(), count, "{lines:?}");
    lines
}

#[test]
fn each_request_is_a_json_object() {
    let upstream = Upstream::ok();
    let gate = Gate::start(&logging(upstream.address(), "{file: access.log}"));
    let answer = gate
        .connect()
        .ask("GET", "/a?token=secret", &[("User-Agent", "a \"quoted\"\\ agent")], "");
    let line = json(&lines(&gate, 1)[0]);
    assert_eq!(line["method"], "GET");
    assert_eq!(line["path"], "/a");
    assert_eq!(line["status"], 200);
    assert_eq!(line["route"], "all");
    assert_eq!(line["client"], "127.0.0.1");
    assert_eq!(line["service"], "up");
    assert_eq!(line["user_agent"], "a \"quoted\"\\ agent");
    assert_eq!(line["request_id"].as_str(), answer.field("x-request-id"));
    assert_eq!(line["bytes_out"], 2);
    assert!(line["duration_ms"].as_f64().is_some());
    assert!(!line.to_string().contains("secret"), "a query may hold secrets: {line}");
}

#[test]
fn refusals_are_logged_too() {
    let upstream = Upstream::ok();
    let gate = Gate::start(&logging(upstream.address(), "{file: access.log}"));
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n");
    assert_eq!(client.answer().status, 400);
    let line = json(&lines(&gate, 1)[0]);
    assert_eq!(line["status"], 400);
    assert!(line["error"].is_string(), "{line}");
}

#[test]
fn a_template_is_filled_in_and_cant_be_broken_out_of() {
    let upstream = Upstream::ok();
    let gate = Gate::start(&logging(
        upstream.address(),
        "{file: access.log, template: '{client} \"{method} {path}\" {status} \"{user_agent}\"'}",
    ));
    gate.connect().ask("GET", "/a", &[("User-Agent", "x\" 200 \"y\\")], "");
    assert_eq!(lines(&gate, 1)[0], r#"127.0.0.1 "GET /a" 200 "x\x22 200 \x22y\x5c""#);
}

#[test]
fn standard_output_is_where_lines_go_by_default() {
    let upstream = Upstream::ok();
    let gate = Gate::start(&logging(upstream.address(), "{}"));
    gate.get("/a");
    let mut line = Value::Null;
    eventually("a line on standard output", || {
        let text = gate.folder.read("stdout");
        text.ends_with('\n') && {
            line = json(text.lines().next().unwrap());
            true
        }
    });
    assert_eq!(line["path"], "/a");
}

#[test]
fn every_line_is_there_after_the_end() {
    let upstream = Upstream::ok();
    let mut gate = Gate::start(&logging(upstream.address(), "{file: access.log}"));
    let mut client = gate.connect();
    for _ in 0..500 {
        client.get("/");
    }
    drop(client);
    gate.signal("TERM");
    assert!(gate.await_exit().success());
    assert_eq!(gate.folder.read("access.log").lines().count(), 500);
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up() {
    let upstream = Upstream::ok();
    let folder = Folder::new();
    let pipe = folder.path().join("access.log");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Somebody holds the pipe open and never reads: it fills up, and the writer stalls.
    let held = std::fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let gate = Gate::start_in(folder, &logging(upstream.address(), "{file: access.log}"));
    let mut client = gate.connect();
    for _ in 0..20_000 {
        assert_eq!(client.get("/").status, 200);
    }
    drop(held);
}
