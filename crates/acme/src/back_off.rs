//! How long to wait after an order that failed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Kind};

/// The first wait after the authority said no. Each further one is three times as long: by the strictest limits in use, of
/// five failures in an hour for a name, the fourth in an hour is the last.
const REFUSED: (Duration, u32) = (Duration::from_secs(120), 3);

/// The first wait after the authority was not reached or the storage was not to be used. Nobody counts that against us.
const UNREACHED: (Duration, u32) = (Duration::from_secs(10), 2);

/// The longest wait. A certificate is renewed weeks before its end, so a few tries a day are many.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// The longest wait that an authority can ask for; whatever it asks beyond that is a mistake.
const LONGEST_ASKED: Duration = Duration::from_secs(7 * 86_400);

/// What failed last and when to try again. It is kept in the storage: neither a restart nor another gate that shares it
/// tries earlier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackOff {
    /// Failures since the last success.
    pub(crate) failures: u32,
    /// When the last one was, in seconds since 1970.
    pub(crate) failed_at: u64,
    /// How many seconds to wait from then.
    pub(crate) wait: u64,
    /// What happened, for people.
    pub(crate) why: String,
}

impl BackOff {
    /// What holds after one more failure at `now`. `luck` is from 0 to 1 and spreads the tries of many gates.
    pub(crate) fn after(previous: Option<&BackOff>, failure: &Failure, now: SystemTime, luck: f64) -> BackOff {
        let failures = previous.map_or(0, |previous| previous.failures).saturating_add(1);
        let (first, factor) = match failure.kind {
            Kind::Refused => REFUSED,
            Kind::Unreached | Kind::Storage => UNREACHED,
        };
        let wait = first
            .saturating_mul(factor.saturating_pow(failures - 1))
            .min(LONGEST)
            .mul_f64(1.0 + luck.clamp(0.0, 1.0) / 4.0);
        let asked = failure
            .not_before
            .and_then(|not_before| not_before.duration_since(now).ok())
            .map_or(Duration::ZERO, |asked| asked.min(LONGEST_ASKED));
        BackOff {
            failures,
            failed_at: seconds(now),
            wait: wait.max(asked).as_secs(),
            why: failure.words.clone(),
        }
    }

    /// How long to wait yet.
    pub(crate) fn left(&self, now: SystemTime) -> Duration {
        let failed_at = UNIX_EPOCH + Duration::from_secs(self.failed_at.min(seconds(now)));
        // A clock that was put back must not make the wait longer than it was meant to be.
        let wait = Duration::from_secs(self.wait).min(LONGEST_ASKED);
        (failed_at + wait).duration_since(now).unwrap_or_default()
    }
}

/// Seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |span| span.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    /// Lets failure follow failure, each as soon as it may, and gives the seconds at which the tries are.
    fn tries(failure: &Failure, count: usize, luck: f64) -> Vec<u64> {
        let mut now = start();
        let mut back_off = None;
        let mut tries = Vec::new();
        for _ in 0..count {
            tries.push(seconds(now) - seconds(start()));
            let next = BackOff::after(back_off.as_ref(), failure, now, luck);
            assert!(next.left(now) > Duration::ZERO);
            now += next.left(now);
            assert_eq!(next.left(now), Duration::ZERO);
            back_off = Some(next);
        }
        tries
    }

    #[test]
    fn refusals_are_followed_by_longer_and_longer_waits() {
        let refused = Failure::refused("no");
        assert_eq!(tries(&refused, 6, 0.0), [0, 120, 480, 1560, 4800, 14_520]);
        let within_an_hour = tries(&refused, 50, 0.0).into_iter().filter(|at| *at < 3600).count();
        assert_eq!(within_an_hour, 4);
        let a_week = 7 * 86_400;
        assert!(tries(&refused, 50, 0.0).into_iter().filter(|at| *at < a_week).count() <= 6 + 7 * 4);
    }

    #[test]
    fn an_authority_that_was_not_reached_is_tried_soon() {
        let unreached = Failure::new(Kind::Unreached, "no route");
        assert_eq!(tries(&unreached, 5, 0.0), [0, 10, 30, 70, 150]);
        let all = tries(&unreached, 40, 0.0);
        assert_eq!(all[39] - all[38], LONGEST.as_secs());
    }

    #[test]
    fn luck_spreads_the_tries_of_many_gates() {
        let refused = Failure::refused("no");
        assert_eq!(tries(&refused, 2, 1.0), [0, 150]);
        assert_eq!(tries(&refused, 2, 0.5), [0, 135]);
    }

    #[test]
    fn what_the_authority_asks_for_goes_before() {
        let mut limited = Failure::refused("too many");
        limited.not_before = Some(start() + Duration::from_secs(40_000));
        assert_eq!(tries(&limited, 2, 0.0), [0, 40_000]);
        limited.not_before = Some(start() + 100 * LONGEST_ASKED);
        assert_eq!(tries(&limited, 2, 0.0), [0, LONGEST_ASKED.as_secs()]);
    }

    #[test]
    fn a_clock_that_was_wrong_delays_nothing_for_ever() {
        let refused = Failure::refused("no");
        let ahead = BackOff::after(None, &refused, start() + 1000 * LONGEST_ASKED, 0.0);
        assert_eq!(ahead.left(start()), Duration::from_secs(120));
        let broken = BackOff {
            wait: u64::MAX,
            ..ahead
        };
        assert!(broken.left(start()) <= LONGEST_ASKED);
    }
}
