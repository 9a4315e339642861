//! Clients of HTTP/3 that break its rules, or strain it.

use std::time::{Duration, Instant};

use super::gate::{PATIENCE, eventually};
use super::http3::gate;
use super::http3_client::{Quic, UNDISTURBED};
use super::upstream::Upstream;

/// The head of `GET /here`, coded by the static table alone (RFC 9204 §B).
const HEAD: &[u8] = b"\x01\x16\x00\x00\xd1\xd7\x51\x05/here\x50\x09gate.test";

/// The same of `POST /here`.
const POST: &[u8] = b"\x01\x16\x00\x00\xd4\xd7\x51\x05/here\x50\x09gate.test";

/// The codes of RFC 9114 §8.1.
const EXCESSIVE_LOAD: u64 = 0x107;
const FRAME_UNEXPECTED: u64 = 0x105;
const FRAME_ERROR: u64 = 0x106;
const REQUEST_REJECTED: u64 = 0x10b;
const REQUEST_INCOMPLETE: u64 = 0x10d;
const MESSAGE_ERROR: u64 = 0x10e;

/// How the gate ends a connection on which that was sent, as a whole request.
fn connection_ends(sent: &[u8], by: u64) {
    let (gate, quic) = gate(&Upstream::ok(), "");
    let connection = quic.try_connect(gate.address()).unwrap();
    let (mut sending, _receiving) = quic.open(&connection);
    quic.send(&mut sending, sent, true);
    assert_eq!(quic.closed(&connection), by, "{sent:?}");
    assert_eq!(quic.connect(gate.address()).get("/here").status, 200);
}

/// How the gate breaks a request off that was sent like that. The connection goes on.
fn request_ends(quic: &Quic, connection: &quinn::Connection, sent: &[u8], by: u64) {
    let (mut sending, mut receiving) = quic.open(connection);
    quic.send(&mut sending, sent, true);
    assert_eq!(quic.broken_off(&mut receiving), by, "{sent:?}");
}

#[test]
fn what_breaks_the_framing_ends_the_connection() {
    // Content before a head, settings on a request's stream, a frame of HTTP/2, and a code that means nothing.
    connection_ends(b"\x00\x01a", FRAME_UNEXPECTED);
    connection_ends(b"\x04\x00", FRAME_UNEXPECTED);
    connection_ends(b"\x06\x00", FRAME_UNEXPECTED);
    connection_ends(b"\x01\x03\x00\x00\xff", 0x200);
}

#[test]
fn a_frame_that_is_cut_off_ends_the_connection() {
    connection_ends(&HEAD[..10], FRAME_ERROR);
    let upstream = Upstream::playing(|peer| while peer.request().is_some() {});
    let (gate, quic) = gate(&upstream, "");
    let connection = quic.try_connect(gate.address()).unwrap();
    let (mut sending, _receiving) = quic.open(&connection);
    let post = [&POST[..8], b"/else", &POST[13..]].concat();
    quic.send(&mut sending, &[&post[..], b"\x00\x0aonly"].concat(), false);
    eventually("the request at the upstream", || upstream.open() == 1);
    quic.send(&mut sending, b"", true);
    assert_eq!(quic.closed(&connection), FRAME_ERROR);
}

#[test]
fn what_is_malformed_is_refused_alone() {
    let (gate, quic) = gate(&Upstream::ok(), "");
    let connection = quic.try_connect(gate.address()).unwrap();
    request_ends(&quic, &connection, b"", REQUEST_INCOMPLETE);
    // No method; a name in capital letters.
    request_ends(
        &quic,
        &connection,
        b"\x01\x0f\x00\x00\xd7\xc1\x50\x09gate.test",
        MESSAGE_ERROR,
    );
    let capital = b"\x01\x14\x00\x00\xd1\xd7\xc1\x50\x09gate.test\x21X\x01a";
    request_ends(&quic, &connection, capital, MESSAGE_ERROR);
    let (mut sending, mut receiving) = quic.open(&connection);
    quic.send(&mut sending, HEAD, true);
    assert!(!quic.wait(receiving.read_to_end(4096)).unwrap().is_empty());
}

#[test]
fn frames_that_mean_nothing_are_passed_over() {
    let (gate, quic) = gate(&Upstream::ok(), "");
    let connection = quic.try_connect(gate.address()).unwrap();
    let (mut sending, mut receiving) = quic.open(&connection);
    quic.send(&mut sending, b"\x21\x80\x10\x00\x00", false);
    for _ in 0..16 {
        quic.send(&mut sending, &[0; 65_536], false);
    }
    quic.send(&mut sending, HEAD, true);
    assert!(!quic.wait(receiving.read_to_end(4096)).unwrap().is_empty());
}

#[test]
fn a_head_that_is_too_long_is_not_gathered() {
    let (gate, quic) = gate(&Upstream::ok(), "    limits: {head: 4KiB}");
    let connection = quic.try_connect(gate.address()).unwrap();
    let (mut sending, mut receiving) = quic.open(&connection);
    // It says that it takes a gigabyte.
    quic.send(&mut sending, b"\x01\xc0\x00\x00\x00\x40\x00\x00\x00\x00\x00", false);
    assert_eq!(quic.broken_off(&mut receiving), EXCESSIVE_LOAD);
}

#[test]
fn a_slow_head_is_not_waited_for() {
    let (gate, quic) = gate(&Upstream::ok(), "    timeouts: {head: 300ms}");
    let connection = quic.try_connect(gate.address()).unwrap();
    let (mut sending, mut receiving) = quic.open(&connection);
    quic.send(&mut sending, &HEAD[..10], false);
    assert_eq!(quic.broken_off(&mut receiving), REQUEST_REJECTED);
}

#[test]
fn a_body_that_stalls_is_not_waited_for() {
    let upstream = Upstream::playing(|peer| while peer.request().is_some() {});
    let (gate, quic) = gate(&upstream, "    timeouts: {body: 300ms}");
    let mut client = quic.connect(gate.address());
    let mut exchange = client.begin("POST", "/", &[]);
    exchange.send(b"some");
    exchange.answer().unwrap().assert_problem(408, "request_timeout");
    eventually("the end of the request at the upstream", || upstream.open() == 0);
}

#[test]
fn content_is_as_long_as_was_said() {
    let (gate, quic) = gate(&Upstream::echo(), "");
    let mut client = quic.connect(gate.address());
    for (said, sent) in [("3", &b"four"[..]), ("5", b"four"), ("5", b"")] {
        let mut exchange = client.begin("POST", "/", &[("content-length", said)]);
        exchange.send(sent);
        exchange.finish();
        exchange.answer().unwrap().assert_problem(400, "bad_request");
    }
    assert_eq!(client.get("/here").status, 200);
}

#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        while peer.sent(&[0; 65_536]) {}
    });
    let (gate, quic) = gate(&upstream, "    timeouts: {write: 300ms}");
    let mut client = quic.connect(gate.address());
    let mut exchange = client.begin("GET", "/", &[]);
    exchange.finish();
    assert_eq!(exchange.head().unwrap().status, 200);
    eventually("the end of the request at the upstream", || upstream.open() == 0);
    let started = Instant::now();
    let mut taken = 0;
    let end = loop {
        match exchange.some() {
            Ok(Some(data)) => taken += data.len(),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
        assert!(started.elapsed() < PATIENCE);
    };
    assert!(end.is_some() && taken < 100_000_000, "{taken} bytes came");
}

#[test]
fn a_connection_without_requests_is_ended() {
    let (gate, quic) = gate(&Upstream::ok(), "    timeouts: {idle: 1s}");
    let mut client = quic.connect(gate.address());
    assert_eq!(client.get("/here").status, 200);
    assert_eq!(quic.closed(&client.connection), 0x100);
}

#[test]
fn a_request_that_waits_keeps_its_connection() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let upstream = Upstream::playing(move |peer| {
        peer.request();
        gone.lock().unwrap().recv().unwrap();
        peer.answer("200 OK", "late");
    });
    let (gate, quic) = gate(&upstream, "    timeouts: {idle: 600ms}");
    let mut client = quic.connect(gate.address());
    let mut exchange = client.begin("GET", "/", &[]);
    exchange.finish();
    eventually("the request at the upstream", || upstream.open() == 1);
    // Nothing is said for longer than an idle connection lives.
    std::thread::sleep(UNDISTURBED * 3);
    go.send(()).unwrap();
    assert_eq!(exchange.answer().unwrap().text(), "late");
}

#[test]
fn who_only_breaks_requests_off_is_sent_away() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.rest();
    });
    let (gate, quic) = gate(&upstream, "");
    let mut client = quic.connect(gate.address());
    let started = Instant::now();
    while let Ok(mut exchange) = client.try_begin("GET", "/", &[]) {
        exchange.cancel();
        assert!(started.elapsed() < PATIENCE, "it goes on for ever");
    }
    assert_eq!(quic.closed(&client.connection), EXCESSIVE_LOAD);
    assert_eq!(quic.connect(gate.address()).get("/here").status, 200);
    eventually("the end of the requests at the upstream", || upstream.open() == 0);
}

#[test]
fn streams_without_requests_are_not_many() {
    let (gate, quic) = gate(&Upstream::ok(), "");
    let connection = quic.try_connect(gate.address()).unwrap();
    let mut opened = Vec::new();
    // Streams whose kind is never said wait for it; beyond a few, the client may open none.
    while let Some(stream) = quic.opens_another(&connection, Duration::from_millis(300)) {
        opened.push(stream);
        assert!(opened.len() < 100, "there is no end of streams");
    }
    let (mut sending, mut receiving) = quic.open(&connection);
    quic.send(&mut sending, HEAD, true);
    assert!(!quic.wait(receiving.read_to_end(4096)).unwrap().is_empty());
}
