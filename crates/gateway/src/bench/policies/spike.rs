//! Load on a gate under test, while its stand-ins change.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use portcullis_bench::engine::Watch;
use portcullis_bench::load::{Planned, Spacing};
use portcullis_bench::measured::Measured;
use portcullis_bench::stand_in::{Behaviour, StandIn};
use portcullis_bench::target::Protocol;
use portcullis_bench::{Engine, Flow, Load, Phase, Plan, Target, tls};

use super::gate::TestGate;

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most arrivals that wait for a connection.
const BACKLOG: usize = 100_000;

/// How often it is looked what has come to a stand-in.
const LOOK: Duration = Duration::from_millis(5);

/// A gate, and what it is asked.
pub(super) struct Spike {
    gate: SocketAddr,
    flows: Vec<Flow>,
    /// The names under which requests are counted.
    routes: Vec<String>,
    connections: usize,
}

/// How many requests had come to a stand-in by a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// From the start of the load.
    pub(super) at: Duration,
    /// All until then.
    pub(super) requests: u64,
}

/// A stand-in that changes at times from the start of the load.
pub(super) struct Directed<'s> {
    pub(super) stand_in: &'s StandIn,
    pub(super) changes: Vec<(Duration, Behaviour)>,
}

impl Spike {
    /// One on a gate.
    pub(super) fn on(gate: &TestGate, flows: Vec<Flow>, routes: Vec<String>, connections: usize) -> Spike {
        Spike {
            gate: gate.address(),
            flows,
            routes,
            connections,
        }
    }

    /// Asks each flow once.
    ///
    /// # Errors
    /// Why the engine can't.
    pub(super) fn once(self, watch: &mut dyn Watch) -> Result<Measured, String> {
        let script = (0..self.flows.len()).filter_map(|flow| u32::try_from(flow).ok());
        let after = Duration::ZERO;
        let script: Vec<Planned> = script.map(|flow| Planned { after, flow }).collect();
        let phase = Phase {
            name: "first".to_owned(),
            duration: Duration::ZERO,
            load: Load::Script(script.into()),
            counts: true,
        };
        self.run(&[phase], watch)
    }

    /// Runs phases.
    ///
    /// # Errors
    /// Why the engine can't.
    pub(super) fn run(self, phases: &[Phase], watch: &mut dyn Watch) -> Result<Measured, String> {
        let mut engine = self.engine()?;
        engine.run(phases, watch).map_err(|fault| fault.to_string())
    }

    /// Runs phases, and tells what came to a stand-in meanwhile, which behaves as it is directed.
    ///
    /// # Errors
    /// Why the engine can't.
    pub(super) fn direct(
        self,
        phases: &[Phase],
        directed: Directed<'_>,
        watch: &mut dyn Watch,
    ) -> Result<(Measured, Vec<Sample>), String> {
        let mut engine = self.engine()?;
        let over = AtomicBool::new(false);
        let (measured, samples) = std::thread::scope(|scope| {
            let start = Instant::now();
            let samples = scope.spawn({
                let over = &over;
                move || directed.follow(start, over)
            });
            let measured = engine.run(phases, watch);
            over.store(true, Ordering::Relaxed);
            (measured, samples.join())
        });
        let samples = samples.map_err(|_| "the thread that directs a stand-in has died".to_owned())?;
        Ok((measured.map_err(|fault| fault.to_string())?, samples))
    }

    fn engine(self) -> Result<Engine, String> {
        let url = format!("http://{}", self.gate);
        let target =
            Target::of(&url, Protocol::Http1, &tls::Settings::default()).map_err(|unusable| unusable.to_string())?;
        let plan = Plan {
            target,
            flows: self.flows.into(),
            routes: self.routes,
            connections: self.connections,
            streams: 1,
            fresh_connections: false,
            threads: 1,
            processors: Vec::new(),
            timeout: TIMEOUT,
            backlog: BACKLOG,
            spacing: Spacing::Uniform,
            seed: 1,
        };
        Engine::start(plan).map_err(|fault| fault.to_string())
    }
}

impl Directed<'_> {
    fn follow(self, start: Instant, over: &AtomicBool) -> Vec<Sample> {
        let mut changes = self.changes.into_iter().peekable();
        let mut samples: Vec<Sample> = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let at = start.elapsed();
            if let Some((_, behaviour)) = changes.next_if(|(due, _)| at >= *due) {
                // Behaviours of ours are possible ones.
                let _ = self.stand_in.change(behaviour);
            }
            let requests = self.stand_in.requests();
            if samples.last().is_none_or(|last| last.requests != requests) {
                samples.push(Sample { at, requests });
            }
            std::thread::sleep(LOOK);
        }
        samples
    }
}

/// A phase of a constant rate.
pub(super) fn steady(name: impl Into<String>, duration: Duration, rate: f64) -> Phase {
    Phase {
        name: name.into(),
        duration,
        load: Load::Rate { from: rate, to: rate },
        counts: true,
    }
}
