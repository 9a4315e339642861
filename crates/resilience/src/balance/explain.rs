//! Why each member may get a request, or why not: for people.

use std::fmt;
use std::time::Duration;

use super::group::Group;
use super::{Algorithm, Asked, Balancer, Search, priorities};
use crate::members::{Member, Members, Seat};
use crate::standing::State;

/// What is to be said of one member.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Its place among the seats.
    pub seat: usize,
    /// Why it may get the request, or why not.
    pub why: Why,
    /// Which part of such requests it gets, as far as weights say: load may shift it. From 0 to 1.
    pub share: f64,
}

/// Why a member may get a request, or why not. As text it continues a sentence that begins with the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It may.
    Candidate,
    /// It may, with so many per cent of its share.
    WarmingUp(u64),
    /// It may though it is bad.
    Panic,
    /// The client's cookie says so.
    Sticky,
    /// The client's cookie names another.
    StickyElsewhere,
    /// An operator or discovery takes it out of service.
    Draining,
    /// Its checks fail.
    Failing,
    /// It is an outlier, for so long.
    Ejected(Duration),
    /// Its turn comes when those of a lower number fail.
    OtherPriority,
    /// The request was there before.
    Tried,
    /// It has as many requests in progress as a target may have.
    Full,
    /// The key belongs to another.
    NotOnTheWay,
    /// The key belongs to it, but it has more than its part of the requests in progress.
    AtItsBound,
}

impl Why {
    /// Whether the member may get the request.
    pub fn may(self) -> bool {
        matches!(self, Why::Candidate | Why::WarmingUp(_) | Why::Panic | Why::Sticky)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Why::Candidate => "may get it",
            Why::WarmingUp(percent) => return write!(f, "may get it, with {percent}% of its share while it warms up"),
            Why::Panic => "may get it though it is not healthy, because too few are",
            Why::Sticky => "gets it, because the client's cookie says so",
            Why::StickyElsewhere => "does not get it, because the client's cookie names another target",
            Why::Draining => "gets nothing new, because it is draining",
            Why::Failing => "gets nothing, because its health checks fail",
            Why::Ejected(left) => {
                let seconds = left.as_secs_f64().ceil();
                return write!(f, "gets nothing, because it is ejected for another {seconds} s");
            }
            Why::OtherPriority => "gets nothing, because targets of another priority suffice",
            Why::Tried => "does not get it again while there is another target",
            Why::Full => "gets nothing more, because it has as many requests in progress as it may have",
            Why::NotOnTheWay => "does not get it, because the hash leads to another target",
            Why::AtItsBound => "does not get it, because it has more than its part of the requests in progress",
        };
        f.write_str(text)
    }
}

impl Balancer {
    /// Says of each member why it may get that request or why not, in the order of the seats. It looks at every member and
    /// changes nothing but the count of who is good.
    pub fn explain<M: Member>(&self, members: &Members<M>, asked: &Asked<'_>) -> Vec<Verdict> {
        members.count(asked.now);
        let search = Search::new(self, members, asked);
        let sticky = asked
            .sticky
            .and_then(|identity| members.find(identity))
            .filter(|seat| search.is_fresh(seat, false));
        let mut verdicts: Vec<_> = (0..members.seats().len())
            .map(|seat| Verdict {
                seat,
                why: Why::OtherPriority,
                share: 0.0,
            })
            .collect();
        let health = members.health();
        for (group, load) in members.groups().iter().zip(priorities::loads(members)) {
            let panic =
                self.panic_threshold > 0 && (health == 0 || priorities::panics(group, health, self.panic_threshold));
            for place in &group.places {
                let seat = members.seat(*place);
                let why = search.why_not(seat, panic).unwrap_or(match sticky {
                    Some(sticky) if std::ptr::eq(sticky, seat) => Why::Sticky,
                    Some(_) => Why::StickyElsewhere,
                    None if load == 0.0 => Why::OtherPriority,
                    None => search.why(seat),
                });
                verdicts[*place as usize].why = why;
            }
            search.follow_key(group, panic, &mut verdicts);
            search.share_out(group, load, &mut verdicts);
        }
        verdicts
    }
}

impl<M: Member> Search<'_, '_, M> {
    /// What keeps a member from any request.
    fn why_not(&self, seat: &Seat<M>, panic: bool) -> Option<Why> {
        match seat.member.standing().state(self.asked.now) {
            State::Draining => Some(Why::Draining),
            State::Failing if !panic => Some(Why::Failing),
            State::Ejected(until) if !panic => Some(Why::Ejected(until.since(self.asked.now))),
            _ if self.was_tried(seat) => Some(Why::Tried),
            _ if self.is_full(seat) => Some(Why::Full),
            _ => None,
        }
    }

    /// In which way a member may have the request.
    fn why(&self, seat: &Seat<M>) -> Why {
        if !self.may(seat, false) {
            return Why::Panic;
        }
        match self.warmth(seat) {
            1000 => Why::Candidate,
            warmth => Why::WarmingUp(warmth / 10),
        }
    }

    /// Of those who may, leaves the one to whom the key belongs.
    fn follow_key(&self, group: &Group, panic: bool, verdicts: &mut [Verdict]) {
        let (Algorithm::ConsistentHash { bounded_load }, Some(key)) = (self.balancer.algorithm, self.asked.key) else {
            return;
        };
        let owner = self.by_key(group, panic, key, bounded_load);
        let first = self.by_key(group, panic, key, None);
        for place in &group.places {
            let verdict = &mut verdicts[*place as usize];
            let is = |seat: Option<&Seat<M>>| seat.is_some_and(|seat| std::ptr::eq(seat, self.members.seat(*place)));
            if !verdict.why.may() || verdict.why == Why::Sticky || owner.is_none() || is(owner) {
                continue;
            }
            verdict.why = if is(first) { Why::AtItsBound } else { Why::NotOnTheWay };
        }
    }

    /// Divides what a group gets among those of it who may.
    fn share_out(&self, group: &Group, load: f64, verdicts: &mut [Verdict]) {
        let may = |place: &u32, verdicts: &[Verdict]| verdicts[*place as usize].why.may();
        let whole: f64 = group
            .places
            .iter()
            .filter(|place| may(place, verdicts))
            .map(|place| self.share(self.members.seat(*place)))
            .sum();
        for place in &group.places {
            if may(place, verdicts) {
                let verdict = &mut verdicts[*place as usize];
                verdict.share = match verdict.why {
                    Why::Sticky => 1.0,
                    _ => load * self.share(self.members.seat(*place)) / whole,
                };
            }
        }
    }
}
