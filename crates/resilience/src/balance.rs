//! Which target gets the next request.

use std::sync::Arc;

use crate::Moment;
use crate::members::{Member, Members};

/// How the targets of a service share its requests.
#[derive(Clone, Debug)]
pub struct Balancer {
    algorithm: Algorithm,
}

/// A way to choose among equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// One after the other.
    RoundRobin,
    /// The one with fewer requests in progress of two chosen at random.
    LeastRequest,
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

impl Balancer {
    /// One of that algorithm.
    pub fn new(algorithm: Algorithm) -> Balancer {
        Balancer { algorithm }
    }

    /// The target for a request; `None` where there are no members. `random` gives numbers from the whole range of its type.
    pub fn choose<'m, M: Member>(
        &self,
        members: &'m Members<M>,
        asked: &Asked<'_>,
        random: impl FnMut() -> u64,
    ) -> Option<&'m Arc<M>> {
        let mut random = random;
        let all = members.seats();
        if let [only] = all {
            return Some(&only.member);
        }
        let good = |at: &usize| {
            let member = &all[*at].member;
            member.standing().is_good(asked.now) && !asked.tried.contains(&member.identity())
        };
        let mut candidates: Vec<usize> = (0..all.len()).filter(good).collect();
        if candidates.is_empty() {
            candidates = (0..all.len()).collect();
        }
        let mut below = |count: usize| usize::try_from(random() % count as u64).unwrap_or(0);
        let at = match self.algorithm {
            Algorithm::RoundRobin => candidates.get(members.next_turn() % candidates.len().max(1))?,
            Algorithm::LeastRequest => {
                let one = candidates.get(below(candidates.len().max(1)))?;
                let other = candidates.get(below(candidates.len()))?;
                let load = |at: usize| all[at].member.in_progress();
                if load(*other) < load(*one) { other } else { one }
            }
        };
        Some(&all[*at].member)
    }
}
