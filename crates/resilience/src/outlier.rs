//! When what requests met makes a target an outlier, for how long it is left alone, and how many may be at a time.
//!
//! Workers count ([`Outlier::record`]); one task of each service judges, by [`judge_streaks`] as soon as a worker says that there is
//! something to look at, and by [`judge_window`] each time a window of counting is over.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::Moment;
use crate::standing::{Standing, State};

/// What makes an outlier, and what comes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// So many failures in a row; 0 for no such rule.
    pub consecutive: u32,
    /// So large a share of failures among the requests of a window, in thousandths.
    pub error_rate: Option<u32>,
    /// A mean latency in a window of so many times the median of the other targets' means.
    pub latency: Option<u32>,
    /// How many requests a window must have to be judged.
    pub min_requests: u32,
    /// How long the first ejection is. Each one that soon follows is longer by as much.
    pub eject: Duration,
    /// How long one is at the most.
    pub max_eject: Duration,
    /// The share of a service's targets that may be ejected at a time, in thousandths. One always may, unless this is 0 or it is
    /// the only target.
    pub max_ejected: u32,
}

/// How a request to a target ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target answered, after that time.
    Answered(Duration),
    /// It could not be reached, broke off, was silent for too long, or said that it or what is behind it can't answer.
    Failed,
}

/// What the requests to one target met. All workers write it.
#[derive(Debug, Default)]
pub struct Outlier {
    /// Failures since the last answer.
    in_a_row: AtomicU32,
    /// Requests of this window that were answered and that failed. Written only where a rule asks for them.
    answered: AtomicU32,
    failed: AtomicU32,
    /// The time to all answers of this window, in microseconds. Written only where a rule asks for it.
    micros: AtomicU64,
    /// How many ejections have not been made good yet: the next one is that much longer.
    ejections: AtomicU32,
}

/// A target that was ejected, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ejection {
    /// Its place among those that were judged.
    pub at: usize,
    /// What speaks against it.
    pub evidence: Evidence,
    /// For how long.
    pub length: Duration,
}

/// What speaks against a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Evidence {
    /// So many failures in a row.
    Consecutive(u32),
    /// So many failures among so many requests.
    ErrorRate(u32, u32),
    /// A mean latency, and the median of the others.
    Latency(Duration, Duration),
}

impl Outlier {
    /// Takes in how a request ended. Whether there is something for [`judge_streaks`] to look at now.
    ///
    /// An answer costs one load, where no rule counts answers and there was no failure before it.
    pub fn record(&self, standing: &Standing, outcome: Outcome, settings: &Settings, now: Moment) -> bool {
        match outcome {
            Outcome::Answered(latency) => {
                if self.in_a_row.load(Ordering::Relaxed) != 0 {
                    self.in_a_row.store(0, Ordering::Relaxed);
                }
                if settings.error_rate.is_some() || settings.latency.is_some() {
                    self.answered.fetch_add(1, Ordering::Relaxed);
                }
                if settings.latency.is_some() {
                    let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
                    self.micros.fetch_add(micros, Ordering::Relaxed);
                }
                false
            }
            Outcome::Failed => self.record_failure(standing, settings, now),
        }
    }

    #[cold]
    fn record_failure(&self, standing: &Standing, settings: &Settings, now: Moment) -> bool {
        // What ends now had begun before the ejection: it says nothing about the target that comes back.
        if matches!(standing.state(now), State::Ejected(_)) {
            return false;
        }
        self.failed.fetch_add(1, Ordering::Relaxed);
        let in_a_row = self.in_a_row.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        // Where no more may be ejected, a look at each failure would be for nothing.
        settings.consecutive > 0 && in_a_row.is_multiple_of(settings.consecutive)
    }

    /// Forgets failures in a row: the target is known to have come back.
    pub fn forgive(&self) {
        self.in_a_row.store(0, Ordering::Relaxed);
    }

    /// Whether an ejection has not been made good yet: windows of counting matter until it is.
    pub fn is_on_probation(&self) -> bool {
        self.ejections.load(Ordering::Relaxed) > 0
    }

    /// Ends a window of counting.
    fn close(&self) -> Window {
        let answered = self.answered.swap(0, Ordering::Relaxed);
        let micros = self.micros.swap(0, Ordering::Relaxed);
        Window {
            answered,
            failed: self.failed.swap(0, Ordering::Relaxed),
            mean: Duration::from_micros(micros.checked_div(u64::from(answered)).unwrap_or(0)),
        }
    }
}

/// What the requests of a window met.
#[derive(Clone, Copy, Debug)]
struct Window {
    answered: u32,
    failed: u32,
    mean: Duration,
}

/// Ejects the targets that failed too often in a row, as far as that is allowed. The targets are all of a service's.
pub fn judge_streaks(settings: &Settings, targets: &[(&Standing, &Outlier)], now: Moment) -> Vec<Ejection> {
    let mut bench = Bench::new(settings, targets, now);
    for (at, (_, outlier)) in targets.iter().enumerate() {
        let in_a_row = outlier.in_a_row.load(Ordering::Relaxed);
        if settings.consecutive > 0 && in_a_row >= settings.consecutive {
            bench.eject(at, Evidence::Consecutive(in_a_row));
        }
    }
    bench.ejected
}

/// Ends a window: ejects the targets that failed in too many of its requests or took too long, as far as that is allowed, and
/// makes good an ejection of each that behaved. The targets are all of a service's.
pub fn judge_window(settings: &Settings, targets: &[(&Standing, &Outlier)], now: Moment) -> Vec<Ejection> {
    let windows: Vec<Window> = targets.iter().map(|(_, outlier)| outlier.close()).collect();
    let mut bench = Bench::new(settings, targets, now);
    for (at, (standing, outlier)) in targets.iter().enumerate() {
        let evidence = failing(settings, windows[at]).or_else(|| slow(settings, &windows, at));
        match evidence {
            Some(evidence) => bench.eject(at, evidence),
            None if standing.is_good(now) => {
                // Nobody else changes it.
                let ejections = outlier.ejections.load(Ordering::Relaxed);
                outlier.ejections.store(ejections.saturating_sub(1), Ordering::Relaxed);
            }
            None => {}
        }
    }
    bench.ejected
}

/// What speaks against a target by the share of its failures.
fn failing(settings: &Settings, window: Window) -> Option<Evidence> {
    let requests = window.answered.saturating_add(window.failed);
    let most = u64::from(settings.error_rate?);
    let too_many = u64::from(window.failed) * 1000 >= most * u64::from(requests);
    (window.failed > 0 && requests >= settings.min_requests && too_many)
        .then_some(Evidence::ErrorRate(window.failed, requests))
}

/// What speaks against a target by its latency. Those with few requests are neither judged nor a measure.
fn slow(settings: &Settings, windows: &[Window], at: usize) -> Option<Evidence> {
    let factor = settings.latency?;
    let enough = |window: &Window| window.answered >= settings.min_requests.max(1);
    let own = windows[at];
    let others = windows.iter().enumerate().filter(|(other, _)| *other != at);
    let mut means: Vec<Duration> = others
        .filter(|(_, window)| enough(window))
        .map(|(_, window)| window.mean)
        .collect();
    means.sort_unstable();
    // Of an even number the upper one: it takes more to be an outlier.
    let median = *means.get(means.len() / 2)?;
    (enough(&own) && own.mean > median * factor).then_some(Evidence::Latency(own.mean, median))
}

/// Where targets are ejected from a service, within its limits.
struct Bench<'t> {
    settings: &'t Settings,
    targets: &'t [(&'t Standing, &'t Outlier)],
    now: Moment,
    /// How many more may be ejected.
    room: usize,
    ejected: Vec<Ejection>,
}

impl<'t> Bench<'t> {
    fn new(settings: &'t Settings, targets: &'t [(&'t Standing, &'t Outlier)], now: Moment) -> Bench<'t> {
        let share = targets.len().saturating_mul(settings.max_ejected as usize) / 1000;
        let most = match targets.len() {
            0 | 1 => 0,
            _ if settings.max_ejected == 0 => 0,
            // One is left even where all may go: somebody has to be tried.
            count => share.clamp(1, count - 1),
        };
        let out = targets
            .iter()
            .filter(|(standing, _)| standing.ejected_until(now).is_some());
        Bench {
            settings,
            targets,
            now,
            room: most.saturating_sub(out.count()),
            ejected: Vec::new(),
        }
    }

    /// Ejects a target that gets requests, if another one may be ejected.
    fn eject(&mut self, at: usize, evidence: Evidence) {
        let (standing, outlier) = self.targets[at];
        if self.room == 0 || !standing.is_good(self.now) {
            return;
        }
        self.room -= 1;
        let ejections = outlier.ejections.load(Ordering::Relaxed).saturating_add(1);
        let length = (self.settings.eject.saturating_mul(ejections)).min(self.settings.max_eject);
        // One that is out for the longest time already grows no further, so that it is made good in a foreseeable time.
        if length < self.settings.max_eject {
            outlier.ejections.store(ejections, Ordering::Relaxed);
        }
        outlier.forgive();
        standing.eject(self.now + length);
        self.ejected.push(Ejection { at, evidence, length });
    }
}

impl Evidence {
    /// The word for logs and metrics.
    pub fn reason(&self) -> Reason {
        match self {
            Evidence::Consecutive(_) => Reason::Consecutive,
            Evidence::ErrorRate(..) => Reason::ErrorRate,
            Evidence::Latency(..) => Reason::Latency,
        }
    }
}

/// Why a target is ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Failures in a row.
    Consecutive,
    /// The share of failures.
    ErrorRate,
    /// Its latency.
    Latency,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 3] = [Reason::Consecutive, Reason::ErrorRate, Reason::Latency];

    /// The word for metrics, as the configuration has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Consecutive => "consecutive",
            Reason::ErrorRate => "error_rate",
            Reason::Latency => "latency",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Consecutive(count) => write!(f, "{count} requests failed in a row"),
            Evidence::ErrorRate(failed, requests) => write!(f, "{failed} of {requests} requests failed"),
            Evidence::Latency(mean, median) => {
                write!(f, "it took {mean:.1?} in the mean, and the others {median:.1?}")
            }
        }
    }
}

#[cfg(test)]
mod tests;
