//! Connections in: accepted, counted, decrypted, handed to the protocol that they speak.

mod tls;

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portcullis_core::Connection;
use portcullis_http1::server;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

pub(crate) use self::tls::acceptor as tls_acceptor;
use crate::pipeline::Pipeline;
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

/// Accepts connections until the worker drains or this task is aborted.
pub(crate) async fn accept(worker: Rc<Worker>, key: ListenerKey, socket: std::net::TcpListener) {
    let listener = match TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => return log::warn(format_args!("can't listen on {}: {error}", key.bind)),
    };
    let ticket = worker.drain.join();
    let reserve = Reserve::new();
    loop {
        let accepted = std::future::poll_fn(|cx| {
            if let std::task::Poll::Ready(accepted) = listener.poll_accept(cx) {
                return std::task::Poll::Ready(Some(accepted));
            }
            // Only when none is waiting: what the system has accepted for us must not be lost.
            if ticket.poll_draining(cx) {
                std::task::Poll::Ready(None)
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        match accepted {
            None => return,
            Some(Ok((stream, peer))) => admit(&worker, key, stream, peer),
            Some(Err(error)) if is_exhausted(&error) => {
                worker.state.tallies.connections_shed.fetch_add(1, Ordering::Relaxed);
                reserve.shed(&listener, &error).await;
            }
            // The client went away while it waited.
            Some(Err(_)) => {}
        }
    }
}

fn is_exhausted(error: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE)) || error.kind() == io::ErrorKind::OutOfMemory
}

/// A descriptor kept back for the time when there are no more: then a waiting client can be told so, by closing its
/// connection, in place of being left to hang.
struct Reserve {
    file: Cell<Option<File>>,
    told: Cell<Option<std::time::Instant>>,
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
            self.told.set(Some(std::time::Instant::now()));
            log::warn(format_args!("no descriptor for another connection, shedding: {error}"));
        }
        drop(self.file.take());
        let shed = std::future::poll_fn(|cx| match listener.poll_accept(cx) {
            std::task::Poll::Ready(accepted) => std::task::Poll::Ready(accepted.ok()),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await;
        drop(shed);
        self.file.set(File::open("/dev/null").ok());
        tokio::time::sleep(SHED_PAUSE).await;
    }
}

/// Takes a connection in, if the listener's limit allows it.
fn admit(worker: &Rc<Worker>, key: ListenerKey, stream: TcpStream, peer: SocketAddr) {
    let tallies = &worker.state.tallies;
    let snapshot = worker.snapshot();
    // A listener that a reload took away may still be accepting for a moment.
    let Some(rules) = snapshot.listeners.iter().find(|rules| rules.key == key).cloned() else {
        return;
    };
    tallies.connections.fetch_add(1, Ordering::Relaxed);
    let open = Open::new(worker.clone(), rules.clone());
    if open.exceeds_limit() {
        tallies.connections_shed.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let worker = worker.clone();
    tokio::task::spawn_local(async move {
        serve(worker, rules, stream, peer).await;
        drop(open);
    });
}

/// Counts a connection until it is over.
struct Open {
    worker: Rc<Worker>,
    rules: Arc<ListenerRules>,
    before: u32,
}

impl Open {
    fn new(worker: Rc<Worker>, rules: Arc<ListenerRules>) -> Open {
        worker.connections.set(worker.connections.get() + 1);
        let before = rules.open.fetch_add(1, Ordering::Relaxed);
        Open { worker, rules, before }
    }

    fn exceeds_limit(&self) -> bool {
        self.before >= self.rules.max_connections
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.worker.connections.set(self.worker.connections.get() - 1);
        self.rules.open.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve(worker: Rc<Worker>, rules: Arc<ListenerRules>, stream: TcpStream, peer: SocketAddr) {
    // Without a local address the peer is gone already.
    let (Ok(local), Ok(())) = (stream.local_addr(), stream.set_nodelay(true)) else {
        return;
    };
    match rules.tls.clone() {
        None => {
            let connection = Connection::new(peer, local, None, false);
            speak(worker, rules, stream, connection).await;
        }
        Some(acceptor) => {
            let handshake = tokio::time::timeout(rules.settings.head_timeout, acceptor.accept(stream));
            let Ok(Ok(stream)) = Box::pin(handshake).await else {
                worker.state.tallies.handshakes_failed.fetch_add(1, Ordering::Relaxed);
                return;
            };
            let server_name = stream.get_ref().1.server_name().map(Box::from);
            let connection = Connection::new(peer, local, server_name, true);
            speak(worker, rules, Box::new(stream), connection).await;
        }
    }
}

/// Speaks HTTP/1.1 on a connection until it ends.
async fn speak<IO>(worker: Rc<Worker>, rules: Arc<ListenerRules>, io: IO, connection: Connection)
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let ticket = worker.drain.join();
    let pipeline = Pipeline {
        worker,
        rules: rules.clone(),
        connection: Rc::new(connection),
    };
    server::serve(io, &pipeline, &rules.settings, &ticket).await;
}
