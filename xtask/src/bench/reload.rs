//! Two hundred reloads in twenty seconds under load: nothing fails and nothing leaks.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Line, load, upstream::Upstream};
use crate::gate::Gate;

const RELOADS: u32 = 200;
const EVERY: Duration = Duration::from_millis(100);

/// # Errors
/// When the gate doesn't start.
pub(crate) fn run(binary: &Path) -> Result<Vec<Line>, String> {
    let upstream = Upstream::start()?;
    let gate = Gate::start(binary, "reload", &configuration(&upstream, 0), 2)?;
    // A quiet gate after some load is what it must come back to.
    Load::start(&gate).stop();
    let before = settled(&gate, &upstream);
    let load = Load::start(&gate);
    let refused = reload_often(&gate, &upstream)?;
    let (requests, failures) = load.stop();
    let after = settled(&gate, &upstream);
    Ok(vec![
        Line::new(
            "reloads",
            (RELOADS - refused).to_string(),
            RELOADS.to_string(),
            refused == 0,
        ),
        Line::new("requests meanwhile", requests.to_string(), "> 1000", requests > 1000),
        Line::new("failed requests", failures.to_string(), "0", failures == 0),
        Line::new(
            "descriptors",
            format!("{} → {}", before.descriptors, after.descriptors),
            "no more",
            after.descriptors <= before.descriptors,
        ),
        Line::new(
            "upstream connections",
            format!("{} → {}", before.upstream, after.upstream),
            "no more",
            after.upstream <= before.upstream,
        ),
        Line::new(
            "threads",
            format!("{} → {}", before.threads, after.threads),
            "no more",
            after.threads <= before.threads,
        ),
        Line::new(
            "memory",
            format!("{} → {} KiB", before.memory, after.memory),
            "+ 8 MiB at most",
            after.memory <= before.memory + 8192,
        ),
    ])
}

/// Half of them by signal, half by request; the file is another one each time. Counts those that were refused.
fn reload_often(gate: &Gate, upstream: &Upstream) -> Result<u32, String> {
    let mut refused = 0;
    let started = Instant::now();
    for number in 0..RELOADS {
        std::fs::write(&gate.file, configuration(upstream, number)).map_err(|failure| failure.to_string())?;
        if number % 2 == 0 {
            gate.hang_up();
        } else if let Err(reason) = gate.ask_admin("POST", "/reload") {
            eprintln!("{reason}");
            refused += 1;
        }
        let due = started + EVERY * (number + 1);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(refused)
}

fn configuration(upstream: &Upstream, number: u32) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\n\
         services: {{up: {{targets: ['http://{}'], keep_alive: {{idle: 1s}}}}}}\n\
         policies: {{guard: {{rate_limit: {{quota: 1000000/1s}}, headers: {{response: {{set: {{X-Number: '{number}'}}}}}}}}}}\n\
         routes:\n  - {{path: /**, policies: [guard], to: {{service: up}}}}\n",
        upstream.address
    )
}

struct Load {
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
    failures: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Four clients that keep their connection, and four that make a new one every ten requests.
    fn start(gate: &Gate) -> Load {
        let mut load = Load {
            stop: Arc::default(),
            requests: Arc::default(),
            failures: Arc::default(),
            threads: Vec::new(),
        };
        for number in 0..8 {
            let (stop, requests, failures) = (
                Arc::clone(&load.stop),
                Arc::clone(&load.requests),
                Arc::clone(&load.failures),
            );
            let address = gate.address;
            let requests_each = if number % 2 == 0 { usize::MAX } else { 10 };
            load.threads.push(std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    if let Err(reason) = ask(address, requests_each, &stop, &requests) {
                        eprintln!("{reason}");
                        failures.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }));
        }
        std::thread::sleep(Duration::from_secs(1));
        load
    }

    /// Ends it; gives back how many requests there were and how many failed.
    fn stop(self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let _ = thread.join();
        }
        (
            self.requests.load(Ordering::Relaxed),
            self.failures.load(Ordering::Relaxed),
        )
    }
}

/// Asks so often on one connection, or until it is told to stop.
fn ask(address: std::net::SocketAddr, count: usize, stop: &AtomicBool, requests: &AtomicUsize) -> std::io::Result<()> {
    let mut connection = load::Connection::open(address)?;
    let request = load::get("/hello");
    for _ in 0..count {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        connection.send(&request)?;
        connection.receive()?;
        requests.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

struct Held {
    descriptors: usize,
    upstream: usize,
    threads: usize,
    memory: u64,
}

/// What the gate holds once the connections of the load have ended: those to clients at once, those to upstreams after
/// the second for which they are kept.
fn settled(gate: &Gate, upstream: &Upstream) -> Held {
    let deadline = Instant::now() + Duration::from_secs(10);
    while upstream.open() > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    // Threads for blocking work end some time after it: the fewest that there are is what is held.
    let mut threads = gate.entries("task");
    while Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(250));
        threads = threads.min(gate.entries("task"));
    }
    Held {
        descriptors: gate.entries("fd"),
        upstream: upstream.open(),
        threads,
        memory: gate.memory(),
    }
}
