//! A new version gets more and more requests, or none any more when it is bad.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::{Answer, Client};
use super::folder::Folder;
use super::gate::{Gate, eventually};
use super::split::named;
use super::upstream::Upstream;

fn configuration(old: &Upstream, new: &Upstream, rollout: &str) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\n\
         services: {{v1: \"http://{}\", v2: \"http://{}\"}}\n\
         routes:\n  - {{name: all, path: /**, to: {{rollout: {{from: v1, to: v2, {rollout}}}}}}}\n",
        old.address(),
        new.address()
    )
}

/// A version of which every twentieth request fails.
fn failing() -> Upstream {
    let count = AtomicUsize::new(0);
    Upstream::playing(move |peer| {
        while peer.request().is_some() {
            if count.fetch_add(1, Ordering::SeqCst) % 20 == 19 {
                peer.answer("500 Internal Server Error", "v2");
            } else {
                peer.answer("200 OK", "v2");
            }
        }
    })
}

fn post(gate: &Gate, target: &str) -> Answer {
    Client::connect(gate.admin()).ask("POST", target, &[("Host", "localhost")], "")
}

fn told(gate: &Gate) -> Value {
    gate.ask_admin("/rollouts").json()[0].clone()
}

/// Sends requests until the roll-out is in that state, and gives back how long that took.
fn load_until(gate: &Gate, state: &str) -> Duration {
    let (began, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (stop, mut client) = (stop.clone(), gate.connect());
            std::thread::spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    client.get("/");
                }
            })
        })
        .collect();
    eventually(state, || told(gate)["state"] == state);
    let took = began.elapsed();
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().unwrap();
    }
    took
}

#[test]
fn a_version_with_five_failures_in_a_hundred_is_taken_back_within_its_first_step() {
    let (old, new) = (named("v1"), failing());
    let rollout = "steps: [20%, 50%, 100%], every: 15s, judge: {errors: 1%, latency: 10000%}";
    let gate = Gate::start(&configuration(&old, &new, rollout));
    let took = load_until(&gate, "rolled_back");
    assert!(took < Duration::from_secs(15), "{took:?}");
    gate.await_warning("roll-out of all: v2 is worse by its errors");
    let told = told(&gate);
    assert_eq!((&told["weight"], &told["step"]), (&Value::from(0.0), &Value::from(1)));
    let decision = &told["history"][0];
    assert_eq!(
        (&decision["decision"], &decision["reason"]),
        (&"rolled_back".into(), &"errors".into())
    );
    assert!(decision["window"]["new"]["errors"].as_u64().unwrap() > 0, "{decision}");
    assert!((gate.metric("portcullis_rollout_state{route=\"all\",state=\"rolled_back\"}") - 1.0).abs() < f64::EPSILON);
    assert!(gate.metric("portcullis_rollout_weight{route=\"all\"}").abs() < f64::EPSILON);
    let mut client = gate.connect();
    assert!((0..50).all(|_| client.get("/").text() == "v1"), "it stays there");
    assert_eq!(post(&gate, "/reload").status, 200);
    assert!((0..50).all(|_| client.get("/").text() == "v1"), "after a reload too");
}

#[test]
fn a_good_version_gets_all_requests_step_by_step() {
    let (old, new) = (named("v1"), named("v2"));
    let rollout = "steps: [10%, 50%, 100%], every: 400ms, judge: {latency: 10000%, min_requests: 20}";
    let gate = Gate::start(&configuration(&old, &new, rollout));
    let took = load_until(&gate, "completed");
    assert!(took >= Duration::from_millis(700), "{took:?}");
    let mut client = gate.connect();
    assert!((0..50).all(|_| client.get("/").text() == "v2"));
    let told = told(&gate);
    let weights: Vec<_> = told["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["weight"].clone())
        .collect();
    assert_eq!(weights, [50.0, 100.0], "{told}");
    gate.await_log("v2 is good and gets all requests: completed");
}

#[test]
fn operators_decide_and_a_restart_forgets_nothing() {
    let (old, new) = (named("v1"), named("v2"));
    let text = configuration(&old, &new, "every: 1h") + "state: state\n";
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("state")).unwrap();
    let gate = Gate::start_in(folder, &text);
    assert_eq!(post(&gate, "/rollouts/all/pause").json()["state"], "paused");
    assert_eq!(post(&gate, "/rollouts/all/pause").status, 409);
    assert_eq!(post(&gate, "/rollouts/none/pause").status, 404);
    assert_eq!(gate.ask_admin("/rollouts/all/pause").status, 405);
    assert_eq!(post(&gate, "/rollouts/all/promote").json()["weight"], 100.0);
    assert_eq!(gate.get("/").text(), "v2");
    assert_eq!(post(&gate, "/swap?services=v1,v2").status, 200);
    eventually("both in the folder", || {
        let kept = gate.folder.read("state/portcullis.state.json");
        kept.contains("promote") && kept.contains("\"swaps\":{\"v1\"")
    });
    let gate = Gate::start_in(gate.kill(), &text);
    let told = told(&gate);
    assert_eq!(
        (&told["state"], &told["history"][1]["decision"]),
        (&"completed".into(), &"promote".into())
    );
    assert_eq!(gate.get("/").text(), "v1", "v2 means v1 now");
    // Another definition is another roll-out.
    gate.rewrite(&text.replace("every: 1h", "every: 2h"));
    assert_eq!(post(&gate, "/reload").status, 200);
    assert_eq!(gate.ask_admin("/rollouts").json()[0]["state"], "running");
}
