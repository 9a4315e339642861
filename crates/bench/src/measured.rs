//! What was measured: counts and latencies by phase and route, and how it went from second to second.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;
use crate::outcome::Failure;

/// How many causes of one kind of failure are told apart.
const MOST_CAUSES: usize = 8;

/// What the others are counted as.
const OTHER_CAUSES: &str = "other";

/// What became of the phases of one run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    /// One for each phase, in their order. A request belongs to the phase in which it was due.
    pub phases: Vec<PhaseMeasured>,
    /// One for each second from the start.
    pub seconds: Vec<Second>,
    /// How the load generator itself was doing.
    pub generator: Generator,
}

/// What became of the requests that were due in a phase.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PhaseMeasured {
    /// The name of the phase.
    pub name: String,
    /// Whether objectives are judged by it.
    pub counts: bool,
    /// When it began, from the start of the run.
    pub began: Duration,
    /// How long arrivals went on.
    pub lasted: Duration,
    /// Arrivals that were due.
    pub due: u64,
    /// By the names of routes.
    pub routes: BTreeMap<String, RouteMeasured>,
}

/// What became of the requests of one route.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RouteMeasured {
    /// From when a request was due to the end of its answer or its failure; those that failed are in it.
    pub latency: Histogram,
    /// From when a request was sent.
    pub service: Histogram,
    /// Requests that ended, however.
    pub ended: u64,
    /// Bytes of content that came.
    pub bytes: u64,
    /// Answers by their status.
    pub statuses: BTreeMap<u16, u64>,
    /// Failures by kind and cause; a few causes of each kind, the others as `other`.
    pub failures: BTreeMap<Failure, BTreeMap<String, u64>>,
}

/// A second of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Requests that were due in it.
    pub due: u64,
    /// Of these, the ones that failed.
    pub failed: u64,
    /// Requests that ended in it, whenever they were due.
    pub ended: u64,
    /// Of these, the ones that failed.
    #[serde(default)]
    pub bad: u64,
    /// Of those that were due in it, microseconds: the median.
    pub p50: u64,
    /// The 90th percentile.
    pub p90: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The longest.
    pub max: u64,
    /// Arrivals that waited for a connection at its end.
    pub waiting: u64,
}

/// How the load generator itself was doing, so that its troubles aren't taken for the target's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Generator {
    /// How much later than due arrivals were taken up by the generator, before any waiting for a connection.
    pub lag: Histogram,
    /// The share of its processor that the busiest thread used, 0 to 1.
    pub busiest: f64,
    /// Processor time of all its threads.
    pub processor_time: Duration,
    /// Arrivals that never began.
    pub missed: u64,
    /// The most connections that were open at a time.
    pub connections: u64,
    /// Connections that were made.
    pub connected: u64,
}

impl RouteMeasured {
    /// Requests that failed.
    pub fn failed(&self) -> u64 {
        self.failures.values().flat_map(BTreeMap::values).sum()
    }

    /// Counts failures with one cause. Beyond a few causes of a kind, others are counted together: what a server says may be
    /// different each time.
    pub fn fail(&mut self, kind: Failure, why: &str, count: u64) {
        let causes = self.failures.entry(kind).or_default();
        if let Some(known) = causes.get_mut(why) {
            *known += count;
        } else {
            let why = if causes.len() < MOST_CAUSES { why } else { OTHER_CAUSES };
            *causes.entry(why.to_owned()).or_default() += count;
        }
    }

    /// Adds what another one has.
    pub fn merge(&mut self, other: &RouteMeasured) {
        self.latency.merge(&other.latency);
        self.service.merge(&other.service);
        self.ended += other.ended;
        self.bytes += other.bytes;
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (kind, causes) in &other.failures {
            for (cause, count) in causes {
                self.fail(*kind, cause, *count);
            }
        }
    }
}

impl PhaseMeasured {
    /// All routes together.
    pub fn total(&self) -> RouteMeasured {
        let mut total = RouteMeasured::default();
        for route in self.routes.values() {
            total.merge(route);
        }
        total
    }
}

impl Measured {
    /// The phases that count together: their requests, and how long they lasted.
    pub fn counted(&self) -> (RouteMeasured, Duration) {
        let mut total = RouteMeasured::default();
        let mut lasted = Duration::ZERO;
        for phase in self.phases.iter().filter(|phase| phase.counts) {
            total.merge(&phase.total());
            lasted += phase.lasted;
        }
        (total, lasted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_few() {
        let mut route = RouteMeasured::default();
        for number in 0..100 {
            route.fail(Failure::Protocol, &format!("cause {number}"), 2);
        }
        route.fail(Failure::Protocol, "cause 3", 1);
        let mut both = route.clone();
        both.merge(&route);
        let causes = &both.failures[&Failure::Protocol];
        assert_eq!((causes.len(), causes["cause 3"], causes["other"]), (9, 6, 2 * 184));
        assert_eq!(both.failed(), 402);
    }
}
