//! How many retries and hedges a service may cause: a share of its requests, and a few for each second. A limit for each
//! request would multiply exactly when a service is in trouble; this one bounds the sum.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::Moment;
use crate::window::{SLOTS, TICKS, Tick, Window};

/// What a service may spend on repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// So many thousandths of the requests of the last `interval`.
    pub per_mille: u32,
    /// And so many for each second of it, so that a service with few requests gets any.
    pub min_rate: u32,
    /// How far back requests and repetitions count. A second at least: a shorter one is taken as that.
    pub interval: Duration,
}

/// The retry budget of a service, shared by all workers.
///
/// Whenever it allows one, the repetitions of the last interval, that one included, are no more than the share of the requests
/// of that same interval and the minimum rate together. It errs on the side of fewer: a repetition counts for up to a tenth of the
/// interval longer than it should, and a request for as much less.
#[derive(Debug)]
pub struct Budget {
    settings: Settings,
    requests: Window,
    repetitions: Mutex<Repetitions>,
}

/// Repetitions by tick. They are rare, and their number must be exact.
#[derive(Debug, Default)]
struct Repetitions([(Tick, u32); SLOTS]);

impl Budget {
    /// A budget of which nothing is spent, for so many workers.
    pub fn new(settings: Settings, shards: usize) -> Budget {
        let interval = settings.interval.max(Duration::from_secs(1));
        Budget {
            settings: Settings { interval, ..settings },
            requests: Window::new(interval, shards),
            repetitions: Mutex::default(),
        }
    }

    /// What it was made with.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Counts a request; not its repetitions. `shard` is the number of the worker. Two threads with one number may lose a
    /// count to each other, but never gain one.
    pub fn request(&self, shard: usize, now: Moment) {
        self.requests.count(shard, now);
    }

    /// Whether one more repetition may be made, which is then counted.
    pub fn try_retry(&self, now: Moment) -> bool {
        let tick = self.requests.tick_of(now);
        let allowed = self.allowed(now);
        let mut repetitions = self.repetitions.lock().unwrap_or_else(PoisonError::into_inner);
        if repetitions.made(tick) >= allowed {
            return false;
        }
        repetitions.count(tick);
        true
    }

    /// How many more repetitions could be made now.
    pub fn left(&self, now: Moment) -> u64 {
        let repetitions = self.repetitions.lock().unwrap_or_else(PoisonError::into_inner);
        self.allowed(now)
            .saturating_sub(repetitions.made(self.requests.tick_of(now)))
    }

    /// How many repetitions the requests of the last interval pay for.
    fn allowed(&self, now: Moment) -> u64 {
        let share = self
            .requests
            .sum(now)
            .saturating_mul(u64::from(self.settings.per_mille))
            / 1000;
        let floor = self.settings.interval.as_millis() * u128::from(self.settings.min_rate) / 1000;
        share.saturating_add(u64::try_from(floor).unwrap_or(u64::MAX))
    }
}

impl Repetitions {
    /// How many were made in the interval that ends with that tick, and perhaps a tick before: all that are not older for certain.
    /// Workers look at their clocks before they come here, so that some may have been made later than now.
    fn made(&self, now: Tick) -> u64 {
        let recent = |(tick, _): &&(Tick, u32)| now.after(*tick).is_none_or(|ticks| ticks <= TICKS);
        self.0.iter().filter(recent).map(|(_, count)| u64::from(*count)).sum()
    }

    fn count(&mut self, now: Tick) {
        let (tick, count) = &mut self.0[now.slot()];
        if tick.after(now).is_some() {
            *count = count.saturating_add(1);
        } else {
            (*tick, *count) = (now, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        per_mille: 200,
        min_rate: 10,
        interval: Duration::from_secs(10),
    };

    const fn at(millis: u64) -> Moment {
        Moment::from_micros(1_000_000 + millis * 1000)
    }

    #[test]
    fn retries_are_a_share_of_the_requests_and_a_few_for_each_second() {
        let budget = Budget::new(SETTINGS, 4);
        for request in 0..1000 {
            budget.request(request, at(0));
        }
        assert_eq!(budget.left(at(0)), 200 + 100);
        let granted = (0..1000).filter(|_| budget.try_retry(at(0))).count();
        assert_eq!(granted, 300);
        // The requests are over after the interval, the repetitions a tenth later.
        assert_eq!(budget.left(at(10_000)), 0);
        assert_eq!(budget.left(at(11_000)), 100);
    }

    #[test]
    fn a_service_of_few_requests_can_repeat_each() {
        let budget = Budget::new(SETTINGS, 2);
        for second in 0..1000 {
            for request in 0..9 {
                let now = at(second * 1000 + request * 100);
                budget.request(0, now);
                assert!(budget.try_retry(now), "second {second}");
            }
        }
    }

    #[test]
    fn a_service_that_fails_wholly_gets_no_storm() {
        let budget = Budget::new(SETTINGS, 2);
        // 5,000 requests for each of 30 seconds, and everything that is sent fails.
        let mut retries = 0;
        for tenth_of_a_milli in (0..300_000).step_by(2) {
            let now = Moment::from_micros(1_000_000 + tenth_of_a_milli * 100);
            budget.request(usize::try_from(tenth_of_a_milli).unwrap_or(0), now);
            retries += u64::from(budget.try_retry(now));
        }
        assert!((25_000..=150_000 / 5 + 3 * 100).contains(&retries), "{retries}");
    }

    #[test]
    fn neither_share_nor_rate_grants_nothing() {
        let settings = Settings {
            per_mille: 0,
            min_rate: 0,
            ..SETTINGS
        };
        let budget = Budget::new(settings, 0);
        budget.request(7, at(0));
        assert!(!budget.try_retry(at(0)));
    }

    /// Whatever comes when: of each repetition, it and those of the interval before it stay within what the requests of that
    /// interval pay for.
    #[test]
    fn no_interval_ever_has_more_repetitions_than_it_pays_for() {
        for seed in 0..40 {
            let mut random = fastrand::Rng::with_seed(seed);
            let settings = Settings {
                per_mille: random.u32(0..1500),
                min_rate: random.u32(0..20),
                interval: Duration::from_millis(random.u64(1000..20_000)),
            };
            check(&mut random, settings);
        }
    }

    fn check(random: &mut fastrand::Rng, settings: Settings) {
        let budget = Budget::new(settings, 3);
        let interval = u64::try_from(settings.interval.as_micros()).expect("it is short");
        let floor = u64::from(settings.min_rate) * interval / 1_000_000;
        let (mut requests, mut granted) = (Vec::new(), Vec::new());
        let mut micros = 1_000_000 + random.u64(0..30_000_000);
        for _ in 0..3000 {
            // Bursts, a steady flow, and now and then a silence.
            micros += match random.u32(0..100) {
                0 => random.u64(0..2 * interval),
                1..50 => random.u64(0..interval / 100),
                _ => random.u64(0..50),
            };
            let now = Moment::from_micros(micros);
            budget.request(random.usize(..), now);
            requests.push(micros);
            for _ in 0..random.u32(0..4) {
                if budget.try_retry(now) {
                    granted.push(micros);
                    let within =
                        |all: &[u64]| all.iter().rev().take_while(|&&at| at + interval > micros).count() as u64;
                    let paid = within(&requests) * u64::from(settings.per_mille) / 1000 + floor;
                    assert!(within(&granted) <= paid, "{settings:?}: {} of {paid}", within(&granted));
                }
            }
        }
    }

    #[test]
    fn many_threads_together_get_no_more_than_one() {
        let budget = Budget::new(SETTINGS, 4);
        let granted = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|shard| {
                    let budget = &budget;
                    scope.spawn(move || {
                        (0..10_000)
                            .filter(|_| {
                                budget.request(shard, at(5));
                                budget.try_retry(at(5))
                            })
                            .count()
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("it ends"))
                .sum::<usize>()
        });
        assert_eq!(granted as u64 + budget.left(at(5)), 40_000 / 5 + 100);
    }
}
