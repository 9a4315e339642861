//! The generic cell rate algorithm: a leaky bucket that needs one number for each client.
//!
//! The number is the *theoretical arrival time*: when the client's bucket will have run empty. A request moves it on by
//! one interval, and is refused when that would put it further ahead than the burst allows.

use std::time::Duration;

/// How often, and how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Nanoseconds between two requests at the steady rate.
    interval: u64,
    /// Nanoseconds that a full burst is worth.
    span: u64,
}

/// What becomes of a request. Times are nanoseconds from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass.
    Admitted {
        /// The client's new theoretical arrival time, to be kept until that time has come.
        arrival: u64,
        /// How many more may pass at once.
        remaining: u32,
        /// When the whole burst will be there again.
        full_after: u64,
    },
    /// It may not, and changes nothing.
    Refused {
        /// When one may pass again.
        retry_after: u64,
    },
}

impl Rate {
    /// `limit` requests in `per`, and up to `burst` at once. The interval is rounded up to whole nanoseconds: never
    /// more than the limit passes.
    ///
    /// # Errors
    /// When a number is zero, or so large that it can't be counted with.
    pub fn new(limit: u32, per: Duration, burst: u32) -> Result<Rate, String> {
        if limit == 0 || per.is_zero() {
            return Err("the quota lets nobody in: both numbers must be larger than zero".to_owned());
        }
        if burst == 0 {
            return Err("a burst of 0 lets nobody in: it must be at least 1".to_owned());
        }
        let too_long = || "the quota and its burst last longer than can be counted: shorten them".to_owned();
        let per = u64::try_from(per.as_nanos()).map_err(|_| too_long())?;
        let interval = per.div_ceil(u64::from(limit));
        let span = interval
            .checked_mul(u64::from(burst))
            .filter(|span| *span < u64::MAX / 4)
            .ok_or_else(too_long)?;
        Ok(Rate { interval, span })
    }

    /// Judges a request at `now` of a client whose theoretical arrival time is `arrival`; 0 for one not seen before.
    pub fn judge(&self, arrival: u64, now: u64) -> Verdict {
        let moved = arrival.max(now).saturating_add(self.interval);
        let ahead = moved - now;
        match self.span.checked_sub(ahead) {
            Some(left) => Verdict::Admitted {
                arrival: moved,
                remaining: u32::try_from(left / self.interval).unwrap_or(u32::MAX),
                full_after: ahead,
            },
            None => Verdict::Refused {
                retry_after: ahead - self.span,
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    /// Sends requests at the given milliseconds; `+N` is admitted with N left, `-N` refused for N more milliseconds.
    fn check(limit: u32, per: Duration, burst: u32, steps: &[(u64, i64)]) {
        let rate = Rate::new(limit, per, burst).unwrap();
        let mut arrival = 0;
        for (at, expected) in steps {
            let got = match rate.judge(arrival, at * 1_000_000) {
                Verdict::Admitted {
                    arrival: moved,
                    remaining,
                    ..
                } => {
                    arrival = moved;
                    i64::from(remaining)
                }
                Verdict::Refused { retry_after } => -i64::try_from(retry_after.div_ceil(1_000_000)).unwrap(),
            };
            assert_eq!(got, *expected, "at {at} ms of {steps:?}");
        }
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let second = Duration::from_secs(1);
        check(
            10,
            second,
            3,
            &[
                (0, 2),
                (0, 1),
                (0, 0),
                (0, -100),
                (99, -1),
                (100, 0),
                (100, -100),
                (300, 1),
            ],
        );
        check(1, second, 1, &[(5, 0), (5, -1000), (1004, -1), (1005, 0)]);
        check(
            10,
            second,
            3,
            &[(0, 2), (10_000, 2), (10_000, 1), (10_000, 0), (10_000, -100)],
        );
    }

    #[test]
    fn rates_that_nothing_passes_are_refused() {
        let second = Duration::from_secs(1);
        assert!(Rate::new(0, second, 1).is_err());
        assert!(Rate::new(1, Duration::ZERO, 1).is_err());
        assert!(Rate::new(1, second, 0).is_err());
        assert!(Rate::new(1, Duration::from_secs(31 * 86_400), u32::MAX).is_err());
        assert!(Rate::new(u32::MAX, Duration::from_secs(31 * 86_400), u32::MAX).is_ok());
    }

    proptest! {
        #[test]
        fn no_window_admits_more_than_burst_and_rate(
            limit in 1u32..1000,
            seconds in 1u64..100,
            burst in 1u32..50,
            gaps in prop::collection::vec(0u64..200_000_000, 1..300),
        ) {
            let per = Duration::from_secs(seconds);
            let rate = Rate::new(limit, per, burst).unwrap();
            let (mut now, mut arrival) = (0u64, 0);
            let mut admitted: Vec<u64> = Vec::new();
            for gap in gaps {
                now += gap;
                if let Verdict::Admitted { arrival: moved, .. } = rate.judge(arrival, now) {
                    arrival = moved;
                    admitted.push(now);
                }
            }
            for (first, from) in admitted.iter().enumerate() {
                for (last, to) in admitted.iter().enumerate().skip(first) {
                    let by_rate = u128::from(to - from) * u128::from(limit) / per.as_nanos();
                    prop_assert!((last - first + 1) as u128 <= u128::from(burst) + by_rate);
                }
            }
        }

        #[test]
        fn who_waits_as_told_is_admitted(limit in 1u32..u32::MAX, burst in 1u32..1000, start in any::<u32>(), ahead in 0u64..1000) {
            let rate = Rate::new(limit, Duration::from_secs(60), burst).unwrap();
            let now = u64::from(start);
            let arrival = now + rate.span + ahead;
            let Verdict::Refused { retry_after } = rate.judge(arrival, now) else {
                return Err(proptest::test_runner::TestCaseError::fail("it is far ahead"));
            };
            let again = rate.judge(arrival, now + retry_after);
            let admitted = matches!(again, Verdict::Admitted { remaining: 0, .. });
            prop_assert!(admitted, "{again:?}");
            let early = rate.judge(arrival, now + retry_after - 1);
            prop_assert_eq!(early, Verdict::Refused { retry_after: 1 });
        }
    }
}
