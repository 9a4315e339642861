//! Which sockets listen, on which workers.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use crate::listener::bind;
use crate::snapshot::{ListenerKey, ListenerRules, Snapshot};
use crate::telemetry::log;
use crate::worker::{Command, Handle};

/// The workers and what they listen on.
pub(crate) struct Sockets {
    workers: Vec<Handle>,
    /// The address of each listener, with the port that the system chose where the file leaves that to it.
    bound: HashMap<ListenerKey, SocketAddr>,
}

/// What a new configuration changes: sockets that listen already, and listeners that go. Dropping it undoes it.
pub(crate) struct Change {
    opened: Vec<(ListenerKey, SocketAddr, Vec<TcpListener>)>,
    closed: Vec<ListenerKey>,
}

impl Sockets {
    pub(crate) fn new(workers: Vec<Handle>) -> Sockets {
        Sockets {
            workers,
            bound: HashMap::new(),
        }
    }

    /// Opens the sockets that a configuration needs more than there are, one for each worker.
    ///
    /// # Errors
    /// Names the address that can't be had. Nothing has changed then.
    pub(crate) fn change_to(&self, listeners: &[Arc<ListenerRules>]) -> Result<Change, String> {
        let mut opened = Vec::new();
        for rules in listeners {
            if !self.bound.contains_key(&rules.key) {
                let (address, sockets) = open(rules.key.bind, self.workers.len())
                    .map_err(|error| format!("can't listen on {}: {error}", rules.key.bind))?;
                opened.push((rules.key, address, sockets));
            }
        }
        let stays = |key: &ListenerKey| listeners.iter().any(|rules| rules.key == *key);
        let closed = self.bound.keys().filter(|key| !stays(key)).copied().collect();
        Ok(Change { opened, closed })
    }

    /// Hands new sockets to the workers and takes old ones from them. The snapshot with their rules must be in force.
    pub(crate) fn carry_out(&mut self, change: Change) {
        for (key, address, sockets) in change.opened {
            for (worker, socket) in self.workers.iter().zip(sockets) {
                worker.tell(Command::Listen(key, socket));
            }
            self.bound.insert(key, address);
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
