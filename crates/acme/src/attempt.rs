//! One try to get a certificate, and what it leaves behind.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use crate::advice;
use crate::back_off::BackOff;
use crate::bundle;
use crate::certificates::{Certificates, Current};
use crate::failure::Failure;
use crate::order;
use crate::schedule;
use crate::settings::{Journal, Settings};
use crate::storage::{Shelf, Storage};
use crate::turn::Turn;

/// Signs of life in the time after which a turn counts as lost: one may come late, or fail.
const SIGNS_OF_LIFE: u32 = 5;

/// Between two tries to keep a certificate that was issued.
const KEEP_AGAIN: Duration = Duration::from_secs(10);

/// One try to get a certificate.
pub(crate) struct Attempt {
    pub(crate) settings: Arc<Settings>,
    pub(crate) storage: Arc<Storage>,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) journal: Journal,
    pub(crate) turn: Turn,
    /// The certificate that there is.
    pub(crate) current: Option<Arc<Current>>,
    /// Whether the authority is told that the current one is replaced.
    pub(crate) replaces: bool,
    /// What failed last.
    pub(crate) before: Option<BackOff>,
    pub(crate) certificate_file: String,
    pub(crate) back_off_file: String,
}

impl Attempt {
    /// Makes it, and leaves in the storage what came of it before the turn is given back.
    pub(crate) async fn make(mut self) {
        let names = self.settings.domains.join(", ");
        match self.order().await {
            Ok((bundle, issued)) => {
                // It is used at once, whatever becomes of the storage.
                let valid = in_words(issued.validity.ends);
                self.certificates.publish(Some(Arc::new(issued)));
                self.certificates.tallies.issued.fetch_add(1, Ordering::Relaxed);
                (self.journal.info)(&format!("there is a new certificate for {names}, valid for {valid}"));
                self.keep(&names, bundle).await;
            }
            Err(failure) => {
                self.certificates.tallies.failed.fetch_add(1, Ordering::Relaxed);
                self.put_off(&names, &failure).await;
            }
        }
    }

    /// Orders, as long as the turn is ours and the time is not over.
    async fn order(&mut self) -> Result<(Vec<u8>, Current), Failure> {
        let limit = self.settings.pace.order;
        let held = self.current.as_ref().filter(|_| self.replaces);
        let replaced = held.and_then(|held| advice::identifier(&held.validity));
        let order = order::obtain(&self.settings, &self.storage, replaced);
        let bundle = tokio::select! {
            bundle = tokio::time::timeout(limit, order) => {
                bundle.unwrap_or_else(|_| Err(Failure::refused(format!("the order took longer than {limit:?}"))))?
            }
            failure = stay_alive(&mut self.turn, self.settings.pace.lost / SIGNS_OF_LIFE) => return Err(failure),
        };
        let issued = bundle::read(&bundle, &self.settings.domains).map_err(Failure::refused)?;
        // A certificate that would be renewed at once would be followed by another without end.
        if schedule::due(Some(&issued.validity), self.settings.renew_before, None) <= SystemTime::now() {
            return Err(Failure::refused(
                "the authority issued a certificate that is over already; is the clock right?",
            ));
        }
        Ok((bundle, issued))
    }

    /// Keeps what was issued, however long that takes: to order again, because a disk is full, would use up what the
    /// authority allows.
    async fn keep(&self, names: &str, bundle: Vec<u8>) {
        let bundle: Arc<[u8]> = bundle.into();
        let mut told = false;
        while let Err(error) = self.try_to_keep(bundle.clone()).await {
            if !told {
                told = true;
                let failure = Failure::from(error);
                (self.journal.warn)(&format!(
                    "the new certificate for {names} is used and not kept yet: {failure}"
                ));
            }
            tokio::time::sleep(KEEP_AGAIN).await;
        }
    }

    async fn try_to_keep(&self, bundle: Arc<[u8]>) -> io::Result<()> {
        let (certificate_file, back_off_file) = (self.certificate_file.clone(), self.back_off_file.clone());
        let write = move |storage: &Arc<Storage>| {
            storage.write(Shelf::Certificates, &certificate_file, &bundle)?;
            storage.remove(Shelf::Certificates, &back_off_file)
        };
        self.storage.aside(write).await
    }

    /// Writes down when the next try may be.
    async fn put_off(&self, names: &str, failure: &Failure) {
        let now = SystemTime::now();
        let back_off = BackOff::after(self.before.as_ref(), failure, now, fastrand::f64());
        let wait = Duration::from_secs(back_off.wait);
        let rest = match self.current.as_ref().filter(|current| current.validity.ends > now) {
            Some(current) => format!("the one in use is valid for {}", in_words(current.validity.ends)),
            None => "there is none, so who asks for these names is turned away".to_owned(),
        };
        let path = self.storage.path(Shelf::Certificates, &self.back_off_file);
        (self.journal.warn)(&format!(
            "no new certificate for {names}: {failure}. The next try is in {wait:?}, or when {} is removed; {rest}",
            path.display()
        ));
        let file = self.back_off_file.clone();
        let written = match serde_json::to_vec_pretty(&back_off) {
            Ok(bytes) => {
                let write = move |storage: &Arc<Storage>| storage.write(Shelf::Certificates, &file, &bytes);
                self.storage.aside(write).await
            }
            Err(error) => Err(error.into()),
        };
        if let Err(error) = written {
            // What can't be written down is waited for here, with the turn in hand, so that nobody tries earlier.
            (self.journal.warn)(&format!("certificate for {names}: {}", Failure::from(error)));
            tokio::time::sleep(wait).await;
        }
    }
}

/// Shows signs of life until the turn is lost.
async fn stay_alive(turn: &mut Turn, every: Duration) -> Failure {
    loop {
        tokio::time::sleep(every).await;
        match turn.show_life() {
            Ok(true) => {}
            Ok(false) => {
                return Failure::refused("another gate took the turn, since this one was stopped for too long");
            }
            Err(error) => return error.into(),
        }
    }
}

/// How long it is until then, in the unit in which people think of it.
fn in_words(end: SystemTime) -> String {
    let seconds = end.duration_since(SystemTime::now()).unwrap_or_default().as_secs();
    match seconds {
        0..=119 => format!("{seconds} seconds"),
        120..=7199 => format!("{} minutes", seconds / 60),
        7200..=172_799 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
