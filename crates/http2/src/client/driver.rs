//! What keeps a connection going: a task that reads and writes it, and looks whether the server is still there.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Ping, PingPong};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use super::MOST_STREAMS;
use super::failure::Failure;
use super::keep_alive::{KeepAlive, Look, TICK};

/// How much of a response may be on its way before the client has taken any: what fills a link of 1 Gbit/s over 2 ms.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for all streams of a connection together: as much as they can hold, so that clients who take nothing never
/// hold up others. It bounds what a server can make us hold on a connection.
#[allow(clippy::cast_possible_truncation, reason = "it is 32 MiB")]
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * MOST_STREAMS as u32;

/// The largest frame that the server may send: the protocol's own least, so that frames of many streams take turns.
const FRAME: u32 = 16 * 1024;

/// The largest head of a response, as RFC 9113 §6.5.2 counts it.
const HEAD: u32 = 64 * 1024;

/// How much of a request waits in us for the socket, for each stream.
const SEND_BUFFER: usize = 128 * 1024;

/// Streams that we have reset, for which frames may still be on their way. Clients who go away make many.
const RESET_STREAMS: usize = 128;

/// For how long such frames are expected.
const RESET_PATIENCE: Duration = Duration::from_secs(5);

/// How many malformed streams a server may make us reset before we end the connection.
const MALFORMED_STREAMS: usize = 256;

/// What the handles of a connection, its requests and its task know of each other. All are on one thread; atomics, since
/// a pool that all threads share must be able to hold it.
#[derive(Default)]
pub(super) struct Shared {
    /// Requests in progress.
    pub(super) streams: AtomicUsize,
    /// Requests that were started.
    pub(super) started: AtomicU64,
    /// Something came for a request since the last look.
    heard: AtomicBool,
    ended: AtomicBool,
    /// What the task found when it ended, where the streams don't know better.
    why: OnceLock<String>,
}

impl Shared {
    pub(super) fn hear(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    pub(super) fn why_ended(&self) -> Option<String> {
        self.why.get().cloned()
    }
}

/// Opens a connection, up to the server's settings, and starts its task.
pub(super) async fn open<IO>(io: IO) -> Result<(SendRequest<Bytes>, Arc<Shared>), Failure>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let opened = builder().handshake::<IO, Bytes>(io).await;
    let (sender, mut connection) = opened.map_err(Failure::not_opened)?;
    let pings = connection.ping_pong().expect("they are taken for the first time");
    // No stream is allowed before the server's settings are here; they say how many are.
    poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
        Poll::Ready(Ok(())) => Poll::Ready(Err(Failure::ended_early())),
        Poll::Ready(Err(error)) => Poll::Ready(Err(Failure::not_opened(error))),
        Poll::Pending if connection.max_concurrent_send_streams() > 0 => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    })
    .await?;
    let shared = Arc::new(Shared::default());
    let driver = Driver {
        connection,
        watch: Watch::new(pings, shared.clone()),
    };
    tokio::task::spawn_local(driver);
    Ok((sender, shared))
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_header_list_size(HEAD)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(RESET_STREAMS)
        .reset_stream_duration(RESET_PATIENCE)
        .max_local_error_reset_streams(Some(MALFORMED_STREAMS))
        .initial_max_send_streams(0)
        // Nobody waits for what a server pushes.
        .enable_push(false);
    builder
}

/// The task of a connection.
struct Driver<IO>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    connection: h2::client::Connection<IO, Bytes>,
    watch: Watch,
}

impl<IO> Future for Driver<IO>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.watch.poll_dead(cx) {
            // Dropping the connection fails its streams.
            self.watch.end(Some("the server does not answer to PING".to_owned()));
            return Poll::Ready(());
        }
        match Pin::new(&mut self.connection).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(result) => {
                self.watch.end(result.err().map(|error| error.to_string()));
                Poll::Ready(())
            }
        }
    }
}

/// Watches over a server that says nothing.
struct Watch {
    pings: PingPong,
    ticks: Interval,
    keep_alive: KeepAlive,
    shared: Arc<Shared>,
}

impl Watch {
    fn new(pings: PingPong, shared: Arc<Shared>) -> Watch {
        let mut ticks = interval_at(tokio::time::Instant::now() + TICK, TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Watch {
            pings,
            ticks,
            keep_alive: KeepAlive::default(),
            shared,
        }
    }

    /// Whether the server has been found dead.
    fn poll_dead(&mut self, cx: &mut Context<'_>) -> bool {
        while self.ticks.poll_tick(cx).is_ready() {
            if let Poll::Ready(Ok(_)) = self.pings.poll_pong(cx) {
                self.keep_alive.answered();
            }
            let in_use = self.shared.streams.load(Ordering::Relaxed) > 0;
            let heard = self.shared.heard.swap(false, Ordering::Relaxed);
            match self.keep_alive.look(in_use, heard) {
                Look::Rest => {}
                // It fails only where the connection itself has ended, which is about to be seen.
                Look::Ping => drop(self.pings.send_ping(Ping::opaque())),
                Look::Dead => return true,
            }
        }
        false
    }

    fn end(&self, why: Option<String>) {
        if let Some(why) = why {
            let _ = self.shared.why.set(why);
        }
        self.shared.ended.store(true, Ordering::Relaxed);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Body, Headers, Method, Target};
    use portcullis_http1::HeadLimits;
    use portcullis_http1::client::Timeouts;
    use tokio::io::AsyncWriteExt;
    use tokio::task::LocalSet;

    use super::super::{Connection, Outbound};
    use super::*;

    #[test]
    fn a_server_that_answers_nothing_is_given_up() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let began = runtime.block_on(async { tokio::time::Instant::now() });
        let failure = LocalSet::new().block_on(&runtime, async {
            let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
            let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
            theirs.write_all(&settings).await.expect("there is room");
            let connection = Connection::open(ours).await.expect("the server has greeted");
            let target = Target::parse(b"/").expect("it is valid");
            let request = Outbound {
                method: &Method::Get,
                target: &target,
                headers: &Headers::new(),
                lines: b"",
                authority: "a",
                secure: false,
                te_trailers: false,
                protocol: None,
            };
            let long = Duration::from_secs(24 * 3600);
            let timeouts = Timeouts {
                first_byte: long,
                idle: long,
                tunnel_idle: long,
                deadline: None,
            };
            let limits = HeadLimits {
                head_bytes: 1024,
                target_bytes: 0,
                fields: 16,
            };
            let started = connection.start(&request, Body::Empty, timeouts);
            let (mut exchange, _open) = (started.map_err(|(failure, _)| failure).expect("it starts"), theirs);
            exchange.head(|_| {}, &limits).await.err()
        });
        assert!(
            matches!(&failure, Some(Failure::Closed(why)) if why.to_string().contains("PING")),
            "{failure:?}"
        );
        let took = runtime.block_on(async { tokio::time::Instant::now() }) - began;
        assert!((TICK * 2..TICK * 4).contains(&took), "{took:?}");
    }
}
