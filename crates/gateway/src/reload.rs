//! A new configuration in place of the one in force: checked completely, then swapped; or refused, and nothing changes.

mod fixed;
mod history;

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portcullis_config::{Loaded, Problem, Problems};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc};

pub(crate) use self::fixed::{Fixed, NEED_A_RESTART};
pub(crate) use self::history::{History, Origin, Remembered};
use crate::compile::{Paths, Purpose, compile, compile_for_good};
use crate::kept::Kept;
use crate::snapshot::ListenerRules;
use crate::sockets::{Pledge, Sockets};
use crate::source::Source;
use crate::state::State;
use crate::telemetry::log;
use crate::upgrade::{Ceding, Described};

/// The time between two looks at the file of the configuration, where that is watched.
const LOOK: Duration = Duration::from_secs(1);

/// Loads configurations, one at a time.
pub(crate) struct Reloader {
    source: Source,
    state: Arc<State>,
    slow: Handle,
    fixed: Fixed,
    sockets: Mutex<Sockets>,
    /// Whoever has it may change what is in force: one reload, or an upgrade from its start to its end.
    turn: Turn,
}

/// The right to change what is in force.
type Turn = Arc<Mutex<()>>;

/// Who asked for a change of the configuration, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// The signal HUP.
    Signal,
    /// An operator, with `POST /reload`.
    Admin,
    /// The file, which has changed.
    Watch,
    /// An operator, with `POST /rollback`: wants the configuration before the one in force.
    Rollback,
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Asker::Signal => "SIGHUP",
            Asker::Admin => "POST /reload",
            Asker::Watch => "a change of the file",
            Asker::Rollback => "POST /rollback",
        })
    }
}

/// Why the configuration in force stays.
pub(crate) enum Refused {
    /// The gate has not started yet, or it drains.
    NotServing,
    /// No earlier configuration is remembered.
    NothingEarlier,
    /// What is wrong with the new one, a line for each problem.
    Unusable(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NotServing => f.write_str("the gate is starting or draining"),
            Refused::NothingEarlier => f.write_str("no configuration is remembered that was in force before this one"),
            Refused::Unusable(why) => f.write_str(why),
        }
    }
}

/// A configuration that was looked at and could run. Nothing was created or changed for it.
pub(crate) struct Checked {
    pub(crate) loaded: Loaded,
    /// What it will listen on.
    listeners: Vec<Arc<ListenerRules>>,
    /// How requests find their routes. The rest of what was compiled is let go before it is compiled for good: of ten
    /// thousand routes, two copies at a time would be one too many.
    paths: Paths,
    warnings: Vec<Problem>,
}

impl Checked {
    /// Checks what was loaded. Reads files and databases: not for event loops.
    ///
    /// # Errors
    /// Everything in it that can't run.
    pub(crate) fn new(loaded: Loaded, slow: &Handle) -> Result<Checked, Problems> {
        // What is found wrong must leave no trace in what lives through reloads either.
        let nothing_kept = Kept::default();
        let compiled = compile(&loaded, &nothing_kept, slow, Purpose::Check)?;
        Ok(Checked {
            loaded,
            listeners: compiled.snapshot.listeners.clone(),
            paths: Paths::of(compiled.snapshot),
            warnings: compiled.warnings,
        })
    }
}

impl Reloader {
    pub(crate) fn new(source: Source, state: Arc<State>, slow: Handle, fixed: Fixed, sockets: Sockets) -> Reloader {
        Reloader {
            source,
            state,
            slow,
            fixed,
            sockets: Mutex::new(sockets),
            turn: Turn::default(),
        }
    }

    /// Where work is done that takes its time.
    pub(crate) fn slow(&self) -> &Handle {
        &self.slow
    }

    /// Puts the first configuration in force and gives back the URLs that it listens on.
    ///
    /// # Errors
    /// Why it can't be.
    pub(crate) async fn begin(&self, checked: Checked) -> Result<Vec<String>, String> {
        let mut sockets = self.sockets.lock().await;
        self.put_in_force(checked, &mut sockets).await?;
        Ok(sockets.urls(&self.state.snapshot.load()))
    }

    /// Puts the file as it is now in force, or the configuration before the one in force, and gives back what is allowed
    /// in it and probably not meant.
    ///
    /// # Errors
    /// Why it can't be; the configuration in force stays.
    pub(crate) async fn reload(self: &Arc<Self>, asker: Asker) -> Result<Vec<Problem>, Refused> {
        let _turn = self.turn.lock().await;
        let mut sockets = self.sockets.lock().await;
        // Readiness ends before a drain takes the lock, so a reload that waited for it comes too late, too.
        let result = match self.state.ready.load(Ordering::Acquire) {
            true if asker == Asker::Rollback => self.go_back(&mut sockets).await,
            true => self.renew(&mut sockets).await.map_err(Refused::Unusable),
            false => Err(Refused::NotServing),
        };
        self.tell(asker, &result);
        result
    }

    /// The configuration in force, with its defaults and without secrets, for people to look at.
    ///
    /// # Errors
    /// When it is not understood any more, which would be a mistake of this program.
    pub(crate) async fn effective(self: &Arc<Self>, remembered: &Remembered) -> Result<serde_json::Value, String> {
        let (this, record) = (self.clone(), remembered.record.clone());
        let look = self.slow.spawn_blocking(move || {
            let mut file = record.file()?;
            this.fixed.put_into(&mut file);
            Ok(portcullis_config::effective(&file))
        });
        look.await.map_err(|error| error.to_string())?
    }

    /// Counts and logs what came of a change.
    fn tell(&self, asker: Asker, result: &Result<Vec<Problem>, Refused>) {
        let tallies = &self.state.tallies;
        match result {
            Ok(_) => {
                tallies.reloads.fetch_add(1, Ordering::Relaxed);
                self.state.last_reload_failed.store(false, Ordering::Relaxed);
                let in_force = self.state.history.in_force();
                let digest = in_force.as_ref().map_or("", |it| it.record.digest());
                match (asker, &in_force) {
                    (Asker::Rollback, Some(it)) => {
                        tallies.rollbacks.fetch_add(1, Ordering::Relaxed);
                        log::warn(format_args!(
                            "{asker}: configuration {digest}, loaded at {}, is in force again until the next reload",
                            log::time(it.loaded_at)
                        ));
                    }
                    _ => log::info(format_args!(
                        "the configuration was reloaded by {asker}: {digest} is in force"
                    )),
                }
            }
            Err(why) => {
                tallies.reloads_refused.fetch_add(1, Ordering::Relaxed);
                if let Refused::Unusable(_) = why {
                    self.state.last_reload_failed.store(true, Ordering::Relaxed);
                }
                for line in why.to_string().lines() {
                    log::warn(format_args!("reload by {asker} refused: {line}"));
                }
            }
        }
    }

    /// Keeps reloads waiting until it is dropped, so that a process that takes over finds what it was offered.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        self.turn.clone().lock_owned().await
    }

    /// Every socket once more, for a process that takes over.
    ///
    /// # Errors
    /// When the system has no descriptors for them.
    pub(crate) async fn offer(&self) -> io::Result<(Vec<(Described, OwnedFd)>, Pledge)> {
        self.sockets.lock().await.offer()
    }

    /// Leaves its sockets to the process that takes over, and lets the workers finish. The gate must not be ready any more.
    pub(crate) async fn cede(&self, pledge: Pledge, ceding: &Ceding) {
        self.sockets.lock().await.cede(pledge, ceding);
    }

    /// Gives notice whenever the file of the configuration, or one with a secret of it, has changed.
    pub(crate) async fn watch(self: Arc<Self>, notice: mpsc::Sender<()>) {
        loop {
            tokio::time::sleep(LOOK).await;
            let this = self.clone();
            let look = self.slow.spawn_blocking(move || this.source.has_changed());
            // A notice that nobody takes is of a process that ends.
            if look.await.unwrap_or(false) && notice.send(()).await.is_err() {
                return;
            }
        }
    }

    /// Stops listening and lets the workers finish. The gate must not be ready any more.
    pub(crate) async fn drain(&self) {
        self.sockets.lock().await.drain();
    }

    /// Whether the event loop of each worker turns. While a reload is going on nobody is asked.
    pub(crate) async fn workers_live(&self, patience: Duration) -> bool {
        let Ok(sockets) = self.sockets.try_lock() else {
            return true;
        };
        let due = tokio::time::Instant::now() + patience;
        for answer in sockets.ask_workers() {
            if !matches!(tokio::time::timeout_at(due, answer).await, Ok(Ok(()))) {
                return false;
            }
        }
        true
    }

    /// Whether all workers have ended.
    pub(crate) async fn has_drained(&self) -> bool {
        self.sockets.lock().await.have_ended()
    }

    async fn renew(self: &Arc<Self>, sockets: &mut Sockets) -> Result<Vec<Problem>, String> {
        let this = self.clone();
        let checked = self.aside(move || this.check(this.source.load()?)).await?;
        self.put_in_force(checked, sockets).await
    }

    async fn go_back(self: &Arc<Self>, sockets: &mut Sockets) -> Result<Vec<Problem>, Refused> {
        let earlier = self.state.history.latest().ok_or(Refused::NothingEarlier)?;
        let this = self.clone();
        let check = self.slow.spawn_blocking(move || {
            let loaded = earlier.record.load()?;
            this.check(loaded).map_err(|problems| problems.to_string())
        });
        let checked = check.await.map_err(|error| error.to_string());
        let checked = checked.flatten().map_err(Refused::Unusable)?;
        let warnings = self.swap(checked, sockets).await.map_err(Refused::Unusable)?;
        self.state.history.back();
        Ok(warnings)
    }

    fn check(&self, mut loaded: Loaded) -> Result<Checked, Problems> {
        let restarts = self.fixed.keep(&mut loaded)?;
        let mut checked = Checked::new(loaded, &self.slow)?;
        checked.warnings.extend(restarts);
        Ok(checked)
    }

    /// Puts what was read now in force.
    async fn put_in_force(&self, checked: Checked, sockets: &mut Sockets) -> Result<Vec<Problem>, String> {
        let record = checked.loaded.record.clone();
        let warnings = self.swap(checked, sockets).await?;
        self.state.history.forward(record);
        Ok(warnings)
    }

    /// Opens what the configuration needs, and only then lets it replace the one in force. Databases are opened last,
    /// because a migration is not undone: until then everything else that can fail has not.
    async fn swap(&self, checked: Checked, sockets: &mut Sockets) -> Result<Vec<Problem>, String> {
        let Checked {
            loaded,
            listeners,
            paths,
            warnings,
        } = checked;
        let change = sockets.change_to(&listeners)?;
        drop(listeners);
        let (state, slow) = (self.state.clone(), self.slow.clone());
        let (snapshot, arrived) = self
            .aside(move || {
                let snapshot = compile_for_good(&loaded, paths, &state.kept, &slow)?;
                // What was decided in the process before holds from the first request on.
                Ok((snapshot, state.handover.take_over()))
            })
            .await?;
        arrived?;
        let snapshot = Arc::new(snapshot);
        let old = self.state.snapshot.swap(snapshot.clone());
        for pool in snapshot.services.values() {
            pool.take_effect();
        }
        sockets.carry_out(change);
        self.state.retire(old);
        for warning in &warnings {
            log::warn(warning);
        }
        Ok(warnings)
    }

    /// Does what reads files and opens databases, which is not the work of an event loop.
    async fn aside<T, W>(&self, work: W) -> Result<T, String>
    where
        T: Send + 'static,
        W: FnOnce() -> Result<T, Problems> + Send + 'static,
    {
        let done = self.slow.spawn_blocking(work).await;
        done.map_err(|error| error.to_string())?
            .map_err(|problems| problems.to_string())
    }
}
