//! What must hold of a run: `p99 < 50ms`, `errors < 0.1%`, `/orders: p99 < 20ms`.

mod text;

use std::time::Duration;

use crate::measured::{Measured, RouteMeasured};
use crate::outcome::Failure;
use crate::rate;
use crate::report::Judged;

pub use text::Unreadable;

/// Values that must lie above a percentile before anything is said of it: below that, a few chance ones decide.
pub const SAMPLES_ABOVE: u64 = 10;

/// One thing that must hold, of all requests or those of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    route: Option<String>,
    measure: Measure,
    relation: Relation,
    bound: Amount,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    /// The latency that so many thousandths of a per cent don't exceed: 99,900 for `p99.9`.
    Percentile(u32),
    Mean,
    Max,
    /// Requests that failed, however.
    Errors,
    /// Those that failed in one way.
    Failures(Failure),
    /// Answers with this status.
    Status(u16),
    /// Answers with a status of this class: 5 for `5xx`.
    StatusClass(u16),
    /// Good answers a second.
    Rate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Below,
    AtMost,
    Above,
    AtLeast,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Amount {
    Time(Duration),
    /// Per cent of all requests, as it was written.
    Percent(f64),
    Count(u64),
    PerSecond(f64),
}

impl Objective {
    /// The route it is for; all requests together where there is none.
    pub fn route(&self) -> Option<&str> {
        self.route.as_deref()
    }

    /// The same of one route only.
    #[must_use]
    pub fn of_route(self, route: impl Into<String>) -> Objective {
        Objective {
            route: Some(route.into()),
            ..self
        }
    }

    /// How many requests it takes until it can be judged.
    pub fn samples(&self) -> u64 {
        match self.measure {
            Measure::Percentile(thousandths) => samples_needed(thousandths),
            _ => 1,
        }
    }

    /// Whether it is about how much is answered. A search for the highest rate has its own answer to that.
    pub fn is_rate(&self) -> bool {
        self.measure == Measure::Rate
    }

    /// Whether it bounds failures, of all kinds or of some.
    pub fn bounds_failures(&self) -> bool {
        matches!(
            self.measure,
            Measure::Errors | Measure::Failures(_) | Measure::Status(_) | Measure::StatusClass(_)
        )
    }

    /// The latency that it bounds from above: that of a percentile, or the longest.
    pub fn latency_limit(&self) -> Option<Duration> {
        match (self.measure, self.relation, self.bound) {
            (Measure::Percentile(_) | Measure::Max, Relation::Below | Relation::AtMost, Amount::Time(limit)) => {
                Some(limit)
            }
            _ => None,
        }
    }

    /// Judges the phases of a run that count.
    ///
    /// An objective is met only where that can be shown. So it isn't where nothing was asked, and a percentile isn't where fewer
    /// than [`SAMPLES_ABOVE`] requests lie above it: passing would say something about a tail that nobody has seen.
    pub fn judge(&self, measured: &Measured) -> Judged {
        let (met, shown) = match self.requests(measured) {
            Some(requests) if requests.ended > 0 => self.judge_requests(measured, &requests),
            _ => (false, "no requests".to_owned()),
        };
        Judged {
            objective: self.requirement(),
            route: self.route.clone(),
            measured: shown,
            met,
        }
    }

    fn requests(&self, measured: &Measured) -> Option<RouteMeasured> {
        let Some(name) = &self.route else {
            return Some(measured.counted().0);
        };
        let mut requests: Option<RouteMeasured> = None;
        for phase in measured.phases.iter().filter(|phase| phase.counts) {
            if let Some(more) = phase.routes.get(name) {
                requests.get_or_insert_default().merge(more);
            }
        }
        requests
    }

    fn judge_requests(&self, measured: &Measured, requests: &RouteMeasured) -> (bool, String) {
        let time = |time: Option<Duration>| match time {
            Some(time) => (self.holds(time.as_secs_f64()), text::shown_time(time)),
            None => (false, "no latencies".to_owned()),
        };
        match self.measure {
            Measure::Percentile(thousandths) => {
                let share = f64::from(thousandths) / 100_000.0;
                let (met, shown) = time(requests.latency.quantile(share));
                let (has, needs) = (requests.latency.count(), samples_needed(thousandths));
                match has < needs && has > 0 {
                    true => (false, format!("{shown}, of {has} requests; it takes {needs} to tell")),
                    false => (met, shown),
                }
            }
            Measure::Mean => time(requests.latency.mean()),
            Measure::Max => time(requests.latency.max()),
            Measure::Errors => self.judge_count(requests.failed(), requests.ended),
            Measure::Failures(kind) => {
                let count = requests.failures.get(&kind).map_or(0, |causes| causes.values().sum());
                self.judge_count(count, requests.ended)
            }
            Measure::Status(status) => {
                let count = requests.statuses.get(&status).copied().unwrap_or(0);
                self.judge_count(count, requests.ended)
            }
            Measure::StatusClass(class) => {
                let count = requests.statuses.range(class * 100..(class + 1) * 100);
                self.judge_count(count.map(|(_, count)| count).sum(), requests.ended)
            }
            Measure::Rate => match rate::answered_of(measured, requests) {
                Some(rate) => (self.holds(rate), format!("{}/s", text::rounded(rate))),
                None => (false, "no rate".to_owned()),
            },
        }
    }

    fn judge_count(&self, count: u64, of: u64) -> (bool, String) {
        match self.bound {
            Amount::Percent(_) => {
                let percent = count as f64 * 100.0 / of as f64;
                (self.holds(percent), format!("{}%", text::rounded(percent)))
            }
            _ => (self.holds(count as f64), count.to_string()),
        }
    }

    fn holds(&self, value: f64) -> bool {
        let bound = match self.bound {
            Amount::Time(time) => time.as_secs_f64(),
            Amount::Percent(percent) => percent,
            Amount::Count(count) => count as f64,
            Amount::PerSecond(rate) => rate,
        };
        match self.relation {
            Relation::Below => value < bound,
            Relation::AtMost => value <= bound,
            Relation::Above => value > bound,
            Relation::AtLeast => value >= bound,
        }
    }
}

/// How many requests there must be for [`SAMPLES_ABOVE`] of them to lie above a percentile, in thousandths of a per cent.
fn samples_needed(thousandths: u32) -> u64 {
    (SAMPLES_ABOVE * 100_000).div_ceil(u64::from(100_000 - thousandths.min(99_999)))
}

#[cfg(test)]
mod tests;
