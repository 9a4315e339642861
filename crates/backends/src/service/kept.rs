//! What is kept of services through reloads.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use super::discovery::Resolver;
use super::health::{HealthTold, Watchmen};
use super::journal::Journal;
use super::membership::{Memberships, Reason};
use super::target::Targets;

/// What is kept of services through reloads: targets with their connections, who belongs to a service, what it may spend.
#[derive(Default)]
pub struct Services {
    pub(super) targets: Arc<Targets>,
    pub(super) memberships: Memberships,
    pub(super) watchmen: Arc<Watchmen>,
    workers: std::sync::OnceLock<usize>,
    journal: std::sync::OnceLock<Journal>,
    /// Who is asked for names, and which servers that one asks.
    resolver: Mutex<Option<(Vec<SocketAddr>, Arc<Resolver>)>>,
}

/// What people want to know of a target.
#[derive(Clone, Debug)]
pub struct TargetTold {
    /// Its service, by its name in the file.
    pub service: String,
    /// Its URL.
    pub url: Arc<str>,
    /// Connections that are open.
    pub connections: u32,
    /// Its health.
    pub health: HealthTold,
}

/// What has happened to the requests of a service since the process began, or the service first had a route.
#[derive(Clone, Debug)]
pub struct ServiceTold {
    /// Its name in the file.
    pub service: String,
    /// Requests that were sent again, by the reason's name.
    pub retries: Vec<(&'static str, u64)>,
    /// Those that would have been, had the budget allowed it.
    pub retries_denied: u64,
    /// Second attempts beside the first.
    pub hedges: u64,
    /// Those whose response came first.
    pub hedges_won: u64,
    /// Requests that waited for room.
    pub queued: u64,
    /// Those that waited in vain.
    pub queue_timeouts: u64,
    /// Those that wait now.
    pub pending: u64,
    /// Whether its circuit is open, or half open, where it has one.
    pub circuit_open: Option<bool>,
    /// Its limit for requests in progress, where that follows latency.
    pub concurrency_limit: Option<u32>,
}

impl Services {
    /// Says how many workers there are; they count apart. Without it one is taken for granted, which is right in any case, and slower.
    pub fn set_workers(&self, workers: usize) {
        // Said once, as the process begins.
        let _ = self.workers.set(workers);
    }

    /// Says where to tell of what targets do. Without it nobody is told.
    pub fn set_journal(&self, journal: Journal) {
        self.watchmen.set_journal(journal);
        // Said once, as the process begins.
        let _ = self.journal.set(journal);
    }

    pub(super) fn journal(&self) -> Journal {
        self.journal.get().copied().unwrap_or(Journal::SILENT)
    }

    /// Says which servers of DNS are asked by the services of the next configuration; those of the system where there are
    /// none.
    pub fn set_name_servers(&self, servers: &[SocketAddr]) {
        let mut resolver = self.resolver.lock().unwrap_or_else(PoisonError::into_inner);
        if resolver.as_ref().is_none_or(|(known, _)| known != servers) {
            *resolver = Some((servers.to_vec(), Arc::new(Resolver::new(servers.to_vec()))));
        }
    }

    pub(super) fn resolver(&self) -> Arc<Resolver> {
        let mut resolver = self.resolver.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, resolver) = resolver.get_or_insert_with(|| (Vec::new(), Arc::new(Resolver::new(Vec::new()))));
        resolver.clone()
    }

    pub(super) fn workers(&self) -> usize {
        self.workers.get().copied().unwrap_or(1)
    }

    /// Closes this thread's connections that have been idle for too long, or that the servers ended. Each worker calls
    /// it now and then.
    pub fn sweep(&self) {
        self.targets.sweep();
    }

    /// All targets.
    pub fn targets(&self) -> Vec<TargetTold> {
        self.targets.told()
    }

    /// All services.
    pub fn services(&self) -> Vec<ServiceTold> {
        let told = |(service, membership): (String, Arc<super::membership::Membership>)| {
            let tallies = &membership.tallies;
            let retries = Reason::ALL
                .iter()
                .map(|(reason, name)| (*name, tallies.retries[*reason as usize].load(Ordering::Relaxed)));
            let (circuit_open, concurrency_limit) = membership.protection.told();
            ServiceTold {
                service,
                retries: retries.collect(),
                retries_denied: tallies.retries_denied.load(Ordering::Relaxed),
                hedges: tallies.hedges.load(Ordering::Relaxed),
                hedges_won: tallies.hedges_won.load(Ordering::Relaxed),
                queued: tallies.queued.load(Ordering::Relaxed),
                queue_timeouts: tallies.queue_timeouts.load(Ordering::Relaxed),
                pending: membership.pending.len().into(),
                circuit_open,
                concurrency_limit,
            }
        };
        self.memberships.in_use().into_iter().map(told).collect()
    }
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Services")
    }
}
