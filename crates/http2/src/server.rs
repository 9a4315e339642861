//! The server's side of a connection: many requests at a time, each one a task of its own.

mod answering;
mod exchange;
mod outgoing;
mod request_body;
mod vigil;
mod watched;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::{Builder, Connection};
use h2::{Ping, PingPong, Reason};
use portcullis_core::{DrainTicket, Handler};
use portcullis_http1::server::Settings;
use portcullis_http1::watchdog::Watchdog;
use tokio::io::{AsyncRead, AsyncWrite};

use self::vigil::{Facts, Step, Vigil};
use self::watched::Watched;

/// How much of a request's content may be on its way to us: enough for 40 Mbit/s over 50 ms.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for all requests of a connection. It bounds the memory of a connection whose requests nobody takes, and four
/// of them must stall before they hold up the others.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// How much of a response waits for the socket. A response takes more from its backend only when this has room.
const SEND_BUFFER: usize = 64 * 1024;

/// What the bookkeeping of small pieces may take while a backend takes none: a window full of messages of 16 bytes. The
/// default of the crate would break such a connection off.
const SMALL_PIECES: usize = 4 * 1024 * 1024;

/// How many errors that are a stream's own, such as malformed requests, a client may make on a connection.
const STREAM_ERRORS: usize = 1024;

/// How many requests a connection may begin before the worker's other connections have their turn. Beginning one can cost a
/// connection to a service, some 30 µs, and a client may send hundreds at once. Honest clients seldom send more than this, and
/// their responses are written together.
const AT_A_TIME: usize = 32;

/// What HTTP/2 counts for a field beside its text (RFC 9113 §6.5.2).
const FIELD_OVERHEAD: usize = 32;

/// How long a new connection may take to greet while all are being ended.
const FIRST_GREETING: Duration = Duration::from_secs(1);

/// Serves a connection to its end. `streams` is the number of requests that may be in progress.
pub async fn serve<IO, H>(io: IO, handler: Rc<H>, settings: &Settings, streams: u32, drain: &DrainTicket)
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Handler + 'static,
{
    let io = Watched::new(io);
    if let Some(connection) = greet(&io, settings, streams, drain).await {
        let now = Instant::now();
        let mut driver = Driver {
            connection,
            io: io.another(),
            shared: Rc::new(Shared {
                handler,
                settings: settings.clone(),
                in_progress: Cell::new(0),
                idle_since: Cell::new(now),
            }),
            vigil: Vigil::new(now),
            watchdog: Watchdog::new(),
            pings: None,
        };
        poll_fn(|cx| driver.poll(cx, drain)).await;
    }
    io.linger().await;
}

/// Waits for the client's greeting (RFC 9113 §3.4).
async fn greet<IO>(
    io: &Watched<IO>,
    settings: &Settings,
    streams: u32,
    drain: &DrainTicket,
) -> Option<Connection<Watched<IO>, Bytes>>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let limits = &settings.limits;
    // So large that a head within our own limits is never refused by the crate, which would not tell the log.
    let head_bytes = limits.head_bytes.saturating_add(limits.fields * FIELD_OVERHEAD);
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .data_frame_budget(SMALL_PIECES)
        .max_concurrent_streams(streams)
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
        // Requests that are taken back before we have seen them; the guard counts those that we have.
        .max_pending_accept_reset_streams(streams as usize)
        .max_local_error_reset_streams(Some(STREAM_ERRORS))
        .enable_connect_protocol();
    let mut handshake = pin!(builder.handshake(io.another()));
    let mut watchdog = Watchdog::new();
    let started = Instant::now();
    poll_fn(|cx| {
        if let Poll::Ready(greeted) = handshake.as_mut().poll(cx) {
            return Poll::Ready(greeted.ok());
        }
        // Our side of the greeting need not wait for the client's. A failure shows again when that is read.
        let _ = io.poll_send(cx);
        let mut due = started + settings.head_timeout;
        if drain.poll_draining(cx) {
            due = due.min(started + FIRST_GREETING);
        }
        watchdog.poll_overdue(cx, due).map(|()| None)
    })
    .await
}

/// What the requests of a connection share.
struct Shared<H> {
    handler: Rc<H>,
    settings: Settings,
    in_progress: Cell<usize>,
    /// Since when there is no request in progress.
    idle_since: Cell<Instant>,
}

/// A request's place among those in progress.
struct Place<H>(Rc<Shared<H>>);

impl<H> Place<H> {
    fn take(shared: &Rc<Shared<H>>) -> Place<H> {
        shared.in_progress.set(shared.in_progress.get() + 1);
        Place(shared.clone())
    }
}

impl<H> Drop for Place<H> {
    fn drop(&mut self) {
        let left = self.0.in_progress.get() - 1;
        self.0.in_progress.set(left);
        if left == 0 {
            self.0.idle_since.set(Instant::now());
        }
    }
}

/// Keeps a connection going, and ends it when its time has come.
struct Driver<IO, H> {
    connection: Connection<Watched<IO>, Bytes>,
    io: Watched<IO>,
    shared: Rc<Shared<H>>,
    vigil: Vigil,
    watchdog: Watchdog,
    /// Made when the client is first asked whether it is there.
    pings: Option<PingPong>,
}

impl<IO, H> Driver<IO, H>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Handler + 'static,
{
    fn poll(&mut self, cx: &mut Context<'_>, drain: &DrainTicket) -> Poll<()> {
        loop {
            let mut begun = 0;
            while let Poll::Ready(accepted) = self.connection.poll_accept(cx) {
                let Some(Ok((request, mut respond))) = accepted else {
                    return Poll::Ready(());
                };
                if matches!(respond.poll_reset(cx), Poll::Ready(_)) {
                    continue;
                }
                let answering = exchange::answer(Place::take(&self.shared), request, respond);
                // Boxed, for a task moves what it is made of several times.
                tokio::task::spawn_local(Box::pin(answering));
                begun += 1;
                if begun == AT_A_TIME {
                    cx.waker().wake_by_ref();
                    break;
                }
            }
            match self.io.poll_send(cx) {
                Poll::Ready(Ok(true)) => continue,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(false)) | Poll::Pending => {}
            }
            let step = if self.io.is_flooded() && !self.vigil.is_breaking() {
                self.vigil.break_off(Instant::now())
            } else if !self.vigil.is_leaving() && drain.poll_draining(cx) {
                self.vigil.leave(Instant::now())
            } else {
                let facts = self.facts();
                let due = self.vigil.due(&facts, &self.shared.settings);
                if self.watchdog.poll_overdue(cx, due).is_pending() {
                    return Poll::Pending;
                }
                self.vigil.act(&facts, &self.shared.settings, Instant::now())
            };
            match step {
                Step::Wait => {}
                Step::Ask => self.ask(cx),
                Step::Leave => self.connection.graceful_shutdown(),
                Step::Break => self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM),
                Step::End => return Poll::Ready(()),
            }
        }
    }

    fn facts(&self) -> Facts {
        Facts {
            in_progress: self.shared.in_progress.get(),
            idle_since: self.shared.idle_since.get(),
            received: self.io.received(),
            head_since: self.io.head_since(),
            blocked_since: self.io.blocked_since(),
        }
    }

    /// Asks the client whether it is there.
    fn ask(&mut self, cx: &mut Context<'_>) {
        if self.pings.is_none() {
            self.pings = self.connection.ping_pong();
        }
        if let Some(pings) = &mut self.pings {
            // The answer to the last question makes room for the next. One that is still out counts for this one too.
            let _ = pings.poll_pong(cx);
            let _ = pings.send_ping(Ping::opaque());
        }
    }
}
