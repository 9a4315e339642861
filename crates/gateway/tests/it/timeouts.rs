//! Who stalls is not waited for, and what he held is released.

use std::time::{Duration, Instant};

use super::gate::{Gate, eventually};
use super::upstream::Upstream;

/// Its limits are short for the clock and long for a busy machine, on which this test and its upstream must keep within them.
fn impatient(upstream: std::net::SocketAddr) -> Gate {
    Gate::start(&format!(
        "listeners:\n  - bind: 127.0.0.1:0\n    timeouts: {{head: 1s, body: 1s, idle: 1s, write: 1s}}\n\
         services:\n  up:\n    targets: [http://{upstream}]\n\
         \x20   timeout: {{connect: 1s, first_byte: 1s, idle: 1s}}\n\
         \x20 hurried:\n    targets: [http://{upstream}]\n\
         \x20   timeout: {{first_byte: 20s, idle: 20s, request: 300ms}}\n\
         routes:\n  - {{path: /**, to: {{service: up}}}}\n  - {{path: /hurried, to: {{service: hurried}}}}\n"
    ))
}

#[test]
fn a_head_that_stalls_is_408() {
    let gate = impatient(Upstream::nobody());
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHo");
    client.answer().assert_problem(408, "request_timeout");
    client.assert_closed();
}

#[test]
fn a_head_that_trickles_is_408_too() {
    let gate = impatient(Upstream::nobody());
    let mut client = gate.connect();
    let started = Instant::now();
    client.send("GET / HTTP/1.1\r\n");
    // Each byte comes in time and the head never: the limit is on the head, not on the pause.
    while started.elapsed() < Duration::from_secs(2) {
        client.send("X");
        std::thread::sleep(Duration::from_millis(30));
    }
    client.answer().assert_problem(408, "request_timeout");
}

#[test]
fn a_body_that_stalls_is_408() {
    let upstream = Upstream::echo();
    let gate = impatient(upstream.address());
    let mut client = gate.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    client.answer().assert_problem(408, "request_timeout");
    client.assert_closed();
    eventually("the upstream's connection to end", || upstream.open() == 0);
}

#[test]
fn an_idle_connection_is_closed_silently() {
    let upstream = Upstream::ok();
    let gate = impatient(upstream.address());
    let mut silent = gate.connect();
    silent.assert_closed();
    let mut used = gate.connect();
    assert_eq!(used.get("/").status, 200);
    used.assert_closed();
}

#[test]
fn an_upstream_that_never_answers_is_504() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.rest();
    });
    let gate = impatient(upstream.address());
    gate.get("/").assert_problem(504, "upstream_timeout");
    eventually("the upstream's connection to end", || upstream.open() == 0);
}

#[test]
fn an_upstream_that_stalls_within_its_head_is_504() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nConte");
        peer.rest();
    });
    let gate = impatient(upstream.address());
    gate.get("/").assert_problem(504, "upstream_timeout");
}

#[test]
fn an_upstream_that_stalls_within_its_body_breaks_the_answer_off() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        peer.rest();
    });
    let gate = impatient(upstream.address());
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.try_answer(false).is_err());
    eventually("the upstream's connection to end", || upstream.open() == 0);
}

#[test]
fn the_whole_request_may_have_a_limit() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.rest();
    });
    let gate = impatient(upstream.address());
    gate.get("/hurried").assert_problem(504, "upstream_timeout");
}

#[test]
fn a_target_that_accepts_no_connection_is_504() {
    // A full queue of a listener that never accepts: the kernel drops what comes after.
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener
        .bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into())
        .unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let filler = || {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&address.into());
        socket
    };
    let _full: Vec<_> = (0..4).map(|_| filler()).collect();
    let gate = impatient(address);
    gate.get("/").assert_problem(504, "upstream_connect_timeout");
}

#[test]
fn a_client_that_doesnt_take_its_answer_is_cut_off() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        for _ in 0..1000 {
            peer.send(vec![b'a'; 1_000_000]);
        }
    });
    let gate = impatient(upstream.address());
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the upstream's connection to end", || {
        upstream.accepted() == 1 && upstream.open() == 0
    });
}
