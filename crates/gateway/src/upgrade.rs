//! Another binary in place of the one that runs, without a lost connection.
//!
//! ```text
//! old: SIGUSR2 ─ starts the new one ─ sockets, offer ────────┐             ┌─ document ─ stops accepting, drains, ends
//! new:                      compiles, opens, is ready ◀──────┘ ─ ready ───▶┘     └───▶ accepts from the same sockets
//! ```
//!
//! The new process is given the very sockets, so that who waits in their queues is served by whichever process accepts
//! next. Until it has said that it is ready nothing changes for the old one; and when it fails, or says nothing in time,
//! the old one goes on as if nothing had been.
//!
//! `program.rs` knows what to start, `line.rs` is what the two talk over, `message.rs` what they say. `successor.rs` is
//! the old one's side, `predecessor.rs` the new one's.

mod line;
mod message;
mod predecessor;
mod program;
mod successor;

use std::future::pending;
use std::io;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use self::line::Line;
pub(crate) use self::message::{Described, Kind, Offer};
pub(crate) use self::predecessor::Predecessor;
pub(crate) use self::program::Program;
pub(crate) use self::successor::{Ceding, Offered, Successor};

/// Upgrades of this process: at most one is under way.
pub(crate) struct Upgrades {
    program: io::Result<Program>,
    under_way: Option<UnderWay>,
}

struct UnderWay {
    line: Arc<Line>,
    waiting: JoinHandle<Result<Successor, String>>,
}

impl Upgrades {
    /// None so far.
    pub(crate) fn new(program: io::Result<Program>) -> Upgrades {
        Upgrades {
            program,
            under_way: None,
        }
    }

    /// Starts the program again and offers it these sockets.
    ///
    /// # Errors
    /// Why it can't be.
    pub(crate) fn begin(&mut self, offered: Offered) -> Result<(), String> {
        let program = self.program.as_ref();
        let program = program.map_err(|error| format!("can't tell which program this is: {error}"))?;
        let started = successor::start(program)?;
        let line = started.line();
        let waiting = Handle::current().spawn_blocking(move || started.become_ready(&offered));
        self.under_way = Some(UnderWay { line, waiting });
        Ok(())
    }

    /// Whether one is under way.
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// The process that is ready to take over, or why there is none. Waits for ever while no upgrade is under way.
    pub(crate) async fn outcome(&mut self) -> Result<Successor, String> {
        let Some(under_way) = &mut self.under_way else {
            return pending().await;
        };
        let outcome = (&mut under_way.waiting).await;
        self.under_way = None;
        outcome.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// Gives up the one that is under way: the new process ends.
    pub(crate) async fn give_up(&mut self) {
        if let Some(under_way) = &self.under_way {
            under_way.line.cut();
            if let Ok(successor) = self.outcome().await {
                let _ = Handle::current().spawn_blocking(move || successor.dismiss()).await;
            }
        }
    }
}
