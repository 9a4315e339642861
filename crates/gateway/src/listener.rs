//! Connections in: accepted, counted, decrypted, handed to the protocol that they speak.

mod connection;
pub(crate) mod crowd;
mod listening;
mod protocols;
mod proxy_protocol;
pub(crate) mod quic;
mod replayed;
mod socket;
mod tls;

use std::cell::Cell;
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use ipnet::IpNet;
use portcullis_config::bans::BanAnswer;
use portcullis_core::DrainTicket;

use self::connection::Ends;
use self::crowd::Place;
use self::listening::Incoming;
pub(crate) use self::listening::{Listening, SocketFile, open_tcp, open_unix};
pub(crate) use self::protocols::Protocols;
use self::socket::Socket;
pub(crate) use self::tls::{
    Issued, ListenerTls, Surroundings as TlsSurroundings, Tickets, watch as watch_certificates,
};
use crate::snapshot::{ListenerKey, ListenerRules};
use crate::telemetry::log;
use crate::worker::Worker;

/// How long a worker waits when the system has no descriptor or memory for another connection.
const SHED_PAUSE: Duration = Duration::from_millis(20);

/// Accepts connections until it is told to end, and then those that wait already.
pub(crate) async fn accept(worker: Rc<Worker>, key: ListenerKey, socket: Listening, end: DrainTicket) {
    let listener = match Incoming::new(socket) {
        Ok(listener) => listener,
        Err(error) => return log::warn(format_args!("can't listen on {}: {error}", key.bind)),
    };
    let reserve = Reserve::new();
    let mut door = Door {
        worker,
        key,
        rules: None,
    };
    loop {
        let accepted = poll_fn(|cx| match listener.poll_accept(cx) {
            Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
            Poll::Pending if end.poll_draining(cx) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await;
        match accepted {
            None => break,
            Some(Ok(connection)) => door.admit(connection),
            Some(Err(error)) if is_exhausted(&error) => {
                door.worker
                    .state
                    .tallies
                    .connections_shed
                    .fetch_add(1, Ordering::Relaxed);
                reserve.shed(&listener, &error).await;
            }
            // The client went away while it waited.
            Some(Err(_)) => {}
        }
    }
    // Closing the socket would reset them.
    for connection in listener.into_waiting() {
        door.admit(Some(connection));
    }
}

/// Lets connections in to one listener.
struct Door {
    worker: Rc<Worker>,
    key: ListenerKey,
    /// The rules of the last connection: they hold for those that still wait when a reload takes the listener away.
    rules: Option<Arc<ListenerRules>>,
}

fn is_exhausted(error: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = 105;
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOBUFS)) || error.kind() == io::ErrorKind::OutOfMemory
}

/// A descriptor kept back for the time when there are no more: then a waiting client can be told so, by closing its
/// connection, in place of being left to hang.
struct Reserve {
    file: Cell<Option<File>>,
    told: Cell<Option<Instant>>,
}

impl Reserve {
    fn new() -> Reserve {
        Reserve {
            file: Cell::new(File::open("/dev/null").ok()),
            told: Cell::new(None),
        }
    }

    async fn shed(&self, listener: &Incoming, error: &io::Error) {
        if self
            .told
            .get()
            .is_none_or(|told| told.elapsed() > Duration::from_secs(1))
        {
            self.told.set(Some(Instant::now()));
            log::warn(format_args!("no descriptor for another connection, shedding: {error}"));
        }
        drop(self.file.take());
        let shed = poll_fn(|cx| match listener.poll_accept(cx) {
            Poll::Ready(accepted) => Poll::Ready(accepted.ok()),
            Poll::Pending => Poll::Ready(None),
        })
        .await;
        drop(shed);
        self.file.set(File::open("/dev/null").ok());
        tokio::time::sleep(SHED_PAUSE).await;
    }
}

impl Door {
    /// Takes a connection in, if the listener's limit allows it.
    fn admit(&mut self, connection: Option<(Socket, Ends)>) {
        let snapshot = self.worker.snapshot();
        if let Some(rules) = snapshot.listeners.iter().find(|rules| rules.key == self.key) {
            self.rules = Some(rules.clone());
        }
        if let Some(rules) = &self.rules {
            admit(&self.worker, rules.clone(), connection);
        }
    }
}

fn admit(worker: &Rc<Worker>, rules: Arc<ListenerRules>, connection: Option<(Socket, Ends)>) {
    let tallies = &worker.state.tallies;
    tallies.connections.fetch_add(1, Ordering::Relaxed);
    let mut admitted = Admitted::new(worker.clone(), rules);
    if admitted.exceeds_limit() {
        tallies.connections_shed.fetch_add(1, Ordering::Relaxed);
        return;
    }
    if let Some((socket, ends)) = connection
        && admitted.takes(ends.peer.ip())
    {
        connection::begin(admitted, socket, ends);
    }
}

/// A connection that was taken in: it counts until it is over.
pub(crate) struct Admitted {
    pub(crate) worker: Rc<Worker>,
    pub(crate) rules: Arc<ListenerRules>,
    before: u32,
    /// Its place among those of its client, where they are limited.
    place: Option<Place>,
}

impl Admitted {
    fn new(worker: Rc<Worker>, rules: Arc<ListenerRules>) -> Admitted {
        worker.connections.set(worker.connections.get() + 1);
        let before = rules.open.fetch_add(1, Ordering::Relaxed);
        Admitted {
            worker,
            rules,
            before,
            place: None,
        }
    }

    /// Whether a connection of that peer may go on: it isn't banned, and has no more of them than it may. Who comes through a
    /// proxy before us is known later, if at all.
    fn takes(&mut self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        let is_in = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&peer));
        if is_in(&self.rules.trusted_proxies) || is_in(&self.rules.proxy_protocol) {
            return true;
        }
        let state = &self.worker.state;
        let snapshot = self.worker.snapshot();
        let closes = snapshot
            .bans
            .as_ref()
            .is_some_and(|bans| bans.answer == BanAnswer::Close);
        if closes && state.kept.bans.forbids(peer, SystemTime::now()) {
            state.kept.bans.connections.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        if let Some(crowd) = &self.rules.crowd {
            self.place = crowd.enter(peer);
            if self.place.is_none() {
                state.tallies.connections_shed.fetch_add(1, Ordering::Relaxed);
                return false;
            }
        }
        true
    }

    fn exceeds_limit(&self) -> bool {
        self.before >= self.rules.max_connections
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.worker.connections.set(self.worker.connections.get() - 1);
        self.rules.open.fetch_sub(1, Ordering::Relaxed);
    }
}
