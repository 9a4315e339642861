//! A run in one line: what is kept of it to compare it with others.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;
use crate::measured::RouteMeasured;
use crate::objective::SAMPLES_ABOVE;
use crate::rate;
use crate::report::{Report, Verdict};

/// The version of this form.
pub const VERSION: u32 = 1;

/// The most routes that are kept of a run: those with the most requests.
const MOST_ROUTES: usize = 200;

/// How much longer or shorter than a run its process may have been watched.
const MOST_APART: Duration = Duration::from_secs(2);

/// What is kept of a run. Only phases that count are in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// The version of this form: 1.
    pub version: u32,
    /// What the run is called.
    pub name: String,
    /// The target's name.
    pub target: String,
    /// The profile's word.
    pub profile: String,
    /// When it began, in milliseconds since 1970.
    pub began: u64,
    /// How long the phases that count lasted, in seconds.
    pub lasted: f64,
    /// What machine and versions it was measured with.
    pub environment: BTreeMap<String, String>,
    /// What came of it.
    pub verdict: Verdict,
    /// Whether it was ended before its time.
    #[serde(default)]
    pub interrupted: bool,
    /// Requests that ended, however.
    pub requests: u64,
    /// Those that failed.
    pub failed: u64,
    /// Good answers a second.
    pub rate: Option<f64>,
    /// Processor seconds of the watched process for each request.
    pub processor: Option<f64>,
    /// The most memory that the watched process had, in bytes.
    pub memory: Option<u64>,
    /// What the profile found.
    pub found: BTreeMap<String, f64>,
    /// The latencies of all requests.
    pub latency: Histogram,
    /// By the names of routes.
    pub routes: BTreeMap<String, RouteSummary>,
}

/// What is kept of a route.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteSummary {
    /// Requests that ended, however.
    pub requests: u64,
    /// Those that failed.
    pub failed: u64,
    /// The median of their latencies in microseconds, where there are enough.
    pub p50: Option<u64>,
    /// The 99th percentile in microseconds, where there are enough.
    pub p99: Option<u64>,
}

impl Summary {
    /// What is kept of a run.
    pub fn of(report: &Report) -> Summary {
        let (total, lasted) = report.measured.counted();
        Summary {
            version: VERSION,
            name: report.name.clone(),
            target: report.target.clone(),
            profile: report.profile.clone(),
            began: report.began,
            lasted: lasted.as_secs_f64(),
            environment: report.environment.clone(),
            verdict: report.verdict,
            interrupted: report.interrupted,
            requests: total.ended,
            failed: total.failed(),
            rate: rate::answered(&report.measured),
            processor: processor(report, total.ended),
            memory: report.resources.as_ref().and_then(|resources| resources.most_memory()),
            // JSON has neither infinity nor what is no number.
            found: report
                .found
                .iter()
                .filter(|(_, value)| value.is_finite())
                .map(|(name, value)| (name.clone(), *value))
                .collect(),
            latency: total.latency,
            routes: routes(report),
        }
    }

    /// Whether it can be compared with others: the generator was all right, and it went on to its end.
    pub fn is_sound(&self) -> bool {
        self.verdict != Verdict::Invalid && !self.interrupted
    }

    /// The latency that a share of requests (0 to 1) doesn't exceed, where enough lie above it.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        quantile(&self.latency, share)
    }
}

/// A quantile with at least [`SAMPLES_ABOVE`] values above it.
fn quantile(latency: &Histogram, share: f64) -> Option<Duration> {
    // What is enough but for rounding is enough.
    let above = latency.count() as f64 * (1.0 - share) + 1e-6;
    latency.quantile(share).filter(|_| above >= SAMPLES_ABOVE as f64)
}

/// Processor seconds for each request, over all phases that count. A search has pauses between its steps, which are in the process's
/// time and not in the run's; where the two don't go together, nothing is said.
fn processor(report: &Report, requests: u64) -> Option<f64> {
    let resources = report.resources.as_ref()?;
    let watched = resources.samples.last()?.at;
    if watched.abs_diff(Duration::from_secs(report.measured.seconds.len() as u64)) > MOST_APART {
        return None;
    }
    let mut used = Duration::ZERO;
    for phase in report.measured.phases.iter().filter(|phase| phase.counts) {
        let end = phase.began.saturating_add(phase.lasted);
        used = used.saturating_add(resources.processor_time(phase.began, end)?);
    }
    (requests > 0 && !used.is_zero()).then(|| used.as_secs_f64() / requests as f64)
}

fn routes(report: &Report) -> BTreeMap<String, RouteSummary> {
    let mut merged: BTreeMap<&str, RouteMeasured> = BTreeMap::new();
    for phase in report.measured.phases.iter().filter(|phase| phase.counts) {
        for (name, route) in &phase.routes {
            merged.entry(name).or_default().merge(route);
        }
    }
    let mut routes: Vec<_> = merged.into_iter().collect();
    routes.sort_by_key(|(_, route)| std::cmp::Reverse(route.ended));
    let summary = |(name, route): &(&str, RouteMeasured)| {
        let micros = |share| quantile(&route.latency, share).and_then(|time| u64::try_from(time.as_micros()).ok());
        let summary = RouteSummary {
            requests: route.ended,
            failed: route.failed(),
            p50: micros(0.5),
            p99: micros(0.99),
        };
        ((*name).to_owned(), summary)
    };
    routes.iter().take(MOST_ROUTES).map(summary).collect()
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod tests {
    use super::samples::report;
    use super::*;
    use crate::process::{Resources, Sample};

    #[test]
    fn a_run_is_summed_up_over_the_phases_that_count() {
        let mut report = report(1_000, 2.0);
        let mut warm_up = report.measured.phases[0].clone();
        warm_up.counts = false;
        report.measured.phases.push(warm_up);
        let summary = Summary::of(&report);
        assert_eq!((summary.requests, summary.failed, summary.lasted), (1_000, 0, 10.0));
        assert_eq!(summary.rate, Some(100.0));
        assert_eq!(summary.routes["/"].p50, Some(2_000));
        assert!(summary.is_sound());
        report.interrupted = true;
        assert!(!Summary::of(&report).is_sound());
    }

    #[test]
    fn a_percentile_that_a_few_decide_is_left_out() {
        let summary = Summary::of(&report(999, 2.0));
        assert_eq!((summary.quantile(0.99), summary.routes["/"].p99), (None, None));
        assert!(Summary::of(&report(1_000, 2.0)).quantile(0.99).is_some());
        assert!(summary.quantile(0.5).is_some() && summary.quantile(1.0).is_none());
    }

    #[test]
    fn processor_time_is_shared_by_the_requests() {
        let mut report = report(1_000, 2.0);
        let sample = |second: u64| Sample {
            at: Duration::from_secs(second),
            processor_time: Duration::from_millis(second * 200),
            memory: 1_000,
            ..Sample::default()
        };
        report.resources = Some(Resources {
            samples: (0..=10).map(sample).collect(),
            ..Resources::default()
        });
        let summary = Summary::of(&report);
        assert_eq!((summary.processor, summary.memory), (Some(0.002), Some(1_000)));
        report.measured.seconds.truncate(5);
        assert_eq!(Summary::of(&report).processor, None, "there were pauses");
    }

    #[test]
    fn only_so_many_routes_are_kept() {
        let mut report = report(100, 2.0);
        let phase = &mut report.measured.phases[0];
        let route = phase.routes["/"].clone();
        for number in 0..300 {
            phase.routes.insert(format!("/{number}"), route.clone());
        }
        assert_eq!(Summary::of(&report).routes.len(), MOST_ROUTES);
    }
}
