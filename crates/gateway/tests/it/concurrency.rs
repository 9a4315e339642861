//! How many requests of a client are in progress at a time.

use std::io::Write;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use super::client::socket;
use super::gate::{Gate, eventually};
use super::upstream::Upstream;

/// An upstream that answers after both it and the test have come to the barrier.
fn held() -> (Upstream, Arc<Barrier>) {
    let release = Arc::new(Barrier::new(2));
    let barrier = release.clone();
    let upstream = Upstream::playing(move |peer| {
        while let Some(request) = peer.request() {
            match request.target() {
                "/held" => {
                    barrier.wait();
                }
                "/streamed" => {
                    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
                    barrier.wait();
                    peer.send("0\r\n\r\n");
                    continue;
                }
                _ => {}
            }
            if !peer.sent(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") {
                break;
            }
        }
    });
    (upstream, release)
}

fn guarded(upstream: &Upstream, limit: &str) -> Gate {
    Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: \"127.0.0.1:0\"}}\nservices: {{up: \"http://{}\"}}\n\
         routes:\n  - {{path: /**, policies: [{{concurrency: {limit}}}], to: {{service: up}}}}\n",
        upstream.address()
    ))
}

#[test]
fn one_more_is_refused_until_an_answer_has_ended() {
    let (upstream, release) = held();
    let gate = guarded(&upstream, "1");
    let mut streamed = gate.connect();
    streamed.send("GET /streamed HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request", || upstream.requests().len() == 1);
    let refused = gate.get("/");
    refused.assert_problem(429, "too_many_in_progress");
    assert_eq!(refused.field("retry-after"), Some("1"));
    release.wait();
    assert_eq!(streamed.answer().text(), "one");
    eventually("the place to be free", || gate.get("/").status == 200);
}

#[test]
fn a_client_that_goes_away_leaves_its_place() {
    let (upstream, release) = held();
    let gate = guarded(&upstream, "{limit: 1, by: route}");
    let mut gone = socket(gate.address());
    gone.write_all(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    eventually("the request", || upstream.requests().len() == 1);
    assert_eq!(gate.get("/").status, 429);
    // A mere end would not do: it may be a client that has sent all it had and waits for its answer.
    socket2::SockRef::from(&gone).set_linger(Some(Duration::ZERO)).unwrap();
    drop(gone);
    eventually("the place to be free", || gate.get("/").status == 200);
    release.wait();
}

#[test]
fn some_wait_for_their_turn() {
    let (upstream, release) = held();
    let gate = guarded(&upstream, "{limit: 1, queue: 1, wait: 15s}");
    let mut first = gate.connect();
    first.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request", || upstream.requests().len() == 1);
    let (answered, answers) = std::sync::mpsc::channel();
    for _ in 0..2 {
        let (mut client, answered) = (gate.connect(), answered.clone());
        std::thread::spawn(move || answered.send(client.get("/").status));
    }
    // One waits, and whoever comes then is refused at once.
    assert_eq!(answers.recv(), Ok(429));
    assert_eq!(upstream.requests().len(), 1);
    release.wait();
    assert_eq!(first.answer().text(), "ok");
    assert_eq!(answers.recv(), Ok(200));
}
