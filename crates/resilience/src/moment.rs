//! A moment, small enough for an atomic.

use std::ops::Add;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Microseconds since a second before the process first asked. Zero is before every moment, and stands for "never" where
/// one is kept in an atomic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// So that no moment of a process is zero.
const FIRST: u64 = 1_000_000;

impl Moment {
    /// Before all others.
    pub const NEVER: Moment = Moment(0);

    /// That many microseconds.
    pub const fn from_micros(micros: u64) -> Moment {
        Moment(micros)
    }

    /// The moment of an instant. One before the first that was asked for is taken as that one.
    pub fn of(instant: Instant) -> Moment {
        static EPOCH: OnceLock<Instant> = OnceLock::new();
        let since = instant.saturating_duration_since(*EPOCH.get_or_init(|| instant));
        // Not by `as_micros`, whose 128 bits cost more than all else here.
        Moment(FIRST + since.as_secs().saturating_mul(1_000_000) + u64::from(since.subsec_micros()))
    }

    /// Its microseconds.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` it is; zero if it isn't.
    pub const fn since(self, earlier: Moment) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, duration: Duration) -> Moment {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Moment(self.0.saturating_add(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_keep_the_order_of_instants() {
        let instant = Instant::now();
        let (one, other) = (Moment::of(instant), Moment::of(instant + Duration::from_millis(3)));
        assert!(Moment::NEVER < one);
        assert_eq!(other.since(one), Duration::from_millis(3));
        assert_eq!(one.since(other), Duration::ZERO);
        assert_eq!(one + Duration::from_millis(3), other);
    }
}
