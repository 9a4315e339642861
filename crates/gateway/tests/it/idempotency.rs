//! Requests that clients send again, and that are done once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, atomic::AtomicUsize, atomic::Ordering};

use super::client::Answer;
use super::gate::{Gate, eventually};
use super::upstream::{Peer, Upstream};

fn configuration(upstream: SocketAddr) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\nstores: {{durable: 'sqlite:gate.db'}}\n\
         services: {{up: 'http://{upstream}'}}\npolicies: {{once: {{idempotency: {{lease: 1s}}}}}}\n\
         routes:\n  - {{path: /**, policies: once, to: {{service: up}}}}\n"
    )
}

fn order(gate: &Gate) -> Answer {
    gate.connect()
        .ask("POST", "/orders", &[("Idempotency-Key", "\"k\"")], "one, please")
}

/// Makes an order for each request, once the test lets it.
struct Shop {
    upstream: Upstream,
    made: Arc<AtomicUsize>,
    let_go: Sender<()>,
}

impl Shop {
    fn new() -> Shop {
        let made = Arc::new(AtomicUsize::new(0));
        let (let_go, may_go) = channel::<()>();
        let (count, may_go) = (made.clone(), Mutex::new(may_go));
        let upstream = Upstream::playing(move |peer: &mut Peer| {
            while peer.request().is_some() {
                let nth = count.fetch_add(1, Ordering::SeqCst) + 1;
                let _ = may_go.lock().unwrap().recv();
                peer.answer("201 Created", &format!("order {nth}"));
            }
        });
        Shop { upstream, made, let_go }
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}

#[test]
fn a_client_that_went_away_finds_its_answer() {
    let shop = Shop::new();
    let gate = Gate::start(&configuration(shop.upstream.address()));
    let mut client = gate.connect();
    client.send(
        "POST /orders HTTP/1.1\r\nHost: gate.test\r\nIdempotency-Key: \"k\"\r\nContent-Length: 11\r\n\r\none, please",
    );
    eventually("the order", || shop.made() == 1);
    drop(client);
    order(&gate).assert_problem(409, "idempotency_in_progress");
    shop.let_go.send(()).unwrap();
    eventually("the answer", || order(&gate).status == 201);
    let again = order(&gate);
    assert_eq!(
        (again.text().as_str(), again.field("idempotency-replayed")),
        ("order 1", Some("true"))
    );
    assert_eq!(shop.made(), 1);
}

#[test]
fn a_hundred_at_once_are_one_and_it_outlives_a_kill() {
    let shop = Shop::new();
    let gate = Gate::start(&configuration(shop.upstream.address()));
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..100).map(|_| scope.spawn(|| order(&gate))).collect();
        eventually("the order", || shop.made() == 1);
        shop.let_go.send(()).unwrap();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let first = answers
        .iter()
        .filter(|answer| answer.status == 201 && answer.field("idempotency-replayed").is_none());
    assert_eq!((first.count(), shop.made()), (1, 1));
    assert!(answers.iter().all(|answer| [201, 409].contains(&answer.status)));

    let configuration = configuration(shop.upstream.address());
    let gate = Gate::start_in(gate.kill(), &configuration);
    let again = order(&gate);
    assert_eq!((again.status, again.text().as_str()), (201, "order 1"));
    assert_eq!(shop.made(), 1);
}

#[test]
fn what_a_killed_gate_was_doing_is_not_done_again() {
    let shop = Shop::new();
    let configuration = configuration(shop.upstream.address());
    let gate = Gate::start(&configuration);
    let mut client = gate.connect();
    client.send(
        "POST /orders HTTP/1.1\r\nHost: gate.test\r\nIdempotency-Key: \"k\"\r\nContent-Length: 11\r\n\r\none, please",
    );
    eventually("the order", || shop.made() == 1);
    let gate = Gate::start_in(gate.kill(), &configuration);
    order(&gate).assert_problem(409, "idempotency_in_progress");
    eventually("the end of the lease", || {
        String::from_utf8_lossy(&order(&gate).body).contains("idempotency_outcome_unknown")
    });
    assert_eq!(shop.made(), 1);
}
