//! A new configuration in place of the one in force: compiled completely, then swapped; or refused, and nothing changes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use portcullis_config::Problems;
use tokio::runtime::Handle;

use crate::compile::{Purpose, compile};
use crate::sockets::Sockets;
use crate::source::Source;
use crate::state::State;
use crate::telemetry::log;

/// Loads configurations, one at a time.
pub(crate) struct Reloader {
    source: Source,
    state: Arc<State>,
    slow: Handle,
    listeners: tokio::sync::Mutex<Sockets>,
}

impl Reloader {
    pub(crate) fn new(source: Source, state: Arc<State>, slow: Handle, listeners: Sockets) -> Reloader {
        Reloader {
            source,
            state,
            slow,
            listeners: tokio::sync::Mutex::new(listeners),
        }
    }

    /// Puts the file as it is now in force.
    ///
    /// # Errors
    /// Why it can't be; the configuration in force stays.
    pub(crate) async fn reload(self: &Arc<Self>) -> Result<(), String> {
        let mut listeners = self.listeners.lock().await;
        let this = self.clone();
        // Compiling reads files and opens databases: not the work of an event loop.
        let compiled = self
            .slow
            .spawn_blocking(move || this.compile())
            .await
            .map_err(|error| error.to_string());
        let result = match compiled {
            Ok(Ok(snapshot)) => listeners.change_to(&snapshot).map(|change| (snapshot, change)),
            Ok(Err(problems)) => Err(problems.to_string()),
            Err(error) => Err(error),
        };
        match result {
            Ok((snapshot, change)) => {
                let old = self.state.snapshot.swap(Arc::new(snapshot));
                listeners.carry_out(change);
                self.state.retire(old);
                self.state.tallies.reloads.fetch_add(1, Ordering::Relaxed);
                self.state.last_reload_failed.store(false, Ordering::Relaxed);
                log::info("the configuration was reloaded");
                Ok(())
            }
            Err(why) => {
                self.state.tallies.reloads_refused.fetch_add(1, Ordering::Relaxed);
                self.state.last_reload_failed.store(true, Ordering::Relaxed);
                for line in why.lines() {
                    log::warn(format_args!("reload refused: {line}"));
                }
                Err(why)
            }
        }
    }

    /// Stops listening and lets the workers finish.
    pub(crate) async fn drain(&self) {
        self.listeners.lock().await.drain();
    }

    /// Whether all workers have ended.
    pub(crate) async fn has_drained(&self) -> bool {
        self.listeners.lock().await.have_ended()
    }

    fn compile(&self) -> Result<crate::snapshot::Snapshot, Problems> {
        let loaded = self.source.load()?;
        let compiled = compile(&loaded, &self.state.kept, &self.slow, Purpose::Run)?;
        for warning in &compiled.warnings {
            log::warn(warning);
        }
        Ok(compiled.snapshot)
    }
}
