//! `cargo xtask bench rate-limit`: how exactly rates are limited, on one gate and on several that share a server, what comes of
//! it while that server is away, and what many clients cost.

mod load;

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use self::load::{Counted, Load};
use super::Line;
use super::steady::place::{Folder, ports};
use crate::gate::Gate;
use crate::process;

/// What the limit allows in a second, and at once: so little that it doesn't matter over a minute, and enough that a load that is
/// kept from running for a moment asks for all that it may have.
const LIMIT: u32 = 1000;
const BURST: u32 = 100;

/// How many requests come for each that may pass.
const TIMES: u32 = 5;

/// For how many seconds.
const SECONDS: u32 = 60;

/// When the server is killed and when it is back, in seconds.
const KILLED: u32 = 20;
const BACK: u32 = 40;

/// Gates that share a server.
const NODES: u16 = 3;

/// How far what is admitted may be from what the limit allows.
const ON_ONE: f64 = 0.01;
const ON_SEVERAL: f64 = 0.02;

/// The longest that a request may wait, the server's deadline included: what is more would be a stall.
const LONGEST: Duration = Duration::from_millis(500);

/// What a million clients may take, and how much longer a judgement may take with a million than with a thousand: memory is
/// slower than caches, and nothing else grows.
const MOST_BYTES: u64 = 40;
const MOST_NANOSECONDS: u64 = 500;

/// # Errors
/// When a gate or the server doesn't start.
pub(super) fn run(binary: &Path) -> Result<Vec<Line>, String> {
    let mut lines = one_node(binary)?;
    lines.extend(several_nodes(binary)?);
    lines.extend(without_the_server(binary)?);
    lines.extend(many_clients()?);
    Ok(lines)
}

fn one_node(binary: &Path) -> Result<Vec<Line>, String> {
    let workers = thread::available_parallelism().map_or(1, |count| u16::try_from(count.get()).unwrap_or(1));
    let gate = Gate::start(binary, "rate-limit", &configuration(""), workers)?;
    let load = Load::start(&[gate.address], LIMIT * TIMES, Duration::from_secs(SECONDS.into()));
    let counted = load.finish();
    Ok(vec![
        accuracy(&format!("one gate, {workers} workers"), &counted, 0, SECONDS, ON_ONE),
        failures("one gate", &counted),
    ])
}

fn several_nodes(binary: &Path) -> Result<Vec<Line>, String> {
    let redis = Redis::start()?;
    let gates = start_nodes(binary, &redis)?;
    let load = Load::start(&addresses(&gates), LIMIT * TIMES, Duration::from_secs(SECONDS.into()));
    let counted = load.finish();
    Ok(vec![
        accuracy("three gates and Redis", &counted, 0, SECONDS, ON_SEVERAL),
        failures("three gates and Redis", &counted),
        longest("three gates and Redis", &counted),
    ])
}

fn without_the_server(binary: &Path) -> Result<Vec<Line>, String> {
    let mut redis = Redis::start()?;
    let gates = start_nodes(binary, &redis)?;
    let load = Load::start(&addresses(&gates), LIMIT * TIMES, Duration::from_secs(SECONDS.into()));
    let at = |seconds: u32| load.start + Duration::from_secs(seconds.into());
    wait_until(at(KILLED));
    redis.kill();
    wait_until(at(BACK));
    redis.revive()?;
    let counted = load.finish();
    Ok(vec![
        accuracy("Redis is there", &counted, 0, KILLED, ON_SEVERAL),
        accuracy("Redis is away, a share for each", &counted, KILLED, BACK, ON_SEVERAL),
        accuracy("Redis is back", &counted, BACK, SECONDS, ON_SEVERAL),
        accuracy("all of it", &counted, 0, SECONDS, ON_SEVERAL),
        failures("Redis goes and returns", &counted),
        longest("Redis goes and returns", &counted),
    ])
}

/// What the example of that name prints: clients, those told apart, bytes, nanoseconds of a judgement.
fn many_clients() -> Result<Vec<Line>, String> {
    let mut command = process::command("cargo run --release --quiet -p portcullis-policies --example rate_limit_keys");
    let printed = process::output(&mut command)?;
    let mut lines = Vec::new();
    for line in printed.lines() {
        let numbers: Vec<u64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
        let [clients, live, bytes, nanoseconds] = numbers[..] else {
            return Err(format!("the example said `{line}`"));
        };
        let each = bytes.checked_div(live).unwrap_or(0);
        // Of few clients, shards that are hardly filled are what is measured.
        let holds = (each <= MOST_BYTES || live < 1_000_000) && nanoseconds <= MOST_NANOSECONDS;
        lines.push(Line::new(
            format!("{clients} clients, {live} told apart"),
            format!("{} KiB, {each} bytes each; {nanoseconds} ns a judgement", bytes >> 10),
            format!("≤ {MOST_BYTES} bytes each from a million on, ≤ {MOST_NANOSECONDS} ns"),
            holds,
        ));
    }
    Ok(lines)
}

fn start_nodes(binary: &Path, redis: &Redis) -> Result<Vec<Gate>, String> {
    let stores = format!(
        "stores: {{soft: {{at: 'redis://127.0.0.1:{}', nodes: {NODES}}}}}\n",
        redis.port
    );
    let gates: Result<Vec<Gate>, String> = (0..NODES)
        .map(|node| Gate::start(binary, &format!("rate-limit-{node}"), &configuration(&stores), 2))
        .collect();
    let gates = gates?;
    for gate in &gates {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !gate
            .ask_admin("GET", "/metrics")?
            .contains("portcullis_soft_store_up 1")
        {
            if Instant::now() > deadline {
                return Err("a gate doesn't find Redis".to_owned());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(gates)
}

fn addresses(gates: &[Gate]) -> Vec<SocketAddr> {
    gates.iter().map(|gate| gate.address).collect()
}

fn configuration(stores: &str) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\n{stores}\
         policies: {{guard: {{rate_limit: {{quota: {LIMIT}/1s, burst: {BURST}, by: route}}}}}}\n\
         routes:\n  - {{path: /**, policies: [guard], to: {{respond: ok}}}}\n"
    )
}

fn wait_until(at: Instant) {
    thread::sleep(at.saturating_duration_since(Instant::now()));
}

fn accuracy(what: &str, counted: &Counted, from: u32, to: u32, bound: f64) -> Line {
    let admitted = counted.admitted(from, to);
    let due = u64::from(LIMIT) * u64::from(to - from);
    let off = float(admitted) / float(due) - 1.0;
    Line::new(
        format!("{what}: admitted in {} s", to - from),
        format!("{admitted} of {due}, {:+.2} %", off * 100.0),
        format!("± {:.0} %", bound * 100.0),
        off.abs() <= bound,
    )
}

fn failures(what: &str, counted: &Counted) -> Line {
    let (refused, failed) = (counted.refused(), counted.failed());
    Line::new(
        format!("{what}: neither admitted nor refused"),
        format!("{failed}, {refused} refused"),
        "0",
        failed == 0 && refused > 0,
    )
}

fn longest(what: &str, counted: &Counted) -> Line {
    Line::new(
        format!("{what}: longest wait for an answer"),
        format!("{} ms", counted.longest().as_millis()),
        format!("≤ {} ms", LONGEST.as_millis()),
        counted.longest() <= LONGEST,
    )
}

#[allow(clippy::cast_precision_loss, reason = "no count here is that large")]
fn float(count: u64) -> f64 {
    count as f64
}

/// A server of our own, which ends with this.
struct Redis {
    child: Child,
    port: u16,
    folder: Folder,
}

impl Redis {
    fn start() -> Result<Redis, String> {
        let [port] = ports()?;
        let folder = Folder::make()?;
        let child = spawn(port, folder.path())?;
        let redis = Redis { child, port, folder };
        redis.await_ready()?;
        Ok(redis)
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn revive(&mut self) -> Result<(), String> {
        self.child = spawn(self.port, self.folder.path())?;
        self.await_ready()
    }

    fn await_ready(&self) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if Instant::now() > deadline {
                return Err("redis-server doesn't start".to_owned());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(port: u16, folder: &Path) -> Result<Child, String> {
    let folder: PathBuf = folder.into();
    Command::new("redis-server")
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|failure| format!("redis-server: {failure}; Debian has it in the package redis-server"))
}
