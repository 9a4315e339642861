//! Servers that answer with the number of their address, and clients that never stop asking.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::client::Client;
use super::upstream::Upstream;

/// Servers at 127.0.0.1, 127.0.0.2 and so on, all at one port. Each says which one it is.
pub(crate) fn servers(count: u8) -> (Vec<Upstream>, u16) {
    // A port that is free at the first address may be taken at another one.
    for _ in 0..100 {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let others = (2..=count).map(|number| TcpListener::bind((format!("127.0.0.{number}").as_str(), port)));
        let Ok(others) = others.collect::<Result<Vec<_>, _>>() else {
            continue;
        };
        let listeners = std::iter::once(first).chain(others);
        return (
            listeners
                .zip(1..)
                .map(|(listener, number)| serve(listener, number))
                .collect(),
            port,
        );
    }
    panic!("no port is free at {count} addresses");
}

fn serve(listener: TcpListener, number: usize) -> Upstream {
    Upstream::playing_on(listener, move |peer| {
        while peer.request().is_some() {
            peer.answer("200 OK", &number.to_string());
        }
    })
}

/// Clients that ask one after the other, and note who answers and what fails.
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    seen: Arc<Seen>,
    clients: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    answers: Mutex<BTreeSet<String>>,
    failures: Mutex<Vec<String>>,
    count: AtomicUsize,
}

impl Load {
    pub(crate) fn on(gate: SocketAddr, clients: usize) -> Load {
        let (over, seen) = (Arc::<AtomicBool>::default(), Arc::<Seen>::default());
        let client = |_| {
            let (over, seen) = (over.clone(), seen.clone());
            std::thread::spawn(move || {
                let mut client = Client::connect(gate);
                while !over.load(Ordering::SeqCst) {
                    let answer = client.get("/");
                    match answer.status {
                        200 => _ = seen.answers.lock().unwrap().insert(answer.text()),
                        _ => seen.failures.lock().unwrap().push(answer.to_string()),
                    }
                    seen.count.fetch_add(1, Ordering::SeqCst);
                }
            })
        };
        let clients = (0..clients).map(client).collect();
        Load { over, seen, clients }
    }

    /// Forgets who answered, and gives back who did since.
    pub(crate) fn answered(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.answers.lock().unwrap())
            .into_iter()
            .collect()
    }

    /// Waits until only these have answered for a while: a hundred requests in a row.
    pub(crate) fn await_answers_of(&self, expected: &[&str]) {
        super::gate::eventually(&format!("answers of {expected:?} alone"), || {
            self.answered();
            let from = self.seen.count.load(Ordering::SeqCst);
            super::gate::eventually("a hundred answers", || {
                self.seen.count.load(Ordering::SeqCst) >= from + 100
            });
            self.answered() == expected
        });
    }

    /// Ends it, and makes sure that nothing failed.
    pub(crate) fn end(self) {
        self.over.store(true, Ordering::SeqCst);
        for client in self.clients {
            client.join().unwrap();
        }
        let failures = self.seen.failures.lock().unwrap();
        let count = self.seen.count.load(Ordering::SeqCst);
        assert!(
            failures.is_empty(),
            "{} of {count} failed: {}",
            failures.len(),
            failures[0]
        );
    }
}
