//! When all is as before.

use std::fmt;
use std::time::Duration;

use crate::measured::Second;

/// Seconds in a row that must be good for a recovery to begin. One alone may be good by chance.
const STEADY: usize = 3;

/// The share of later seconds that may be bad all the same: something else may always come in between.
const LATER_BAD: f64 = 0.1;

/// By how much the share of failures may exceed the base's.
const MORE_FAILURES: f64 = 0.01;

/// What latency may exceed the base's by in any case. A target that is faster than that has nothing left of its queue after it, as
/// far as whole seconds can tell; and whatever else a machine does takes some milliseconds now and then.
const LONGER: Duration = Duration::from_millis(5);

/// What is usual.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    p99: Duration,
    failures: f64,
}

impl Bounds {
    /// Made of the p99 of the base, the seconds of it, and the factor by which latency may be longer.
    pub(super) fn of(p99: Duration, base: &[Second], within: f64) -> Bounds {
        let failed: u64 = base.iter().map(|second| second.failed).sum();
        let due: u64 = base.iter().map(|second| second.due).sum();
        Bounds {
            p99: p99.mul_f64(within).max(p99 + LONGER),
            failures: failed as f64 / due.max(1) as f64 + MORE_FAILURES,
        }
    }

    fn hold(&self, second: &Second) -> bool {
        second.p99 as f64 <= self.p99.as_micros() as f64 && second.failed as f64 <= self.failures * second.due as f64
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.p99.as_secs_f64() * 1e3;
        write!(
            f,
            "a p99 of up to {millis:.1} ms and {:.1} % of failures in each second",
            self.failures * 100.0
        )
    }
}

/// How long after the peak all was as before and stayed so; nothing, where it never was. The first row begins so long after the
/// peak's end.
pub(super) fn recovery(after: &[Second], bounds: &Bounds, first: Duration) -> Option<Duration> {
    // A second in which nothing was due says nothing.
    let good: Vec<bool> = after
        .iter()
        .map(|second| second.due == 0 || bounds.hold(second))
        .collect();
    let steady = STEADY.min(good.len());
    let begins = |at: &usize| {
        let rest = &good[*at..];
        let bad = rest.iter().filter(|good| !**good).count();
        rest.len() >= steady && rest[..steady].iter().all(|good| *good) && bad as f64 <= rest.len() as f64 * LATER_BAD
    };
    let at = (0..good.len()).find(begins)?;
    Some(match at {
        0 => Duration::ZERO,
        at => first + Duration::from_secs(at as u64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds in which the p99 is so many milliseconds.
    fn seconds(p99: &[u64]) -> Vec<Second> {
        let second = |p99: &u64| Second {
            due: 100,
            p99: p99 * 1000,
            ..Second::default()
        };
        p99.iter().map(second).collect()
    }

    fn check(p99: &[u64], expected: Option<u64>) {
        let bounds = Bounds::of(Duration::from_millis(10), &seconds(&[10, 10]), 2.0);
        let recovery = recovery(&seconds(p99), &bounds, Duration::ZERO);
        assert_eq!(recovery.map(|recovery| recovery.as_secs()), expected, "{p99:?}");
    }

    #[test]
    fn it_is_when_it_stays_good() {
        check(&[10, 10, 10, 10], Some(0));
        check(&[900, 500, 10, 10, 10, 10], Some(2));
        check(&[900, 10, 10, 500, 10, 10, 10], Some(4));
        check(&[900, 800, 700, 600], None);
        check(&[900, 800, 700, 10], None);
        check(&[], None);
    }

    #[test]
    fn one_bad_second_of_many_later_ones_is_chance_and_several_are_not() {
        let mut later = vec![10; 30];
        later[0] = 500;
        later[20] = 500;
        check(&later, Some(1));
        for bad in [12, 16, 24, 26] {
            later[bad] = 500;
        }
        check(&later, Some(27));
    }

    #[test]
    fn failures_are_no_recovery() {
        let bounds = Bounds::of(Duration::from_millis(10), &seconds(&[10, 10]), 2.0);
        let mut after = seconds(&[1, 1, 10, 10, 10, 10]);
        (after[0].failed, after[1].failed) = (100, 2);
        assert_eq!(recovery(&after, &bounds, Duration::ZERO), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_few_milliseconds_are_nothing() {
        let bounds = Bounds::of(Duration::from_micros(300), &[], 2.0);
        assert_eq!(
            recovery(&seconds(&[5, 5, 5]), &bounds, Duration::ZERO),
            Some(Duration::ZERO)
        );
        assert_eq!(recovery(&seconds(&[6, 6, 6]), &bounds, Duration::ZERO), None);
    }

    #[test]
    fn the_first_row_may_begin_later() {
        let bounds = Bounds::of(Duration::from_millis(10), &[], 2.0);
        let half = Duration::from_millis(500);
        assert_eq!(
            recovery(&seconds(&[90, 1, 1, 1]), &bounds, half),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(recovery(&seconds(&[1, 1, 1]), &bounds, half), Some(Duration::ZERO));
    }
}
