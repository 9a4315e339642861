//! What becomes of each request, decided as it comes. Nothing here does I/O or reads a clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::behaviour::{Behaviour, Delay, Fault, Which};

/// How a server behaves, with what it remembers of earlier requests.
pub(super) struct Conduct {
    behaviour: Arc<Behaviour>,
    /// When the behaviour began.
    epoch: Instant,
    /// Requests since then.
    count: u64,
    chance: fastrand::Rng,
    /// The recorded delays: how many are no longer than so many microseconds, ascending.
    recorded: Vec<(u64, u64)>,
    /// When the server was started; times of the queue are nanoseconds from here, with fractions, so that the pace of a rate that
    /// doesn't divide a second is kept too.
    started: Instant,
    /// When the queue will be empty.
    busy_until: f64,
}

/// What becomes of a request, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    /// When its answer leaves. Past, where it leaves at once.
    pub(super) due: Instant,
    /// What leaves.
    pub(super) outcome: Outcome,
}

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With the answer.
    Answer,
    /// With 503, since too many wait.
    Refuse,
    /// In this way.
    Fail(Fault),
}

impl Conduct {
    pub(super) fn new(behaviour: Arc<Behaviour>, epoch: Instant) -> Conduct {
        Conduct {
            recorded: cumulated(&behaviour),
            chance: fastrand::Rng::with_seed(behaviour.seed),
            behaviour,
            epoch,
            count: 0,
            started: epoch,
            busy_until: 0.0,
        }
    }

    /// Behaves otherwise; what waits in the queue stays there.
    pub(super) fn change(&mut self, behaviour: Arc<Behaviour>, epoch: Instant) {
        self.recorded = cumulated(&behaviour);
        self.chance = fastrand::Rng::with_seed(behaviour.seed);
        self.behaviour = behaviour;
        self.epoch = epoch;
        self.count = 0;
    }

    /// Decides about a request that has come now.
    pub(super) fn decide(&mut self, now: Instant) -> Decision {
        self.count += 1;
        let fault = self.fault();
        let Some(mut due) = self.queue(now) else {
            return Decision {
                due: self.release(now),
                outcome: Outcome::Refuse,
            };
        };
        let delay = self.delay();
        if !delay.is_zero() {
            due += delay.mul_f64(self.behaviour.slow_down);
        }
        Decision {
            due: self.release(due),
            outcome: fault.map_or(Outcome::Answer, Outcome::Fail),
        }
    }

    fn fault(&mut self) -> Option<Fault> {
        let failures = self.behaviour.failures?;
        let fails = match failures.which {
            Which::Every(count) => self.count.is_multiple_of(count),
            Which::Share(share) => self.chance.f64() < share,
        };
        fails.then_some(failures.fault)
    }

    /// When the request has been through the queue; nothing where that is full.
    fn queue(&mut self, now: Instant) -> Option<Instant> {
        let Some(capacity) = self.behaviour.capacity else {
            return Some(now);
        };
        let each = 1e9 / capacity.rate * self.behaviour.slow_down;
        let came = now.saturating_duration_since(self.started).as_secs_f64() * 1e9;
        let begins = self.busy_until.max(came);
        // Half of one more forgives what the clock's fractions lose.
        let before = (begins - came) / each;
        if capacity.queue.is_some_and(|most| before + 0.5 > most as f64) {
            return None;
        }
        self.busy_until = begins + each;
        Some(self.started + Duration::from_secs_f64(self.busy_until / 1e9))
    }

    fn delay(&mut self) -> Duration {
        match self.behaviour.delay {
            Delay::None => Duration::ZERO,
            Delay::Fixed(delay) => delay,
            Delay::Recorded(_) => {
                let all = self.recorded.last().map_or(0, |(count, _)| *count);
                let drawn = self.chance.u64(0..all.max(1));
                let place = self.recorded.partition_point(|(count, _)| *count <= drawn);
                self.recorded
                    .get(place)
                    .map_or(Duration::ZERO, |(_, micros)| Duration::from_micros(*micros))
            }
        }
    }

    fn release(&self, due: Instant) -> Instant {
        match self.behaviour.stalls {
            Some(stalls) => self.epoch + stalls.release(due.saturating_duration_since(self.epoch)),
            None => due,
        }
    }
}

fn cumulated(behaviour: &Behaviour) -> Vec<(u64, u64)> {
    let Delay::Recorded(recorded) = &behaviour.delay else {
        return Vec::new();
    };
    let mut sum = 0;
    let add = |(micros, count)| {
        sum += count;
        (sum, micros)
    };
    recorded.values().map(add).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::behaviour::{Capacity, Failures, Stalls};
    use super::*;
    use crate::histogram::Histogram;

    fn conduct(behaviour: Behaviour) -> (Conduct, Instant) {
        let epoch = Instant::now();
        (Conduct::new(Arc::new(behaviour), epoch), epoch)
    }

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_queue_keeps_its_pace_and_nothing_adds_up() {
        let capacity = Some(Capacity { rate: 3.0, queue: None });
        let (mut conduct, epoch) = conduct(Behaviour {
            capacity,
            ..Behaviour::default()
        });
        let due: Vec<Instant> = (0..3000).map(|_| conduct.decide(epoch).due).collect();
        for (place, due) in due.iter().enumerate() {
            let truth = (place + 1) as f64 / 3.0;
            let told = (*due - epoch).as_secs_f64();
            assert!((told - truth).abs() < 1e-6, "{place}: {told}, should be {truth}");
        }
        let late = epoch + Duration::from_secs(5000);
        let told = conduct.decide(late).due - late;
        assert!(
            (told.as_secs_f64() - 1.0 / 3.0).abs() < 1e-6,
            "an empty queue serves what comes"
        );
    }

    #[test]
    fn a_full_queue_refuses_at_once() {
        let capacity = Some(Capacity {
            rate: 100.0,
            queue: Some(2),
        });
        let (mut conduct, epoch) = conduct(Behaviour {
            capacity,
            ..Behaviour::default()
        });
        let outcomes: Vec<Decision> = (0..4).map(|_| conduct.decide(epoch)).collect();
        assert_eq!(outcomes[1].outcome, Outcome::Answer);
        for refused in &outcomes[2..] {
            assert_eq!((refused.outcome, refused.due), (Outcome::Refuse, epoch));
        }
        assert_eq!(
            conduct.decide(epoch + millis(11)).outcome,
            Outcome::Answer,
            "one has left"
        );
        assert_eq!(conduct.decide(epoch + millis(11)).outcome, Outcome::Refuse);
    }

    #[test]
    fn a_slow_down_is_of_capacity_and_delay() {
        let behaviour = Behaviour {
            capacity: Some(Capacity {
                rate: 100.0,
                queue: None,
            }),
            delay: Delay::Fixed(millis(20)),
            slow_down: 1.5,
            ..Behaviour::default()
        };
        let (mut conduct, epoch) = conduct(behaviour);
        let told = (conduct.decide(epoch).due - epoch).as_secs_f64();
        assert!((told - 0.045).abs() < 1e-6, "{told}");
    }

    #[test]
    fn stalls_hold_answers_and_delays_go_on() {
        let behaviour = Behaviour {
            delay: Delay::Fixed(millis(10)),
            stalls: Some(Stalls {
                period: millis(1000),
                length: millis(300),
            }),
            ..Behaviour::default()
        };
        let (mut conduct, epoch) = conduct(behaviour);
        for (came, leaves) in [
            (0, 10),
            (989, 999),
            (991, 1300),
            (1289, 1300),
            (1290, 1300),
            (1291, 1301),
        ] {
            assert_eq!(
                conduct.decide(epoch + millis(came)).due,
                epoch + millis(leaves),
                "{came}"
            );
        }
    }

    #[test]
    fn recorded_delays_occur_as_often_as_they_did() {
        let mut recorded = Histogram::new();
        recorded.record_many(millis(1), 900);
        recorded.record_many(millis(100), 100);
        let (mut conduct, epoch) = conduct(Behaviour {
            delay: Delay::Recorded(recorded),
            ..Behaviour::default()
        });
        let long = (0..10_000)
            .filter(|_| conduct.decide(epoch).due - epoch > millis(50))
            .count();
        // Six standard deviations of a binomial distribution; and the seed is fixed.
        assert!((820..=1180).contains(&long), "{long} of 10000");
    }

    #[test]
    fn every_kth_request_fails_and_a_change_counts_anew() {
        let failures = |count| {
            let (which, fault) = (Which::Every(count), Fault::Reset);
            Behaviour {
                failures: Some(Failures { which, fault }),
                ..Behaviour::default()
            }
        };
        let (mut conduct, epoch) = conduct(failures(3));
        let failed = |conduct: &mut Conduct| matches!(conduct.decide(epoch).outcome, Outcome::Fail(Fault::Reset));
        let seen: Vec<bool> = (0..7).map(|_| failed(&mut conduct)).collect();
        assert_eq!(seen, [false, false, true, false, false, true, false]);
        conduct.change(Arc::new(failures(2)), epoch);
        let seen: Vec<bool> = (0..2).map(|_| failed(&mut conduct)).collect();
        assert_eq!(seen, [false, true]);
    }

    #[test]
    fn a_queue_outlives_a_change() {
        let queue = |rate| Behaviour {
            capacity: Some(Capacity { rate, queue: None }),
            ..Behaviour::default()
        };
        let (mut conduct, epoch) = conduct(queue(10.0));
        for _ in 0..10 {
            conduct.decide(epoch);
        }
        conduct.change(Arc::new(queue(1000.0)), epoch);
        let told = (conduct.decide(epoch).due - epoch).as_secs_f64();
        assert!((told - 1.001).abs() < 1e-6, "{told}");
    }
}
