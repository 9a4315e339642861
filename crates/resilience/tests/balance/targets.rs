//! Targets that are what a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use portcullis_resilience::Moment;
use portcullis_resilience::balance::{Asked, Balancer};
use portcullis_resilience::latency::Ewma;
use portcullis_resilience::members::{Member, Members, Seat};
use portcullis_resilience::standing::{Checked, Standing};

#[derive(Debug, Default)]
pub(crate) struct Target {
    pub(crate) identity: u64,
    pub(crate) standing: Standing,
    pub(crate) in_progress: AtomicU32,
    pub(crate) latency: Ewma,
}

impl Member for Target {
    fn standing(&self) -> &Standing {
        &self.standing
    }

    fn in_progress(&self) -> u32 {
        self.in_progress.load(Ordering::Relaxed)
    }

    fn latency(&self) -> &Ewma {
        &self.latency
    }

    fn identity(&self) -> u64 {
        self.identity
    }
}

/// Long after the process began.
pub(crate) const NOON: Moment = Moment::from_micros(1_000_000_000_000);

/// Members with these weights and priorities. The identity of each is its place.
pub(crate) fn members(seats: impl IntoIterator<Item = (u32, u8)>) -> Members<Target> {
    let seat = |(identity, (weight, priority))| Seat {
        member: Arc::new(Target {
            identity,
            ..Target::default()
        }),
        weight,
        priority,
    };
    Members::new((0..).zip(seats).map(seat).collect())
}

/// So many members of equal weight.
pub(crate) fn equals(count: usize) -> Members<Target> {
    members(std::iter::repeat_n((1, 0), count))
}

pub(crate) fn target(members: &Members<Target>, at: usize) -> &Target {
    &members.seats()[at].member
}

pub(crate) fn fail(members: &Members<Target>, at: usize) {
    target(members, at).standing.set_checked(Checked::Failing, NOON);
}

pub(crate) fn occupy(members: &Members<Target>, at: usize, requests: u32) {
    target(members, at).in_progress.store(requests, Ordering::Relaxed);
}

/// A request about which nothing is known.
pub(crate) fn asked() -> Asked<'static> {
    Asked {
        now: NOON,
        key: None,
        sticky: None,
        tried: &[],
    }
}

/// How many of so many requests each member gets, when all are over at once.
pub(crate) fn counts(balancer: &Balancer, members: &Members<Target>, requests: u32) -> Vec<u32> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut counts = vec![0; members.seats().len()];
    for _ in 0..requests {
        if let Some(target) = balancer.choose(members, &asked(), || random.u64(..)) {
            counts[usize::try_from(target.identity).unwrap()] += 1;
        }
    }
    counts
}

/// That each member got its part of the requests, in thousandths of all, give or take twenty.
pub(crate) fn assert_parts(counts: &[u32], parts: &[u32], what: &str) {
    let all: u32 = counts.iter().sum();
    for (count, part) in counts.iter().zip(parts) {
        let seen = count * 1000 / all.max(1);
        assert!(seen.abs_diff(*part) <= 20, "{what}: {counts:?} of {all} for {parts:?}");
    }
}
