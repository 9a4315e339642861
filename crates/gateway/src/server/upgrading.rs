//! SIGUSR2: another process of the same program takes over.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedMutexGuard};

use super::Running;
use crate::reload::Asker;
use crate::sockets::Pledge;
use crate::telemetry::log;
use crate::upgrade::{Described, Offer, Offered, Successor};

/// The operators' listener, as it is handed to the next process.
pub(super) struct Operators {
    pub(super) bind: std::net::SocketAddr,
    /// The socket once more.
    pub(super) spare: TcpListener,
    /// Ends the listener of this process.
    pub(super) end: Arc<Notify>,
}

/// What was promised to a process that is starting.
pub(super) struct Pledged {
    pledge: Pledge,
    /// Nothing is reloaded until it is decided who serves.
    _turn: OwnedMutexGuard<()>,
    /// Whether somebody asked for a reload meanwhile.
    pub(super) reload: bool,
}

impl Running {
    /// Starts the program again and offers it what this process has.
    pub(super) async fn begin_upgrade(&mut self) {
        if self.upgrades.is_under_way() {
            return log::warn("upgrade refused: one is under way");
        }
        let turn = self.reloader.turn().await;
        let begun = match self.offer().await {
            Ok((offered, pledge)) => self.upgrades.begin(offered).map(|()| pledge),
            Err(why) => Err(why),
        };
        match begun {
            Ok(pledge) => {
                self.pledged = Some(Pledged {
                    pledge,
                    _turn: turn,
                    reload: false,
                });
            }
            Err(why) => self.upgrade_failed(&why),
        }
    }

    async fn offer(&self) -> Result<(Offered, Pledge), String> {
        let cannot = |error: std::io::Error| format!("can't hand over the sockets: {error}");
        let (mut sockets, pledge) = self.reloader.offer().await.map_err(cannot)?;
        if let Some(operators) = &self.operators {
            let spare = operators.spare.try_clone().map_err(cannot)?;
            sockets.push((Described::admin(operators.bind), OwnedFd::from(spare)));
        }
        let tallies = &self.state.tallies;
        let offer = Offer {
            pid: std::process::id(),
            generation: self.generation,
            upgrades: tallies.upgrades.load(Ordering::Relaxed),
            upgrades_failed: tallies.upgrades_failed.load(Ordering::Relaxed),
        };
        Ok((Offered { offer, sockets }, pledge))
    }

    /// Lets the new process serve, if it is ready. Whether it does: then this one is to drain and end.
    pub(super) async fn end_upgrade(&mut self, outcome: Result<Successor, String>) -> bool {
        let Some(pledged) = self.pledged.take() else {
            return false;
        };
        let reload = pledged.reload;
        let handed_over = match outcome {
            Ok(successor) => self.hand_over(successor, pledged).await,
            Err(why) => Err(why),
        };
        match handed_over {
            Ok(()) => true,
            Err(why) => {
                self.upgrade_failed(&why);
                if reload {
                    self.reload(Asker::Signal).await;
                }
                false
            }
        }
    }

    async fn hand_over(&mut self, successor: Successor, pledged: Pledged) -> Result<(), String> {
        let pid = successor.pid();
        let handover = self.state.handover.clone();
        handover.end();
        let reload = pledged.reload;
        let ceding = Handle::current().spawn_blocking(move || successor.cede(&handover.document(), reload));
        let ceding = ceding.await.unwrap_or_else(|error| Err(error.to_string()));
        let ceding = ceding.inspect_err(|_| self.state.handover.go_on())?;
        // From here on the other one serves, and there is no way back.
        self.manager.hand_over(pid);
        self.state.ready.store(false, Ordering::Release);
        self.reloader.cede(pledged.pledge, &ceding).await;
        if let Some(operators) = self.operators.take() {
            operators.end.notify_one();
        }
        log::info(format_args!("handed over to process {pid}"));
        Ok(())
    }

    fn upgrade_failed(&self, why: &str) {
        self.state.tallies.upgrades_failed.fetch_add(1, Ordering::Relaxed);
        log::warn(format_args!("the upgrade failed, and this process goes on: {why}"));
    }
}
