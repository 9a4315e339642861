//! No request hides in another: what two programs could read differently is refused, and the bytes after it are never
//! taken for a request.

use super::gate::Gate;
use super::upstream::Upstream;

/// Framing fields that no two programs read alike, and the status of the refusal.
const AMBIGUOUS: &[(&str, u16)] = &[
    ("Content-Length: 5\r\nContent-Length: 6\r\n", 400),
    ("Content-Length: 5\r\nContent-Length: 5\r\n", 400),
    ("Content-Length: 5, 5\r\n", 400),
    ("Content-Length: +5\r\n", 400),
    ("Content-Length: -5\r\n", 400),
    ("Content-Length: 0x5\r\n", 400),
    ("Content-Length: 5 5\r\n", 400),
    ("Content-Length: \r\n", 400),
    ("Content-Length: 5;\r\n", 400),
    ("Content-Length: 5.0\r\n", 400),
    ("Content-Length: 18446744073709551616\r\n", 400),
    ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
    ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
    ("Transfer-Encoding: chunked, chunked\r\n", 400),
    ("Transfer-Encoding: xchunked\r\n", 501),
    ("Transfer-Encoding: gzip, chunked\r\n", 501),
    ("Transfer-Encoding: chunked, identity\r\n", 400),
    ("Transfer-Encoding: identity\r\n", 501),
    ("Transfer-Encoding: \r\n", 400),
    ("Transfer-Encoding: \"chunked\"\r\n", 400),
    ("Transfer-Encoding : chunked\r\n", 400),
    ("Transfer-Encoding: \x0bchunked\r\n", 400),
    ("Transfer-Encoding: chunked\x0b\r\n", 400),
    ("Transfer-Encoding:\r\n chunked\r\n", 400),
    ("Transfer-Encoding: chunked\nX: y\r\n", 400),
    ("X: y\nTransfer-Encoding: chunked\r\n", 400),
    ("X: y\rTransfer-Encoding: chunked\r\n", 400),
    ("\0Transfer-Encoding: chunked\r\n", 400),
];

const INNER: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn ambiguous_framing_is_refused_and_what_follows_is_never_read() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    for (fields, status) in AMBIGUOUS {
        let mut client = gate.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n0\r\n\r\n{INNER}"));
        let answer = client.answer();
        // The table says what the standard suggests; a tester only needs to know that it is a refusal of the client.
        let refused = answer.status == *status || (answer.status == 400 && *status == 501);
        assert!(refused, "{fields:?}: {answer}");
        client.assert_closed();
    }
    assert_eq!(upstream.accepted(), 0, "an ambiguous request went on");
}

#[test]
fn transfer_encoding_from_an_http_1_0_client_is_refused() {
    // RFC 9112 §6.1: such framing is faulty, and what follows can't be trusted.
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send(format!(
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{INNER}"
    ));
    assert_eq!(client.answer().status, 400);
    client.assert_closed();
    assert_eq!(upstream.accepted(), 0);
}

#[test]
fn broken_chunks_are_refused() {
    let upstream = Upstream::echo();
    let gate = Gate::before(upstream.address());
    let bodies = [
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "g\r\nhello\r\n0\r\n\r\n",
        "11111111111111111\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\n folded: y\r\n\r\n",
    ];
    for body in bodies {
        let mut client = gate.connect();
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}{INNER}"
        ));
        let answer = client.answer();
        assert_eq!(answer.status, 400, "{body:?}: {answer}");
        client.assert_closed();
    }
    assert!(
        upstream.requests().iter().all(|request| request.target() == "/"),
        "a hidden request came out"
    );
}

#[test]
fn the_framing_that_goes_on_is_our_own() {
    let upstream = Upstream::echo();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n00000005;note=\"x\"\r\nhello\r\n0\r\n\r\n",
    );
    assert_eq!(client.answer().json()["body"], "hello");
    let received = upstream.last();
    assert!(received.field("content-length").is_none() || received.field("transfer-encoding").is_none());
}

#[test]
fn trailers_cant_bring_framing_or_credentials() {
    let upstream = Upstream::echo();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\
         Content-Length: 9\r\nHost: b\r\nAuthorization: c\r\nTransfer-Encoding: chunked\r\nX-Sum: d\r\n\r\n",
    );
    client.answer();
    let names: Vec<String> = upstream.last().trailers.into_iter().map(|(name, _)| name).collect();
    assert!(names.iter().all(|name| name == "x-sum"), "{names:?}");
}

#[test]
fn an_upstream_cant_smuggle_a_response() {
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    ];
    for answer in answers {
        let upstream = Upstream::answering(answer);
        let gate = Gate::before(upstream.address());
        gate.get("/").assert_problem(502, "upstream_invalid");
    }
}

#[test]
fn bytes_after_an_answer_are_never_taken_for_the_next_one() {
    let upstream = Upstream::playing(|peer| {
        while peer.request().is_some() {
            peer.send(
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
            );
        }
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    for _ in 0..5 {
        let answer = client.get("/");
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    }
}
