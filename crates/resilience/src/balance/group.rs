//! The members of one priority.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::buckets::{Buckets, Caller};
use super::turns::Turns;
use crate::Moment;
use crate::members::{Member, Seat};
use crate::standing::State;

/// The members of one priority, with what is worked out over them.
#[derive(Debug)]
pub(crate) struct Group {
    /// Their places among all members.
    pub(crate) places: Box<[u32]>,
    pub(crate) turns: Turns,
    /// Only where the consistent hash is asked for.
    buckets: OnceLock<Buckets>,
    counts: Counts,
    load: Load,
}

/// How many of the members there were at the last count. Two workers may count at a time; both find the same.
#[derive(Debug, Default)]
struct Counts {
    serving: AtomicU32,
    good: AtomicU32,
}

/// How loaded the members were at the last look.
#[derive(Debug, Default)]
struct Load {
    seen: AtomicU64,
    in_progress: AtomicU64,
    weight: AtomicU64,
}

/// Up to so many members the load is summed up for each request that wants to know it. More would cost microseconds.
const FEW: usize = 64;

/// How old the sum may be where there are more.
const LOAD_AGE: Duration = Duration::from_millis(1);

/// How healthy a group is, in thousandths: a group of which 1/1.4 are good is taken to be as able as a whole one, for
/// services have reserves.
pub(crate) const HEALTHY: u64 = 1000;
const WITH_RESERVES: u64 = 1400;

impl Group {
    pub(crate) fn new<M: Member>(seats: &[Seat<M>], places: Vec<u32>) -> Group {
        let weights: Vec<_> = places
            .iter()
            .map(|place| (*place, seats[*place as usize].weight.max(1)))
            .collect();
        Group {
            places: places.into(),
            turns: Turns::new(&weights),
            buckets: OnceLock::new(),
            counts: Counts::default(),
            load: Load::default(),
        }
    }

    /// Who has which keys. The first time this takes a few milliseconds.
    pub(crate) fn buckets<M: Member>(&self, seats: &[Seat<M>]) -> &Buckets {
        self.buckets.get_or_init(|| {
            let caller = |place: &u32| {
                let seat = &seats[*place as usize];
                Caller {
                    place: *place,
                    identity: seat.member.identity(),
                    weight: seat.weight.max(1),
                }
            };
            Buckets::new(&self.places.iter().map(caller).collect::<Vec<_>>())
        })
    }

    /// Whether anybody has asked for them.
    pub(crate) fn has_buckets(&self) -> bool {
        self.buckets.get().is_some()
    }

    /// Counts the members. Those that leave are not counted at all: they fail nobody.
    pub(crate) fn count<M: Member>(&self, seats: &[Seat<M>], now: Moment) {
        let (mut serving, mut good) = (0, 0);
        for place in &self.places {
            let state = seats[*place as usize].member.standing().state(now);
            serving += u32::from(state != State::Draining);
            good += u32::from(state == State::Good);
        }
        self.counts.serving.store(serving, Ordering::Relaxed);
        self.counts.good.store(good, Ordering::Relaxed);
    }

    /// How much of the load it can bear, in thousandths.
    pub(crate) fn health(&self) -> u64 {
        let (serving, good) = self.counted();
        if serving == 0 {
            return 0;
        }
        (WITH_RESERVES * good / serving).min(HEALTHY)
    }

    /// Whether a smaller part of its members than this is good, in thousandths.
    pub(crate) fn has_fewer_good_than(&self, threshold: u32) -> bool {
        let (serving, good) = self.counted();
        1000 * good < u64::from(threshold) * serving
    }

    /// Whether any of its members is not about to leave.
    pub(crate) fn serves(&self) -> bool {
        self.counted().0 > 0
    }

    fn counted(&self) -> (u64, u64) {
        let counts = &self.counts;
        (
            u64::from(counts.serving.load(Ordering::Relaxed)),
            u64::from(counts.good.load(Ordering::Relaxed)),
        )
    }

    /// The requests in progress at those members who count, and their weights together. Exact among few members, and up to a
    /// millisecond old among many.
    pub(crate) fn load<M: Member>(
        &self,
        seats: &[Seat<M>],
        now: Moment,
        counts: impl Fn(&Seat<M>) -> bool,
    ) -> (u64, u64) {
        let load = &self.load;
        let seen = Moment::from_micros(load.seen.load(Ordering::Relaxed));
        if self.places.len() > FEW && seen != Moment::NEVER && now.since(seen) < LOAD_AGE {
            let in_progress = load.in_progress.load(Ordering::Relaxed);
            return (in_progress, load.weight.load(Ordering::Relaxed));
        }
        let (mut in_progress, mut weight) = (0, 0);
        for place in &self.places {
            let seat = &seats[*place as usize];
            if counts(seat) {
                in_progress += u64::from(seat.member.in_progress());
                weight += u64::from(seat.weight.max(1));
            }
        }
        if self.places.len() > FEW {
            load.in_progress.store(in_progress, Ordering::Relaxed);
            load.weight.store(weight, Ordering::Relaxed);
            load.seen.store(now.micros(), Ordering::Relaxed);
        }
        (in_progress, weight)
    }
}
