//! The thread of a stand-in: its listening socket, its event loop, its connections.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::thread::CpuSet;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::behaviour::Content;
use super::clock::Clock;
use super::conduct::{Conduct, Decision};
use super::{Settings, Shared, connection};

/// Connections that the kernel keeps until they are accepted: as many as clients that all come at once may make.
const QUEUE: i32 = 16 * 1024;

/// How long nothing is accepted after the system had no descriptor left.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a client may take for the handshake of TLS.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// How much is read at a time, for all connections of the thread.
const ROOM: usize = 64 * 1024;

/// What all connections share.
pub(super) struct Server {
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
    /// Where bytes are read to first, so that a connection that rests holds no memory for it.
    pub(super) room: RefCell<Vec<u8>>,
    conduct: RefCell<Conduct>,
    /// Which change the conduct knows of.
    seen: Cell<u64>,
    answer: RefCell<Answer>,
}

/// An answer as it is written.
#[derive(Clone)]
pub(super) struct Answer {
    /// Head and content.
    pub(super) whole: Bytes,
    /// How much of it is the head.
    pub(super) head: usize,
}

/// Binds a listening socket.
pub(super) fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(QUEUE)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Starts the thread; it serves when this returns, and until `ended` is.
pub(super) fn start(
    listener: std::net::TcpListener,
    settings: Settings,
    shared: Arc<Shared>,
    ended: oneshot::Receiver<()>,
) -> io::Result<JoinHandle<()>> {
    let (report, begun) = sync_channel(1);
    let serve = move || {
        let ready = begin(listener, &settings, shared);
        let (runtime, listener, server) = match ready {
            Ok(ready) => ready,
            Err(error) => {
                let _ = report.send(Err(error));
                return;
            }
        };
        let _ = report.send(Ok(()));
        runtime.block_on(async {
            tokio::select! {
                _ = ended => {}
                // It ends only with the system's timer, and answers that are due would never come then.
                _ = server.clock.run() => {}
                () = accept(&listener, &settings, &server) => {}
            }
        });
    };
    let thread = std::thread::Builder::new().name("stand-in".to_owned()).spawn(serve)?;
    begun
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("the thread ended as it began")))?;
    Ok(thread)
}

fn begin(
    listener: std::net::TcpListener,
    settings: &Settings,
    shared: Arc<Shared>,
) -> io::Result<(LocalRuntime, TcpListener, Rc<Server>)> {
    if let Some(processor) = settings.processor {
        pin(processor)?;
    }
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .event_interval(61)
        .build_local(LocalOptions::default())?;
    let (listener, clock) = {
        let _context = runtime.enter();
        (TcpListener::from_std(listener)?, Clock::new()?)
    };
    let (behaviour, epoch) = shared.current();
    let server = Server {
        answer: RefCell::new(Answer::of(&behaviour.content)),
        conduct: RefCell::new(Conduct::new(behaviour, epoch)),
        seen: Cell::new(1),
        room: RefCell::new(vec![0; ROOM]),
        clock,
        shared,
    };
    Ok((runtime, listener, Rc::new(server)))
}

/// Keeps this thread on one processor.
fn pin(processor: usize) -> io::Result<()> {
    if processor >= CpuSet::MAX_CPU {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "there is no such processor",
        ));
    }
    let mut only = CpuSet::new();
    only.set(processor);
    rustix::thread::sched_setaffinity(None, &only)?;
    Ok(())
}

async fn accept(listener: &TcpListener, settings: &Settings, server: &Rc<Server>) {
    let acceptor = settings.tls.clone().map(TlsAcceptor::from);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let most = u64::try_from(settings.connections).unwrap_or(u64::MAX);
        if server.shared.open.load(Ordering::Relaxed) >= most {
            continue;
        }
        // Without it answers are slower, and still right.
        let _ = stream.set_nodelay(true);
        let open = Open::new(Rc::clone(server));
        match acceptor.clone() {
            None => drop(tokio::task::spawn_local(connection::serve(stream, open))),
            Some(acceptor) => drop(tokio::task::spawn_local(secure(acceptor, stream, open))),
        }
    }
}

async fn secure(acceptor: TlsAcceptor, stream: TcpStream, open: Open) {
    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        connection::serve(stream, open).await;
    }
}

/// A connection that is counted while it is open.
pub(super) struct Open {
    pub(super) server: Rc<Server>,
}

impl Open {
    fn new(server: Rc<Server>) -> Open {
        server.shared.accepted.fetch_add(1, Ordering::Relaxed);
        server.shared.open.fetch_add(1, Ordering::Relaxed);
        Open { server }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.server.shared.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Server {
    /// Decides about a request that has come now.
    pub(super) fn decide(&self) -> Decision {
        let changes = self.shared.changes.load(Ordering::Acquire);
        if changes != self.seen.replace(changes) {
            let (behaviour, epoch) = self.shared.current();
            *self.answer.borrow_mut() = Answer::of(&behaviour.content);
            self.conduct.borrow_mut().change(behaviour, epoch);
        }
        self.shared.requests.fetch_add(1, Ordering::Relaxed);
        self.conduct.borrow_mut().decide(Instant::now())
    }

    /// What is answered now.
    pub(super) fn answer(&self) -> Answer {
        self.answer.borrow().clone()
    }
}

impl Answer {
    fn of(content: &Content) -> Answer {
        // No length where no content may be (RFC 9110 §8.6).
        let bodyless = matches!(content.status, 204 | 304);
        let mut text = format!("HTTP/1.1 {} {}\r\n", content.status, reason(content.status));
        for (name, value) in &content.headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        if !bodyless {
            text.push_str(&format!("Content-Length: {}\r\n", content.body.len()));
        }
        text.push_str("\r\n");
        let head = text.len();
        let mut whole = text.into_bytes();
        if !bodyless {
            whole.extend_from_slice(&content.body);
        }
        Answer {
            whole: whole.into(),
            head,
        }
    }
}

/// The reason that belongs to a status; nothing for one that has none.
pub(super) fn reason(status: u16) -> &'static str {
    portcullis_core::Status::new(status).map_or("", portcullis_core::Status::reason)
}
