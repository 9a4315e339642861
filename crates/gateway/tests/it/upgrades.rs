//! A connection that both sides agree to upgrade becomes a pipe.

use super::gate::{Gate, eventually};
use super::upstream::Upstream;

const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// An upstream that accepts the upgrade, greets, and answers each five bytes with the same.
fn chat() -> Upstream {
    Upstream::playing(|peer| {
        let request = peer.head().unwrap();
        assert_eq!(request.field("upgrade"), Some("websocket"));
        assert!(
            request
                .field("connection")
                .is_some_and(|value| value.eq_ignore_ascii_case("upgrade"))
        );
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello",
        );
        while let Some(message) = peer.take(5) {
            peer.send(message);
        }
    })
}

#[test]
fn a_websocket_goes_through() {
    let upstream = chat();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send(HANDSHAKE);
    let answer = client.answer();
    assert_eq!((answer.status, answer.field("upgrade")), (101, Some("websocket")));
    assert_eq!(
        answer.field("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert_eq!(client.take(5).unwrap(), b"hello");
    for message in ["first", "again", "\x01\x02\0\r\n"] {
        client.send(message);
        assert_eq!(client.take(5).unwrap(), message.as_bytes());
    }
}

#[test]
fn bytes_sent_right_after_the_handshake_arrive() {
    let upstream = chat();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send(format!("{HANDSHAKE}early"));
    assert_eq!(client.answer().status, 101);
    assert_eq!(client.take(10).unwrap(), b"helloearly");
}

#[test]
fn each_side_may_end_its_direction() {
    let upstream = Upstream::playing(|peer| {
        peer.head();
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        let all = peer.rest();
        peer.send(format!("{} bytes", all.len()));
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send(HANDSHAKE);
    assert_eq!(client.answer().status, 101);
    client.send("1234567");
    client.end();
    assert_eq!(client.rest().unwrap(), b"7 bytes");
    eventually("the upstream's connection to end", || upstream.open() == 0);
}

#[test]
fn an_upgrade_that_the_upstream_declines_is_an_ordinary_answer() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send(HANDSHAKE);
    assert_eq!(client.answer().text(), "ok");
    assert_eq!(client.get("/").text(), "ok", "the connection stays");
}

#[test]
fn an_upgrade_that_nobody_asked_for_is_refused() {
    let upstream = Upstream::answering("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    let gate = Gate::before(upstream.address());
    gate.get("/").assert_problem(502, "upstream_invalid");
}

#[test]
fn a_websocket_outlives_a_reload() {
    let upstream = chat();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send(HANDSHAKE);
    assert_eq!(client.answer().status, 101);
    assert_eq!(client.take(5).unwrap(), b"hello");
    gate.rewrite("listeners: [127.0.0.1:0]\nroutes:\n  - {path: /**, to: {respond: new}}\n");
    gate.signal("HUP");
    client.send("still");
    assert_eq!(client.take(5).unwrap(), b"still");
}

#[test]
fn what_follows_a_declined_upgrade_is_the_next_request() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send(format!("{HANDSHAKE}DELETE /behind HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.answer().status, 200);
    let requests = upstream.requests();
    let lines: Vec<&str> = requests.iter().map(|request| request.line.as_str()).collect();
    assert_eq!(lines, ["GET /chat HTTP/1.1", "DELETE /behind HTTP/1.1"]);
    // The second one came through the gate as a request of its own, not as bytes behind the first.
    assert!(requests.iter().all(|request| request.field("x-request-id").is_some()));
}

#[test]
fn a_server_that_does_not_answer_an_upgrade_is_late() {
    let upstream = Upstream::playing(|peer| {
        peer.head();
        peer.rest();
    });
    let gate = Gate::start(&format!(
        "listeners: ['127.0.0.1:0']\nservices:\n  up: {{targets: 'http://{}', timeout: {{first_byte: 200ms}}}}\n\
         routes: [{{path: /**, to: {{service: up}}}}]\n",
        upstream.address()
    ));
    let mut client = gate.connect();
    client.send(HANDSHAKE);
    assert_eq!(client.answer().status, 504);
}
