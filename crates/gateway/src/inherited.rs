//! Sockets that were opened for us before we began: by a service manager (`sd_listen_fds(3)`).
//!
//! One that listens on an address of the configuration is used in place of a new one, so that nobody who connects
//! meanwhile is refused.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use listenfd::ListenFd;

use crate::telemetry::log;

/// The sockets that nobody has asked for yet.
#[derive(Default)]
pub(crate) struct Inherited(Mutex<Sockets>);

#[derive(Default)]
struct Sockets {
    tcp: Vec<TcpListener>,
    unix: Vec<UnixListener>,
}

impl Inherited {
    /// Those that the environment tells of: `LISTEN_FDS`, `LISTEN_PID`. Once for the process.
    pub(crate) fn from_environment() -> Inherited {
        let mut given = ListenFd::from_env();
        let mut sockets = Sockets::default();
        for index in 0..given.len() {
            if let Ok(Some(socket)) = given.take_tcp_listener(index) {
                sockets.tcp.push(socket);
            } else if let Ok(Some(socket)) = given.take_unix_listener(index) {
                sockets.unix.push(socket);
            } else {
                log::warn(format_args!(
                    "the inherited socket {index} doesn't listen over TCP or at a path"
                ));
            }
        }
        Inherited(Mutex::new(sockets))
    }

    /// The one that listens on this address over TCP.
    pub(crate) fn tcp(&self, address: SocketAddr) -> Option<TcpListener> {
        let sockets = &mut self.sockets().tcp;
        take(sockets, |socket| {
            socket.local_addr().is_ok_and(|local| local == address)
        })
    }

    /// The one that listens on this path.
    pub(crate) fn unix(&self, path: &Path) -> Option<UnixListener> {
        let sockets = &mut self.sockets().unix;
        let is_it = |socket: &UnixListener| {
            let local = socket.local_addr();
            local.is_ok_and(|local| local.as_pathname() == Some(path))
        };
        take(sockets, is_it)
    }

    /// Warns of those that nobody asked for: clients who connect to them would wait in vain. They are closed.
    pub(crate) fn close_rest(&self) {
        let rest = std::mem::take(&mut *self.sockets());
        for address in rest.tcp.iter().flat_map(TcpListener::local_addr) {
            log::warn(format_args!("no listener is bound to the inherited socket {address}"));
        }
        for address in rest.unix.iter().flat_map(UnixListener::local_addr) {
            log::warn(format_args!("no listener is bound to the inherited socket {address:?}"));
        }
    }

    fn sockets(&self) -> std::sync::MutexGuard<'_, Sockets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take<S>(sockets: &mut Vec<S>, is_it: impl Fn(&S) -> bool) -> Option<S> {
    let at = sockets.iter().position(is_it)?;
    Some(sockets.swap_remove(at))
}
