//! The generic cell rate algorithm: a leaky bucket that needs one number for each client.
//!
//! The number is the *theoretical arrival time*: when the client's bucket will have run empty. A request moves it on by
//! one interval for each unit that it costs, and is refused when that would put it further ahead than the burst allows.

use std::time::Duration;

/// In place of a time: it will never come.
pub const NEVER: u64 = u64::MAX;

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
        /// When one that costs as much may pass again; [`NEVER`] where it costs more than the burst.
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

    /// The part of one of so many nodes: as many times slower, and a burst as many times smaller, but at least 1.
    pub fn share(&self, nodes: u32) -> Rate {
        let nodes = u64::from(nodes.max(1));
        let interval = self.interval.saturating_mul(nodes);
        let burst = u64::from(self.burst()).div_ceil(nodes);
        Rate {
            interval,
            span: interval.saturating_mul(burst),
        }
    }

    /// How many may pass at once.
    pub fn burst(&self) -> u32 {
        u32::try_from(self.span / self.interval).unwrap_or(u32::MAX)
    }

    /// Judges a request at `now` of a client whose theoretical arrival time is `arrival`; 0 for one not seen before.
    pub fn judge(&self, arrival: u64, cost: u32, now: u64) -> Verdict {
        let worth = self.worth(cost);
        let moved = arrival.max(now).saturating_add(worth);
        let ahead = moved - now;
        match self.span.checked_sub(ahead) {
            Some(left) => Verdict::Admitted {
                arrival: moved,
                remaining: u32::try_from(left / self.interval).unwrap_or(u32::MAX),
                full_after: ahead,
            },
            None if worth > self.span => Verdict::Refused { retry_after: NEVER },
            None => Verdict::Refused {
                retry_after: ahead - self.span,
            },
        }
    }

    /// The arrival time as it would be without a request of that cost.
    pub fn give_back(&self, arrival: u64, cost: u32) -> u64 {
        arrival.saturating_sub(self.worth(cost))
    }

    fn worth(&self, cost: u32) -> u64 {
        self.interval.saturating_mul(u64::from(cost))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    /// Sends requests of that cost at the given milliseconds; `+N` is admitted with N left, `-N` refused for N more
    /// milliseconds.
    fn check(limit: u32, per: Duration, burst: u32, cost: u32, steps: &[(u64, i64)]) {
        let rate = Rate::new(limit, per, burst).unwrap();
        let mut arrival = 0;
        for (at, expected) in steps {
            let got = match rate.judge(arrival, cost, at * 1_000_000) {
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
            1,
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
        check(1, second, 1, 1, &[(5, 0), (5, -1000), (1004, -1), (1005, 0)]);
        check(
            10,
            second,
            3,
            1,
            &[(0, 2), (10_000, 2), (10_000, 1), (10_000, 0), (10_000, -100)],
        );
    }

    #[test]
    fn what_costs_more_takes_more() {
        let second = Duration::from_secs(1);
        check(10, second, 5, 2, &[(0, 3), (0, 1), (0, -100), (100, 0), (100, -200)]);
        let rate = Rate::new(10, second, 5).unwrap();
        assert_eq!(rate.judge(0, 6, 0), Verdict::Refused { retry_after: NEVER });
        assert_eq!(rate.judge(0, u32::MAX, 0), Verdict::Refused { retry_after: NEVER });
        let all = rate.judge(0, 5, 7);
        assert!(matches!(all, Verdict::Admitted { remaining: 0, .. }), "{all:?}");
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let rate = Rate::new(1, Duration::from_secs(60), 2).unwrap();
        let Verdict::Admitted { arrival, .. } = rate.judge(0, 2, 5) else {
            panic!("a burst passes")
        };
        let again = rate.judge(rate.give_back(arrival, 2), 2, 5);
        assert!(matches!(again, Verdict::Admitted { remaining: 0, .. }), "{again:?}");
        assert_eq!(rate.give_back(1, 5), 0);
    }

    #[test]
    fn a_share_is_slower_and_smaller() {
        let rate = Rate::new(90, Duration::from_secs(1), 10).unwrap();
        let share = rate.share(3);
        assert_eq!(share.burst(), 4);
        assert_eq!(share.interval, rate.interval * 3);
        assert_eq!(rate.share(1), rate);
        assert_eq!(rate.share(0), rate);
        assert_eq!(rate.share(1000).burst(), 1);
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
            requests in prop::collection::vec((0u64..200_000_000, 0u32..4), 1..300),
        ) {
            let per = Duration::from_secs(seconds);
            let rate = Rate::new(limit, per, burst).unwrap();
            let (mut now, mut arrival) = (0u64, 0);
            let mut admitted: Vec<(u64, u64)> = Vec::new();
            for (gap, cost) in requests {
                now += gap;
                if let Verdict::Admitted { arrival: moved, .. } = rate.judge(arrival, cost, now) {
                    arrival = moved;
                    admitted.push((now, u64::from(cost)));
                }
            }
            for (first, (from, _)) in admitted.iter().enumerate() {
                let mut units = 0;
                for (to, cost) in &admitted[first..] {
                    units += cost;
                    let by_rate = u128::from(to - from) * u128::from(limit) / per.as_nanos();
                    prop_assert!(u128::from(units) <= u128::from(burst) + by_rate);
                }
            }
        }

        #[test]
        fn who_waits_as_told_is_admitted(limit in 1u32..u32::MAX, burst in 1u32..1000, start in any::<u32>(), ahead in 0u64..1000) {
            let rate = Rate::new(limit, Duration::from_secs(60), burst).unwrap();
            let now = u64::from(start);
            let arrival = now + rate.span + ahead;
            let Verdict::Refused { retry_after } = rate.judge(arrival, 1, now) else {
                return Err(proptest::test_runner::TestCaseError::fail("it is far ahead"));
            };
            let again = rate.judge(arrival, 1, now + retry_after);
            let admitted = matches!(again, Verdict::Admitted { remaining: 0, .. });
            prop_assert!(admitted, "{again:?}");
            let early = rate.judge(arrival, 1, now + retry_after - 1);
            prop_assert_eq!(early, Verdict::Refused { retry_after: 1 });
        }
    }
}
