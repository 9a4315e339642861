//! Which sockets listen, on which workers.

use std::collections::{HashMap, HashSet};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use crate::listener::{bind, quic};
use crate::snapshot::{ListenerKey, ListenerRules, Snapshot};
use crate::telemetry::log;
use crate::worker::{Command, Handle};

/// The workers and what they listen on.
pub(crate) struct Sockets {
    workers: Vec<Handle>,
    /// The address of each listener, with the port that the system chose where the file leaves that to it.
    bound: HashMap<ListenerKey, SocketAddr>,
    /// The listeners that also speak HTTP/3, on the UDP port of the same number.
    bound_quic: HashSet<ListenerKey>,
}

/// What a new configuration changes: sockets that listen already, and listeners that go. Dropping it undoes it.
pub(crate) struct Change {
    opened: Vec<(ListenerKey, SocketAddr, Vec<TcpListener>)>,
    closed: Vec<ListenerKey>,
    opened_quic: Vec<(ListenerKey, Vec<quic::Share>)>,
    closed_quic: Vec<ListenerKey>,
}

/// How often a port is sought that is free for TCP and for UDP, where the file leaves the port to the system.
const ATTEMPTS: usize = 16;

impl Sockets {
    pub(crate) fn new(workers: Vec<Handle>) -> Sockets {
        Sockets {
            workers,
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
            if let Some(address) = self.bound.get(&rules.key) {
                if speaks_quic && !self.bound_quic.contains(&rules.key) {
                    opened_quic.push((rules.key, self.open_quic(*address)?));
                }
                continue;
            }
            let (address, sockets, shares) = self.open_both(rules.key.bind, speaks_quic)?;
            opened.push((rules.key, address, sockets));
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
            let (address, sockets) =
                open(bind, self.workers.len()).map_err(|error| format!("can't listen on {bind}: {error}"))?;
            if !speaks_quic {
                return Ok((address, sockets, None));
            }
            match self.open_quic(address) {
                Ok(shares) => return Ok((address, sockets, Some(shares))),
                Err(_) if bind.port() == 0 && attempt < ATTEMPTS => attempt += 1,
                Err(why) => return Err(why),
            }
        }
    }

    fn open_quic(&self, address: SocketAddr) -> Result<Vec<quic::Share>, String> {
        quic::open(address, self.workers.len())
            .map_err(|error| format!("can't listen on {address} by UDP, for HTTP/3: {error}"))
    }

    /// Hands new sockets to the workers and takes old ones from them. The snapshot with their rules must be in force.
    pub(crate) fn carry_out(&mut self, change: Change) {
        for (key, address, sockets) in change.opened {
            for (worker, socket) in self.workers.iter().zip(sockets) {
                worker.tell(Command::Listen(key, socket));
            }
            self.bound.insert(key, address);
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
            if let Some(address) = self.bound.remove(&key) {
                log::info(format_args!("no longer listening on {address}"));
            }
        }
    }

    /// Where the listeners of a configuration listen, such as `http://127.0.0.1:8080`.
    pub(crate) fn urls(&self, snapshot: &Snapshot) -> Vec<String> {
        let url = |rules: &Arc<ListenerRules>| {
            let scheme = if rules.tls.is_some() { "https" } else { "http" };
            let address = self.bound.get(&rules.key)?;
            Some(format!("{scheme}://{address}"))
        };
        snapshot.listeners.iter().filter_map(url).collect()
    }

    /// Takes no more connections; those that are busy may finish.
    pub(crate) fn drain(&self) {
        for worker in &self.workers {
            worker.tell(Command::Drain);
        }
    }

    /// Whether all workers have ended.
    pub(crate) fn have_ended(&self) -> bool {
        self.workers.iter().all(Handle::has_ended)
    }
}

/// The address of a new listener, its sockets, and those for QUIC.
type Opened = (SocketAddr, Vec<TcpListener>, Option<Vec<quic::Share>>);

/// One socket for each worker, all on one address; the system spreads connections over them.
fn open(address: SocketAddr, count: usize) -> std::io::Result<(SocketAddr, Vec<TcpListener>)> {
    let first = bind(address, true)?;
    let address = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..count {
        sockets.push(bind(address, false)?);
    }
    Ok((address, sockets))
}
