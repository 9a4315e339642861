//! Which sockets listen, on which workers.

mod pledge;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::oneshot;

pub(crate) use self::pledge::Pledge;
use crate::inherited::Inherited;
use crate::listener::{Listening, SocketFile, open_tcp, open_unix, quic};
use crate::snapshot::{Bind, ListenerKey, ListenerRules, Snapshot};
use crate::telemetry::log;
use crate::worker::{Command, Handle};

/// The workers and what they listen on.
pub(crate) struct Sockets {
    workers: Vec<Handle>,
    /// What was opened for us before we began.
    inherited: Arc<Inherited>,
    /// Which process this is since the first one.
    generation: u8,
    /// What each listener is bound to.
    bound: HashMap<ListenerKey, Bound>,
    /// The listeners that also speak HTTP/3, on the UDP port of the same number: their sockets once more, for a process that
    /// takes over.
    bound_quic: HashMap<ListenerKey, Vec<quic::Share>>,
}

/// What a new configuration changes: sockets that listen already, and listeners that go. Dropping it undoes it.
pub(crate) struct Change {
    opened: Vec<(ListenerKey, Bound, Vec<Listening>)>,
    closed: Vec<ListenerKey>,
    opened_quic: Vec<(ListenerKey, Vec<quic::Share>, Vec<quic::Share>)>,
    closed_quic: Vec<ListenerKey>,
}

/// How often a port is sought that is free for TCP and for UDP, where the file leaves the port to the system.
const ATTEMPTS: usize = 16;

impl Sockets {
    pub(crate) fn new(workers: Vec<Handle>, inherited: Arc<Inherited>, generation: u8) -> Sockets {
        Sockets {
            workers,
            inherited,
            generation,
            bound: HashMap::new(),
            bound_quic: HashMap::new(),
        }
    }

    /// Opens the sockets that a configuration needs more than there are, one for each worker.
    ///
    /// # Errors
    /// Names the address that can't be had. Nothing has changed then.
    pub(crate) fn change_to(&self, listeners: &[Arc<ListenerRules>]) -> Result<Change, String> {
        let (mut opened, mut opened_quic) = (Vec::new(), Vec::new());
        for rules in listeners {
            let cannot = |error| format!("can't listen on {}: {error}", rules.key.bind);
            let speaks_quic = rules.quic.is_some();
            let mut shares = None;
            if let Some(bound) = self.bound.get(&rules.key) {
                if speaks_quic
                    && !self.bound_quic.contains_key(&rules.key)
                    && let Place::Tcp(address) = bound.place
                {
                    shares = Some(self.open_quic(address)?);
                }
            } else {
                let (place, sockets, quic) = match self.take_over(rules)? {
                    Some(taken) => taken,
                    None => match rules.key.bind {
                        Bind::Tcp(bind) => self.open_both(bind, speaks_quic)?,
                        Bind::Unix(path) => self.open_unix(path, rules.mode)?,
                    },
                };
                let spares = sockets.iter().map(Listening::try_clone).collect::<io::Result<_>>();
                let spares = spares.map_err(cannot)?;
                let sockets = self.for_all_workers(sockets).map_err(cannot)?;
                opened.push((rules.key, Bound { place, spares }, sockets));
                shares = quic;
            }
            if let Some(shares) = shares {
                let spares = shares.iter().map(quic::Share::try_clone).collect::<io::Result<_>>();
                opened_quic.push((rules.key, spares.map_err(cannot)?, shares));
            }
        }
        let stays = |key: &ListenerKey| listeners.iter().any(|rules| rules.key == *key);
        let closed = self.bound.keys().filter(|key| !stays(key)).copied().collect();
        let stays = |key: &ListenerKey| listeners.iter().any(|rules| rules.key == *key && rules.quic.is_some());
        let closed_quic = self.bound_quic.keys().filter(|key| !stays(key)).copied().collect();
        Ok(Change {
            opened,
            closed,
            opened_quic,
            closed_quic,
        })
    }

    /// The sockets that the process before had for a listener.
    fn take_over(&self, rules: &ListenerRules) -> Result<Option<Opened>, String> {
        let Some(listened) = self.inherited.listened(rules.key) else {
            return Ok(None);
        };
        let place = match (rules.key.bind, &listened.sockets[..]) {
            (Bind::Tcp(_), [Listening::Tcp(socket), ..]) => {
                let address = socket.local_addr();
                Place::Tcp(address.map_err(|error| format!("can't listen on {}: {error}", rules.key.bind))?)
            }
            (Bind::Unix(path), _) => Place::Unix(path.to_owned(), listened.file),
            (Bind::Tcp(_), _) => return Ok(None),
        };
        let shares = match place {
            Place::Tcp(address) if rules.quic.is_some() => {
                let taken = self.inherited.spoken_quic(rules.key, self.generation);
                Some(taken.map_or_else(|| self.open_quic(address), Ok)?)
            }
            _ => None,
        };
        Ok(Some((place, listened.sockets, shares)))
    }

    /// At least one socket for each worker: where there are fewer, some workers share one.
    fn for_all_workers(&self, mut sockets: Vec<Listening>) -> io::Result<Vec<Listening>> {
        let missing = self.workers.len().saturating_sub(sockets.len());
        let shared: io::Result<Vec<Listening>> =
            sockets.iter().cycle().take(missing).map(Listening::try_clone).collect();
        sockets.extend(shared?);
        Ok(sockets)
    }

    /// The sockets of a new listener, and those of the same port for QUIC, where it speaks that.
    fn open_both(&self, bind: SocketAddr, speaks_quic: bool) -> Result<Opened, String> {
        let mut attempt = 1;
        loop {
            let (address, sockets) = self
                .open_tcp(bind)
                .map_err(|error| format!("can't listen on {bind}: {error}"))?;
            if !speaks_quic {
                return Ok((Place::Tcp(address), sockets, None));
            }
            match self.open_quic(address) {
                Ok(shares) => return Ok((Place::Tcp(address), sockets, Some(shares))),
                Err(_) if bind.port() == 0 && attempt < ATTEMPTS => attempt += 1,
                Err(why) => return Err(why),
            }
        }
    }

    fn open_tcp(&self, bind: SocketAddr) -> io::Result<(SocketAddr, Vec<Listening>)> {
        match self.inherited.tcp(bind) {
            Some(socket) => Ok((bind, vec![Listening::Tcp(socket)])),
            None => open_tcp(bind, self.workers.len()),
        }
    }

    fn open_unix(&self, path: &Path, mode: u32) -> Result<Opened, String> {
        let (socket, file) = match self.inherited.unix(path) {
            // Whoever made its file removes it.
            Some(socket) => (Listening::Unix(socket), None),
            None => open_unix(path, mode)
                .map(|(socket, file)| (socket, Some(file)))
                .map_err(|error| format!("can't listen on {}: {error}", path.display()))?,
        };
        Ok((Place::Unix(path.to_owned(), file), vec![socket], None))
    }

    fn open_quic(&self, address: SocketAddr) -> Result<Vec<quic::Share>, String> {
        quic::open(address, self.workers.len(), self.generation)
            .map_err(|error| format!("can't listen on {address} by UDP, for HTTP/3: {error}"))
    }

    /// Hands new sockets to the workers and takes old ones from them. The snapshot with their rules must be in force.
    pub(crate) fn carry_out(&mut self, change: Change) {
        for (key, bound, sockets) in change.opened {
            for (worker, socket) in self.workers.iter().cycle().zip(sockets) {
                worker.tell(Command::Listen(key, socket));
            }
            self.bound.insert(key, bound);
        }
        for (key, spares, shares) in change.opened_quic {
            for (worker, share) in self.workers.iter().cycle().zip(shares) {
                worker.tell(Command::ListenQuic(key, share));
            }
            self.bound_quic.insert(key, spares);
        }
        for key in change.closed_quic {
            self.close_quic(key);
        }
        for key in change.closed {
            self.close(key);
        }
        self.inherited.close_rest();
        for worker in &self.workers {
            worker.tell(Command::Renew);
        }
    }

    fn close_quic(&mut self, key: ListenerKey) {
        self.bound_quic.remove(&key);
        for worker in &self.workers {
            worker.tell(Command::UnlistenQuic(key));
        }
    }

    fn close(&mut self, key: ListenerKey) {
        let bound = self.bound.remove(&key);
        let place = bound.as_ref().map(|bound| bound.place.to_string());
        // Before the workers close theirs: a socket that anybody holds goes on listening.
        drop(bound);
        for worker in &self.workers {
            worker.tell(Command::Unlisten(key));
        }
        if let Some(place) = place {
            log::info(format_args!("no longer listening on {place}"));
        }
    }

    /// Where the listeners of a configuration listen, such as `http://127.0.0.1:8080`.
    pub(crate) fn urls(&self, snapshot: &Snapshot) -> Vec<String> {
        let url = |rules: &Arc<ListenerRules>| {
            let scheme = if rules.tls.is_some() { "https" } else { "http" };
            match &self.bound.get(&rules.key)?.place {
                Place::Tcp(address) => Some(format!("{scheme}://{address}")),
                place => Some(place.to_string()),
            }
        };
        snapshot.listeners.iter().filter_map(url).collect()
    }

    /// Takes no more connections; those that are busy may finish.
    pub(crate) fn drain(&mut self) {
        // Nobody is to find the file of a socket any more. Those who wait at it are let in.
        self.bound.clear();
        self.bound_quic.clear();
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
type Opened = (Place, Vec<Listening>, Option<Vec<quic::Share>>);

/// What a listener is bound to, and its sockets once more, for a process that takes over.
struct Bound {
    place: Place,
    spares: Vec<Listening>,
}

/// Where a listener is found.
enum Place {
    /// An address, with the port that the system chose where the file leaves that to it.
    Tcp(SocketAddr),
    Unix(PathBuf, Option<SocketFile>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Tcp(address) => write!(f, "{address}"),
            Place::Unix(path, _) => write!(f, "unix:{}", path.display()),
        }
    }
}
