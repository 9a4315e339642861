//! Which requests a node at its limit still takes.
//!
//! A node that takes more than it can do answers everybody late. It is better to answer most in time and to send some away at once, and
//! which ones is for those to say who know what the requests are worth.

use std::time::Duration;

use crate::Moment;

/// What a node can take. Where neither is given, nothing is shed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Requests in progress on the node.
    pub requests: Option<u32>,
    /// How late an event loop may be.
    pub lag: Option<Duration>,
}

/// What a request is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// It is shed last.
    High,
    /// It is shed when the node is at its limit.
    #[default]
    Normal,
    /// It is shed when the node comes near to its limit.
    Low,
}

/// Decides for one worker.
///
/// Requests in progress are a plain limit: one that ends makes room for one. Lag is what a limit makes worse, since it is seen too late:
/// all would be let in until it is there, and then none. So a share of the requests is shed, which grows while the lag is there and
/// shrinks while it isn't; and a single late turn of the loop counts for nothing.
#[derive(Debug)]
pub struct Shedder {
    settings: Settings,
    /// The least lag since `since`: what stood all the time.
    least: Option<Duration>,
    since: Moment,
    /// What is shed because of lag, by priority.
    shares: [Share; Priority::ALL.len()],
}

/// A share of requests. It follows the lag in two ways: at once, which keeps it from swinging, and by what has added up, which
/// finds what is right in the long run.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    added_up: f64,
    now: f64,
}

/// For this long a lag must last.
const LASTING: Duration = Duration::from_millis(100);

/// How much of a share follows at once, for a lag that is twice what may be, and how much adds up in 100 ms.
const AT_ONCE: f64 = 0.2;
const ADDING_UP: f64 = 0.05;

impl Priority {
    /// All, from the first to the last.
    pub const ALL: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Priority::High => "high",
            Priority::Normal => "normal",
            Priority::Low => "low",
        }
    }

    /// Its share of the node's limit of requests, in thousandths. What is urgent may exceed it, so that others can't keep it out.
    pub const fn of_requests(self) -> u64 {
        match self {
            Priority::High => 1200,
            Priority::Normal => 1000,
            Priority::Low => 800,
        }
    }

    /// The lag that it is not taken beyond, in thousandths of the node's.
    const fn of_lag(self) -> u32 {
        match self {
            Priority::High => 2000,
            Priority::Normal => 1000,
            Priority::Low => 500,
        }
    }
}

impl Shedder {
    /// One that sheds nothing yet.
    pub fn new(settings: Settings) -> Shedder {
        Shedder {
            settings,
            least: None,
            since: Moment::NEVER,
            shares: [Share::default(); Priority::ALL.len()],
        }
    }

    /// What it was made with.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Takes in how late the worker's event loop has just been. It is to be measured a few times in 100 ms.
    pub fn measured(&mut self, lag: Duration, now: Moment) {
        let Some(limit) = self.settings.lag else {
            return;
        };
        if self.since == Moment::NEVER {
            self.since = now;
        }
        let least = self.least.map_or(lag, |least| least.min(lag));
        self.least = Some(least);
        if now.since(self.since) < LASTING {
            return;
        }
        (self.least, self.since) = (None, now);
        for (share, priority) in self.shares.iter_mut().zip(Priority::ALL) {
            let bound = limit.as_secs_f64() * f64::from(priority.of_lag()) / 1000.0;
            let excess = least.as_secs_f64() / bound.max(0.001) - 1.0;
            share.follow(excess.min(1.0));
        }
    }

    /// Whether a request is shed, with so many in progress on the node and a random number from the whole range of its type.
    pub fn sheds(&self, priority: Priority, in_progress: u64, random: u32) -> bool {
        let is_full = self.settings.requests.is_some_and(|limit| {
            in_progress.saturating_mul(1000) >= u64::from(limit).saturating_mul(priority.of_requests())
        });
        is_full || f64::from(random) < self.shares[priority as usize].now * f64::from(u32::MAX)
    }
}

impl Share {
    /// Takes in by how much the lag exceeds what may be, as a share of that. It is negative where it doesn't.
    fn follow(&mut self, excess: f64) {
        self.added_up = (self.added_up + ADDING_UP * excess).clamp(0.0, 1.0);
        self.now = (self.added_up + AT_ONCE * excess).clamp(0.0, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    const SETTINGS: Settings = Settings {
        requests: Some(100),
        lag: Some(Duration::from_millis(100)),
    };

    const fn at(millis: u64) -> Moment {
        Moment::from_micros(1_000_000 + millis * 1000)
    }

    #[test]
    fn the_least_urgent_is_shed_first_when_requests_are_too_many() {
        let shedder = Shedder::new(SETTINGS);
        for (priority, last) in [(Priority::Low, 79), (Priority::Normal, 99), (Priority::High, 119)] {
            assert!(!shedder.sheds(priority, last, 0), "{priority:?}");
            assert!(shedder.sheds(priority, last + 1, u32::MAX), "{priority:?}");
        }
    }

    #[test]
    fn where_nothing_is_set_nothing_is_shed() {
        let mut shedder = Shedder::new(Settings::default());
        for millis in 0..1000 {
            shedder.measured(Duration::from_secs(10), at(millis));
        }
        assert!(!shedder.sheds(Priority::Low, u64::MAX, 0));
    }

    #[test]
    fn a_late_turn_now_and_then_counts_for_nothing() {
        let mut shedder = Shedder::new(SETTINGS);
        for turn in 0..1000 {
            let lag = if turn % 4 == 0 { 90 * MILLI } else { MILLI };
            shedder.measured(lag, at(turn * 20));
        }
        assert!(Priority::ALL.iter().all(|priority| !shedder.sheds(*priority, 0, 0)));
    }

    #[test]
    fn a_lag_that_lasts_sheds_more_and_more_and_the_least_urgent_first() {
        let mut shedder = Shedder::new(SETTINGS);
        let shed = |shedder: &Shedder, priority| {
            let randoms = (0..1000).map(|turn| u32::MAX / 1000 * turn);
            randoms.filter(|random| shedder.sheds(priority, 0, *random)).count()
        };
        for turn in 0..=5 {
            shedder.measured(80 * MILLI, at(turn * 20));
        }
        let few = shed(&shedder, Priority::Low);
        assert!((50..300).contains(&few), "{few}");
        for turn in 6..400 {
            shedder.measured(80 * MILLI, at(turn * 20));
        }
        assert_eq!(shed(&shedder, Priority::Low), 1000);
        assert_eq!(shed(&shedder, Priority::Normal), 0);
        for turn in 400..1000 {
            shedder.measured(150 * MILLI, at(turn * 20));
        }
        assert_eq!(shed(&shedder, Priority::Normal), 1000);
        assert_eq!(shed(&shedder, Priority::High), 0);
        for turn in 1000..2000 {
            shedder.measured(MILLI, at(turn * 20));
        }
        assert_eq!(shed(&shedder, Priority::Low), 0);
    }

    /// A worker that gets twice as much as it can do, in turns of 20 ms.
    #[test]
    fn the_lag_settles_and_the_worker_is_not_idle() {
        let mut random = fastrand::Rng::with_seed(5);
        for (high_of_ten, bound) in [(0, 130.0), (3, 130.0), (9, 400.0)] {
            let mut shedder = Shedder::new(SETTINGS);
            // Milliseconds of work that wait, which is how late the loop is.
            let (mut waiting, mut worst, mut idle) = (0.0_f64, 0.0_f64, 0.0_f64);
            for turn in 0..3000_u64 {
                for request in 0..80 {
                    let priority = if request % 10 < high_of_ten {
                        Priority::High
                    } else {
                        Priority::Normal
                    };
                    // Sending one away costs a little too.
                    let sheds = shedder.sheds(priority, 0, random.u32(..));
                    waiting += if sheds { 0.03 } else { 0.5 };
                }
                let settled = turn > 1000;
                if settled {
                    worst = worst.max(waiting);
                    idle += (20.0 - waiting).max(0.0);
                }
                waiting = (waiting - 20.0).max(0.0);
                shedder.measured(Duration::from_secs_f64(waiting / 1e3), at(turn * 20));
            }
            assert!(worst < bound * 1.7, "{high_of_ten}: {worst} ms");
            assert!(idle < 2000.0 * 20.0 * 0.1, "{high_of_ten}: {idle} ms");
        }
    }
}
