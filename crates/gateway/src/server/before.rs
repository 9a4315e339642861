//! What was there before this process: sockets that somebody opened for it, and perhaps a process whose place it takes.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::upgrading::Operators;
use crate::admin;
use crate::inherited::Inherited;
use crate::reload::Reloader;
use crate::state::State;
use crate::telemetry::log;
use crate::upgrade::Predecessor;

/// What was there before.
pub(super) struct Before {
    predecessor: Option<Predecessor>,
    inherited: Arc<Inherited>,
}

/// What comes of it.
pub(super) struct After {
    pub(super) inherited: Arc<Inherited>,
    /// Which process this is since the first one.
    pub(super) generation: u8,
    /// Whether somebody asked for a reload while this process took over; known once it has.
    pub(super) reload_due: Arc<AtomicBool>,
}

impl Before {
    /// Looks, once for the process.
    ///
    /// # Errors
    /// Why the place of the process that started this one for it can't be taken.
    pub(super) fn look() -> Result<Before, String> {
        let inherited = Inherited::from_environment();
        let (predecessor, inherited) = match Predecessor::meet()? {
            None => (None, inherited),
            Some((predecessor, sockets)) => {
                log::info(format_args!("taking over from process {}", predecessor.offer.pid));
                (Some(predecessor), inherited.and_handed(sockets))
            }
        };
        Ok(Before {
            predecessor,
            inherited: Arc::new(inherited),
        })
    }

    /// Whether another process serves until this one takes over.
    pub(super) fn is_somebody(&self) -> bool {
        self.predecessor.is_some()
    }

    /// Says where what lives on is to be had, and where it is kept.
    ///
    /// # Errors
    /// When the folder for it can't be used.
    pub(super) fn hand_on(self, state: &State, folder: Option<&Path>) -> Result<After, String> {
        let inherited = self.inherited;
        let reload_due = Arc::<AtomicBool>::default();
        let mut generation = 0;
        if let Some(predecessor) = self.predecessor {
            generation = state.goes_on_from(predecessor.offer);
            if let Some(folder) = folder {
                state.handover.go_on_in(folder);
            }
            let (inherited, reload_due) = (inherited.clone(), reload_due.clone());
            state.handover.expect(move || {
                let (document, reload) = predecessor.take_over(inherited.kept())?;
                reload_due.store(reload, Ordering::Release);
                Ok(document)
            });
        } else if let Some(folder) = folder {
            let kept = state.handover.keep_in(folder)?;
            state.handover.expect(|| Ok(kept.unwrap_or_default()));
        }
        Ok(After {
            inherited,
            generation,
            reload_due,
        })
    }
}

/// What a process does without that has taken over: it serves, whatever else fails.
pub(super) fn unless_it_fails<T>(done: Result<Option<T>, String>) -> Option<T> {
    done.unwrap_or_else(|why| {
        log::warn(why);
        None
    })
}

/// Where operators ask, before anybody answers.
pub(super) struct Desk {
    bind: SocketAddr,
    pub(super) address: SocketAddr,
    socket: TcpListener,
}

impl Desk {
    /// The socket of the process before, or a new one.
    ///
    /// # Errors
    /// One line that names the address.
    pub(super) fn open(bind: SocketAddr, before: &Before) -> Result<Desk, String> {
        let socket = before.inherited.operators(bind).map_or_else(|| admin::bind(bind), Ok)?;
        let address = socket.local_addr();
        let address = address.map_err(|error| format!("can't listen on {bind} (admin): {error}"))?;
        Ok(Desk { bind, address, socket })
    }

    /// Answers operators.
    ///
    /// # Errors
    /// When the system gives no thread for it, or no descriptor.
    pub(super) fn serve(self, state: &Arc<State>, reloader: &Arc<Reloader>) -> Result<Operators, String> {
        let bind = self.bind;
        let spare = self.socket.try_clone();
        let spare = spare.map_err(|error| format!("can't listen on {bind} (admin): {error}"))?;
        let end = Arc::<Notify>::default();
        admin::start(self.socket, state.clone(), reloader.clone(), end.clone())?;
        Ok(Operators { bind, spare, end })
    }
}
