//! How long answers take, in averages that forget.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::Moment;

/// A decaying average of latency, which rises at once with a slow answer and falls slowly ("peak EWMA", as in Finagle):
/// with the time, and with each quicker answer by a twentieth of the way. Workers write it without waiting for each other: an
/// observation may be lost, the average may not be torn.
#[derive(Debug, Default)]
pub struct Ewma {
    /// Microseconds of the average, above, and the moment of the last observation in milliseconds, below.
    packed: AtomicU64,
}

/// After this long without answers an average has fallen to a third.
const DECAY: Duration = Duration::from_secs(10);

/// A quicker answer takes one of so many parts of the way that an average has to fall, at the least,
const ONE_OF: u32 = 20;

/// which leaves so much of it.
const MOST_KEPT: f64 = 0.95;

/// Within this long more than that is left by the time alone, so that the time need not be looked at.
const BRIEF: Duration = Duration::from_millis(500);

impl Ewma {
    /// Takes in how long an answer took.
    pub fn observe(&self, latency: Duration, now: Moment) {
        let latency = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX);
        let (average, seen) = self.parts();
        let next = if average == 0 || latency > average {
            latency
        } else if elapsed(seen, now) < BRIEF {
            average - (average - latency) / ONE_OF
        } else {
            mixed(average, latency, kept(seen, now).min(MOST_KEPT))
        };
        self.packed.store(pack(next.max(1), now), Ordering::Relaxed);
    }

    /// The average; zero where nothing was observed yet.
    pub fn get(&self) -> Duration {
        Duration::from_micros(u64::from(self.parts().0))
    }

    /// The average as it counts for whoever chooses: it fades while the target is idle, so that one that was slow is tried
    /// again. `None` where nothing was observed yet.
    pub fn at(&self, now: Moment, idle: bool) -> Option<Duration> {
        let (average, seen) = self.parts();
        if average == 0 {
            return None;
        }
        let average = if idle {
            mixed(average, 0, kept(seen, now))
        } else {
            average
        };
        Some(Duration::from_micros(u64::from(average)))
    }

    fn parts(&self) -> (u32, u32) {
        let packed = self.packed.load(Ordering::Relaxed);
        #[allow(clippy::cast_possible_truncation, reason = "these are the two halves")]
        ((packed >> 32) as u32, packed as u32)
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "milliseconds wrap after weeks, and only differences are looked at"
)]
fn pack(average: u32, now: Moment) -> u64 {
    u64::from(average) << 32 | u64::from((now.micros() / 1000) as u32)
}

/// How much of an average is left at that moment.
fn kept(seen: u32, now: Moment) -> f64 {
    let elapsed = elapsed(seen, now);
    if elapsed.is_zero() {
        return 1.0;
    }
    (-elapsed.as_secs_f64() / DECAY.as_secs_f64()).exp()
}

#[allow(clippy::cast_possible_truncation, reason = "see `pack`")]
fn elapsed(seen: u32, now: Moment) -> Duration {
    let millis = ((now.micros() / 1000) as u32).wrapping_sub(seen);
    // Another worker may have observed at a later moment than ours; that is no weeks ago.
    let millis = if millis > u32::MAX / 2 { 0 } else { millis };
    Duration::from_millis(u64::from(millis))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it lies between the two"
)]
fn mixed(average: u32, latency: u32, kept: f64) -> u32 {
    (f64::from(average) * kept + f64::from(latency) * (1.0 - kept)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_at_once_and_falls_slowly() {
        let ewma = Ewma::default();
        let mut now = Moment::from_micros(1_000_000);
        assert_eq!(ewma.get(), Duration::ZERO);
        ewma.observe(Duration::from_millis(2), now);
        ewma.observe(Duration::from_millis(20), now);
        assert_eq!(ewma.get(), Duration::from_millis(20));
        ewma.observe(Duration::from_millis(2), now);
        assert!(ewma.get() > Duration::from_millis(18));
        for _ in 0..200 {
            now = now + Duration::from_millis(10);
            ewma.observe(Duration::from_millis(2), now);
        }
        assert!(ewma.get() < Duration::from_millis(3));
    }

    #[test]
    fn it_fades_while_the_target_is_idle() {
        let ewma = Ewma::default();
        let start = Moment::from_micros(1_000_000);
        assert_eq!(ewma.at(start, true), None);
        ewma.observe(Duration::from_millis(100), start);
        assert_eq!(ewma.at(start, true), Some(Duration::from_millis(100)));
        let later = start + DECAY;
        assert_eq!(ewma.at(later, false), Some(Duration::from_millis(100)));
        let faded = ewma.at(later, true).expect("it was observed");
        assert!((36..38).contains(&faded.as_millis()), "{faded:?}");
    }

    #[test]
    fn observations_out_of_order_do_not_forget_the_past() {
        let ewma = Ewma::default();
        ewma.observe(Duration::from_millis(100), Moment::from_micros(2_000_000));
        ewma.observe(Duration::from_millis(1), Moment::from_micros(1_990_000));
        assert!(ewma.get() > Duration::from_millis(90));
    }
}
