//! Each limit on size and number has its status, and what is within it passes.

use super::gate::Gate;
use super::upstream::Upstream;

/// A gate with small limits in front of an upstream that echoes.
fn small(upstream: &Upstream) -> Gate {
    Gate::start(&format!(
        "listeners:\n  - bind: 127.0.0.1:0\n    limits: {{head: 2KiB, target: 200, fields: 10}}\n\
         services: {{up: \"http://{}\"}}\npolicies: {{small: {{limits: {{body: 100}}}}}}\n\
         routes:\n  - {{path: /**, policies: [small], to: {{service: up}}}}\n",
        upstream.address()
    ))
}

#[test]
fn a_target_over_the_limit_is_414() {
    let upstream = Upstream::echo();
    let gate = small(&upstream);
    assert_eq!(gate.get(&format!("/{}", "a".repeat(199))).status, 200);
    let mut client = gate.connect();
    client
        .get(&format!("/{}", "a".repeat(200)))
        .assert_problem(414, "uri_too_long");
    client.assert_closed();
    let mut endless = gate.connect();
    endless.send(format!("GET /{}", "a".repeat(10_000)));
    endless.answer().assert_problem(414, "uri_too_long");
    endless.assert_closed();
}

#[test]
fn a_head_over_the_limit_is_431() {
    let upstream = Upstream::echo();
    let gate = small(&upstream);
    assert_eq!(
        gate.connect().ask("GET", "/", &[("X", &"a".repeat(1900))], "").status,
        200
    );
    let mut client = gate.connect();
    client
        .ask("GET", "/", &[("X", &"a".repeat(2100))], "")
        .assert_problem(431, "head_too_large");
    client.assert_closed();
}

#[test]
fn too_many_fields_are_431() {
    let upstream = Upstream::echo();
    let gate = small(&upstream);
    let fields = |count| vec![("X", "a"); count];
    assert_eq!(
        gate.connect().ask("GET", "/", &fields(9), "").status,
        200,
        "with Host it is ten"
    );
    let mut client = gate.connect();
    client
        .ask("GET", "/", &fields(10), "")
        .assert_problem(431, "head_too_large");
    client.assert_closed();
}

#[test]
fn a_body_over_the_limit_is_413() {
    let upstream = Upstream::echo();
    let gate = small(&upstream);
    assert_eq!(gate.connect().ask("POST", "/", &[], [b'a'; 100]).status, 200);
    gate.connect()
        .ask("POST", "/", &[], [b'a'; 101])
        .assert_problem(413, "content_too_large");
    assert_eq!(upstream.requests().len(), 1, "a refused body reached the upstream");
}

#[test]
fn a_chunked_body_over_the_limit_is_413() {
    let upstream = Upstream::echo();
    let gate = small(&upstream);
    let mut client = gate.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..11 {
        client.send("a\r\n0123456789\r\n");
    }
    client.answer().assert_problem(413, "content_too_large");
    let whole = upstream.requests().iter().any(|request| !request.body.is_empty());
    assert!(!whole, "the upstream took the cut body for a whole one");
}

#[test]
fn a_refused_body_isnt_read_to_its_end() {
    let upstream = Upstream::echo();
    let gate = small(&upstream);
    let mut client = gate.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\nabc");
    let answer = client.answer();
    answer.assert_problem(413, "content_too_large");
    assert_eq!(answer.field("connection"), Some("close"));
    client.assert_closed();
}
