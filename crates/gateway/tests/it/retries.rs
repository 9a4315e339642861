//! A request that fails is sent again where that does no harm, as often as the service's budget allows.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use super::gate::{Gate, eventually};
use super::upstream::{Peer, Upstream};

/// A gate before these targets, with `more` said of the service.
fn gate(targets: &[SocketAddr], more: &str) -> Gate {
    let targets: Vec<String> = targets.iter().map(|target| format!("\"http://{target}\"")).collect();
    Gate::start(&format!(
        "listeners:\n  - bind: 127.0.0.1:0\nadmin: {{bind: \"127.0.0.1:0\"}}\n\
         services: {{up: {{targets: [{}]{more}}}}}\nroutes:\n  - {{path: /**, to: {{service: up}}}}\n",
        targets.join(", ")
    ))
}

/// An upstream that does this to the first connections, and says `ok` on the others.
fn fails_first(connections: usize, script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Upstream {
    Upstream::playing(move |peer| {
        if peer.number < connections {
            return script(peer);
        }
        while let Some(request) = peer.request() {
            peer.answer("200 OK", &format!("ok {}", String::from_utf8_lossy(&request.body)));
        }
    })
}

fn retries(gate: &Gate, reason: &str) -> f64 {
    gate.metric(&format!(
        "portcullis_upstream_retries_total{{service=\"up\",reason=\"{reason}\"}}"
    ))
}

#[test]
fn another_target_answers_for_one_that_is_gone() {
    let upstream = Upstream::ok();
    let gate = gate(&[Upstream::nobody(), Upstream::nobody(), upstream.address()], "");
    let mut client = gate.connect();
    for _ in 0..6 {
        assert_eq!(client.ask("POST", "/", &[], "once").text(), "ok");
    }
    assert!(retries(&gate, "connect") >= 1.0);
    assert_eq!(upstream.requests().len(), 6);
}

#[test]
fn what_may_have_been_begun_is_sent_again_only_if_that_does_no_harm() {
    let upstream = fails_first(1, |peer| {
        peer.request();
    });
    let gate = gate(&[upstream.address()], "");
    let body = "x".repeat(40_000);
    let answer = gate.connect().ask("PUT", "/", &[], &body);
    assert_eq!(answer.text(), format!("ok {body}"));
    assert_eq!(retries(&gate, "reset"), 1.0);

    let upstream = fails_first(1, |peer| {
        peer.request();
    });
    let gate = self::gate(&[upstream.address()], "");
    let answer = gate.connect().ask("POST", "/", &[], "order");
    answer.assert_problem(502, "upstream_closed");
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_method_can_be_said_to_be_idempotent() {
    let upstream = fails_first(1, |peer| {
        peer.request();
    });
    let gate = gate(&[upstream.address()], ", retry: {methods: [POST]}");
    assert_eq!(gate.connect().ask("POST", "/", &[], "order").text(), "ok order");
}

#[test]
fn a_body_beyond_the_limit_is_sent_once() {
    let upstream = fails_first(1, |peer| {
        peer.request();
    });
    let gate = gate(&[upstream.address()], ", retry: {body: 1KiB}");
    let mut client = gate.connect();
    let body = "x".repeat(5_000);
    // In pieces, so that it doesn't come whole.
    client.send(format!(
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    eventually("the first connection", || upstream.accepted() > 0);
    client.send(&body);
    client.answer().assert_problem(502, "upstream_closed");
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_status_is_tried_again_where_the_service_says_so() {
    let upstream = fails_first(2, |peer| {
        peer.request();
        peer.send("HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
    });
    let gate = gate(&[upstream.address()], ", retry: {codes: [503], backoff: 1ms}");
    assert_eq!(gate.get("/").text(), "ok ");
    assert_eq!(retries(&gate, "status"), 2.0);
}

#[test]
fn a_server_that_asks_for_patience_gets_it_or_is_heard() {
    let patience = |seconds: u32| {
        let upstream = fails_first(1, move |peer| {
            peer.request();
            peer.send(format!(
                "HTTP/1.1 503 No\r\nConnection: close\r\nRetry-After: {seconds}\r\nContent-Length: 2\r\n\r\nno"
            ));
        });
        let gate = gate(&[upstream.address()], ", retry: {codes: [503], backoff: 1ms}");
        let started = Instant::now();
        (gate.get("/"), started.elapsed(), upstream.requests().len())
    };
    let (answer, took, requests) = patience(1);
    assert_eq!((answer.status, requests), (200, 2));
    assert!(took >= Duration::from_secs(1), "{took:?}");
    let (answer, _, requests) = patience(60);
    assert_eq!((answer.status, requests), (503, 1));
    assert_eq!(answer.field("retry-after"), Some("60"));
}

#[test]
fn an_attempt_has_its_own_time() {
    let silent = Upstream::playing(|peer| {
        peer.rest();
    });
    let upstream = Upstream::ok();
    let gate = gate(
        &[silent.address(), upstream.address()],
        ", retry: {per_try_timeout: 50ms}",
    );
    let mut client = gate.connect();
    for _ in 0..4 {
        assert_eq!(client.get("/").text(), "ok");
    }
    assert!(retries(&gate, "timeout") >= 1.0);
}

#[test]
fn the_budget_bounds_what_all_requests_cause_together() {
    let broken = Upstream::playing(|peer| {
        peer.request();
    });
    let gate = gate(
        &[broken.address()],
        ", retry: {backoff: 1ms, budget: {percent: 10%, min_rate: 0}}, outlier: {off: true}",
    );
    let mut client = gate.connect();
    for _ in 0..50 {
        assert_eq!(client.get("/").status, 502);
    }
    assert_eq!(broken.requests().len(), 55);
    assert_eq!(retries(&gate, "reset"), 5.0);
    assert!(gate.metric("portcullis_upstream_retries_denied_total{service=\"up\"}") >= 45.0);
}

#[test]
fn a_second_attempt_overtakes_a_slow_one() {
    let broken_off = Arc::new(AtomicBool::new(false));
    let seen = broken_off.clone();
    let slow = Upstream::playing(move |peer| {
        peer.request();
        // It never answers; the gate takes its request back.
        peer.rest();
        seen.store(true, Ordering::SeqCst);
    });
    let fast = Upstream::ok();
    let gate = gate(&[slow.address(), fast.address()], ", hedge: 20ms");
    let mut client = gate.connect();
    for _ in 0..4 {
        assert_eq!(client.ask("PUT", "/", &[], "same").text(), "ok");
    }
    assert!(fast.requests().iter().all(|request| request.body == b"same"));
    assert!(gate.metric("portcullis_upstream_hedges_won_total{service=\"up\"}") >= 1.0);
    eventually("the loser to be broken off", || broken_off.load(Ordering::SeqCst));
    // What may have been begun twice is not begun twice.
    let before = slow.requests().len() + fast.requests().len();
    let mut client = gate.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    eventually("the POST", || slow.requests().len() + fast.requests().len() > before);
}

#[test]
fn requests_wait_for_room() {
    let (arrived, release) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(2)));
    let (count, barrier) = (arrived.clone(), release.clone());
    let upstream = Upstream::playing(move |peer| {
        while peer.request().is_some() {
            if count.fetch_add(1, Ordering::SeqCst) == 0 {
                barrier.wait();
            }
            peer.answer("200 OK", "ok");
        }
    });
    let gate = gate(
        &[upstream.address()],
        ", max_connections: 1, max_pending: {requests: 1, timeout: 10s}",
    );
    let ask = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut first = gate.connect();
    first.send(ask);
    eventually("the first request", || arrived.load(Ordering::SeqCst) == 1);
    let mut second = gate.connect();
    second.send(ask);
    let pending = "portcullis_upstream_pending{service=\"up\"}";
    eventually("the second to wait", || gate.metric(pending) == 1.0);
    gate.get("/").assert_problem(503, "upstream_busy");
    release.wait();
    assert_eq!(first.answer().text(), "ok");
    assert_eq!(second.answer().text(), "ok");
}

#[test]
fn patience_with_a_full_service_ends() {
    let upstream = Upstream::playing(|peer| {
        peer.rest();
    });
    let gate = gate(
        &[upstream.address()],
        ", max_connections: 1, max_pending: {requests: 5, timeout: 50ms}",
    );
    let mut first = gate.connect();
    first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the first request", || upstream.accepted() == 1);
    gate.get("/").assert_problem(503, "upstream_busy");
    assert_eq!(
        gate.metric("portcullis_upstream_queue_timeouts_total{service=\"up\"}"),
        1.0
    );
}

#[test]
fn targets_are_told_how_long_they_have() {
    let upstream = Upstream::ok();
    let gate = gate(&[upstream.address()], ", timeout: {request: 5s, header: X-Timeout-Ms}");
    let told = || -> u64 { upstream.last().field("x-timeout-ms").unwrap().parse().unwrap() };
    assert_eq!(gate.get("/").text(), "ok");
    assert!((4000..=5000).contains(&told()), "{}", told());
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Timeout-Ms: 700\r\n\r\n");
    assert_eq!(client.answer().text(), "ok");
    assert!((1..=700).contains(&told()), "{}", told());
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Timeout-Ms: 99999\r\n\r\n");
    assert_eq!(client.answer().text(), "ok");
    assert!(told() <= 5000, "a client makes it no longer: {}", told());
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Timeout-Ms: soon\r\n\r\n");
    client.answer().assert_problem(400, "bad_request");
}
