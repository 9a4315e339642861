//! The targets of a service as they are at one time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::Moment;
use crate::balance::group::{Group, HEALTHY};
use crate::latency::Ewma;
use crate::standing::Standing;

/// What balancing wants to know of a target.
pub trait Member {
    /// Whether it may get requests.
    fn standing(&self) -> &Standing;
    /// Requests in progress, over all workers.
    fn in_progress(&self) -> u32;
    /// How long it takes to answer.
    fn latency(&self) -> &Ewma;
    /// A number that is the target's own, the same on every node and after every restart: a hash of its address.
    fn identity(&self) -> u64;
}

/// A target's place in a service.
#[derive(Debug)]
pub struct Seat<M> {
    /// Who sits there.
    pub member: Arc<M>,
    /// Its share of the requests, beside the weights of the others. At least one; zero is taken as one.
    pub weight: u32,
    /// Those of the lowest number get the requests, and the next ones when too few of them are good.
    pub priority: u8,
}

/// The targets of a service as they are at one time. Immutable: a change makes new ones.
#[derive(Debug)]
pub struct Members<M> {
    seats: Vec<Seat<M>>,
    /// By priority, the lowest number first.
    groups: Vec<Group>,
    /// Who sits where, in the order of identities.
    places: Vec<(u64, u32)>,
    /// When the groups were last counted, in microseconds.
    counted: AtomicU64,
}

/// How old a count of the groups may be. It only says how requests are divided among priorities and whether there is panic:
/// whether a member is good is looked at each time.
const COUNT_AGE: Duration = Duration::from_millis(20);

/// The most members. More than these are not seated: places are numbers of 32 bits.
const MOST: usize = u32::MAX as usize;

impl<M: Member> Members<M> {
    /// Members in these seats.
    pub fn new(mut seats: Vec<Seat<M>>) -> Members<M> {
        seats.truncate(MOST);
        let mut priorities: Vec<u8> = seats.iter().map(|seat| seat.priority).collect();
        priorities.sort_unstable();
        priorities.dedup();
        let group = |priority: &u8| {
            let places = (0_u32..)
                .zip(&seats)
                .filter(|(_, seat)| seat.priority == *priority)
                .map(|(place, _)| place);
            Group::new(&seats, places.collect())
        };
        let groups = priorities.iter().map(group).collect();
        let mut places: Vec<_> = seats.iter().map(|seat| seat.member.identity()).zip(0..).collect();
        places.sort_unstable();
        Members {
            seats,
            groups,
            places,
            counted: AtomicU64::new(0),
        }
    }

    /// All seats, in the order in which they were given.
    pub fn seats(&self) -> &[Seat<M>] {
        &self.seats
    }

    /// Works out ahead what requests needed to know of the members before these, so that none has to wait for it.
    pub fn prepare_like(&self, before: &Members<M>) {
        if before.groups.iter().any(Group::has_buckets) {
            for group in &self.groups {
                group.buckets(&self.seats);
            }
        }
    }

    /// The seat of the member with that identity.
    pub fn find(&self, identity: u64) -> Option<&Seat<M>> {
        let at = self.places.binary_search_by_key(&identity, |(known, _)| *known).ok()?;
        Some(self.seat(self.places[at].1))
    }

    pub(crate) fn seat(&self, place: u32) -> &Seat<M> {
        &self.seats[place as usize]
    }

    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Counts who is good, if that was long ago.
    pub(crate) fn count_sometimes(&self, now: Moment) {
        let counted = self.counted.load(Ordering::Relaxed);
        if now.since(Moment::from_micros(counted)) < COUNT_AGE && counted != 0 {
            return;
        }
        // One worker does it for all, but for the first time, when there is nothing to go by yet.
        let ours = self
            .counted
            .compare_exchange(counted, now.micros(), Ordering::Relaxed, Ordering::Relaxed);
        if ours.is_ok() || counted == 0 {
            self.count(now);
        }
    }

    /// Counts who is good.
    pub(crate) fn count(&self, now: Moment) {
        for group in &self.groups {
            group.count(&self.seats, now);
        }
        self.counted.store(now.micros(), Ordering::Relaxed);
    }

    /// How much of the load all groups together can bear, in thousandths; no more than the whole.
    pub(crate) fn health(&self) -> u64 {
        self.groups.iter().map(Group::health).sum::<u64>().min(HEALTHY)
    }
}
