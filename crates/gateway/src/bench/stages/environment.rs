//! The machine: what it is, whether it is fit to measure, and what the load generator is at its best here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use portcullis_bench::environment::{self, Busy, Check, Given, Needs, State, Ticks};
use portcullis_bench::flow::{Step, Template};
use portcullis_bench::load::Spacing;
use portcullis_bench::request::Request;
use portcullis_bench::stand_in::{Behaviour, StandIn};
use portcullis_bench::target::Protocol;
use portcullis_bench::{Engine, Flow, Load, Phase, Plan, Target, tls};
use portcullis_core::{Headers, Method};
use serde::{Deserialize, Serialize};

use crate::bench::folder::{self, Folder};

/// The rate at which the floor of latencies is measured: one that any machine has, so that it is not about throughput.
const FLOOR_RATE: f64 = 1_000.0;

/// How long each measurement of the generator lasts.
const LASTS: Duration = Duration::from_secs(1);

/// How long the machine is watched for others that use it.
const WATCHED: Duration = Duration::from_millis(500);

/// What the scenario has where nobody says otherwise.
const USUAL_CONNECTIONS: u64 = 50;

/// The version of the file's form.
const VERSION: u32 = 1;

/// What `environment.json` holds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Described {
    version: u32,
    /// What the machine is, by name.
    pub(crate) fingerprint: BTreeMap<String, String>,
    /// What the generator is at its best.
    pub(crate) floor: Floor,
}

/// What the load generator measures of a server that does nothing: no target can be seen to be faster.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Floor {
    /// The median at a thousand requests a second, in microseconds.
    pub(crate) p50: u64,
    /// The 99th percentile of them.
    pub(crate) p99: u64,
    /// Requests a second, as fast as they go over one connection for each of 50 users.
    pub(crate) most: u64,
    /// Processor time of the generator for one of these, in nanoseconds.
    pub(crate) nanoseconds: u64,
}

/// Describes the machine, and writes it into the folder. Gives it in words.
///
/// # Errors
/// When the generator can't run, or the file can't be written.
pub(crate) fn describe(folder: &Folder) -> Result<String, String> {
    let fingerprint = environment::fingerprint(&Given::default());
    let before = busy();
    let checks = environment::checks(&Needs {
        connections: USUAL_CONNECTIONS,
        addresses: 1,
        before,
        ..Needs::default()
    });
    let floor = measure_floor()?;
    let mut words = String::new();
    for (name, value) in &fingerprint {
        let _ = writeln!(words, "{name:<16} {value}");
    }
    words.push('\n');
    for check in &checks {
        let _ = writeln!(words, "{}", in_words(check));
    }
    let _ = writeln!(
        words,
        "\nA server that does nothing: p50 {} us, p99 {} us at {FLOOR_RATE} requests a second; {} requests a second at the \
         most, {:.1} us of this program's processor time each. Nothing can be seen to be faster.",
        floor.p50,
        floor.p99,
        floor.most,
        floor.nanoseconds as f64 / 1e3,
    );
    let described = Described {
        version: VERSION,
        fingerprint,
        floor,
    };
    let text = serde_json::to_string_pretty(&described).map_err(|error| error.to_string())?;
    let path = folder.environment();
    folder::write_once(&path, &format!("{text}\n"), true)?;
    let _ = writeln!(words, "\nwritten to {}", path.display());
    Ok(words)
}

/// How busy others keep the machine.
fn busy() -> Option<Busy> {
    let start = Ticks::now().ok()?;
    // The kernel counts what was used: there is nothing to wait for but time.
    std::thread::sleep(WATCHED);
    start.until(&Ticks::now().ok()?)
}

fn in_words(check: &Check) -> String {
    let mark = match check.state {
        State::Good => "ok     ",
        State::Doubtful => "note   ",
        State::Bad => "WARNING",
    };
    format!("{mark} {}", check.sentence)
}

/// Refuses to go on where the folder describes another machine.
///
/// # Errors
/// The differences, and what to do.
pub(crate) fn same_machine(folder: &Folder, now: &BTreeMap<String, String>) -> Result<(), String> {
    let path = folder.environment();
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{} can't be read: {error}", path.display())),
    };
    let described: Described = serde_json::from_slice(&text)
        .map_err(|error| format!("{} is no description of a machine: {error}", path.display()))?;
    // What differs from scenario to scenario is no property of the machine.
    let machine: BTreeMap<String, String> = described
        .fingerprint
        .keys()
        .filter_map(|name| Some((name.clone(), now.get(name)?.clone())))
        .collect();
    let differences = environment::differences(&described.fingerprint, &machine);
    if differences.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
    Err(format!(
        "{} describes another machine or version: {}. Describe this one by `portcullis bench env`, or go on by --force",
        path.display(),
        told.join("; ")
    ))
}

/// Measures the generator against a server that does nothing.
fn measure_floor() -> Result<Floor, String> {
    let server = StandIn::start(Behaviour::default()).map_err(|error| format!("no stand-in: {error}"))?;
    let url = format!("http://{}", server.address());
    let target =
        Target::of(&url, Protocol::Http1, &tls::Settings::default()).map_err(|unusable| unusable.to_string())?;
    let request = Request::new(&target.authority, Method::Get, "/", Headers::new(), bytes::Bytes::new())
        .map_err(|unfit| unfit.0)?;
    let flow = Flow {
        name: "floor".to_owned(),
        weight: 1.0,
        steps: vec![Step::new(0, Template::Fixed(request))],
    };
    let plan = Plan {
        target,
        flows: vec![flow].into(),
        routes: vec!["floor".to_owned()],
        connections: 50,
        streams: 1,
        fresh_connections: false,
        threads: 1,
        processors: Vec::new(),
        timeout: Duration::from_secs(5),
        backlog: 10_000,
        spacing: Spacing::Uniform,
        seed: 1,
    };
    let rate = Load::Rate {
        from: FLOOR_RATE,
        to: FLOOR_RATE,
    };
    let paced = run(&plan, rate)?;
    let (total, _) = paced.counted();
    let at = |share: f64| {
        total
            .latency
            .quantile(share)
            .map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(0))
    };
    let fast = run(&plan, Load::Users(50))?;
    let (all, lasted) = fast.counted();
    let nanoseconds = fast.generator.processor_time.as_nanos() / u128::from(all.ended.max(1));
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rate"
    )]
    let most = (all.ended as f64 / lasted.as_secs_f64().max(1e-3)) as u64;
    Ok(Floor {
        p50: at(0.5),
        p99: at(0.99),
        most,
        nanoseconds: u64::try_from(nanoseconds).unwrap_or(u64::MAX),
    })
}

fn run(plan: &Plan, load: Load) -> Result<portcullis_bench::measured::Measured, String> {
    let phase = Phase {
        name: "floor".to_owned(),
        duration: LASTS,
        load,
        counts: true,
    };
    let mut engine = Engine::start(plan.clone()).map_err(|fault| fault.to_string())?;
    engine.run(&[phase], &mut ()).map_err(|fault| fault.to_string())
}
