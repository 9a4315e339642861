//! Connections in: accepted, counted, decrypted, handed to the protocol that they speak.

mod connection;
mod protocols;
pub(crate) mod quic;
mod replayed;
mod socket;
mod tls;

use std::cell::Cell;
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use portcullis_core::DrainTicket;
use tokio::net::{TcpListener, TcpStream};

use self::connection::Ends;
pub(crate) use self::protocols::Protocols;
use self::socket::Socket;
pub(crate) use self::tls::{Issued, ListenerTls, Surroundings as TlsSurroundings, Tickets, watch as watch_certificates};
use crate::snapshot::{ListenerKey, ListenerRules};
use crate::telemetry::log;
use crate::worker::Worker;

/// How long a worker waits when the system has no descriptor or memory for another connection.
const SHED_PAUSE: Duration = Duration::from_millis(20);

/// How many bytes of a queue of connections the system keeps for us.
const BACKLOG: i32 = 4096;

/// A socket that listens on `bind` together with those of the other workers. The `first` one makes sure that no other
/// process listens there: sockets that share an address would share its connections with whoever had it before.
///
/// # Errors
/// The system's, such as an address that is in use.
pub(crate) fn bind(bind: SocketAddr, first: bool) -> io::Result<std::net::TcpListener> {
    if first && bind.port() != 0 {
        let probe = socket(bind)?;
        probe.bind(&bind.into())?;
    }
    let socket = socket(bind)?;
    socket.set_reuse_port(true)?;
    socket.bind(&bind.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn socket(bind: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(bind), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Accepts connections until it is told to end, and then those that wait already.
pub(crate) async fn accept(worker: Rc<Worker>, key: ListenerKey, socket: std::net::TcpListener, end: DrainTicket) {
    let listener = match TcpListener::from_std(socket) {
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
            Some(Ok((stream, peer))) => door.admit(stream, peer),
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
    door.admit_waiting(listener);
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

    async fn shed(&self, listener: &TcpListener, error: &io::Error) {
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
    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        let snapshot = self.worker.snapshot();
        if let Some(rules) = snapshot.listeners.iter().find(|rules| rules.key == self.key) {
            self.rules = Some(rules.clone());
        }
        if let Some(rules) = &self.rules {
            admit(&self.worker, rules.clone(), stream, peer);
        }
    }

    /// Takes in what the system has accepted for us: closing the socket would reset it. The event loop may not know of
    /// all of it yet, so the system is asked.
    fn admit_waiting(mut self, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else { return };
        while let Ok((stream, peer)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                self.admit(stream, peer);
            }
        }
    }
}

fn admit(worker: &Rc<Worker>, rules: Arc<ListenerRules>, stream: TcpStream, peer: SocketAddr) {
    let tallies = &worker.state.tallies;
    tallies.connections.fetch_add(1, Ordering::Relaxed);
    let admitted = Admitted::new(worker.clone(), rules);
    if admitted.exceeds_limit() {
        tallies.connections_shed.fetch_add(1, Ordering::Relaxed);
        return;
    }
    // Without a local address the peer is gone already.
    let (Ok(local), Ok(())) = (stream.local_addr(), stream.set_nodelay(true)) else {
        return;
    };
    connection::begin(admitted, Socket::Tcp(stream), Ends { peer, local });
}

/// A connection that was taken in: it counts until it is over.
pub(crate) struct Admitted {
    pub(crate) worker: Rc<Worker>,
    pub(crate) rules: Arc<ListenerRules>,
    before: u32,
}

impl Admitted {
    fn new(worker: Rc<Worker>, rules: Arc<ListenerRules>) -> Admitted {
        worker.connections.set(worker.connections.get() + 1);
        let before = rules.open.fetch_add(1, Ordering::Relaxed);
        Admitted { worker, rules, before }
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
