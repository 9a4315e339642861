//! Sockets that were opened for us before we began: by a service manager (`sd_listen_fds(3)`), or by the process whose place
//! this one takes (`upgrade.rs`).
//!
//! One that listens on an address of the configuration is used in place of a new one, so that nobody who connects
//! meanwhile is refused.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use listenfd::ListenFd;

use crate::listener::quic::{Elder, Share};
use crate::listener::{Listening, SocketFile};
use crate::snapshot::{Bind, ListenerKey};
use crate::telemetry::log;
use crate::upgrade::{Described, Kind};

/// The sockets that nobody has asked for yet.
#[derive(Default)]
pub(crate) struct Inherited(Mutex<Sockets>);

#[derive(Default)]
struct Sockets {
    tcp: Vec<TcpListener>,
    unix: Vec<UnixListener>,
    handed: Vec<Handed>,
    /// The numbers of those that were handed over and asked for.
    kept: Vec<usize>,
}

/// A socket of the process before.
struct Handed {
    number: usize,
    described: Described,
    socket: OwnedFd,
}

/// The sockets of a listener as the process before had them, each once, and the file of a Unix socket.
pub(crate) struct Listened {
    pub(crate) sockets: Vec<Listening>,
    pub(crate) file: Option<SocketFile>,
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

    /// Adds those of the process before, in their order.
    pub(crate) fn and_handed(self, sockets: Vec<(Described, OwnedFd)>) -> Inherited {
        let handed = sockets.into_iter().enumerate();
        let handed = handed.map(|(number, (described, socket))| Handed {
            number,
            described,
            socket,
        });
        self.sockets().handed.extend(handed);
        self
    }

    /// What the process before listened on for this listener, if it did.
    pub(crate) fn listened(&self, key: ListenerKey) -> Option<Listened> {
        let mut file = None;
        let taken = self.handed(|described| match (described.is_of(key), described.kind, key.bind) {
            (true, Kind::Tcp, Bind::Tcp(_)) => true,
            (true, Kind::Unix { file: made }, Bind::Unix(path)) => {
                file = made.and_then(|identity| SocketFile::taken_over(path, identity));
                true
            }
            _ => false,
        });
        let sockets = taken.into_iter().map(|handed| match key.bind {
            Bind::Tcp(_) => Listening::Tcp(handed.socket.into()),
            Bind::Unix(_) => Listening::Unix(handed.socket.into()),
        });
        let sockets: Vec<Listening> = sockets.collect();
        (!sockets.is_empty()).then_some(Listened { sockets, file })
    }

    /// The sockets by which the process before spoke QUIC for this listener, if it did; for a process of that generation.
    pub(crate) fn spoken_quic(&self, key: ListenerKey, generation: u8) -> Option<Vec<Share>> {
        let udp = self.handed(|described| described.is_of(key) && matches!(described.kind, Kind::Udp { .. }));
        if udp.is_empty() {
            return None;
        }
        let mut elders = self.handed(|described| described.is_of(key) && matches!(described.kind, Kind::Elder { .. }));
        let shares = udp.into_iter().filter_map(|handed| {
            let Kind::Udp { place, of } = handed.described.kind else {
                return None;
            };
            let here = elders.extract_if(
                ..,
                |elder| matches!(elder.described.kind, Kind::Elder { place: at, .. } if at == place),
            );
            let here = here.filter_map(|elder| match elder.described.kind {
                Kind::Elder { generation, .. } => Some(Elder::new(generation, elder.socket)),
                _ => None,
            });
            Some(Share {
                socket: handed.socket.into(),
                place,
                of,
                generation,
                elders: Arc::new(here.collect()),
                ceded: Arc::default(),
            })
        });
        Some(shares.collect())
    }

    /// Where operators asked the process before, if it was this address.
    pub(crate) fn operators(&self, bind: SocketAddr) -> Option<TcpListener> {
        let mut taken = self.handed(|described| described.is_admin(bind));
        Some(taken.pop()?.socket.into())
    }

    /// The numbers of the sockets that were asked for. The others are closed: the process before sees to who waits there.
    pub(crate) fn kept(&self) -> Vec<usize> {
        let mut sockets = self.sockets();
        sockets.handed.clear();
        std::mem::take(&mut sockets.kept)
    }

    fn handed(&self, is_it: impl FnMut(&Described) -> bool) -> Vec<Handed> {
        let mut is_it = is_it;
        let mut sockets = self.sockets();
        let taken: Vec<Handed> = sockets
            .handed
            .extract_if(.., |handed| is_it(&handed.described))
            .collect();
        sockets.kept.extend(taken.iter().map(|handed| handed.number));
        taken
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
