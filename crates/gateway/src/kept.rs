//! What lives through reloads: found again by name or address, and let go with its last user.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, Weak};

use portcullis_backends::service::Targets;
use portcullis_backends::table::database::Database;
use portcullis_config::database::Database as DatabaseConfig;
use portcullis_policies::access_log::sink::Sinks;
use portcullis_policies::metrics::registry::Registry as Metrics;
use portcullis_policies::rate_limit::registry::Registry as RateLimits;

use crate::snapshot::ListenerKey;

/// The registries of what lives through reloads.
#[derive(Default)]
pub(crate) struct Kept {
    /// Connections to upstream servers.
    pub(crate) targets: Targets,
    /// The counts of rate limits.
    pub(crate) rate_limits: RateLimits,
    /// The files of access logs.
    pub(crate) sinks: Sinks,
    /// The counters of routes.
    pub(crate) metrics: Arc<Metrics>,
    /// Open databases.
    pub(crate) databases: Databases,
    /// How many connections each listener has.
    pub(crate) listeners: Mutex<HashMap<ListenerKey, Arc<AtomicU32>>>,
}

impl Kept {
    /// The count of a listener's connections.
    pub(crate) fn connections_of(&self, key: ListenerKey) -> Arc<AtomicU32> {
        let mut listeners = self
            .listeners
            .lock()
            .expect("no thread panics while it holds this lock");
        listeners.entry(key).or_default().clone()
    }
}

/// Open databases, by all that the file says of them.
#[derive(Default)]
pub(crate) struct Databases(Mutex<HashMap<String, Weak<Database>>>);

impl Databases {
    /// The database of that name and settings: the one that is open, or one that is opened now.
    pub(crate) fn open(&self, name: &str, config: &DatabaseConfig, base: &Path) -> Result<Arc<Database>, String> {
        let identity = format!("{name} {} {config:?}", base.display());
        let open = || self.0.lock().expect("no thread panics while it holds this lock");
        let known = open().get(&identity).and_then(Weak::upgrade);
        if let Some(database) = known {
            // A schema that was changed since, or is to be changed by a new migration, needs a new start.
            if Database::inspect(config, base)?.as_ref() == Some(database.schema()) {
                return Ok(database);
            }
        }
        let database = Database::open(name, config, base)?;
        let mut databases = open();
        databases.retain(|_, database| database.strong_count() > 0);
        databases.insert(identity, Arc::downgrade(&database));
        Ok(database)
    }
}
