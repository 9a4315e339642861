//! The targets of a service as they are at one time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
    /// Its share of the requests, beside the weights of the others. At least one.
    pub weight: u32,
    /// Those of the lowest number get the requests, and the next ones when too few of them are good.
    pub priority: u8,
}

/// The targets of a service as they are at one time. Immutable: a change makes new ones.
#[derive(Debug)]
pub struct Members<M> {
    seats: Vec<Seat<M>>,
    turn: AtomicUsize,
}

impl<M: Member> Members<M> {
    /// Members in these seats.
    pub fn new(seats: Vec<Seat<M>>) -> Members<M> {
        Members {
            seats,
            turn: AtomicUsize::new(0),
        }
    }

    /// All seats, in the order in which they were given.
    pub fn seats(&self) -> &[Seat<M>] {
        &self.seats
    }

    /// Whose turn it is where requests go around.
    pub(crate) fn next_turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }
}
