//! How often something happened lately, counted by workers that don't wait for each other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::Moment;

/// How often something happened in the last interval. Each worker counts in memory of its own, 128 bytes of it, and what they
/// counted is added up when somebody wants to know.
#[derive(Debug)]
pub(crate) struct Window {
    /// Microseconds of a tenth of the interval.
    tick: u64,
    shards: Box<[Shard]>,
}

/// The number of a tenth of an interval. They wrap around after years, and only differences are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tick(u32);

/// A tenth of the interval each.
pub(crate) const TICKS: u32 = 10;

/// Enough for the ticks of an interval, and a power of two, so that finding the one of now takes no division.
pub(crate) const SLOTS: usize = 16;

/// What one worker counted, by tick: its number above, the count below. Two cache lines, since processors fetch them in pairs, and
/// no other worker writes there.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard([AtomicU64; SLOTS]);

impl Window {
    /// Of that interval, which is taken as a second if it is shorter, and for so many workers.
    pub(crate) fn new(interval: Duration, shards: usize) -> Window {
        let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
        Window {
            tick: micros.max(1_000_000) / u64::from(TICKS),
            shards: (0..shards.max(1)).map(|_| Shard::default()).collect(),
        }
    }

    /// Counts one. `shard` is the number of the worker. Two threads with one number may lose a count to each other, but never
    /// gain one.
    pub(crate) fn count(&self, shard: usize, now: Moment) {
        let tick = self.tick_of(now);
        let slot = &self.shards[shard % self.shards.len()].0[tick.slot()];
        let (counted, count) = unpack(slot.load(Ordering::Relaxed));
        let count = if counted == tick { count.saturating_add(1) } else { 1 };
        slot.store(pack(tick, count), Ordering::Relaxed);
    }

    /// The sum of the tick of now, which has only begun, and the nine before it. So nothing in it is older than the interval, and
    /// what is older than nine tenths of it may be missing.
    pub(crate) fn sum(&self, now: Moment) -> u64 {
        let now = self.tick_of(now);
        let slots = self.shards.iter().flat_map(|shard| &shard.0);
        slots
            .map(|slot| unpack(slot.load(Ordering::Relaxed)))
            .filter(|(tick, _)| now.after(*tick).is_some_and(|ticks| ticks < TICKS))
            .map(|(_, count)| u64::from(count))
            .sum()
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        for slot in self.shards.iter().flat_map(|shard| &shard.0) {
            slot.store(0, Ordering::Relaxed);
        }
    }

    /// The tick of a moment.
    #[allow(clippy::cast_possible_truncation, reason = "see `Tick`")]
    pub(crate) fn tick_of(&self, now: Moment) -> Tick {
        Tick((now.micros() / self.tick) as u32)
    }
}

impl Tick {
    /// By how many ticks this one is after another; `None` if it is before.
    pub(crate) fn after(self, other: Tick) -> Option<u32> {
        let ticks = self.0.wrapping_sub(other.0);
        (ticks < u32::MAX / 2).then_some(ticks)
    }

    /// Its place among the slots.
    pub(crate) fn slot(self) -> usize {
        self.0 as usize % SLOTS
    }
}

fn pack(tick: Tick, count: u32) -> u64 {
    u64::from(tick.0) << 32 | u64::from(count)
}

#[allow(clippy::cast_possible_truncation, reason = "these are the two halves")]
fn unpack(packed: u64) -> (Tick, u32) {
    (Tick((packed >> 32) as u32), packed as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Moment {
        Moment::from_micros(1_000_000 + millis * 1000)
    }

    #[test]
    fn it_counts_what_happened_in_the_interval() {
        let window = Window::new(Duration::from_secs(10), 2);
        for second in 0..30 {
            for turn in 0..5 {
                window.count(turn, at(second * 1000));
            }
            assert_eq!(window.sum(at(second * 1000 + 999)), (second + 1).min(10) * 5);
        }
        assert_eq!(window.sum(at(39_000)), 0);
        window.count(0, at(39_000));
        window.clear();
        assert_eq!(window.sum(at(39_000)), 0);
    }

    #[test]
    fn a_short_interval_is_a_second() {
        let window = Window::new(Duration::ZERO, 0);
        window.count(3, at(0));
        assert_eq!(window.sum(at(900)), 1);
        assert_eq!(window.sum(at(1000)), 0);
    }
}
