//! Which target gets the next request.
//!
//! `choose` asks the algorithm first, and sees whether its choice may be had: almost always it may. Only when it fails several
//! times all members are looked at (`scarcity.rs`). Nothing is allocated for a request, and what it costs doesn't depend on the
//! number of members.

mod buckets;
mod explain;
pub(crate) mod group;
mod hash;
mod priorities;
mod scarcity;
mod turns;

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

pub use explain::{Verdict, Why};

use self::group::Group;
use self::turns::below;
use crate::Moment;
use crate::members::{Member, Members, Seat};
use crate::standing::State;

/// How the targets of a service share its requests.
#[derive(Clone, Debug)]
pub struct Balancer {
    algorithm: Algorithm,
    slow_start: Duration,
    panic_threshold: u32,
    most_in_progress: u32,
}

/// A way to choose among equals. All go by weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// One after the other.
    RoundRobin,
    /// The one with fewer requests in progress of two chosen at random. Where they have as many, the first, unless it is more
    /// than twice as slow as the other.
    LeastRequest,
    /// The one of two chosen at random that would be done sooner: its latency, once for each of its requests and once for this
    /// one.
    Ewma,
    /// Any.
    Random,
    /// The one to which the request's key belongs, and any for a request without a key.
    ConsistentHash {
        /// A target has no more requests in progress than so many thousandths of its fair part of them; what comes beyond goes to
        /// the next one. At least 1000.
        bounded_load: Option<u32>,
    },
}

/// What is known of the request that looks for a target.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// When it asks.
    pub now: Moment,
    /// The hash of what it is to be held together with, for the consistent hash.
    pub key: Option<u64>,
    /// The identity of the target that a valid cookie names.
    pub sticky: Option<u64>,
    /// The identities of targets that were tried for it before. They are chosen only if there is no other.
    pub tried: &'a [u64],
}

/// How often the algorithm may choose somebody who can't be had. With half of the members bad, one of 65,536 requests gets
/// beyond it.
const TRIES: u64 = 16;

/// The least part of its share that a member has while it warms up, in thousandths: with nothing it would never be warm.
const LEAST_SHARE: u64 = 100;

/// Latencies below this many microseconds don't differ in a way that matters.
const QUICK: f64 = 1000.0;

impl Balancer {
    /// One of that algorithm, without slow start, with panic below half and any number of requests at a target.
    pub fn new(algorithm: Algorithm) -> Balancer {
        Balancer {
            algorithm,
            slow_start: Duration::ZERO,
            panic_threshold: 500,
            most_in_progress: u32::MAX,
        }
    }

    /// Within this long after a target joined, its share grows from a tenth to the whole.
    pub fn with_slow_start(self, slow_start: Duration) -> Balancer {
        Balancer { slow_start, ..self }
    }

    /// When less than so many thousandths of a group are good, and the other groups can't bear it, all of it are used but
    /// those that drain. With 0 they never are.
    pub fn with_panic_threshold(self, per_mille: u32) -> Balancer {
        Balancer {
            panic_threshold: per_mille,
            ..self
        }
    }

    /// Targets with so many requests in progress are chosen only when all have as many.
    pub fn with_most_in_progress(self, most_in_progress: u32) -> Balancer {
        Balancer {
            most_in_progress,
            ..self
        }
    }

    /// Works out what the algorithm needs to know of these members, which takes milliseconds for the consistent hash. Without
    /// this the first request does.
    pub fn prepare<M: Member>(&self, members: &Members<M>) {
        if matches!(self.algorithm, Algorithm::ConsistentHash { .. }) {
            for group in members.groups() {
                group.buckets(members.seats());
            }
        }
    }

    /// The target for a request; `None` where nobody may have it. `random` gives numbers from the whole range of its type.
    pub fn choose<'m, M: Member>(
        &self,
        members: &'m Members<M>,
        asked: &Asked<'_>,
        random: impl FnMut() -> u64,
    ) -> Option<&'m Arc<M>> {
        let mut random = random;
        if let [only] = members.seats() {
            return self.only(only, asked).then_some(&only.member);
        }
        if let Some(sticky) = asked.sticky
            && let Some(seat) = members.find(sticky)
            && Search::new(self, members, asked).is_fresh(seat, false)
        {
            return Some(&seat.member);
        }
        members.count_sometimes(asked.now);
        let search = Search::new(self, members, asked);
        let serving = priorities::serving(members, self.panic_threshold, &mut random);
        let found = serving
            .as_ref()
            .and_then(|serving| search.pick(serving.group, serving.panic, &mut random));
        let seat = found.or_else(|| search.among_all(serving, &mut random))?;
        Some(&seat.member)
    }

    /// Whether the only member may have a request.
    fn only<M: Member>(&self, seat: &Seat<M>, asked: &Asked<'_>) -> bool {
        match seat.member.standing().state(asked.now) {
            State::Good => true,
            State::Draining => false,
            State::Failing | State::Ejected(_) => self.panic_threshold > 0,
        }
    }
}

/// A request on its way to a member.
struct Search<'m, 'a, M> {
    balancer: &'a Balancer,
    members: &'m Members<M>,
    asked: &'a Asked<'a>,
}

impl<'m, 'a, M: Member> Search<'m, 'a, M> {
    fn new(balancer: &'a Balancer, members: &'m Members<M>, asked: &'a Asked<'_>) -> Search<'m, 'a, M> {
        Search {
            balancer,
            members,
            asked,
        }
    }

    /// A member by the algorithm; none when it chose too many that can't be had.
    fn pick(&self, group: &'m Group, panic: bool, random: &mut impl FnMut() -> u64) -> Option<&'m Seat<M>> {
        match (self.balancer.algorithm, self.asked.key) {
            (Algorithm::RoundRobin, _) => self.first_of(panic, random, |_| group.turns.next()),
            (Algorithm::LeastRequest | Algorithm::Ewma, _) => {
                let one = self.first_of(panic, random, |random| group.turns.draw(random()))?;
                Some(self.better_of(one, group, panic, random))
            }
            (Algorithm::ConsistentHash { bounded_load }, Some(key)) => self.by_key(group, panic, key, bounded_load),
            (Algorithm::Random | Algorithm::ConsistentHash { .. }, _) => {
                self.first_of(panic, random, |random| group.turns.draw(random()))
            }
        }
    }

    /// The first that can be had of those that are named one after the other.
    fn first_of<R: FnMut() -> u64>(
        &self,
        panic: bool,
        random: &mut R,
        mut name: impl FnMut(&mut R) -> u32,
    ) -> Option<&'m Seat<M>> {
        for _ in 0..TRIES {
            let seat = self.members.seat(name(random));
            if self.is_fresh(seat, panic) && self.is_warm(seat, &mut *random) {
                return Some(seat);
            }
        }
        None
    }

    /// That one, or another one that is better off.
    fn better_of(&self, one: &'m Seat<M>, group: &Group, panic: bool, random: &mut impl FnMut() -> u64) -> &'m Seat<M> {
        // Where weights are, the first is chosen by them. The second is anybody, so that a light one meets the heavy ones.
        for _ in 0..TRIES {
            let at = below(random(), group.places.len());
            let mut other = self.members.seat(group.places[at]);
            if std::ptr::eq(one, other) {
                other = self.members.seat(group.places[(at + 1) % group.places.len()]);
            }
            if self.is_fresh(other, panic) {
                return if self.is_better(other, one) { other } else { one };
            }
        }
        one
    }

    /// Whether a member is so much better off than one that was chosen by weight, that it gets the request in its place.
    fn is_better(&self, other: &Seat<M>, one: &Seat<M>) -> bool {
        let (others, ones) = (other.member.in_progress(), one.member.in_progress());
        let idle = others == 0 && ones == 0;
        // With this one. Shares are taken into account where there is load to share; the choice has seen to them already.
        let load = |seat: &Seat<M>, in_progress: u32| match idle {
            true => 1.0,
            false => f64::from(in_progress + 1) / self.share(seat),
        };
        let (others, ones) = (load(other, others), load(one, ones));
        let (others_latency, ones_latency) = self.latencies(other, one);
        if self.balancer.algorithm == Algorithm::Ewma {
            // Idle members of about the same latency have requests by their weights.
            let margin = if idle { 1.25 } else { 1.0 };
            return others * others_latency * margin < ones * ones_latency;
        }
        match others.total_cmp(&ones) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => others_latency.max(QUICK) * 2.0 < ones_latency,
        }
    }

    /// The latencies of two members in microseconds. One of which nothing is known is taken to be like the other, so that it is
    /// neither flooded nor avoided.
    fn latencies(&self, one: &Seat<M>, other: &Seat<M>) -> (f64, f64) {
        let latency = |seat: &Seat<M>| {
            let idle = seat.member.in_progress() == 0;
            let latency = seat.member.latency().at(self.asked.now, idle);
            latency.map(|latency| latency.as_secs_f64() * 1e6)
        };
        match (latency(one), latency(other)) {
            (Some(one), Some(other)) => (one, other),
            (Some(known), None) | (None, Some(known)) => (known, known),
            (None, None) => (1.0, 1.0),
        }
    }

    /// Whether a member may have requests, was not tried, and has room.
    fn is_fresh(&self, seat: &Seat<M>, panic: bool) -> bool {
        self.may(seat, panic) && !self.was_tried(seat) && !self.is_full(seat)
    }

    /// Whether a member may have requests: if it is good, or if nobody is and it isn't about to leave.
    fn may(&self, seat: &Seat<M>, panic: bool) -> bool {
        match seat.member.standing().state(self.asked.now) {
            State::Good => true,
            State::Draining => false,
            State::Failing | State::Ejected(_) => panic,
        }
    }

    fn was_tried(&self, seat: &Seat<M>) -> bool {
        !self.asked.tried.is_empty() && self.asked.tried.contains(&seat.member.identity())
    }

    fn is_full(&self, seat: &Seat<M>) -> bool {
        let most = self.balancer.most_in_progress;
        most != u32::MAX && seat.member.in_progress() >= most
    }

    /// Whether a request falls into the part of its share that a member already has.
    fn is_warm(&self, seat: &Seat<M>, random: &mut impl FnMut() -> u64) -> bool {
        match self.warmth(seat) {
            1000 => true,
            warmth => below(random(), 1000) < usize::try_from(warmth).unwrap_or(usize::MAX),
        }
    }

    /// How much of its share a member has, in thousandths.
    fn warmth(&self, seat: &Seat<M>) -> u64 {
        let window = self.balancer.slow_start;
        if window.is_zero() {
            return 1000;
        }
        let age = seat.member.standing().age(self.asked.now);
        if age >= window {
            return 1000;
        }
        let part = age.as_micros() * 1000 / window.as_micros().max(1);
        u64::try_from(part).map_or(1000, |part| part.clamp(LEAST_SHARE, 1000))
    }

    /// A member's weight, as far as it is warm.
    fn share(&self, seat: &Seat<M>) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "it is below a million")]
        let share = (u64::from(seat.weight.max(1)) * self.warmth(seat)) as f64;
        share
    }
}
