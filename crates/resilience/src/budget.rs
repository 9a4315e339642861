//! How many retries and hedges a service may cause: a share of its requests, and a few for each second. A limit for each
//! request would multiply exactly when a service is in trouble; this one bounds the sum.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::Moment;

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
    /// Microseconds of a tenth of the interval.
    tick: u64,
    /// Requests. Each worker writes its own, and they are added up when somebody wants a repetition, which is rare.
    shards: Box<[Shard]>,
    repetitions: Mutex<Repetitions>,
}

/// A tenth of the interval each.
const TICKS: u32 = 10;

/// Enough for the ticks of an interval, and a power of two, so that finding the one of now takes no division.
const SLOTS: usize = 16;

/// Requests of one worker, by tick: the tick's number above, the count below. Two cache lines, since processors fetch them in
/// pairs, and no other worker writes there.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard([AtomicU64; SLOTS]);

/// Repetitions by tick, with the number of the tick.
#[derive(Debug, Default)]
struct Repetitions {
    counts: [(u32, u32); SLOTS],
    /// The last tick that anybody has seen. Workers look at their clocks before they come here, so they come out of order.
    latest: u32,
}

impl Budget {
    /// A budget of which nothing is spent, for so many workers.
    pub fn new(settings: Settings, shards: usize) -> Budget {
        let interval = settings.interval.max(Duration::from_secs(1));
        Budget {
            settings: Settings { interval, ..settings },
            tick: u64::try_from(interval.as_micros()).unwrap_or(u64::MAX) / u64::from(TICKS),
            shards: (0..shards.max(1)).map(|_| Shard::default()).collect(),
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
        let tick = self.tick_of(now);
        let slot = &self.shards[shard % self.shards.len()].0[slot(tick)];
        let (counted, count) = unpack(slot.load(Ordering::Relaxed));
        let count = if counted == tick { count.saturating_add(1) } else { 1 };
        slot.store(pack(tick, count), Ordering::Relaxed);
    }

    /// Whether one more repetition may be made, which is then counted.
    pub fn try_retry(&self, now: Moment) -> bool {
        let tick = self.tick_of(now);
        let allowed = self.allowed(tick);
        let mut repetitions = self.repetitions.lock().unwrap_or_else(PoisonError::into_inner);
        if repetitions.made(tick) >= allowed {
            return false;
        }
        repetitions.count(tick);
        true
    }

    /// How many more repetitions could be made now.
    pub fn left(&self, now: Moment) -> u64 {
        let tick = self.tick_of(now);
        let mut repetitions = self.repetitions.lock().unwrap_or_else(PoisonError::into_inner);
        self.allowed(tick).saturating_sub(repetitions.made(tick))
    }

    /// How many repetitions the requests of the last interval pay for. The tick of now has only begun, so that with the nine
    /// before it no request is counted that is older than the interval.
    fn allowed(&self, now: u32) -> u64 {
        let recent = |&(tick, _): &(u32, u32)| now.wrapping_sub(tick) < TICKS;
        let slots = self.shards.iter().flat_map(|shard| &shard.0);
        let requests: u64 = slots
            .map(|slot| unpack(slot.load(Ordering::Relaxed)))
            .filter(recent)
            .map(|(_, count)| u64::from(count))
            .sum();
        let floor = self.settings.interval.as_millis() * u128::from(self.settings.min_rate) / 1000;
        (requests.saturating_mul(u64::from(self.settings.per_mille)) / 1000)
            .saturating_add(u64::try_from(floor).unwrap_or(u64::MAX))
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "ticks of at least 100 ms wrap after years, and only differences are looked at"
    )]
    fn tick_of(&self, now: Moment) -> u32 {
        (now.micros() / self.tick) as u32
    }
}

impl Repetitions {
    /// How many were made in the last interval, and perhaps a tick before: all of those that are not older for certain.
    fn made(&mut self, now: u32) -> u64 {
        if now.wrapping_sub(self.latest) < u32::MAX / 2 {
            self.latest = now;
        }
        let recent = |&&(tick, _): &&(u32, u32)| self.latest.wrapping_sub(tick) <= TICKS;
        self.counts.iter().filter(recent).map(|&(_, count)| u64::from(count)).sum()
    }

    /// Counts one. A worker whose clock is behind counts where the others are, which keeps it longer.
    fn count(&mut self, now: u32) {
        let now = if now.wrapping_sub(self.latest) < u32::MAX / 2 { now } else { self.latest };
        let (tick, count) = &mut self.counts[slot(now)];
        *count = if *tick == now { count.saturating_add(1) } else { 1 };
        *tick = now;
    }
}

fn slot(tick: u32) -> usize {
    tick as usize % SLOTS
}

fn pack(tick: u32, count: u32) -> u64 {
    u64::from(tick) << 32 | u64::from(count)
}

#[allow(clippy::cast_possible_truncation, reason = "these are the two halves")]
fn unpack(packed: u64) -> (u32, u32) {
    ((packed >> 32) as u32, packed as u32)
}

