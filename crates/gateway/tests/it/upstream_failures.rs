//! An upstream that fails is told apart in the log, and never shown to the client.

use super::client::Answer;
use super::gate::Gate;
use super::upstream::{Peer, Upstream};

/// Nothing in the answer may tell where the upstream is.
fn assert_silent(answer: &Answer, upstream: std::net::SocketAddr) {
    let all = answer.to_string();
    assert!(
        !all.contains(&upstream.port().to_string()),
        "the answer names the upstream: {all}"
    );
    for word in ["os error", "Connection refused", "reset by peer", "127.0.0.1"] {
        assert!(!all.contains(word), "the answer tells the cause: {all}");
    }
}

fn fails(status: u16, code: &str, script: impl Fn(&mut Peer) + Send + Sync + 'static) {
    let upstream = Upstream::playing(script);
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    let answer = client.get("/");
    answer.assert_problem(status, code);
    assert_silent(&answer, upstream.address());
    // The client did nothing wrong: its connection stays.
    assert_eq!(client.get("/").status, status);
}

#[test]
fn refused_is_502() {
    let nobody = Upstream::nobody();
    let gate = Gate::before(nobody);
    let answer = gate.get("/");
    answer.assert_problem(502, "upstream_refused");
    assert_silent(&answer, nobody);
    let status = answer.field("proxy-status").unwrap();
    assert!(status.contains("error=connection_refused"), "{status}");
}

#[test]
fn closed_without_an_answer_is_502() {
    fails(502, "upstream_closed", |peer| {
        peer.request();
    });
}

#[test]
fn closed_within_the_head_is_502() {
    fails(502, "upstream_closed", |peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nContent-Le");
    });
}

#[test]
fn reset_is_502() {
    fails(502, "upstream_closed", |peer| {
        peer.head();
        peer.reset();
    });
}

#[test]
fn garbage_is_502() {
    fails(502, "upstream_invalid", |peer| {
        peer.request();
        peer.send("SSH-2.0-OpenSSH_9.2\r\n\r\n");
        peer.rest();
    });
}

#[test]
fn a_status_that_is_none_is_502() {
    for line in [
        "HTTP/1.1 099 Odd",
        "HTTP/1.1 1000 Odd",
        "HTTP/1.1 2x0 Odd",
        "HTTP/2.0 200 OK",
        "HTTP/1.1",
    ] {
        let upstream = Upstream::answering(format!("{line}\r\nContent-Length: 0\r\n\r\n"));
        let gate = Gate::before(upstream.address());
        gate.get("/").assert_problem(502, "upstream_invalid");
    }
}

#[test]
fn an_endless_head_is_502() {
    fails(502, "upstream_invalid", |peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\n");
        for _ in 0..1000 {
            peer.send(format!("X-Filler: {}\r\n", "a".repeat(1000)));
        }
        peer.rest();
    });
}

#[test]
fn broken_chunks_break_the_answer_off() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\noneX\r\n0\r\n\r\n");
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    // Whether the head was out already is a matter of timing; a whole answer there can't be.
    assert!(client.try_answer(false).map_or(true, |answer| answer.status == 502));
}

#[test]
fn a_name_that_does_not_resolve_is_502() {
    let gate = Gate::start(
        "listeners: [127.0.0.1:0]\nservices: {up: \"http://no-such-host.invalid:80\"}\n\
         routes:\n  - {path: /**, to: {service: up}}\n",
    );
    let answer = gate.get("/");
    answer.assert_problem(502, "upstream_dns");
    assert!(!answer.to_string().contains("no-such-host"));
}

#[test]
fn the_cause_is_in_the_log() {
    let nobody = Upstream::nobody();
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nservices: {{up: \"http://{nobody}\"}}\npolicies: {{watch: {{access_log: {{file: log}}}}}}\n\
         everywhere: [watch]\nroutes:\n  - {{path: /**, to: {{service: up}}}}\n"
    ));
    assert_eq!(gate.get("/").status, 502);
    let mut line = serde_json::Value::Null;
    super::gate::eventually("a line in the log", || {
        let text = gate.folder.read("log");
        text.ends_with('\n') && {
            line = super::json::json(text.lines().next().unwrap());
            true
        }
    });
    assert_eq!(line["error"], "upstream_refused");
    assert_eq!(line["target"], format!("http://{nobody}"));
    assert!(line["cause"].as_str().unwrap().contains("refused"), "{line}");
}

#[test]
fn a_target_that_refuses_doesnt_take_the_others_along() {
    let upstream = Upstream::ok();
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nservices: {{up: [\"http://{}\", \"http://{}\"]}}\n\
         routes:\n  - {{path: /**, to: {{service: up}}}}\n",
        Upstream::nobody(),
        upstream.address()
    ));
    // Retries over targets come with health checks; until then an answer is either of the two and never a hang.
    let statuses: Vec<u16> = (0..10).map(|_| gate.get("/").status).collect();
    assert!(
        statuses.contains(&200) && statuses.iter().all(|status| [200, 502].contains(status)),
        "{statuses:?}"
    );
}

#[test]
fn connections_beyond_the_services_limit_are_503() {
    let upstream = Upstream::playing(|peer| {
        peer.head();
        peer.rest();
    });
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nservices: {{up: {{targets: [\"http://{}\"], max_connections: 2}}}}\n\
         routes:\n  - {{path: /**, to: {{service: up}}}}\n",
        upstream.address()
    ));
    let mut held: Vec<_> = (0..2).map(|_| gate.connect()).collect();
    for client in &mut held {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    super::gate::eventually("two connections at the upstream", || upstream.open() == 2);
    gate.get("/").assert_problem(503, "upstream_busy");
    assert_eq!(upstream.accepted(), 2);
}

#[test]
fn an_answer_without_a_length_that_breaks_off_is_not_whole() {
    let upstream = Upstream::playing(|peer| {
        peer.head();
        peer.send("HTTP/1.0 200 OK\r\n\r\nhalf");
        // Not before the gate has passed that on: a reset takes with it what nobody has read.
        peer.take(2);
        peer.reset();
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    client.until("half");
    client.send("go");
    // Without the last chunk the content is incomplete (RFC 9112 §8); the connection may as well be reset.
    let rest = client.rest().unwrap_or_default();
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&rest));
}
