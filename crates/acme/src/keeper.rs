//! The task that looks after the certificate of one set of names.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::task::JoinHandle;

use crate::account;
use crate::advice::{self, Advice};
use crate::attempt::Attempt;
use crate::certificates::Certificates;
use crate::failure::Failure;
use crate::schedule;
use crate::settings::{Journal, Settings};
use crate::storage::Storage;
use crate::turn::{Queue, Turn};
use crate::watch::Watch;

/// How long to wait until an authority is asked again when to renew, after it could not be.
const ADVICE_AGAIN: Duration = Duration::from_secs(6 * 3600);

/// Looks after the certificate of one set of names.
pub(crate) struct Keeper {
    settings: Arc<Settings>,
    storage: Arc<Storage>,
    certificates: Arc<Certificates>,
    journal: Journal,
    /// Away while a thread for work that blocks looks.
    watch: Option<Watch>,
    queue: Queue,
    ordering: Option<Task<()>>,
    advice: Advised,
    /// What was complained about last: the same is not said every second.
    complaint: Option<String>,
}

/// What the authority advises about one certificate.
#[derive(Default)]
struct Advised {
    serial: Vec<u8>,
    moment: Option<SystemTime>,
    again: Option<Instant>,
    asking: Option<Task<Result<Advice, Failure>>>,
}

/// A task that ends with whoever waits for it.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Keeper {
    /// Takes over what is known already: `watch` has looked once.
    pub(crate) fn new(
        settings: Arc<Settings>,
        storage: Arc<Storage>,
        certificates: Arc<Certificates>,
        journal: Journal,
        watch: Watch,
    ) -> Keeper {
        Keeper {
            queue: Queue::new(account::name(&settings)),
            settings,
            storage,
            certificates,
            journal,
            watch: Some(watch),
            ordering: None,
            advice: Advised::default(),
            complaint: None,
        }
    }

    /// Keeps the certificate until the task is aborted.
    pub(crate) async fn keep(mut self) {
        loop {
            match self.look().await {
                Ok(()) => self.complaint = None,
                Err(failure) => self.complain(failure.words),
            }
            tokio::time::sleep(self.settings.pace.look).await;
        }
    }

    /// Sees what has changed, and does what is due.
    async fn look(&mut self) -> Result<(), Failure> {
        self.refresh().await?;
        if self.ordering.as_ref().is_some_and(|task| !task.0.is_finished()) {
            return Ok(());
        }
        self.ordering = None;
        self.ask_for_advice().await;
        if !self.is_due(SystemTime::now()) {
            return Ok(());
        }
        let Some(turn) = self.take_turn().await? else {
            return Ok(());
        };
        // Whoever had the turn before may have done what is to be done.
        self.refresh().await?;
        if self.is_due(SystemTime::now()) {
            self.ordering = Some(Task(tokio::spawn(self.attempt(turn).make())));
        }
        Ok(())
    }

    /// Puts in use what the storage has.
    async fn refresh(&mut self) -> Result<(), Failure> {
        let mut watch = self.watch.take().unwrap_or_else(|| Watch::new(&self.settings));
        let now = SystemTime::now();
        let (watch, looked) = self
            .storage
            .aside(move |storage| {
                let looked = watch.look(storage, now);
                Ok((watch, looked))
            })
            .await?;
        let published = publish(&self.certificates, &watch, now);
        self.watch = Some(watch);
        if let Some(odd) = looked? {
            self.complain(odd);
        }
        published.map_err(Failure::refused)
    }

    fn is_due(&self, now: SystemTime) -> bool {
        let Some(watch) = &self.watch else { return false };
        let held = watch.current.as_ref().map(|current| &current.validity);
        let advised = held
            .filter(|held| held.serial == self.advice.serial)
            .and(self.advice.moment);
        now >= schedule::due(held, self.settings.renew_before, advised)
            && watch
                .back_off
                .as_ref()
                .is_none_or(|back_off| back_off.left(now).is_zero())
    }

    async fn take_turn(&mut self) -> Result<Option<Turn>, Failure> {
        let mut queue = std::mem::replace(&mut self.queue, Queue::new(account::name(&self.settings)));
        let lost = self.settings.pace.lost;
        let (queue, taken) = self
            .storage
            .aside(move |storage| {
                let taken = queue.try_take(storage, Instant::now(), lost);
                Ok((queue, taken))
            })
            .await?;
        self.queue = queue;
        Ok(taken?)
    }

    fn attempt(&self, turn: Turn) -> Attempt {
        let watch = self.watch.as_ref();
        let current = watch.and_then(|watch| watch.current.clone());
        // Only an authority that gives advice wants to know what is replaced.
        let replaces = current
            .as_ref()
            .is_some_and(|current| current.validity.serial == self.advice.serial && self.advice.moment.is_some());
        let named = Watch::new(&self.settings);
        Attempt {
            settings: self.settings.clone(),
            storage: self.storage.clone(),
            certificates: self.certificates.clone(),
            journal: self.journal,
            turn,
            current,
            replaces,
            before: watch.and_then(|watch| watch.back_off.clone()),
            certificate_file: named.certificate_file(),
            back_off_file: named.back_off_file(),
        }
    }

    /// Asks the authority, from time to time and beside all else, when it advises to renew.
    async fn ask_for_advice(&mut self) {
        let Some(current) = self.watch.as_ref().and_then(|watch| watch.current.clone()) else {
            return;
        };
        if self.advice.serial != current.validity.serial {
            self.advice = Advised {
                serial: current.validity.serial.clone(),
                ..Advised::default()
            };
        }
        let advice = &mut self.advice;
        match advice.asking.take() {
            Some(mut asking) if asking.0.is_finished() => {
                let again = match (&mut asking.0).await {
                    Ok(Ok(advised)) => {
                        advice.moment = advised.moment;
                        advised.again
                    }
                    Ok(Err(failure)) => {
                        (self.journal.info)(&format!("{}: {failure}", self.settings.domains.join(", ")));
                        ADVICE_AGAIN
                    }
                    Err(_) => ADVICE_AGAIN,
                };
                advice.again = Some(Instant::now() + again);
            }
            Some(asking) => advice.asking = Some(asking),
            None if advice.again.is_none_or(|again| again <= Instant::now()) => {
                let (settings, storage) = (self.settings.clone(), self.storage.clone());
                let ask = async move { advice::ask(&settings, &storage, &current.validity).await };
                advice.asking = Some(Task(tokio::spawn(ask)));
            }
            None => {}
        }
    }

    fn complain(&mut self, words: String) {
        if self.complaint.as_ref() != Some(&words) {
            (self.journal.warn)(&format!(
                "certificate for {}: {words}",
                self.settings.domains.join(", ")
            ));
            self.complaint = Some(words);
        }
    }
}

/// Puts in use what was seen: a certificate until it ends, and answers as long as somebody asks.
///
/// # Errors
/// When an answer can't be made.
pub(crate) fn publish(certificates: &Certificates, watch: &Watch, now: SystemTime) -> Result<(), String> {
    let used = certificates.current();
    // One that could not be kept yet is newer than what the storage has.
    let newest = used
        .iter()
        .chain(&watch.current)
        .filter(|current| current.validity.ends > now)
        .max_by_key(|current| current.validity.starts);
    let same = match (&used, newest) {
        (Some(used), Some(newest)) => Arc::ptr_eq(used, newest),
        (None, None) => true,
        _ => false,
    };
    if !same {
        certificates.publish(newest.cloned());
    }
    certificates.challenges.publish(certificates.number, watch.questions())
}
