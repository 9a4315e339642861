//! Rates over several gates that count together, and limits that ask who it is.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::client::Client;
use super::folder::Folder;
use super::gate::{Gate, eventually};
use super::upstream::Upstream;

/// A server of a test's own. It ends with the test.
struct Redis {
    child: Child,
    address: SocketAddr,
    folder: Folder,
}

impl Redis {
    fn start() -> Redis {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = Folder::new();
        let redis = Redis {
            child: spawn(free, &folder),
            address: free,
            folder,
        };
        redis.await_ready();
        redis
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn revive(&mut self) {
        self.child = spawn(self.address, &self.folder);
        self.await_ready();
    }

    fn await_ready(&self) {
        eventually("redis-server", || TcpStream::connect(self.address).is_ok());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(address: SocketAddr, folder: &Folder) -> Child {
    Command::new("redis-server")
        .args(["--port", &address.port().to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server must be installed: Debian's package redis-server")
}

/// A gate that shares the server with `nodes` others, and has found it.
fn node(redis: &Redis, nodes: u32, limit: &str) -> Gate {
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: \"127.0.0.1:0\"}}\n\
         stores: {{soft: {{at: \"redis://{}\", nodes: {nodes}, deadline: 5s}}}}\n\
         policies: {{guard: {{rate_limit: {limit}}}}}\n\
         routes:\n  - {{path: /**, policies: [guard], to: {{respond: ok}}}}\n",
        redis.address
    ));
    eventually("the gate to find the server", || is_up(&gate));
    gate
}

fn is_up(gate: &Gate) -> bool {
    gate.metric("portcullis_soft_store_up") > 0.5
}

/// How many of so many requests each of the gates lets through, all asked at once.
fn admitted(gates: &[Gate], each: usize) -> usize {
    let threads: Vec<_> = gates
        .iter()
        .map(|gate| {
            let mut client = gate.connect();
            std::thread::spawn(move || (0..each).filter(|_| client.get("/").status == 200).count())
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).sum()
}

#[test]
fn gates_that_share_a_server_count_together() {
    let redis = Redis::start();
    let limit = "{quota: [60/1h, 1000/1d], by: route}";
    let gates: Vec<Gate> = (0..3).map(|_| node(&redis, 3, limit)).collect();
    assert_eq!(admitted(&gates, 40), 60);
    let refused = gates[1].get("/");
    refused.assert_problem(429, "rate_limited");
    assert!(refused.field("retry-after").is_some());
    let told: Vec<&str> = refused.fields("ratelimit").collect();
    assert!(told[0].starts_with("\"guard-1h\";r=0;t="), "{refused}");
    assert!(told[1].starts_with("\"guard-1d\";r=940;t="), "{refused}");
    // A gate that comes later, as one that was started anew, knows what was counted.
    let later = node(&redis, 3, limit);
    assert_eq!(admitted(&[later], 5), 0);
}

#[test]
fn a_gate_goes_on_while_the_server_is_away_and_finds_it_again() {
    let mut redis = Redis::start();
    let gates = [
        node(&redis, 3, "{quota: 30/1h, by: route}"),
        node(&redis, 3, "{quota: 31/1h, by: route, on_failure: deny}"),
    ];
    assert_eq!(gates[0].get("/").status, 200);
    assert_eq!(gates[1].get("/").status, 200);
    redis.kill();
    for gate in &gates {
        eventually("the server to be missed", || !is_up(gate));
    }
    let start = Instant::now();
    assert_eq!(admitted(&gates[..1], 30), 10, "this gate's share");
    gates[1].get("/").assert_problem(503, "guard_unavailable");
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "somebody waited for the server"
    );
    let local = "portcullis_soft_store_fallbacks_total{action=\"local\"}";
    assert!((gates[0].metric(local) - 30.0).abs() < 0.5);
    gates[0].await_warning("the soft store is away");
    redis.revive();
    for gate in &gates {
        eventually("the server to be found again", || is_up(gate));
    }
    assert_eq!(admitted(&gates[..1], 40), 30, "it was started anew, and has no counts");
    assert_eq!(gates[1].get("/").status, 200);
}

#[test]
fn what_is_admitted_is_what_the_limit_allows() {
    let gate = Gate::start(
        "listeners: [127.0.0.1:0]\nadmin: {bind: \"127.0.0.1:0\"}\n\
         policies: {guard: {rate_limit: {quota: 100/1s, burst: 50, by: route}}}\n\
         routes:\n  - {path: /**, policies: [guard], to: {respond: ok}}\n",
    );
    let address = gate.address();
    let start = Instant::now();
    let end = start + Duration::from_millis(1500);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                let mut passed = 0u32;
                while Instant::now() < end {
                    passed += u32::from(client.get("/").status == 200);
                }
                passed
            })
        })
        .collect();
    let passed: u32 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    let (asked, all) = (1.5, start.elapsed().as_secs_f64());
    // While somebody asks every half a second, which is what the burst is worth, none of what is allowed is lost.
    assert!(f64::from(passed) >= 100.0 * asked - 1.0, "{passed} in {asked} s");
    assert!(f64::from(passed) <= 100.0 * all + 50.0 + 1.0, "{passed} in {all} s");
}

#[test]
fn guesses_are_limited_before_and_consumers_behind() {
    let upstream = Upstream::ok();
    // The SHA-256 of "open sesame".
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: \"127.0.0.1:0\"}}\nservices: {{up: \"http://{}\"}}\n\
         policies:\n  guard:\n    rate_limit:\n      - {{quota: 6/1h, by: client_ip}}\n      - {{quota: 2/1h, by: consumer, name: each}}\n\
         \x20   api_key: {{consumers: [{{name: ali, sha256: 41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb}}]}}\n\
         routes:\n  - {{path: /**, policies: [guard], to: {{service: up}}}}\n",
        upstream.address()
    ));
    let ask = |key: &str| gate.connect().ask("GET", "/", &[("X-Api-Key", key)], "");
    ask("a guess").assert_problem(401, "unauthenticated");
    assert_eq!(ask("open sesame").status, 200);
    assert_eq!(ask("open sesame").status, 200);
    let refused = ask("open sesame");
    refused.assert_problem(429, "rate_limited");
    assert!(
        refused.fields("ratelimit").any(|told| told.starts_with("\"each\";r=0")),
        "{refused}"
    );
    ask("another guess").assert_problem(401, "unauthenticated");
    ask("the last guess").assert_problem(401, "unauthenticated");
    let refused = ask("one guess more");
    refused.assert_problem(429, "rate_limited");
    assert!(
        refused.field("ratelimit").unwrap().starts_with("\"guard\";r=0"),
        "{refused}"
    );
    assert_eq!(upstream.requests().len(), 2);
}
