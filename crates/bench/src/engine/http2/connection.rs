//! A connection of HTTP/2, which a task of its own keeps going.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::engine::dialer::{Dialer, Open, Secured};
use crate::engine::failing;
use crate::engine::shared::Handle;
use crate::outcome::{Failed, Failure};

/// How much of an answer may be on its way at a time: so much that it never waits for us, who take everything at once.
const STREAM_WINDOW: u32 = 1024 * 1024;

/// The same for all streams of a connection: as much as those that a server usually allows can hold.
const CONNECTION_WINDOW: u32 = 128 * STREAM_WINDOW;

/// The largest head of an answer, as RFC 9113 §6.5.2 counts it.
const HEAD: u32 = 64 * 1024;

/// How much of a request waits for the socket. Requests are in memory anyway.
const SEND_BUFFER: usize = 1024 * 1024;

/// A handle on a connection.
#[derive(Clone)]
pub(super) struct Connection {
    sender: SendRequest<Bytes>,
    ended: Rc<Cell<bool>>,
}

impl Handle for Connection {
    async fn open(dialer: &Dialer) -> Result<Connection, Failed> {
        let (stream, open) = dialer.tcp().await?;
        match dialer.tls(stream).await? {
            Secured::Clear(stream) => greet(stream, open).await,
            Secured::Tls(stream) => greet(stream, open).await,
        }
    }

    fn is_usable(&self) -> bool {
        !self.ended.get()
    }
}

impl Connection {
    /// Sends a request, whole, as soon as the server allows one more stream.
    pub(super) async fn start(&mut self, head: &Request<()>, body: &Bytes) -> Result<ResponseFuture, Failed> {
        let ready = poll_fn(|cx| self.sender.poll_ready(cx)).await;
        let started = ready.and_then(|()| self.sender.send_request(head.clone(), body.is_empty()));
        let (response, mut stream) = started.map_err(|error| {
            self.ended.set(true);
            self.failed(&error)
        })?;
        if !body.is_empty() {
            stream
                .send_data(body.clone(), true)
                .map_err(|error| self.failed(&error))?;
        }
        Ok(response)
    }

    /// What a request failed of.
    #[cold]
    pub(super) fn failed(&self, error: &h2::Error) -> Failed {
        if let Some(cause) = error.get_io() {
            return failing::exchanging(cause);
        }
        let reason = error
            .reason()
            .map_or_else(|| error.to_string(), |reason| format!("{reason:?}"));
        if !error.is_remote() {
            return failing::protocol(&format!("the answer breaks HTTP/2: {reason}"));
        }
        if error.is_go_away() {
            // Other streams of the connection may still be answered, but it takes no more.
            self.ended.set(true);
            return failing::reset(&format!("the connection was given up before this request: {reason}"));
        }
        match error.reason() {
            Some(h2::Reason::REFUSED_STREAM) => failing::reset("stream refused"),
            _ => failing::reset(&format!("stream reset: {reason}")),
        }
    }
}

/// Begins HTTP/2 on a byte stream, and waits for the server's settings: only then is it certain that it speaks it too, and how many
/// requests it takes at a time.
async fn greet<S>(stream: S, open: Open) -> Result<Connection, Failed>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let greeted = builder().handshake::<S, Bytes>(stream).await;
    let (sender, mut connection) = greeted.map_err(|error| not_greeted(&error))?;
    poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
        Poll::Ready(Ok(())) => Poll::Ready(Err(failing::connect(
            "the server ended the connection before its settings",
        ))),
        Poll::Ready(Err(error)) => Poll::Ready(Err(not_greeted(&error))),
        Poll::Pending if connection.max_concurrent_send_streams() > 0 => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    })
    .await?;
    let ended = Rc::new(Cell::new(false));
    let mark = ended.clone();
    tokio::task::spawn_local(async move {
        // What went wrong is told to each stream.
        let _ = connection.await;
        mark.set(true);
        drop(open);
    });
    Ok(Connection { sender, ended })
}

#[cold]
fn not_greeted(error: &h2::Error) -> Failed {
    match error.get_io() {
        Some(cause) => Failed {
            kind: Failure::Connect,
            ..failing::exchanging(cause)
        },
        None => failing::protocol("the server does not speak HTTP/2"),
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD)
        .max_send_buffer_size(SEND_BUFFER)
        .initial_max_send_streams(0)
        .enable_push(false);
    builder
}
