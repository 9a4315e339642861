//! What the threads of the process share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use crate::handover::Handover;
use crate::kept::Kept;
use crate::overload::Loads;
use crate::reload::History;
use crate::snapshot::Snapshot;
use crate::upgrade::Offer;

/// What the threads of the process share.
pub(crate) struct State {
    /// The configuration that is in force.
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    /// What lives through reloads.
    pub(crate) kept: Kept,
    /// What lives on in the next process.
    pub(crate) handover: Arc<Handover>,
    /// Whether the gate is ready for requests: it listens, its configuration is in force, and it doesn't drain.
    pub(crate) ready: AtomicBool,
    /// Which configurations were in force.
    pub(crate) history: History,
    /// Whether the last reload was refused.
    pub(crate) last_reload_failed: AtomicBool,
    /// Configurations that are no longer in force, until the last request that began under them has ended.
    retired: Mutex<Vec<Arc<Snapshot>>>,
    /// What the workers tell each other of their load.
    pub(crate) loads: Arc<Loads>,
    /// What happened over the life of the process.
    pub(crate) tallies: Tallies,
}

/// What is counted over the life of the process, beside requests.
#[derive(Default)]
pub(crate) struct Tallies {
    pub(crate) connections: AtomicU64,
    pub(crate) connections_shed: AtomicU64,
    pub(crate) handshakes_failed: AtomicU64,
    pub(crate) proxy_headers_refused: AtomicU64,
    pub(crate) reloads: AtomicU64,
    pub(crate) reloads_refused: AtomicU64,
    /// Over the processes that have taken over from each other.
    pub(crate) upgrades: AtomicU64,
    pub(crate) upgrades_failed: AtomicU64,
    pub(crate) rollbacks: AtomicU64,
    pub(crate) requests_retired: AtomicU64,
}

impl State {
    /// A state with an empty configuration and nothing kept, not ready yet.
    pub(crate) fn new() -> State {
        State {
            snapshot: Arc::new(ArcSwap::from_pointee(Snapshot::empty())),
            kept: Kept::default(),
            handover: Arc::default(),
            ready: AtomicBool::new(false),
            history: History::default(),
            last_reload_failed: AtomicBool::new(false),
            retired: Mutex::default(),
            loads: Arc::default(),
            tallies: Tallies::default(),
        }
    }

    /// Goes on with the counts of the process before, and gives back which one this is since the first, modulo 256.
    pub(crate) fn goes_on_from(&self, offer: Offer) -> u8 {
        let tallies = &self.tallies;
        tallies
            .upgrades
            .store(offer.upgrades.saturating_add(1), Ordering::Relaxed);
        tallies.upgrades_failed.store(offer.upgrades_failed, Ordering::Relaxed);
        offer.generation.wrapping_add(1)
    }

    /// Keeps a configuration until nothing uses it, so that it is never a worker that lets go of it last: closing a
    /// database may take a while.
    pub(crate) fn retire(&self, snapshot: Arc<Snapshot>) {
        self.retired().push(snapshot);
    }

    /// Lets go of configurations that nothing uses any more. Not for event loops.
    pub(crate) fn bury(&self) {
        let unused: Vec<_> = {
            let mut retired = self.retired();
            let (unused, used) = retired.drain(..).partition(|snapshot| Arc::strong_count(snapshot) == 1);
            *retired = used;
            unused
        };
        drop(unused);
    }

    fn retired(&self) -> MutexGuard<'_, Vec<Arc<Snapshot>>> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
