//! A node at its limit sends requests away, the least urgent first.

use std::sync::{Arc, Barrier};

use super::gate::{Gate, eventually};
use super::upstream::Upstream;

#[test]
fn what_is_urgent_is_served_when_others_are_sent_away() {
    let release = Arc::new(Barrier::new(3));
    let barrier = release.clone();
    let upstream = Upstream::playing(move |peer| {
        while peer.request().is_some() {
            barrier.wait();
            peer.answer("200 OK", "slow");
        }
    });
    let gate = Gate::start(&format!(
        "listeners:\n  - bind: 127.0.0.1:0\nadmin: {{bind: \"127.0.0.1:0\"}}\n\
         services: {{up: \"http://{}\"}}\n\
         policies: {{seen: {{metrics: {{}}}}}}\neverywhere: seen\n\
         overload: {{requests: 2, lag: 10s}}\nroutes:\n\
         - {{path: /slow, to: {{service: up}}}}\n\
         - {{path: /normal, to: {{respond: here}}}}\n\
         - {{path: /high, priority: high, to: {{respond: here}}}}\n\
         - {{path: /low, priority: low, to: {{respond: here}}}}\n",
        upstream.address()
    ));
    let mut quick = gate.connect();
    assert_eq!(quick.get("/low").text(), "here");
    let mut slow = [gate.connect(), gate.connect()];
    for client in &mut slow {
        client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    eventually("both requests", || upstream.requests().len() == 2);
    assert_eq!(quick.get("/high").text(), "here");
    let answer = quick.get("/normal");
    answer.assert_problem(503, "overloaded");
    assert_eq!(answer.field("retry-after"), Some("1"));
    quick.get("/low").assert_problem(503, "overloaded");
    // Who is not known is told so: that costs nothing.
    assert_eq!(quick.get("/nowhere").status, 404);
    release.wait();
    for client in &mut slow {
        assert_eq!(client.answer().text(), "slow");
    }
    eventually("room", || quick.get("/low").status == 200);
    let shed = |priority| gate.metric(&format!("portcullis_requests_shed_total{{priority=\"{priority}\"}}"));
    assert_eq!((shed("high"), shed("normal")), (0.0, 1.0));
    assert!(shed("low") >= 1.0);
    let metrics = gate.ask_admin("/metrics").text();
    let seen = |line: &&str| line.contains("route=\"/normal\"") && line.contains("503");
    assert!(metrics.lines().any(|line| seen(&line)), "observers see them too");
    eventually("both workers to look how late they are", || {
        let metrics = gate.ask_admin("/metrics").text();
        let lags = metrics
            .lines()
            .filter(|line| line.starts_with("portcullis_event_loop_lag_seconds{"));
        lags.count() == 2
    });
}
