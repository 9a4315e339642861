//! All certificates of the process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

use tokio::runtime::Handle;

use crate::certificates::{Certificates, Report, Shared};
use crate::challenges::Challenges;
use crate::keeper::{Keeper, publish};
use crate::settings::{Journal, Settings};
use crate::storage::Storage;
use crate::transport;
use crate::watch::Watch;

/// All certificates of the process, by their settings, and what authorities ask of it at the moment.
#[derive(Default)]
pub struct Acme {
    challenges: Arc<Challenges>,
    known: Mutex<Vec<Known>>,
    sets: AtomicU64,
}

struct Known {
    settings: Arc<Settings>,
    certificates: Weak<Certificates>,
}

impl Acme {
    /// What can be found wrong without creating or asking anything.
    ///
    /// # Errors
    /// Says in words what it is.
    pub fn check(settings: &Settings) -> Result<(), String> {
        transport::roots(settings.ca.as_deref()).map(drop)
    }

    /// The certificates of these settings: those that somebody holds, or else what the storage has, looked after from
    /// now on by a task of `runtime`. It reads files, so it is not for event loops.
    ///
    /// # Errors
    /// Says in words why the storage can't be used.
    pub fn open(&self, settings: Settings, runtime: &Handle, journal: Journal) -> Result<Arc<Certificates>, String> {
        let mut known = self.known();
        known.retain(|known| known.certificates.strong_count() > 0);
        let same = known.iter().find(|known| *known.settings == settings);
        if let Some(certificates) = same.and_then(|known| known.certificates.upgrade()) {
            return Ok(certificates);
        }
        let cannot =
            |error: &dyn std::fmt::Display| format!("the folder {} can't be used: {error}", settings.storage.display());
        let storage = Storage::open(&settings.storage).map_err(|error| cannot(&error))?;
        let mut watch = Watch::new(&settings);
        let now = SystemTime::now();
        let odd = watch.look(&storage, now).map_err(|error| cannot(&error))?;
        if let Some(odd) = odd {
            (journal.warn)(&odd);
        }
        let number = self.sets.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::new(Shared::new(number, settings.domains.clone(), self.challenges.clone()));
        publish(&shared, &watch, now)?;
        let settings = Arc::new(settings);
        let keeper = Keeper::new(settings.clone(), Arc::new(storage), shared.clone(), journal, watch);
        let task = runtime.spawn(keeper.keep()).abort_handle();
        let certificates = Arc::new(Certificates::new(shared, task));
        known.push(Known {
            settings,
            certificates: Arc::downgrade(&certificates),
        });
        Ok(certificates)
    }

    /// What to answer a request in clear text for `/.well-known/acme-challenge/TOKEN`, while an authority asks for it.
    pub fn http_challenge(&self, token: &str) -> Option<String> {
        self.challenges.of_http(token)
    }

    /// How it stands with each certificate.
    pub fn reports(&self) -> Vec<Report> {
        let known: Vec<_> = self
            .known()
            .iter()
            .filter_map(|known| known.certificates.upgrade())
            .collect();
        known.iter().map(|certificates| certificates.report()).collect()
    }

    fn known(&self) -> MutexGuard<'_, Vec<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
