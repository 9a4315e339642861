//! A service gets no more requests at a time than a limit that follows its latency allows.

use std::net::SocketAddr;
use std::sync::{Arc, Barrier};

use super::gate::{Gate, eventually};
use super::upstream::Upstream;

fn gate(target: SocketAddr, limits: &str) -> Gate {
    Gate::start(&format!(
        "listeners:\n  - bind: 127.0.0.1:0\nadmin: {{bind: \"127.0.0.1:0\"}}\n\
         services: {{up: {{targets: \"http://{target}\", adaptive_concurrency: {limits}}}}}\n\
         routes:\n  - {{path: /**, to: {{service: up}}}}\n"
    ))
}

fn limit(gate: &Gate) -> f64 {
    gate.metric("portcullis_concurrency_limit{service=\"up\"}")
}

#[test]
fn what_exceeds_the_limit_is_answered_at_once() {
    let release = Arc::new(Barrier::new(3));
    let barrier = release.clone();
    let upstream = Upstream::playing(move |peer| {
        let mut first = true;
        while peer.request().is_some() {
            if std::mem::take(&mut first) {
                barrier.wait();
            }
            peer.answer("200 OK", "ok");
        }
    });
    let gate = gate(upstream.address(), "{min: 2, max: 2}");
    let mut slow = [gate.connect(), gate.connect()];
    for client in &mut slow {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    eventually("both requests", || upstream.requests().len() == 2);
    let answer = gate.get("/");
    answer.assert_problem(503, "upstream_overloaded");
    assert_eq!(answer.field("retry-after"), Some("1"));
    assert_eq!((upstream.requests().len(), limit(&gate)), (2, 2.0));
    release.wait();
    for client in &mut slow {
        assert_eq!(client.answer().text(), "ok");
    }
}

#[test]
fn the_limit_rises_while_answers_stay_quick() {
    let upstream = Upstream::ok();
    let gate = gate(upstream.address(), "{min: 1, max: 100}");
    let mut client = gate.connect();
    assert_eq!(limit(&gate), 1.0);
    let mut asked = 0;
    eventually("a higher limit", || {
        for _ in 0..20 {
            assert_eq!(client.get("/").text(), "ok");
        }
        asked += 20;
        limit(&gate) > 1.0
    });
    assert!(asked >= 40, "{asked} are too few to judge by");
}
