//! All certificates of the process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

use tokio::runtime::Handle;

use crate::certificates::{Certificates, Keeping};
use crate::challenges::Challenges;
use crate::keeper::{Keeper, publish};
use crate::settings::{Journal, Settings};
use crate::storage::{Shelf, Storage};
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
    keeping: Weak<Keeping>,
}

impl Acme {
    /// What can be found wrong without creating or asking anything.
    ///
    /// # Errors
    /// Says in words what it is.
    pub fn check(settings: &Settings) -> Result<(), String> {
        transport::roots(settings.ca.as_deref()).map(drop)
    }

    /// Looks after the certificate of these settings, as somebody does already, or else from now on by a task of
    /// `runtime`, beginning with what the storage has. It reads files, so it is not for event loops.
    ///
    /// # Errors
    /// Says in words why the storage can't be used.
    pub fn open(&self, settings: Settings, runtime: &Handle, journal: Journal) -> Result<Arc<Keeping>, String> {
        let mut known = self.known();
        known.retain(|known| known.keeping.strong_count() > 0);
        let same = known.iter().find(|known| *known.settings == settings);
        if let Some(keeping) = same.and_then(|known| known.keeping.upgrade()) {
            return Ok(keeping);
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
        if let Some(back_off) = &watch.back_off
            && !back_off.left(now).is_zero()
        {
            (journal.info)(&format!(
                "no order for {} before {:?} have passed, or {} is removed: {}",
                settings.domains.join(", "),
                back_off.left(now),
                storage.path(Shelf::Certificates, &watch.back_off_file()).display(),
                back_off.why
            ));
        }
        let number = self.sets.fetch_add(1, Ordering::Relaxed);
        let certificates = Certificates::new(number, settings.domains.clone(), self.challenges.clone());
        let certificates = Arc::new(certificates);
        publish(&certificates, &watch, now)?;
        let settings = Arc::new(settings);
        let keeper = Keeper::new(
            settings.clone(),
            Arc::new(storage),
            certificates.clone(),
            journal,
            watch,
        );
        let task = runtime.spawn(keeper.keep()).abort_handle();
        let keeping = Arc::new(Keeping::new(certificates, task));
        known.push(Known {
            settings,
            keeping: Arc::downgrade(&keeping),
        });
        Ok(keeping)
    }

    /// What to answer a request in clear text for `/.well-known/acme-challenge/TOKEN`, while an authority asks for it.
    pub fn http_challenge(&self, token: &str) -> Option<String> {
        self.challenges.of_http(token)
    }

    fn known(&self) -> MutexGuard<'_, Vec<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
