//! A system whose behaviour is computed: one queue that is served at a fixed pace, loaded without a clock.

use std::time::Duration;

use super::session::{Runs, Setting};
use crate::engine::{Fault, Watch};
use crate::histogram::Histogram;
use crate::load::{Load, Phase};
use crate::measured::{Measured, PhaseMeasured, Second};
use crate::objective::Objective;
use crate::outcome::Failure;

/// How late a load generator comes that is at its limit.
const LATE: Duration = Duration::from_secs(2);

/// What it does to requests, and what was asked of it.
#[derive(Clone, Debug)]
pub(super) struct Simulated {
    /// Requests a second that leave the queue.
    pub(super) capacity: f64,
    /// How long each takes beside.
    pub(super) delay: Duration,
    /// How much longer each takes with each second of the run.
    pub(super) drift: Duration,
    /// A wait beyond which a request is refused at once.
    pub(super) sheds_beyond: Option<Duration>,
    /// Which requests fail.
    pub(super) fails_every: Option<u64>,
    /// The rate above which the load generator comes too late.
    pub(super) generator_most: f64,
    /// How busy the load generator is below that, while the target keeps up; one that doesn't leaves it less to do.
    pub(super) busy: f64,
    /// How late the load generator usually is, which is in no latency.
    pub(super) lag: Duration,
    /// Runs, counted from zero, that something else on the machine disturbs: all is a second late from their middle on.
    pub(super) disturbed: Vec<usize>,
    /// The last rate of each run.
    pub(super) rates: Vec<f64>,
    asked: u64,
}

pub(super) fn setting(objectives: &[Objective]) -> Setting<'_> {
    Setting {
        objectives,
        flows: 1,
        lanes: 50,
    }
}

impl Simulated {
    /// One that serves so many requests a second, each in 5 ms.
    pub(super) fn of(capacity: f64) -> Simulated {
        Simulated {
            capacity,
            delay: Duration::from_millis(5),
            drift: Duration::ZERO,
            sheds_beyond: None,
            fails_every: None,
            generator_most: f64::INFINITY,
            busy: 0.2,
            lag: Duration::from_micros(20),
            disturbed: Vec::new(),
            rates: Vec::new(),
            asked: 0,
        }
    }
}

/// The rows of seconds while they grow.
#[derive(Default)]
struct Row {
    latency: Histogram,
    due: u64,
    failed: u64,
    ended: u64,
    bad: u64,
}

impl Runs for Simulated {
    fn run(&mut self, phases: &[Phase], _watch: &mut dyn Watch) -> Result<Measured, Fault> {
        let mut measured = Measured::default();
        let mut rows: Vec<Row> = Vec::new();
        let (mut began, mut free_at, mut last_rate) = (0.0, 0.0_f64, 0.0);
        let disturbed = self.disturbed.contains(&self.rates.len());
        for phase in phases {
            let length = phase.duration.as_secs_f64();
            let mut counts = PhaseMeasured {
                name: phase.name.clone(),
                counts: phase.counts,
                began: Duration::from_secs_f64(began),
                lasted: phase.duration,
                ..PhaseMeasured::default()
            };
            for at in arrivals(&phase.load, length, self.capacity) {
                let due = began + at;
                let held = if disturbed && at > length / 2.0 {
                    began + length / 2.0 + 1.0
                } else {
                    0.0
                };
                let leaves = free_at.max(due).max(held) + 1.0 / self.capacity;
                self.asked += 1;
                let shed = self.sheds_beyond.is_some_and(|most| leaves - due > most.as_secs_f64());
                let failed = shed || self.fails_every.is_some_and(|every| self.asked.is_multiple_of(every));
                let mut latency = 0.001;
                if !shed {
                    free_at = leaves;
                    latency = leaves - due + self.delay.as_secs_f64() + self.drift.as_secs_f64() * due;
                }
                if rate_at_end(&phase.load).is_some_and(|rate| rate > self.generator_most) {
                    latency += LATE.as_secs_f64();
                }
                count(&mut counts, &mut rows, due, latency, failed);
            }
            if matches!(phase.load, Load::Users(_)) {
                // Nothing is due at a time that was fixed.
                counts.due = 0;
            }
            began += length;
            last_rate = rate_at_end(&phase.load).unwrap_or(last_rate);
            measured.phases.push(counts);
        }
        self.rates.push(last_rate);
        measured.seconds = rows.into_iter().map(Row::second).collect();
        let late = last_rate > self.generator_most;
        let lag = if late { LATE } else { self.lag };
        measured.generator.lag.record(lag);
        measured.generator.busiest = match late {
            true => 0.99,
            false if last_rate > self.capacity => 0.2,
            false => self.busy,
        };
        Ok(measured)
    }
}

/// When arrivals are due, in seconds from the start of the phase. Users are taken for as many as the queue can serve.
fn arrivals(load: &Load, length: f64, capacity: f64) -> Vec<f64> {
    let (from, to) = match load {
        Load::Rate { from, to } => (*from, *to),
        Load::Users(_) => (capacity, capacity),
        Load::Script(planned) => return planned.iter().map(|planned| planned.after.as_secs_f64()).collect(),
    };
    let (mut times, mut at) = (Vec::new(), 0.0);
    while at < length {
        times.push(at);
        at += 1.0 / (from + (to - from) * at / length).max(0.1);
    }
    times
}

fn rate_at_end(load: &Load) -> Option<f64> {
    match load {
        Load::Rate { to, .. } => Some(*to),
        Load::Users(_) | Load::Script(_) => None,
    }
}

fn count(phase: &mut PhaseMeasured, rows: &mut Vec<Row>, due: f64, latency: f64, failed: bool) {
    let ended = due + latency;
    let row_of = |time: f64| usize::try_from(Duration::from_secs_f64(time).as_secs()).unwrap_or(usize::MAX - 1);
    rows.resize_with((row_of(ended) + 1).max(rows.len()), Row::default);
    rows[row_of(ended)].ended += 1;
    rows[row_of(ended)].bad += u64::from(failed);
    let row = &mut rows[row_of(due)];
    row.due += 1;
    row.failed += u64::from(failed);
    let latency = Duration::from_secs_f64(latency);
    row.latency.record(latency);
    let route = phase.routes.entry("/".to_owned()).or_default();
    phase.due += 1;
    route.ended += 1;
    route.latency.record(latency);
    route.service.record(latency);
    if failed {
        route.fail(Failure::Status, "503", 1);
    }
}

impl Row {
    fn second(self) -> Second {
        let micros = |share| {
            self.latency
                .quantile(share)
                .map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
        };
        Second {
            due: self.due,
            failed: self.failed,
            ended: self.ended,
            bad: self.bad,
            p50: micros(0.5),
            p90: micros(0.9),
            p99: micros(0.99),
            max: micros(1.0),
            waiting: 0,
        }
    }
}
