//! The member to which a key belongs, or the next one on the key's way that may be had.

use super::buckets::{further, mixed};
use super::group::Group;
use super::{Search, TRIES};
use crate::members::{Member, Seat};

/// How many requests a member may have in progress, under a bounded load.
pub(super) struct Bound {
    /// Thousandths.
    factor: u64,
    in_progress: u64,
    weight: u64,
}

impl Bound {
    /// For a member of that weight: the factor times its part of all requests with the one that comes, rounded up. Somebody is
    /// always below, since the bounds together are more than there are requests.
    pub(super) fn of(&self, weight: u32) -> u64 {
        let parts = u128::from(self.factor) * u128::from(self.in_progress + 1) * u128::from(weight.max(1));
        let whole = 1000 * u128::from(self.weight.max(1));
        u64::try_from(parts.div_ceil(whole)).unwrap_or(u64::MAX).max(1)
    }
}

impl<'m, M: Member> Search<'m, '_, M> {
    /// The first member that may be had on a key's way. It goes on from one whom it can't have as if it had another key, so
    /// that all others share what one can't take, and everything returns when he can.
    pub(super) fn by_key(
        &self,
        group: &'m Group,
        panic: bool,
        key: u64,
        bounded_load: Option<u32>,
    ) -> Option<&'m Seat<M>> {
        let buckets = group.buckets(self.members.seats());
        let mut bound = None;
        for tries in 0..TRIES {
            let seat = self.members.seat(buckets.owner(further(key, tries)));
            if !self.is_fresh(seat, panic) || !self.has_key_by_now(seat, key) {
                continue;
            }
            let Some(factor) = bounded_load else {
                return Some(seat);
            };
            // One who has nothing to do is below every bound.
            if seat.member.in_progress() == 0 {
                return Some(seat);
            }
            let bound = bound.get_or_insert_with(|| self.bound(group, panic, factor));
            if self.is_below(seat, bound) {
                return Some(seat);
            }
        }
        None
    }

    pub(super) fn bound(&self, group: &Group, panic: bool, factor: u32) -> Bound {
        let counts = |seat: &Seat<M>| self.may(seat, panic);
        let (in_progress, weight) = group.load(self.members.seats(), self.asked.now, counts);
        Bound {
            factor: u64::from(factor.max(1000)),
            in_progress,
            weight,
        }
    }

    pub(super) fn is_below(&self, seat: &Seat<M>, bound: &Bound) -> bool {
        u64::from(seat.member.in_progress()) < bound.of(seat.weight)
    }

    /// Whether a key is among those that a member has already while it warms up. They come one by one, and stay.
    pub(super) fn has_key_by_now(&self, seat: &Seat<M>, key: u64) -> bool {
        let warmth = self.warmth(seat);
        warmth == 1000 || distance(key, seat) % 1000 < warmth
    }
}

/// How far a key is from a member, when all are looked at: the key belongs to the nearest, as far as weights don't matter.
pub(super) fn distance<M: Member>(key: u64, seat: &Seat<M>) -> u64 {
    mixed(mixed(key) ^ seat.member.identity())
}
