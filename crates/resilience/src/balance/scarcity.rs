//! The search among all members, for when most of them can't be had.

use super::group::Group;
use super::hash::distance;
use super::priorities::Serving;
use super::turns::below;
use super::{Algorithm, Search, priorities};
use crate::members::{Member, Seat};

/// How welcome a member is to a request. Each kind is looked for in all groups before the next one is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It has room, and was not tried.
    Fresh,
    /// It was tried, and has room.
    Tried,
    /// It has no room. Whoever chooses it has to wait or to give up.
    Full,
}

impl<'m, M: Member> Search<'m, '_, M> {
    /// A member that may have the request, if there is one at all; of the group that serves it, while anybody of that is good.
    pub(super) fn among_all(
        &self,
        serving: Option<Serving<'m>>,
        random: &mut impl FnMut() -> u64,
    ) -> Option<&'m Seat<M>> {
        self.members.count(self.asked.now);
        let threshold = self.balancer.panic_threshold;
        let health = self.members.health();
        let serving = match serving {
            // To draw again would take from a group what it just got.
            Some(serving) if serving.group.health() > 0 => Serving {
                panic: priorities::panics(serving.group, health, threshold),
                ..serving
            },
            _ => priorities::serving(self.members, threshold, random)?,
        };
        for kind in [Kind::Fresh, Kind::Tried, Kind::Full] {
            if let Some(seat) = self.one_of(serving.group, serving.panic, kind, random) {
                return Some(seat);
            }
            // Rather somebody of another priority than somebody who has just failed, or has no room.
            for group in self.members.groups() {
                let panic = priorities::panics(group, health, threshold);
                if !std::ptr::eq(group, serving.group)
                    && let Some(seat) = self.one_of(group, panic, kind, random)
                {
                    return Some(seat);
                }
            }
        }
        None
    }

    fn one_of(
        &self,
        group: &'m Group,
        panic: bool,
        kind: Kind,
        random: &mut impl FnMut() -> u64,
    ) -> Option<&'m Seat<M>> {
        let is_kind = |seat: &Seat<M>| self.may(seat, panic) && self.kind(seat) == kind;
        match (self.balancer.algorithm, self.asked.key) {
            (Algorithm::ConsistentHash { bounded_load }, Some(key)) => {
                let bound = bounded_load.map(|factor| self.bound(group, panic, factor));
                let has_room = |seat: &Seat<M>| bound.as_ref().is_none_or(|bound| self.is_below(seat, bound));
                self.nearest(group, key, |seat| is_kind(seat) && has_room(seat))
                    .or_else(|| self.nearest(group, key, is_kind))
            }
            (Algorithm::LeastRequest | Algorithm::Ewma, _) => {
                let one = self.draw(group, random, is_kind)?;
                let other = self.draw(group, random, |seat| is_kind(seat) && !std::ptr::eq(seat, one));
                Some(other.filter(|other| self.is_better(other, one)).unwrap_or(one))
            }
            _ => self.draw(group, random, is_kind),
        }
    }

    fn kind(&self, seat: &Seat<M>) -> Kind {
        match (self.is_full(seat), self.was_tried(seat)) {
            (true, _) => Kind::Full,
            (false, true) => Kind::Tried,
            (false, false) => Kind::Fresh,
        }
    }

    /// One of those that are fit, at random by their shares.
    fn draw(
        &self,
        group: &'m Group,
        random: &mut impl FnMut() -> u64,
        fit: impl Fn(&Seat<M>) -> bool,
    ) -> Option<&'m Seat<M>> {
        let seats = || {
            let seats = group.places.iter().map(|place| self.members.seat(*place));
            seats.filter(|seat| fit(seat))
        };
        let share = |seat: &Seat<M>| u64::from(seat.weight.max(1)) * self.warmth(seat);
        let whole: u64 = seats().map(share).sum();
        let mut left = below(random(), usize::try_from(whole).unwrap_or(usize::MAX)) as u64;
        for seat in seats() {
            let share = share(seat);
            if left < share {
                return Some(seat);
            }
            left -= share;
        }
        // Standings may turn between the two looks.
        seats().last()
    }

    /// The one nearest to a key of those that are fit.
    fn nearest(&self, group: &'m Group, key: u64, fit: impl Fn(&Seat<M>) -> bool) -> Option<&'m Seat<M>> {
        let seats = group.places.iter().map(|place| self.members.seat(*place));
        // An exponential race: the chance to be the first is in proportion to the rate.
        #[allow(clippy::cast_precision_loss, reason = "the upper bits decide")]
        let time = |seat: &Seat<M>| {
            let uniform = (distance(key, seat) >> 11) as f64 / (1_u64 << 53) as f64;
            -(1.0 - uniform).ln() / f64::from(seat.weight.max(1))
        };
        seats
            .filter(|seat| fit(seat))
            .map(|seat| (time(seat), seat))
            .min_by(|(one, _), (other, _)| one.total_cmp(other))
            .map(|(_, seat)| seat)
    }
}
