//! Copies of requests reach their service whole, and nothing that it does is noticed by clients.

use std::time::{Duration, Instant};

use super::gate::{Gate, eventually};
use super::upstream::Upstream;

fn configuration(up: &Upstream, shadow: std::net::SocketAddr, mirror: &str) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\n\
         services: {{up: \"http://{}\", shadow: \"http://{shadow}\"}}\n\
         routes:\n  - {{path: /**, to: {{service: up, mirror: {{service: shadow{mirror}}}}}}}\n",
        up.address()
    )
}

fn copies(gate: &Gate, result: &str) -> f64 {
    gate.metric(&format!(
        "portcullis_mirrored_requests_total{{service=\"shadow\",result=\"{result}\"}}"
    ))
}

#[test]
fn a_copy_is_the_same_and_says_that_it_is_one() {
    let (up, shadow) = (Upstream::ok(), Upstream::echo());
    let gate = Gate::start(&configuration(&up, shadow.address(), ""));
    let body = "x".repeat(40_000);
    let mut client = gate.connect();
    assert_eq!(
        client
            .ask("POST", "/a?b", &[("X-Portcullis-Mirror", "2")], &body)
            .text(),
        "ok"
    );
    client.send(
        "PUT /c HTTP/1.1\r\nHost: gate.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    assert_eq!(client.answer().text(), "ok");
    eventually("both copies", || copies(&gate, "answered") >= 2.0);
    let sent = shadow.requests();
    let copy = |target: &str| sent.iter().find(|request| request.target() == target).unwrap();
    assert_eq!(copy("/a?b").body, body.as_bytes());
    assert_eq!(copy("/c").body, b"abcde");
    assert_eq!(copy("/a?b").field("host"), Some("gate.test"));
    assert_eq!(copy("/a?b").field("x-portcullis-mirror"), Some("1"));
    let original = up.requests().remove(0);
    assert_eq!(original.field("x-portcullis-mirror"), None);
    assert_eq!(original.field("x-request-id"), copy("/a?b").field("x-request-id"));
}

#[test]
fn a_mirror_that_hangs_or_is_dead_delays_nobody() {
    let up = Upstream::ok();
    let silent = Upstream::playing(|peer| while peer.request().is_some() {});
    for (shadow, result) in [(silent.address(), "timed_out"), (Upstream::nobody(), "failed")] {
        let gate = Gate::start(&configuration(&up, shadow, ", timeout: 3s"));
        let mut client = gate.connect();
        let began = Instant::now();
        for _ in 0..20 {
            assert_eq!(client.ask("POST", "/", &[], "body").text(), "ok");
        }
        // A single wait for the mirror would have taken three seconds.
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        eventually("all copies given up", || copies(&gate, result) >= 20.0);
        assert!(!gate.log().contains("WARN"), "nothing is logged for each copy");
    }
}

#[test]
fn a_body_that_is_too_large_is_not_copied_and_arrives() {
    let (up, shadow) = (Upstream::echo(), Upstream::ok());
    let gate = Gate::start(&configuration(&up, shadow.address(), ", body: 1KiB"));
    let mut client = gate.connect();
    let answer = client.ask("POST", "/", &[], "x".repeat(100_000));
    assert_eq!(answer.json()["length"], 100_000);
    let chunk = "y".repeat(2000);
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n{chunk}\r\n0\r\n\r\n"
    ));
    assert_eq!(client.answer().json()["length"], 2000);
    eventually("both given up", || copies(&gate, "too_large") >= 2.0);
    assert_eq!(shadow.accepted(), 0);
}
