//! SIGTERM: what is in progress ends well, and what is new goes elsewhere.

use std::time::{Duration, Instant};

use super::client::Client;
use super::gate::{Gate, eventually, forward_all};
use super::upstream::Upstream;

#[test]
fn an_idle_gate_ends_at_once() {
    let upstream = Upstream::ok();
    let mut gate = Gate::before(upstream.address());
    let mut idle = gate.connect();
    assert_eq!(idle.get("/").status, 200);
    let started = Instant::now();
    gate.signal("TERM");
    idle.assert_closed();
    assert!(gate.await_exit().success(), "{}", gate.log());
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "it waited for connections without a request"
    );
}

#[test]
fn a_request_in_progress_is_answered() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let upstream = Upstream::playing(move |peer| {
        peer.request();
        gone.lock().unwrap().recv().unwrap();
        peer.answer("200 OK", "late");
    });
    let mut gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request at the upstream", || upstream.open() == 1);
    gate.signal("TERM");
    eventually("readiness to end", || {
        // The admin listener stays to the last, so that a load balancer learns of it.
        Client::connect(gate.admin()).get("/readyz").status == 503
    });
    assert_eq!(gate.ask_admin("/healthz").status, 200);
    eventually("the listener to be gone", || {
        std::net::TcpStream::connect(gate.address()).is_err()
    });
    go.send(()).unwrap();
    let answer = client.answer();
    assert_eq!(
        (answer.text().as_str(), answer.field("connection")),
        ("late", Some("close"))
    );
    client.assert_closed();
    assert!(gate.await_exit().success(), "{}", gate.log());
}

#[test]
fn what_takes_longer_than_the_deadline_is_cut_off() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.rest();
    });
    let mut gate = Gate::start(&forward_all(upstream.address(), "drain: 300ms"));
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request at the upstream", || upstream.open() == 1);
    gate.signal("TERM");
    gate.await_exit();
    assert!(client.try_answer(false).is_err());
}

#[test]
fn a_reload_during_a_drain_is_refused() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.rest();
    });
    let mut gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request at the upstream", || upstream.open() == 1);
    gate.signal("TERM");
    // Not the log: its line is written just before.
    eventually("readiness to end", || gate.ask_admin("/readyz").status == 503);
    let answer = Client::connect(gate.admin()).ask("POST", "/reload", &[("Host", "localhost")], "");
    assert_eq!(answer.status, 503, "{answer}");
    gate.await_log("reload by POST /reload refused");
    gate.signal("HUP");
    gate.await_log("reload by SIGHUP refused");
    assert!(gate.metric("portcullis_config_reloads_total").abs() < f64::EPSILON);
    assert!(gate.metric("portcullis_config_last_reload_successful") >= 1.0);
    gate.signal("INT");
    assert!(gate.await_exit().success(), "{}", gate.log());
    gate.await_log("cut off");
    assert!(client.try_answer(false).is_err());
}

#[test]
fn sigint_ends_it_as_well() {
    let mut gate = Gate::before(Upstream::nobody());
    gate.signal("INT");
    assert!(gate.await_exit().success(), "{}", gate.log());
}
