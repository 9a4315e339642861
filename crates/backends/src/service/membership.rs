//! Who belongs to a service now: kept by the service's name, through reloads.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use arc_swap::ArcSwap;
use portcullis_resilience::Moment;
use portcullis_resilience::budget::{self, Budget};
use portcullis_resilience::members::{Members, Seat};

use super::health::Watch;
use super::pending::Pending;
use super::protection;
use super::seating::Seating;
use super::target::Target;

/// The targets of a service as they are now, and what is counted for it over all of them.
pub(super) struct Membership {
    members: ArcSwap<Members<Target>>,
    /// Requests that wait for a target.
    pub(super) pending: Arc<Pending>,
    /// Who sits where, and why.
    pub(super) seating: Seating,
    /// How the targets are looked after.
    pub(super) watch: Arc<Watch>,
    /// What is told of the service in metrics.
    pub(super) tallies: Tallies,
    /// The one that its requests pay retries from.
    budget: Mutex<Weak<Budget>>,
    /// What keeps requests from it.
    pub(super) protection: protection::Kept,
}

/// What happened to the requests of a service, beside what is counted by route. Written when something is amiss, not at
/// each request.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    /// Requests that were sent again, by the [`Reason`].
    pub(super) retries: [AtomicU64; Reason::ALL.len()],
    /// Requests that would have been sent again, had the budget allowed it.
    pub(super) retries_denied: AtomicU64,
    /// Second attempts beside the first.
    pub(super) hedges: AtomicU64,
    /// Those whose response came first.
    pub(super) hedges_won: AtomicU64,
    /// Requests that found no room and waited.
    pub(super) queued: AtomicU64,
    /// Those that waited in vain.
    pub(super) queue_timeouts: AtomicU64,
}

/// Why a request was sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// No connection could be made, or there was no room for one more request.
    Connect,
    /// The server had ended a kept connection before the request came.
    Stale,
    /// The server said that it didn't begin with it.
    Unprocessed,
    /// The connection ended before a response began.
    Reset,
    /// The time of one attempt was over.
    Timeout,
    /// The response's status, of HTTP or gRPC.
    Status,
}

impl Reason {
    pub(super) const ALL: [(Reason, &'static str); 6] = [
        (Reason::Connect, "connect"),
        (Reason::Stale, "stale"),
        (Reason::Unprocessed, "unprocessed"),
        (Reason::Reset, "reset"),
        (Reason::Timeout, "timeout"),
        (Reason::Status, "status"),
    ];
}

impl Tallies {
    pub(super) fn retried(&self, reason: Reason) {
        self.retries[reason as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl Membership {
    fn new() -> Membership {
        Membership {
            members: ArcSwap::from_pointee(Members::new(Vec::new())),
            pending: Arc::default(),
            seating: Seating::default(),
            watch: Arc::default(),
            tallies: Tallies::default(),
            budget: Mutex::default(),
            protection: protection::Kept::default(),
        }
    }

    /// The budget with these settings: the one in use, or a new one where it has others.
    pub(super) fn budget(&self, settings: budget::Settings, workers: usize) -> Arc<Budget> {
        let mut kept = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = Budget::new(settings, workers);
        if let Some(known) = kept.upgrade().filter(|known| known.settings() == wanted.settings()) {
            return known;
        }
        let new = Arc::new(wanted);
        *kept = Arc::downgrade(&new);
        new
    }

    /// The members at this moment.
    pub(super) fn now(&self) -> arc_swap::Guard<Arc<Members<Target>>> {
        self.members.load()
    }

    /// Puts these members in place of the ones there are. Those who are new join now; those who leave get no more requests, and
    /// go when the last one that they have is over.
    pub(super) fn put(&self, seats: Vec<Seat<Target>>) {
        let now = Moment::of(Instant::now());
        let before = self.members.load();
        let first = before.seats().is_empty();
        for seat in &seats {
            let known = before.seats().iter().any(|old| Arc::ptr_eq(&old.member, &seat.member));
            // The first members of all have nobody beside them who could take their part while they warm up.
            if !known && !first {
                seat.member.standing.join(now);
            }
        }
        let members = Members::new(seats);
        members.prepare_like(&before);
        self.members.store(Arc::new(members));
        self.pending.wake_all();
        self.watch.stir();
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        // Who looks after it finds it gone.
        self.watch.stir();
    }
}

/// The memberships in use, by the names of their services.
#[derive(Default)]
pub(super) struct Memberships(Mutex<HashMap<String, Weak<Membership>>>);

impl Memberships {
    /// The membership of a service: the one in use, or a new one without members.
    pub(super) fn of(&self, service: &str) -> Arc<Membership> {
        let mut all = self.all();
        if let Some(known) = all.get(service).and_then(Weak::upgrade) {
            return known;
        }
        all.retain(|_, membership| membership.strong_count() > 0);
        let new = Arc::new(Membership::new());
        all.insert(service.to_owned(), Arc::downgrade(&new));
        new
    }

    /// The membership of a service that is in use.
    pub(super) fn find(&self, service: &str) -> Option<Arc<Membership>> {
        self.all().get(service).and_then(Weak::upgrade)
    }

    /// All that are in use, in the order of their names.
    pub(super) fn in_use(&self) -> Vec<(String, Arc<Membership>)> {
        let mut all: Vec<_> = self
            .all()
            .iter()
            .filter_map(|(name, membership)| Some((name.clone(), membership.upgrade()?)))
            .collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Weak<Membership>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
