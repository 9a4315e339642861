//! A new configuration in place of the one in force: checked completely, then swapped; or refused, and nothing changes.

mod fixed;

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portcullis_config::{Loaded, Problem, Problems};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};

pub(crate) use self::fixed::Fixed;
use crate::compile::{Purpose, compile};
use crate::kept::Kept;
use crate::snapshot::ListenerRules;
use crate::sockets::{Pledge, Sockets};
use crate::source::Source;
use crate::state::State;
use crate::telemetry::log;
use crate::upgrade::{Ceding, Described};

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

/// Who asked for a reload.
#[derive(Clone, Copy)]
pub(crate) enum Asker {
    /// The signal HUP.
    Signal,
    /// An operator, with `POST /reload`.
    Admin,
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Asker::Signal => "SIGHUP",
            Asker::Admin => "POST /reload",
        })
    }
}

/// Why the configuration in force stays.
pub(crate) enum Refused {
    /// The gate has not started yet, or it drains.
    NotServing,
    /// What is wrong with the new one, a line for each problem.
    Unusable(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NotServing => f.write_str("the gate is starting or draining"),
            Refused::Unusable(why) => f.write_str(why),
        }
    }
}

/// A configuration that was looked at and could run. Nothing was created or changed for it.
pub(crate) struct Checked {
    pub(crate) loaded: Loaded,
    /// What it will listen on. The rest of what was compiled is let go before it is compiled for good: of ten thousand
    /// routes, two copies at a time would be one too many.
    listeners: Vec<Arc<ListenerRules>>,
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
            listeners: compiled.snapshot.listeners,
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

    /// Puts the first configuration in force and gives back the URLs that it listens on.
    ///
    /// # Errors
    /// Why it can't be.
    pub(crate) async fn begin(&self, checked: Checked) -> Result<Vec<String>, String> {
        let mut sockets = self.sockets.lock().await;
        self.put_in_force(checked, &mut sockets).await?;
        Ok(sockets.urls(&self.state.snapshot.load()))
    }

    /// Puts the file as it is now in force and gives back what is allowed in it and probably not meant.
    ///
    /// # Errors
    /// Why it can't be; the configuration in force stays.
    pub(crate) async fn reload(self: &Arc<Self>, asker: Asker) -> Result<Vec<Problem>, Refused> {
        let _turn = self.turn.lock().await;
        let mut sockets = self.sockets.lock().await;
        // Readiness ends before a drain takes the lock, so a reload that waited for it comes too late, too.
        let result = if self.state.ready.load(Ordering::Acquire) {
            self.renew(&mut sockets).await.map_err(Refused::Unusable)
        } else {
            Err(Refused::NotServing)
        };
        let tallies = &self.state.tallies;
        match &result {
            Ok(_) => {
                tallies.reloads.fetch_add(1, Ordering::Relaxed);
                self.state.last_reload_failed.store(false, Ordering::Relaxed);
                log::info(format_args!("the configuration was reloaded by {asker}"));
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
        result
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
        let checked = self.aside(move || this.check()).await?;
        self.put_in_force(checked, sockets).await
    }

    fn check(&self) -> Result<Checked, Problems> {
        let mut loaded = self.source.load()?;
        let restarts = self.fixed.keep(&mut loaded)?;
        let mut checked = Checked::new(loaded, &self.slow)?;
        checked.warnings.extend(restarts);
        Ok(checked)
    }

    /// Opens what the configuration needs, and only then lets it replace the one in force. Databases are opened last,
    /// because a migration is not undone: until then everything else that can fail has not.
    async fn put_in_force(&self, checked: Checked, sockets: &mut Sockets) -> Result<Vec<Problem>, String> {
        let Checked {
            loaded,
            listeners,
            warnings,
        } = checked;
        let change = sockets.change_to(&listeners)?;
        drop(listeners);
        let (state, slow) = (self.state.clone(), self.slow.clone());
        let (compiled, arrived) = self
            .aside(move || {
                let compiled = compile(&loaded, &state.kept, &slow, Purpose::Run)?;
                // What was decided in the process before holds from the first request on.
                Ok((compiled, state.handover.take_over()))
            })
            .await?;
        arrived?;
        let snapshot = Arc::new(compiled.snapshot);
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
