//! A service that fails is left alone, and found again when it has come back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::gate::{Gate, eventually};
use super::upstream::Upstream;

fn configuration(target: SocketAddr, breaker: &str) -> String {
    format!(
        "listeners:\n  - bind: 127.0.0.1:0\nadmin: {{bind: \"127.0.0.1:0\"}}\n\
         services: {{up: {{targets: \"http://{target}\", retry: 0, outlier: {{off: true}}, circuit_breaker: {breaker}}}}}\n\
         routes:\n  - {{path: /**, to: {{service: up}}}}\n"
    )
}

/// An upstream that fails as long as it is told to.
fn failing(fails: &Arc<AtomicBool>) -> Upstream {
    let fails = fails.clone();
    Upstream::playing(move |peer| {
        while peer.request().is_some() {
            if fails.load(Ordering::SeqCst) {
                peer.answer("502 Bad Gateway", "no");
            } else {
                peer.answer("200 OK", "ok");
            }
        }
    })
}

fn is_open(gate: &Gate) -> f64 {
    gate.metric("portcullis_circuit_open{service=\"up\"}")
}

#[test]
fn a_service_that_fails_is_left_alone_through_reloads_too() {
    let upstream = failing(&Arc::new(AtomicBool::new(true)));
    let configuration = configuration(upstream.address(), "{min_requests: 5, open: 60s}");
    let gate = Gate::start(&configuration);
    let mut client = gate.connect();
    for _ in 0..5 {
        assert_eq!(client.get("/").text(), "no");
    }
    let answer = client.get("/");
    answer.assert_problem(503, "circuit_open");
    assert_eq!(answer.field("retry-after"), Some("60"));
    assert_eq!((upstream.requests().len(), is_open(&gate)), (5, 1.0));
    gate.rewrite(&configuration.replace("/**", "/any"));
    gate.signal("HUP");
    eventually("the reload", || client.get("/").status == 404);
    client.get("/any").assert_problem(503, "circuit_open");
    assert_eq!(upstream.requests().len(), 5);
}

#[test]
fn a_service_that_has_come_back_is_found() {
    let fails = Arc::new(AtomicBool::new(true));
    let upstream = failing(&fails);
    let gate = Gate::start(&configuration(
        upstream.address(),
        "{min_requests: 5, open: 50ms, probes: 2}",
    ));
    let mut client = gate.connect();
    eventually("the circuit to open", || client.get("/").status == 503);
    // One probe that fails is enough to open it again.
    let before = upstream.requests().len();
    eventually("a probe", || client.get("/").status == 502);
    assert_eq!((upstream.requests().len(), is_open(&gate)), (before + 1, 1.0));
    fails.store(false, Ordering::SeqCst);
    eventually("the service to be found", || client.get("/").status == 200);
    for _ in 0..5 {
        assert_eq!(client.get("/").text(), "ok");
    }
    assert_eq!(is_open(&gate), 0.0);
}
