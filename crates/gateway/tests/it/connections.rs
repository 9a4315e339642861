//! Connections are kept, shared and ended as RFC 9112 §9 says.

use std::io::Write;
use std::time::Duration;

use super::client::socket;
use super::gate::{Gate, eventually};
use super::upstream::Upstream;

#[test]
fn a_connection_serves_many_requests() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    for _ in 0..50 {
        let answer = client.get("/");
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
        assert_eq!(answer.field("connection"), None);
    }
    assert_eq!(upstream.accepted(), 1, "the upstream's connection wasn't kept");
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let upstream = Upstream::echo();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    let all: String = (0..20)
        .map(|number| format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .collect();
    client.send(all);
    for number in 0..20 {
        assert_eq!(client.answer().json()["line"], format!("GET /{number} HTTP/1.1"));
    }
}

#[test]
fn pipelined_bodies_are_told_apart() {
    let upstream = Upstream::echo();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send(concat!(
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n",
        "GET /c HTTP/1.1\r\nHost: a\r\n\r\n",
    ));
    let bodies: Vec<String> = (0..3)
        .map(|_| client.answer().json()["body"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(bodies, ["abc", "def", ""]);
}

#[test]
fn close_is_kept_to() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    let answer = client.ask("GET", "/", &[("Connection", "close")], "");
    assert_eq!(answer.field("connection"), Some("close"));
    client.assert_closed();
}

#[test]
fn an_http_1_0_client_gets_an_answer_and_the_end() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send("GET / HTTP/1.0\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.field("transfer-encoding"), None, "HTTP/1.0 knows no chunks");
    assert_eq!(answer.text(), "hello");
    client.assert_closed();
}

#[test]
fn an_http_1_0_client_may_ask_to_stay() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    for _ in 0..2 {
        client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
        let answer = client.answer();
        assert_eq!(answer.text(), "ok");
        assert!(
            answer
                .field("connection")
                .is_some_and(|value| value.eq_ignore_ascii_case("keep-alive")),
            "{answer}"
        );
    }
}

#[test]
fn a_client_that_ends_its_direction_still_gets_its_answer() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.end();
    assert_eq!(client.answer().text(), "ok");
    client.assert_closed();
}

#[test]
fn a_client_that_resets_frees_its_upstream_connection() {
    let upstream = Upstream::playing(|peer| {
        peer.head();
        // The answer never comes: only the client's leaving can end this.
        peer.rest();
    });
    let gate = Gate::before(upstream.address());
    let mut client = socket(gate.address());
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    eventually("the request at the upstream", || upstream.open() == 1);
    // A mere end would not do: it may be a client that has sent all it had and waits for its answer.
    socket2::SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    eventually("the upstream's connection to end", || upstream.open() == 0);
}

#[test]
fn an_upstream_that_says_close_is_not_asked_again_on_that_connection() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
        peer.rest();
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    for round in 1..=3 {
        assert_eq!(client.get("/").text(), "ok");
        assert_eq!(upstream.accepted(), round);
    }
}

#[test]
fn a_body_that_ends_with_the_connection_is_whole() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        for _ in 0..100 {
            peer.send("0123456789");
        }
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    assert_eq!(client.get("/").text().len(), 1000);
    assert_eq!(client.get("/").text().len(), 1000, "our own connection stays");
}

#[test]
fn a_request_is_sent_again_when_a_kept_connection_was_dead_already() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.answer("200 OK", "ok");
        if peer.number == 0 {
            // Ends without an answer once the next request has arrived: nothing was processed.
            peer.head();
            return;
        }
        while peer.request().is_some() {
            peer.answer("200 OK", "again");
        }
    });
    let gate = Gate::start(&super::gate::forward_all(upstream.address(), ""));
    let mut client = gate.connect();
    assert_eq!(client.get("/").text(), "ok");
    let answer = client.get("/second");
    assert_eq!(answer.status, 200, "{answer}");
    assert_eq!(upstream.accepted(), 2);
}

#[test]
fn a_post_is_not_sent_again() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.answer("200 OK", "ok");
        if peer.number == 0 {
            peer.request();
        } else {
            peer.rest();
        }
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    assert_eq!(client.get("/").text(), "ok");
    // It had all been sent when the connection ended: whether it was processed nobody knows.
    client.ask("POST", "/", &[], "x").assert_problem(502, "upstream_closed");
    assert_eq!(
        upstream
            .requests()
            .iter()
            .filter(|request| request.line.starts_with("POST"))
            .count(),
        1
    );
}

#[test]
fn connections_beyond_the_limit_are_closed_at_once() {
    let upstream = Upstream::ok();
    let gate = Gate::start(&format!(
        "listeners:\n  - {{bind: 127.0.0.1:0, limits: {{connections: 3}}}}\n\
         services: {{up: \"http://{}\"}}\nroutes:\n  - {{path: /**, to: {{service: up}}}}\n",
        upstream.address()
    ));
    let mut kept: Vec<_> = (0..3).map(|_| gate.connect()).collect();
    for client in &mut kept {
        assert_eq!(client.get("/").status, 200);
    }
    let mut refused = gate.connect();
    refused.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = refused.try_answer(false);
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 503));
    drop(kept);
    eventually("room for another connection", || {
        let mut client = gate.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.try_answer(false).is_ok_and(|answer| answer.status == 200)
    });
}
