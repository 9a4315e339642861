//! What lives through reloads: found again by name or address, and let go with its last user.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use portcullis_acme::Acme;
use portcullis_backends::counts::Counts;
use portcullis_backends::service::Services;
use portcullis_backends::swap::Swaps;
use portcullis_backends::table::{Open, settings};
use portcullis_config::database::{Database as DatabaseConfig, DatabaseRole};
use portcullis_config::listener::ListenerLimits;
use portcullis_databases::Database;
use portcullis_databases::settings::Settings;
use portcullis_policies::access_log::sink::Sinks;
use portcullis_policies::concurrency::places::Registry as Concurrency;
use portcullis_policies::hmac::replay::Registry as SignedRequests;
use portcullis_policies::inspect::Kept as Inspected;
use portcullis_policies::jwt::Keyrings;
use portcullis_policies::metrics::registry::Registry as Metrics;
use portcullis_policies::oidc::Ended;
use portcullis_policies::quota::leases::Leases;
use portcullis_policies::rate_limit::registry::Registry as RateLimits;
use portcullis_policies::rate_limit::store::Stores as SoftStores;
use portcullis_policies::validate::reported::Reported;
use portcullis_stores::durable::sqlite::{Limits as StoreLimits, Sqlite};
use tokio::runtime::Handle;

use crate::bans::Bans;
use crate::listener::Tickets;
use crate::listener::crowd::Crowd;
use crate::rollouts::Rollouts;
use crate::snapshot::ListenerKey;
use crate::telemetry::log;

/// The registries of what lives through reloads.
#[derive(Default)]
pub(crate) struct Kept {
    /// Targets with their connections, and who belongs to which service.
    pub(crate) services: Services,
    /// The counts of rate limits.
    pub(crate) rate_limits: RateLimits,
    /// The places of limits of requests in progress.
    pub(crate) concurrency: Concurrency,
    /// Servers in which several gates count.
    pub(crate) soft_stores: SoftStores,
    /// Which signed requests have been here.
    pub(crate) signed_requests: SignedRequests,
    /// Keys that are fetched for tokens.
    pub(crate) keyrings: Keyrings,
    /// What policies found wrong and let pass.
    pub(crate) reported: Reported,
    /// Rules that requests are inspected by, and what they found.
    pub(crate) inspect: Inspected,
    /// Who is kept out for a while.
    pub(crate) bans: Arc<Bans>,
    /// Logins and sessions that have ended.
    pub(crate) oidc: Arc<Ended>,
    /// The files of access logs.
    pub(crate) sinks: Sinks,
    /// The counters of routes.
    pub(crate) metrics: Arc<Metrics>,
    /// Open databases.
    pub(crate) databases: Databases,
    /// Open durable stores.
    pub(crate) stores: Stores,
    /// Certificates that are issued to the gate.
    pub(crate) acme: Acme,
    /// What names of services mean.
    pub(crate) swaps: Arc<Swaps>,
    /// Roll-outs under way.
    pub(crate) rollouts: Arc<Rollouts>,
    /// Requests that routes of several services gave to each, by route and service.
    pub(crate) shares: Counts,
    /// Copies of requests, by service and result.
    pub(crate) mirrored: Counts,
    /// The keys of session tickets.
    pub(crate) tickets: Arc<Tickets>,
    /// How many connections each listener has.
    listeners: Mutex<HashMap<ListenerKey, Weak<AtomicU32>>>,
    /// What each client has of each listener.
    crowds: Mutex<HashMap<ListenerKey, Weak<Crowd>>>,
}

impl Kept {
    /// The count of a listener's connections: the one in use, or a new one.
    pub(crate) fn connections_of(&self, key: ListenerKey) -> Arc<AtomicU32> {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = listeners.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        listeners.retain(|_, connections| connections.strong_count() > 0);
        let new = Arc::default();
        listeners.insert(key, Arc::downgrade(&new));
        new
    }
}

impl Kept {
    /// What clients have of a listener, where that is limited: as it is, unless the limits have changed.
    ///
    /// # Errors
    /// When the rate of new connections admits nobody.
    pub(crate) fn crowd_of(&self, key: ListenerKey, limits: &ListenerLimits) -> Result<Option<Arc<Crowd>>, String> {
        let mut crowds = self.crowds.lock().unwrap_or_else(PoisonError::into_inner);
        let known = crowds.get(&key).and_then(Weak::upgrade);
        if let Some(known) = known.filter(|known| known.is_of(limits)) {
            return Ok(Some(known));
        }
        crowds.retain(|_, crowd| crowd.strong_count() > 0);
        let new = Crowd::of(limits)?;
        if let Some(new) = &new {
            crowds.insert(key, Arc::downgrade(new));
        }
        Ok(new)
    }
}

/// Open databases, by all that the file says of them.
#[derive(Default)]
pub(crate) struct Databases(Mutex<HashMap<DatabaseIdentity, Weak<Open>>>);

/// What tells open databases apart: what one is opened with, and which roles callers have in it.
type DatabaseIdentity = (Settings, Option<DatabaseRole>);

impl Databases {
    /// The database of that name and settings: the one that is open, or one that is opened now.
    pub(crate) fn open(
        &self,
        name: &str,
        config: &DatabaseConfig,
        base: &Path,
        slow: &Handle,
    ) -> Result<Arc<Open>, String> {
        let settings = settings::of(name, config, base)?;
        let identity = (settings.clone(), config.role.clone());
        let known = self.open_ones().get(&identity).and_then(Weak::upgrade);
        // A new migration needs a new start.
        if let Some(open) = known
            && Database::inspect(&settings)?.is_some()
        {
            // Whoever reloads after a change of a table expects it to be seen.
            open.database().refresh()?;
            return Ok(open);
        }
        let database = Database::open(settings)?;
        let open = Open::new(database, config.role.clone(), log::journal(), slow);
        let mut databases = self.open_ones();
        databases.retain(|_, database| database.strong_count() > 0);
        databases.insert(identity, Arc::downgrade(&open));
        Ok(open)
    }

    /// All that are open, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Open>> {
        let mut all: Vec<_> = self.open_ones().values().filter_map(Weak::upgrade).collect();
        all.sort_by(|one, other| one.database().name().cmp(other.database().name()));
        all
    }

    fn open_ones(&self) -> MutexGuard<'_, HashMap<DatabaseIdentity, Weak<Open>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Open durable stores, by their files.
#[derive(Default)]
pub(crate) struct Stores {
    open: Mutex<HashMap<PathBuf, Weak<Sqlite>>>,
    /// Units of quotas that were taken from each.
    leases: Mutex<HashMap<PathBuf, Weak<Leases>>>,
}

impl Stores {
    /// The store in that file: the one that is open, or one that is opened now.
    pub(crate) fn open(&self, path: &Path) -> Result<Arc<Sqlite>, String> {
        let mut stores = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = stores.get(path).and_then(Weak::upgrade) {
            return Ok(store);
        }
        let store = Arc::new(Sqlite::open(path, StoreLimits::default())?);
        stores.retain(|_, store| store.strong_count() > 0);
        stores.insert(path.to_owned(), Arc::downgrade(&store));
        Ok(store)
    }

    /// Units of quotas that were taken from that store.
    pub(crate) fn leases(&self, store: Arc<Sqlite>) -> Arc<Leases> {
        let mut all = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leases) = all.get(store.path()).and_then(Weak::upgrade) {
            return leases;
        }
        all.retain(|_, leases| leases.strong_count() > 0);
        let path = store.path().to_owned();
        let leases = Arc::new(Leases::new(store));
        all.insert(path, Arc::downgrade(&leases));
        leases
    }

    /// Gives back all units that were taken and not used.
    ///
    /// # Errors
    /// Why some of them could not be.
    pub(crate) async fn give_back(&self) -> Result<(), String> {
        let all: Vec<Arc<Leases>> = {
            let all = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
            all.values().filter_map(Weak::upgrade).collect()
        };
        for leases in all {
            leases.give_back().await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_a_listener_is_found_again_and_let_go_with_its_last_user() {
        let kept = Kept::default();
        let key = |nth| ListenerKey {
            bind: crate::snapshot::Bind::Tcp(([127, 0, 0, 1], 80).into()),
            nth,
        };
        let first = kept.connections_of(key(0));
        assert!(Arc::ptr_eq(&first, &kept.connections_of(key(0))));
        drop(first);
        let _second = kept.connections_of(key(1));
        let listeners = kept.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(listeners.len(), 1);
    }
}
