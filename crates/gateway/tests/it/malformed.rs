//! What is no request gets the right status and a closed connection, and never reaches an upstream.

use super::client::Client;
use super::gate::Gate;
use super::upstream::Upstream;

/// What is sent, and the status and code of the refusal.
const REFUSED: &[(&str, u16, &str)] = &[
    ("GET / HTTP/1.1\r\n\r\n", 400, "bad_request"),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "bad_request"),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad_request"),
    ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad_request"),
    ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400, "bad_request"),
    ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request"),
    ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request"),
    ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request"),
    (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request"),
    ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request"),
    ("G<T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request"),
    ("GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "bad_request"),
    ("GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "bad_request"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", 400, "bad_request"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", 400, "bad_request"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: b\x01c\r\n\r\n", 400, "bad_request"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", 400, "bad_request"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400, "bad_request"),
    ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400, "bad_request"),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n folded\r\n\r\n",
        400,
        "bad_request",
    ),
    ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "bad_request"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n", 400, "bad_request"),
    ("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_target"),
    ("GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_target"),
    ("GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_target"),
    ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_target"),
    ("GET /../a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_target"),
    ("GET /a/%2e%2e/../b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_target"),
    ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_target"),
    ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_target"),
    (
        "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
        501,
        "method_not_implemented",
    ),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "version_not_supported"),
    ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "version_not_supported"),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n",
        417,
        "expectation_failed",
    ),
];

#[test]
fn each_malformed_request_is_refused_and_ends_the_connection() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    for (request, status, code) in REFUSED {
        let mut client = gate.connect();
        client.send(request);
        let answer = client.answer();
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (*status, Some(*code)),
            "{request:?}: {answer}"
        );
        assert_eq!(answer.field("connection"), Some("close"), "{request:?}");
        client.assert_closed();
    }
    assert_eq!(upstream.accepted(), 0, "a malformed request went on");
    assert_eq!(gate.get("/").text(), "ok");
}

#[test]
fn what_is_no_http_at_all_is_refused() {
    let gate = Gate::before(Upstream::nobody());
    let noise: [&[u8]; 4] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET /\r\n\r\n",
    ];
    for bytes in noise {
        let mut client = gate.connect();
        client.send(bytes);
        assert_eq!(client.answer().status, 400, "{bytes:?}");
        client.assert_closed();
    }
}

#[test]
fn what_only_begins_like_the_greeting_of_http_2_is_told_the_version() {
    let gate = Gate::before(Upstream::nobody());
    let mut client = gate.connect();
    client.send("PRI * HTTP/2.0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.answer().assert_problem(505, "version_not_supported");
    client.assert_closed();
}

#[test]
fn empty_lines_before_a_request_are_passed_over() {
    // RFC 9112 §2.2: clients of old sent an extra line end after a body.
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    client.send("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 200);
}

#[test]
fn a_head_may_come_byte_by_byte() {
    let upstream = Upstream::echo();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    for byte in b"GET /slowly?a=b HTTP/1.1\r\nHost: gate.test\r\nX-A: b\r\n\r\n" {
        client.send([*byte]);
    }
    assert_eq!(client.answer().json()["line"], "GET /slowly?a=b HTTP/1.1");
}

#[test]
fn a_refusal_repeats_nothing_that_breaks_its_own_form() {
    let gate = Gate::before(Upstream::nobody());
    let mut client = gate.connect();
    client.send("GET /\"<script>\u{1} HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.status, 400);
    answer.json();
}

#[test]
fn the_absolute_form_is_understood_when_it_agrees_with_the_host() {
    let upstream = Upstream::echo();
    let gate = Gate::before(upstream.address());
    let mut client: Client = gate.connect();
    client.send("GET http://shop.test/a?b HTTP/1.1\r\nHost: shop.test\r\n\r\n");
    let seen = client.answer().json();
    assert_eq!(seen["line"], "GET /a?b HTTP/1.1");
}
