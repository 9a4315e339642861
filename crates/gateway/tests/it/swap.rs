//! Two names of services are exchanged in one step, and no request fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::client::{Answer, Client};
use super::gate::{Gate, eventually};
use super::split::named;
use super::upstream::Upstream;

fn configuration(blue: &Upstream, green: &Upstream, more: &str) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\n\
         services: {{blue: \"http://{}\", green: \"http://{}\"}}\n\
         routes:\n  - {{path: /**, to: {{service: blue}}}}\n  - {{path: /next/**, to: {{service: green, strip: /next}}}}\n{more}\n",
        blue.address(),
        green.address()
    )
}

fn post(gate: &Gate, target: &str) -> Answer {
    Client::connect(gate.admin()).ask("POST", target, &[("Host", "localhost")], "")
}

#[test]
fn a_swap_under_load_fails_nothing_and_holds_from_one_moment_on() {
    let (blue, green) = (named("blue"), named("green"));
    let gate = Gate::start(&configuration(&blue, &green, ""));
    let (stop, swapped) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let after = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (stop, swapped, after) = (stop.clone(), swapped.clone(), after.clone());
            let mut client = gate.connect();
            std::thread::spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let is_after = swapped.load(Ordering::SeqCst);
                    let answer = client.get("/");
                    assert_eq!(answer.status, 200, "{answer}");
                    if is_after {
                        assert_eq!(answer.text(), "green");
                        after.fetch_add(1, Ordering::SeqCst);
                    }
                }
            })
        })
        .collect();
    eventually("requests before the swap", || blue.requests().len() > 100);
    assert_eq!(gate.get("/next/").text(), "green");
    let answer = post(&gate, "/swap?services=blue,green");
    assert_eq!(answer.status, 200, "{answer}");
    swapped.store(true, Ordering::SeqCst);
    eventually("requests after the swap", || after.load(Ordering::SeqCst) > 200);
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().unwrap();
    }
    assert_eq!(gate.get("/next/").text(), "blue");
    gate.await_log("swapped by an operator");
}

#[test]
fn a_swap_holds_through_reloads_and_is_undone_by_itself() {
    let (blue, green) = (named("blue"), named("green"));
    let gate = Gate::start(&configuration(&blue, &green, ""));
    assert_eq!(post(&gate, "/swap?services=blue,green").status, 200);
    gate.rewrite(&configuration(&blue, &green, "drain: 7s"));
    assert_eq!(post(&gate, "/reload").status, 200);
    assert_eq!(gate.get("/").text(), "green");
    let series = "portcullis_services_swapped{service=\"blue\",means=\"green\"}";
    assert!((gate.metric(series) - 1.0).abs() < f64::EPSILON);
    assert_eq!(gate.ask_admin("/swap").json()["blue"], "green");
    assert_eq!(post(&gate, "/swap?services=green,blue").status, 200);
    assert_eq!(gate.get("/").text(), "blue");
    assert!(gate.metric(series).abs() < f64::EPSILON);
}

#[test]
fn only_services_that_there_are_can_be_swapped() {
    let (blue, green) = (named("blue"), named("green"));
    let gate = Gate::start(&configuration(&blue, &green, ""));
    for (target, status) in [
        ("/swap?services=blue,gren", 404),
        ("/swap?services=blue", 400),
        ("/swap?services=blue,blue", 400),
        ("/swap", 400),
    ] {
        assert_eq!(post(&gate, target).status, status, "{target}");
    }
    assert_eq!(gate.get("/").text(), "blue");
}
