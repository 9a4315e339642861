//! Which sockets listen, on which workers.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::inherited::Inherited;
use crate::listener::{Listening, SocketFile, open_tcp, open_unix, quic};
use crate::snapshot::{Bind, ListenerKey, ListenerRules, Snapshot};
use crate::telemetry::log;
use crate::worker::{Command, Handle};

/// The workers and what they listen on.
pub(crate) struct Sockets {
    workers: Vec<Handle>,
    /// What was opened for us before we began.
    inherited: Inherited,
    /// What each listener is bound to.
    bound: HashMap<ListenerKey, Bound>,
    /// The listeners that also speak HTTP/3, on the UDP port of the same number.
    bound_quic: HashSet<ListenerKey>,
}

/// What a new configuration changes: sockets that listen already, and listeners that go. Dropping it undoes it.
pub(crate) struct Change {
    opened: Vec<(ListenerKey, Bound, Vec<Listening>)>,
    closed: Vec<ListenerKey>,
    opened_quic: Vec<(ListenerKey, Vec<quic::Share>)>,
    closed_quic: Vec<ListenerKey>,
}

/// How often a port is sought that is free for TCP and for UDP, where the file leaves the port to the system.
const ATTEMPTS: usize = 16;

impl Sockets {
    pub(crate) fn new(workers: Vec<Handle>, inherited: Inherited) -> Sockets {
        Sockets {
            workers,
            inherited,
            bound: HashMap::new(),
            bound_quic: HashSet::new(),
        }
    }

    /// Opens the sockets that a configuration needs more than there are, one for each worker.
    ///
    /// # Errors
    /// Names the address that can't be had. Nothing has changed then.
    pub(crate) fn change_to(&self, listeners: &[Arc<ListenerRules>]) -> Result<Change, String> {
        let (mut opened, mut opened_quic) = (Vec::new(), Vec::new());
        for rules in listeners {
            let speaks_quic = rules.quic.is_some();
            if let Some(bound) = self.bound.get(&rules.key) {
                if speaks_quic
                    && !self.bound_quic.contains(&rules.key)
                    && let Bound::Tcp(address) = bound
                {
                    opened_quic.push((rules.key, self.open_quic(*address)?));
                }
                continue;
            }
            let (bound, sockets, shares) = match rules.key.bind {
                Bind::Tcp(bind) => self.open_both(bind, speaks_quic)?,
                Bind::Unix(path) => self.open_unix(path, rules.mode)?,
            };
            opened.push((rules.key, bound, sockets));
            opened_quic.extend(shares.map(|shares| (rules.key, shares)));
        }
        let stays = |key: &ListenerKey| listeners.iter().any(|rules| rules.key == *key);
        let closed = self.bound.keys().filter(|key| !stays(key)).copied().collect();
        let stays = |key: &ListenerKey| listeners.iter().any(|rules| rules.key == *key && rules.quic.is_some());
        let closed_quic = self.bound_quic.iter().filter(|key| !stays(key)).copied().collect();
        Ok(Change {
            opened,
            closed,
            opened_quic,
            closed_quic,
        })
    }

    /// The sockets of a new listener, and those of the same port for QUIC, where it speaks that.
    fn open_both(&self, bind: SocketAddr, speaks_quic: bool) -> Result<Opened, String> {
        let mut attempt = 1;
        loop {
            let (address, sockets) = self
                .open_tcp(bind)
                .map_err(|error| format!("can't listen on {bind}: {error}"))?;
            if !speaks_quic {
                return Ok((Bound::Tcp(address), sockets, None));
            }
            match self.open_quic(address) {
                Ok(shares) => return Ok((Bound::Tcp(address), sockets, Some(shares))),
                Err(_) if bind.port() == 0 && attempt < ATTEMPTS => attempt += 1,
                Err(why) => return Err(why),
            }
        }
    }

    fn open_tcp(&self, bind: SocketAddr) -> io::Result<(SocketAddr, Vec<Listening>)> {
        match self.inherited.tcp(bind) {
            Some(socket) => Ok((bind, Listening::Tcp(socket).shared_by(self.workers.len())?)),
            None => open_tcp(bind, self.workers.len()),
        }
    }

    fn open_unix(&self, path: &Path, mode: u32) -> Result<Opened, String> {
        let cannot = |error| format!("can't listen on {}: {error}", path.display());
        let (socket, file) = match self.inherited.unix(path) {
            // Whoever made its file removes it.
            Some(socket) => (Listening::Unix(socket), None),
            None => open_unix(path, mode)
                .map(|(socket, file)| (socket, Some(file)))
                .map_err(cannot)?,
        };
        let sockets = socket.shared_by(self.workers.len()).map_err(cannot)?;
        let path = path.to_owned();
        Ok((Bound::Unix(path, file), sockets, None))
    }

    fn open_quic(&self, address: SocketAddr) -> Result<Vec<quic::Share>, String> {
        quic::open(address, self.workers.len())
            .map_err(|error| format!("can't listen on {address} by UDP, for HTTP/3: {error}"))
    }

    /// Hands new sockets to the workers and takes old ones from them. The snapshot with their rules must be in force.
    pub(crate) fn carry_out(&mut self, change: Change) {
        for (key, bound, sockets) in change.opened {
            for (worker, socket) in self.workers.iter().zip(sockets) {
                worker.tell(Command::Listen(key, socket));
            }
            self.bound.insert(key, bound);
        }
        for (key, shares) in change.opened_quic {
            for (worker, share) in self.workers.iter().zip(shares) {
                worker.tell(Command::ListenQuic(key, share));
            }
            self.bound_quic.insert(key);
        }
        for key in change.closed_quic {
            for worker in &self.workers {
                worker.tell(Command::UnlistenQuic(key));
            }
            self.bound_quic.remove(&key);
        }
        for key in change.closed {
            for worker in &self.workers {
                worker.tell(Command::Unlisten(key));
            }
            if let Some(bound) = self.bound.remove(&key) {
                let place = bound.to_string();
                drop(bound);
                log::info(format_args!("no longer listening on {place}"));
            }
        }
        self.inherited.close_rest();
        for worker in &self.workers {
            worker.tell(Command::Renew);
        }
    }

    /// Where the listeners of a configuration listen, such as `http://127.0.0.1:8080`.
    pub(crate) fn urls(&self, snapshot: &Snapshot) -> Vec<String> {
        let url = |rules: &Arc<ListenerRules>| {
            let scheme = if rules.tls.is_some() { "https" } else { "http" };
            match self.bound.get(&rules.key)? {
                Bound::Tcp(address) => Some(format!("{scheme}://{address}")),
                bound => Some(bound.to_string()),
            }
        };
        snapshot.listeners.iter().filter_map(url).collect()
    }

    /// Takes no more connections; those that are busy may finish.
    pub(crate) fn drain(&mut self) {
        for bound in self.bound.values_mut() {
            if let Bound::Unix(_, file) = bound {
                // Nobody is to find it any more. Those who wait at it are let in.
                drop(file.take());
            }
        }
        for worker in &self.workers {
            worker.tell(Command::Drain);
        }
    }

    /// Asks the workers whether their event loops turn. Each answers, or its thread has ended.
    pub(crate) fn ask_workers(&self) -> Vec<oneshot::Receiver<()>> {
        let ask = |worker: &Handle| {
            let (asker, answer) = oneshot::channel();
            worker.tell(Command::Answer(asker));
            answer
        };
        self.workers.iter().map(ask).collect()
    }

    /// Whether all workers have ended.
    pub(crate) fn have_ended(&self) -> bool {
        self.workers.iter().all(Handle::has_ended)
    }
}

/// What a new listener is bound to, its sockets, and those for QUIC.
type Opened = (Bound, Vec<Listening>, Option<Vec<quic::Share>>);

/// What a listener is bound to.
enum Bound {
    /// An address, with the port that the system chose where the file leaves that to it.
    Tcp(SocketAddr),
    Unix(PathBuf, Option<SocketFile>),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Tcp(address) => write!(f, "{address}"),
            Bound::Unix(path, _) => write!(f, "unix:{}", path.display()),
        }
    }
}
