//! Looking after the targets of services: checks of each target, and leaving alone those that requests fared ill with.
//!
//! What decides is in `resilience::checks` and `resilience::outlier`. Here is what acts, on a thread of its own with an event
//! loop (`thread.rs`): for each service one task that follows its members and judges them (`tending.rs`), and for each target
//! that is checked one more (`checking.rs`), whatever number of routes, workers and configurations uses it. What a check
//! does is in `probe.rs`.

mod checking;
mod grpc;
mod probe;
mod tending;
mod thread;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use portcullis_config::service as written;
use portcullis_resilience::outlier::{Evidence, Reason, Settings};
use tokio::sync::Notify;

use self::checking::Checks;
pub(super) use self::thread::Watchmen;

/// How the targets of a service are looked after.
#[derive(Debug, Default)]
pub(super) struct Rules {
    checks: Option<Arc<Checks>>,
    /// What makes an outlier.
    pub(super) outlier: Option<Settings>,
    /// How long a window of counting is.
    window: Duration,
}

impl Rules {
    /// What is written of a service.
    ///
    /// # Errors
    /// Says in words for people what of it can't be used.
    pub(super) fn new(config: &written::Service) -> Result<Rules, String> {
        let checks = config.health.as_ref().map(Checks::new);
        Ok(Rules {
            checks: checks.transpose()?.map(Arc::new),
            outlier: settings(&config.outlier),
            window: config.outlier.interval.0,
        })
    }

    fn are_empty(&self) -> bool {
        self.checks.is_none() && self.outlier.is_none()
    }
}

fn settings(outlier: &written::Outlier) -> Option<Settings> {
    let settings = Settings {
        consecutive: outlier.consecutive,
        error_rate: outlier.error_rate.map(|share| share.per_mille()),
        latency: outlier.latency,
        min_requests: outlier.min_requests,
        eject: outlier.eject.0,
        max_eject: outlier.max_eject.0,
        max_ejected: outlier.max_ejected.per_mille(),
    };
    (!outlier.off).then_some(settings)
}

/// How a service is looked after now, and what wakes the task that does it. Kept with the service's membership.
#[derive(Default)]
pub(super) struct Watch {
    /// Those of the configuration in force, which others that still serve requests have no say in.
    rules: ArcSwap<Rules>,
    /// Whether there is a task.
    tended: AtomicBool,
    stirred: Notify,
}

impl Watch {
    /// Something has changed: members, rules, or the number of failures in a row.
    pub(super) fn stir(&self) {
        self.stirred.notify_one();
    }

    /// Puts other rules in force. Whether a task has to be started for them.
    fn put(&self, rules: Arc<Rules>) -> bool {
        let needed = !rules.are_empty();
        self.rules.store(rules);
        self.stir();
        needed && !self.tended.swap(true, Ordering::AcqRel)
    }
}

/// What is counted and told of one target's health.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    passed: AtomicU64,
    failed: AtomicU64,
    ejections: [AtomicU64; Reason::ALL.len()],
    found: Mutex<Found>,
}

/// What was found against a target, last.
#[derive(Debug, Default)]
struct Found {
    /// By a check.
    failure: String,
    /// By a judgement.
    evidence: String,
}

/// What metrics tell of a target's health.
#[derive(Clone, Debug)]
pub struct HealthTold {
    /// Whether its checks don't fail and it is not ejected.
    pub healthy: bool,
    /// Checks that passed.
    pub passed: u64,
    /// Checks that failed.
    pub failed: u64,
    /// How often it was ejected, for each reason that there was.
    pub ejections: Vec<(&'static str, u64)>,
}

impl HealthTold {
    /// Adds what is told of another target under the same name.
    pub(super) fn add(&mut self, other: &HealthTold) {
        self.healthy &= other.healthy;
        self.passed += other.passed;
        self.failed += other.failed;
        for (reason, count) in &other.ejections {
            match self.ejections.iter_mut().find(|(known, _)| known == reason) {
                Some((_, sum)) => *sum += count,
                None => self.ejections.push((reason, *count)),
            }
        }
    }
}

impl Tallies {
    fn checked(&self, found: &Result<(), String>) {
        match found {
            Ok(()) => _ = self.passed.fetch_add(1, Ordering::Relaxed),
            Err(why) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                self.found().failure.clone_from(why);
            }
        }
    }

    fn ejected(&self, evidence: &Evidence) {
        self.ejections[evidence.reason() as usize].fetch_add(1, Ordering::Relaxed);
        self.found().evidence = evidence.to_string();
    }

    /// Why its checks fail, as the last one that did found.
    pub(super) fn failure(&self) -> String {
        self.found().failure.clone()
    }

    /// What it was ejected for, the last time.
    pub(super) fn evidence(&self) -> String {
        self.found().evidence.clone()
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is to tell.
    pub(super) fn told(&self, healthy: bool) -> HealthTold {
        let read = |tally: &AtomicU64| tally.load(Ordering::Relaxed);
        let ejections = Reason::ALL.map(|reason| (reason.as_str(), read(&self.ejections[reason as usize])));
        HealthTold {
            healthy,
            passed: read(&self.passed),
            failed: read(&self.failed),
            ejections: ejections.into_iter().filter(|(_, count)| *count > 0).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_one_name_are_told_of_as_one() {
        let (one, other) = (Tallies::default(), Tallies::default());
        one.checked(&Ok(()));
        one.checked(&Err("status 503".to_owned()));
        one.ejected(&Evidence::Consecutive(5));
        other.checked(&Ok(()));
        other.ejected(&Evidence::Consecutive(5));
        other.ejected(&Evidence::ErrorRate(10, 20));
        let mut told = one.told(true);
        told.add(&other.told(false));
        assert_eq!((told.healthy, told.passed, told.failed), (false, 2, 1));
        assert_eq!(told.ejections, [("consecutive", 2), ("error_rate", 1)]);
        assert_eq!(one.failure(), "status 503");
        assert_eq!(other.evidence(), "10 of 20 requests failed");
    }

    #[test]
    fn what_is_off_is_no_rule() {
        let mut written = written::Outlier::default();
        assert_eq!(
            settings(&written).map(|it| (it.consecutive, it.max_ejected)),
            Some((5, 500))
        );
        written.off = true;
        assert_eq!(settings(&written), None);
    }
}
