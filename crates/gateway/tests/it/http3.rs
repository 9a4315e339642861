//! Requests and responses by HTTP/3.

use super::folder::Folder;
use super::gate::{Gate, eventually};
use super::http3_client::Quic;
use super::secure::Identity;
use super::upstream::Upstream;

/// A gate that speaks HTTP/3, before an upstream.
pub(crate) fn gate(upstream: &Upstream, listener: &str) -> (Gate, Quic) {
    let folder = Folder::new();
    let identity = Identity::make(&folder, "gate", &["gate.test"]);
    let gate = Gate::start_in(folder, &configuration(upstream, listener));
    (gate, Quic::new(&identity.visitor().remember()))
}

/// Its configuration, with more lines for the listener.
pub(crate) fn configuration(upstream: &Upstream, listener: &str) -> String {
    format!(
        "listeners:\n  - bind: 127.0.0.1:0\n    tls: {{certificates: [{{cert: gate.pem, key: gate.key}}]}}\n{listener}\n\
         admin: {{bind: \"127.0.0.1:0\"}}\nservices: {{up: \"http://{}\"}}\nroutes:\n\
         \x20 - {{path: /here, to: {{respond: {{body: here}}}}}}\n  - {{path: /**, to: {{service: up}}}}\n",
        upstream.address()
    )
}

/// The head of `POST /away`, coded by the static table alone (RFC 9204 §B).
const POST: &[u8] = b"\x01\x16\x00\x00\xd4\xd7\x51\x05/away\x50\x09gate.test";

fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| b"0123456789abcdefghijklmnopqrstuvwxyz\n"[at % 37])
        .collect()
}

#[test]
fn requests_are_forwarded_and_answered() {
    let upstream = Upstream::echo();
    let (gate, quic) = gate(&upstream, "");
    let mut client = quic.connect(gate.address());
    assert_eq!(client.get("/here").text(), "here");
    let seen = client
        .ask("POST", "/a?b=c", &[("x-mine", "1"), ("cookie", "a=b")], b"hello")
        .json();
    assert_eq!(
        (&seen["line"], &seen["body"]),
        (&"POST /a?b=c HTTP/1.1".into(), &"hello".into())
    );
    let received = upstream.last();
    for (name, value) in [
        ("host", "gate.test"),
        ("x-mine", "1"),
        ("cookie", "a=b"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "127.0.0.1"),
    ] {
        assert_eq!(received.field(name), Some(value), "{name}");
    }
    assert!(
        received.field("via").is_some_and(|via| via.starts_with("3 ")),
        "{received:?}"
    );
    let answer = client.get("/here");
    assert_eq!(answer.field("content-length"), Some("4"));
    assert!(
        answer.field("date").is_some() && answer.field("x-request-id").is_some(),
        "{answer:?}"
    );
    let head = client.ask("HEAD", "/here", &[], b"");
    assert_eq!(
        (head.status, head.field("content-length"), head.body.len()),
        (200, Some("4"), 0)
    );
}

#[test]
fn bodies_of_any_size_pass_both_ways() {
    let upstream = Upstream::playing(|peer| {
        while let Some(request) = peer.request() {
            peer.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                request.body.len()
            ));
            peer.send(&request.body);
        }
    });
    let (gate, quic) = gate(&upstream, "");
    let mut client = quic.connect(gate.address());
    for length in [0, 1, 63, 64, 1200, 16_384, 70_000, 9_000_000] {
        let length_said = length.to_string();
        for fields in [&[][..], &[("content-length", length_said.as_str())]] {
            let body = pattern(length);
            let mut exchange = client.begin("POST", "/", fields);
            exchange.send(&body);
            exchange.finish();
            let answer = exchange.answer().unwrap();
            assert_eq!(answer.field("content-length"), Some(length_said.as_str()));
            assert!(answer.body == body, "{length} bytes came changed");
        }
    }
}

#[test]
fn a_body_that_nobody_takes_is_not_taken_in() {
    let (_until, end) = std::sync::mpsc::channel::<()>();
    let end = std::sync::Mutex::new(end);
    let upstream = Upstream::playing(move |peer| {
        peer.head();
        let _ = end.lock().unwrap().recv();
    });
    let (gate, quic) = gate(&upstream, "");
    let connection = quic.try_connect(gate.address()).unwrap();
    let before = gate.peak_memory();
    // A large frame, and frames of one byte: whoever reads ahead of those holds all of them.
    for body in [&b"\x00\xc0\x00\x00\x00\x40\x00\x00\x00"[..], b""] {
        let (mut sending, _receiving) = quic.open(&connection);
        quic.send(&mut sending, POST, false);
        quic.send(&mut sending, body, false);
        let chunk = b"\x00\x01a".repeat(20_000);
        let mut sent = 0;
        while sent < 64_000_000 && quic.try_send(&mut sending, &chunk) {
            sent += chunk.len();
        }
        assert!(
            sent < 32_000_000,
            "it took {sent} bytes for an upstream that reads nothing"
        );
    }
    let grown = gate.peak_memory() - before;
    assert!(grown < 48_000_000, "it grew by {grown} bytes");
    assert_eq!(quic.connect(gate.address()).get("/here").text(), "here");
}

#[test]
fn trailers_pass_both_ways() {
    let upstream = Upstream::playing(|peer| {
        while let Some(request) = peer.request() {
            let sum = request
                .trailers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("x-sum"));
            let sum = sum.map_or("none", |(_, value)| value);
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Back\r\n\r\n");
            peer.send(format!("2\r\nok\r\n0\r\nX-Back: {sum}\r\n\r\n"));
        }
    });
    let (gate, quic) = gate(&upstream, "");
    let mut client = quic.connect(gate.address());
    let mut exchange = client.begin("POST", "/", &[]);
    exchange.send(b"hello");
    exchange.send_trailers(&[("x-sum", "42")]);
    exchange.finish();
    let answer = exchange.answer().unwrap();
    assert_eq!(answer.text(), "ok");
    assert_eq!(answer.trailers, [("x-back".to_owned(), "42".to_owned())]);
}

#[test]
fn many_requests_share_a_connection() {
    let upstream = Upstream::echo();
    let (gate, quic) = gate(&upstream, "");
    let mut client = quic.connect(gate.address());
    let mut exchanges: Vec<_> = (0..100)
        .map(|number| {
            let mut exchange = client.begin("POST", &format!("/{number}"), &[]);
            exchange.send(number.to_string().as_bytes());
            exchange
        })
        .collect();
    for (number, exchange) in exchanges.iter_mut().enumerate().rev() {
        exchange.finish();
        assert_eq!(exchange.answer().unwrap().json()["body"], number.to_string());
    }
}

#[test]
fn interim_responses_come_first() {
    let upstream = Upstream::playing(|peer| {
        while peer.request().is_some() {
            peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
            peer.answer("200 OK", "done");
        }
    });
    let (gate, quic) = gate(&upstream, "");
    let mut client = quic.connect(gate.address());
    let mut exchange = client.begin("GET", "/", &[]);
    exchange.finish();
    let hints = exchange.head().unwrap();
    assert_eq!(
        (hints.status, hints.field("link")),
        (103, Some("</a.css>; rel=preload"))
    );
    assert_eq!(exchange.answer().unwrap().text(), "done");
}

#[test]
fn content_is_asked_for_where_the_client_waits_for_that() {
    let upstream = Upstream::echo();
    let (gate, quic) = gate(&upstream, "");
    let mut client = quic.connect(gate.address());
    let mut exchange = client.begin("POST", "/", &[("expect", "100-continue")]);
    assert_eq!(exchange.head().unwrap().status, 100);
    exchange.send(b"asked for");
    exchange.finish();
    assert_eq!(exchange.answer().unwrap().json()["body"], "asked for");
}

#[test]
fn an_answer_may_come_before_the_request_has_ended() {
    let upstream = Upstream::playing(|peer| {
        peer.head();
        peer.answer("413 Too Much", "no");
    });
    let (gate, quic) = gate(&upstream, "");
    let mut client = quic.connect(gate.address());
    let mut exchange = client.begin("POST", "/", &[]);
    exchange.send(b"a");
    let answer = exchange.answer().unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (413, "no"));
    // The gate wants no more of it, and without an error (RFC 9114 §4.1).
    assert_eq!(exchange.stopped(), 0x100);
    assert_eq!(client.get("/here").text(), "here");
}

#[test]
fn an_answer_that_breaks_off_is_reset() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this");
    });
    let (gate, quic) = gate(&upstream, "");
    let mut client = quic.connect(gate.address());
    let mut exchange = client.begin("GET", "/", &[]);
    exchange.finish();
    // H3_INTERNAL_ERROR
    assert_eq!(exchange.broken_off(), 0x102);
    assert_eq!(client.get("/here").text(), "here");
}

#[test]
fn a_client_that_goes_away_stops_the_backend() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.rest();
    });
    let (gate, quic) = gate(&upstream, "");
    let mut client = quic.connect(gate.address());
    let mut exchange = client.begin("GET", "/", &[]);
    exchange.finish();
    eventually("the request at the upstream", || upstream.open() == 1);
    exchange.cancel();
    eventually("the end of the request at the upstream", || upstream.open() == 0);
    assert_eq!(client.get("/here").text(), "here");
}

#[test]
fn refusals_are_told_as_problems() {
    let (gate, quic) = gate(&Upstream::ok(), "    limits: {head: 4KiB, target: 1KiB, fields: 20}");
    let mut client = quic.connect(gate.address());
    let long = "a".repeat(3000);
    client.get(&format!("/{long}")).assert_problem(414, "uri_too_long");
    let larger = [("x-a", long.as_str()), ("x-b", &long)];
    client
        .ask("GET", "/here", &larger, b"")
        .assert_problem(431, "head_too_large");
    let many: Vec<_> = (0..30).map(|_| ("x-a", "b")).collect();
    client
        .ask("GET", "/here", &many, b"")
        .assert_problem(431, "head_too_large");
    client
        .ask("GET", "/here", &[("connection", "close")], b"")
        .assert_problem(400, "bad_request");
    client
        .ask("GET", "/here", &[("expect", "more")], b"")
        .assert_problem(417, "expectation_failed");
    assert_eq!(client.get("/here").text(), "here");
}
