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
        transport::check_roots(settings.ca.as_deref())
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::account;
    use crate::settings::{ChallengeKind, Pace};

    /// Settings of an authority that nobody reaches.
    fn settings(storage: &Path) -> Settings {
        let pace = Pace {
            look: Duration::from_millis(20),
            lost: Duration::from_millis(300),
            ..Pace::default()
        };
        Settings {
            directory: "https://127.0.0.1:1/directory".to_owned(),
            ca: None,
            domains: vec!["a.test".to_owned()],
            contact: None,
            challenge: ChallengeKind::TlsAlpn,
            storage: storage.to_owned(),
            renew_before: None,
            external_account: None,
            pace,
        }
    }

    fn runtime() -> Runtime {
        Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    }

    const SILENT: Journal = Journal {
        info: |_| {},
        warn: |_| {},
    };

    fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !holds() {
            assert!(Instant::now() < deadline, "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn the_turn_of_a_gate_that_died_is_taken_over() {
        let (folder, runtime) = (tempfile::tempdir().unwrap(), runtime());
        let mut settings = settings(folder.path());
        let ca = folder.path().join("ca.pem");
        let made = rcgen::generate_simple_self_signed(vec!["ca.test".to_owned()]).unwrap();
        std::fs::write(&ca, made.cert.pem()).unwrap();
        settings.ca = Some(ca);
        let storage = Storage::open(folder.path()).unwrap();
        let turn = |number: u32| format!("{}.{number}", account::name(&settings));
        storage.create(Shelf::Turns, &turn(7), b"held by the dead").unwrap();
        let start = Instant::now();
        let keeping = Acme::default()
            .open(settings.clone(), runtime.handle(), SILENT)
            .unwrap();
        eventually("a try", || keeping.report().failed == 1);
        assert!(start.elapsed() >= settings.pace.lost);
        eventually("the end of the turn", || {
            storage.read(Shelf::Turns, &turn(8)).unwrap().as_deref() == Some(b"given back\n")
        });
        let failed = storage.list(Shelf::Certificates).unwrap();
        let why = storage.read(Shelf::Certificates, &failed[0]).unwrap().unwrap();
        let why = String::from_utf8(why).unwrap();
        assert!(
            why.contains("can't open an account: 127.0.0.1: can't connect to port 1"),
            "{why}"
        );
    }

    #[test]
    fn equal_settings_are_looked_after_once_and_nobody_looks_after_what_nobody_holds() {
        let (folder, runtime) = (tempfile::tempdir().unwrap(), runtime());
        let acme = Acme::default();
        let open = |settings: Settings| acme.open(settings, runtime.handle(), SILENT).unwrap();
        let first = open(settings(folder.path()));
        assert!(Arc::ptr_eq(&first, &open(settings(folder.path()))));
        let mut others = settings(folder.path());
        others.contact = Some("ops@a.test".to_owned());
        assert!(!Arc::ptr_eq(&first, &open(others)));

        let read = Arc::downgrade(first.certificates());
        drop(first);
        // What the task held of it goes with the task.
        eventually("the end of the task", || read.strong_count() == 0);
    }

    #[test]
    fn a_folder_that_cant_be_used_is_named() {
        let (folder, runtime) = (tempfile::tempdir().unwrap(), runtime());
        let path = folder.path().join("file");
        std::fs::write(&path, "").unwrap();
        let why = Acme::default()
            .open(settings(&path), runtime.handle(), SILENT)
            .err()
            .unwrap();
        assert!(why.contains(&path.display().to_string()), "{why}");
    }
}
