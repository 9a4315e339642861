//! The client's side of a connection: many requests at a time, each with its own flow of data both ways.
//!
//! A [`Connection`] is a handle on what a task of its own keeps going (`driver.rs`). An [`Exchange`] is one request and its
//! response; once the head of the response is there, the rest of both is driven by the response's body
//! (`receiving.rs`), as in HTTP/1.1. Data is taken from either side only as the other one grants it.

mod driver;
mod failure;
mod keep_alive;
mod outbound;
mod receiving;
mod sending;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::{ResponseFuture, SendRequest};
use portcullis_core::{Body, Headers, Known, Method, Status};
use portcullis_http1::HeadLimits;
use portcullis_http1::client::Timeouts;
use portcullis_http1::watchdog::Watchdog;
use tokio::io::{AsyncRead, AsyncWrite};

use self::driver::Shared;
pub use self::failure::Failure;
pub use self::outbound::Outbound;
use self::receiving::ResponseBody;
use self::sending::{Sending, WaitsFor};
use crate::message;

/// The most streams on a connection at a time, whatever the server allows. Beyond it another connection spreads the load
/// over more of the server's threads, and loses less when it breaks.
const MOST_STREAMS: usize = 128;

/// The most interim responses to one request. Nobody needs more than a few.
const MOST_INTERIM: usize = 64;

/// A connection to a server, for as many requests at a time as the server allows. Ends when the last handle and the last
/// request are gone.
#[derive(Clone)]
pub struct Connection {
    sender: SendRequest<Bytes>,
    shared: Arc<Shared>,
}

/// Whether a connection takes a request now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It takes one.
    Free,
    /// It has as many as it may have.
    Full,
    /// It never takes one again: it has ended, or the server said that it will.
    Ended,
}

impl Connection {
    /// Speaks HTTP/2 on a byte stream that has just been opened, and waits for the server's settings: only then is it
    /// certain that the server speaks it too, and how many requests it takes. What keeps the connection going becomes a
    /// task of this thread.
    ///
    /// # Errors
    /// What the server or the network did instead.
    pub async fn open<IO>(io: IO) -> Result<Connection, Failure>
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (sender, shared) = driver::open(io).await?;
        Ok(Connection { sender, shared })
    }

    /// Whether a request can be started now.
    pub fn room(&self) -> Room {
        // A clone has no request of its own that waits, so that asking it wakes nobody and disturbs nobody.
        match self.sender.clone().poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) if !self.shared.has_ended() => {}
            _ => return Room::Ended,
        }
        if self.streams() < self.most_streams() {
            Room::Free
        } else {
            Room::Full
        }
    }

    /// How many requests it takes at a time.
    pub fn most_streams(&self) -> usize {
        self.sender.current_max_send_streams().min(MOST_STREAMS)
    }

    /// Requests in progress.
    pub fn streams(&self) -> usize {
        self.shared.streams.load(Ordering::Relaxed)
    }

    /// Requests that were started on it.
    pub fn started(&self) -> u64 {
        self.shared.started.load(Ordering::Relaxed)
    }

    /// Whether the server takes requests for another protocol on a stream (RFC 8441).
    pub fn takes_tunnels(&self) -> bool {
        self.sender.is_extended_connect_protocol_enabled()
    }

    /// Starts a request.
    ///
    /// # Errors
    /// When nothing of it was sent; the body is given back.
    pub fn start(&self, request: &Outbound<'_>, body: Body, timeouts: Timeouts) -> Result<Exchange, (Failure, Body)> {
        let head = match request.head(&body) {
            Ok(head) => head,
            Err(error) => return Err((Failure::Request(error), body)),
        };
        let tunnel = request.protocol.is_some();
        let without_body = !tunnel && body.is_empty();
        let mut sender = self.sender.clone();
        let (response, stream) = match sender.send_request(head, without_body) {
            Ok(started) => started,
            Err(error) => return Err((Failure::not_sent(error), body)),
        };
        self.shared.started.fetch_add(1, Ordering::Relaxed);
        Ok(Exchange {
            response,
            sending: Sending::new(stream, body, without_body, tunnel),
            connection: Used::new(self.shared.clone()),
            method: request.method.clone(),
            timeouts,
            watchdog: Watchdog::new(),
            sent_at: None,
            overdue_at: None,
            interim_seen: 0,
        })
    }
}

/// A connection as one of its requests counts it.
struct Used(Arc<Shared>);

impl Used {
    fn new(shared: Arc<Shared>) -> Used {
        shared.streams.fetch_add(1, Ordering::Relaxed);
        Used(shared)
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The head of a response.
#[derive(Debug)]
pub struct ResponseHead {
    /// The status.
    pub status: Status,
    /// The fields.
    pub headers: Headers,
}

/// A request that is being sent and its response that is being received. Dropping it resets the stream, so that the
/// server stops working for nobody.
pub struct Exchange {
    response: ResponseFuture,
    sending: Sending,
    connection: Used,
    method: Method,
    timeouts: Timeouts,
    watchdog: Watchdog,
    /// When the request was out, which is when waiting for the response starts.
    sent_at: Option<Instant>,
    /// Until when something must move; set while nothing does.
    overdue_at: Option<Instant>,
    interim_seen: usize,
}

impl Exchange {
    /// Sends, and waits for the head of the final response. `interim` gets the heads of others.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn head(
        &mut self,
        mut interim: impl FnMut(ResponseHead),
        limits: &HeadLimits,
    ) -> Result<(ResponseHead, RecvStream), Failure> {
        poll_fn(|cx| self.poll_head(cx, &mut interim, limits)).await
    }

    /// When the whole request was out and waiting for the response began; `None` where the response did not wait.
    pub fn sent_at(&self) -> Option<Instant> {
        self.sent_at
    }

    /// The request's body as it was, if all of what was taken of it is still here.
    pub fn into_unsent(self) -> Option<Body> {
        self.sending.into_unsent()
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        interim: &mut impl FnMut(ResponseHead),
        limits: &HeadLimits,
    ) -> Poll<Result<(ResponseHead, RecvStream), Failure>> {
        if let Poll::Ready(Err(error)) = self.sending.poll_send(cx) {
            return Poll::Ready(Err(Failure::Request(error)));
        }
        while let Poll::Ready(Some(Ok(response))) = self.response.poll_informational(cx) {
            self.interim_seen += 1;
            if self.interim_seen > MOST_INTERIM {
                return Poll::Ready(Err(Failure::Invalid("more than 64 interim responses".into())));
            }
            self.connection.0.hear();
            interim(received_head(response.status(), response.headers(), limits)?);
        }
        match Pin::new(&mut self.response).poll(cx) {
            Poll::Ready(Ok(response)) => {
                self.connection.0.hear();
                self.overdue_at = None;
                let head = received_head(response.status(), response.headers(), limits)?;
                Poll::Ready(Ok((head, response.into_body())))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(Failure::of(error, &self.connection.0))),
            Poll::Pending => {
                let patience = self.timeouts.first_byte;
                let due = match self.sending.waits_for() {
                    WaitsFor::Answer => Some(*self.sent_at.get_or_insert_with(Instant::now) + patience),
                    WaitsFor::Server => Some(self.idle_due(false)),
                    WaitsFor::Client => None,
                };
                self.poll_overdue(cx, due).map(|()| Err(Failure::Timeout))
            }
        }
    }

    /// Turns the rest of the exchange into the response's body; `done` is dropped with it. For a request to speak another
    /// protocol, a response of 2xx begins the tunnel.
    pub fn into_body<D: 'static>(
        mut self,
        head: &ResponseHead,
        mut content: RecvStream,
        limits: &HeadLimits,
        done: D,
    ) -> Body {
        let promised = promised_length(&head.headers).filter(|_| self.method != Method::Head);
        self.sending.answered(is_success(head.status));
        if self.sending.is_done() && (content.is_end_stream() || head.status.is_bodyless()) {
            return Body::Empty;
        }
        let first = receiving::first_piece(&mut content);
        if let Some(whole) = &first
            && self.sending.is_done()
            && content.is_end_stream()
        {
            // It fails only for more than was received.
            let _ = content.flow_control().release_capacity(whole.len());
            return Body::from(whole.clone());
        }
        let body = ResponseBody::new(self, content, first, promised, *limits, done);
        Body::Stream(Box::new(body))
    }

    /// Until when something must move, counted from when nothing began to. `open_ended`: as in a tunnel.
    fn idle_due(&mut self, open_ended: bool) -> Instant {
        if self.sending.has_moved() {
            self.overdue_at = None;
        }
        let idle = if open_ended || self.sending.is_tunnel() {
            self.timeouts.tunnel_idle
        } else {
            self.timeouts.idle
        };
        *self.overdue_at.get_or_insert_with(|| Instant::now() + idle)
    }

    /// Ready when `due` or the end of the whole exchange is past. A client's slowness has its own limit elsewhere.
    fn poll_overdue(&mut self, cx: &mut Context<'_>, due: Option<Instant>) -> Poll<()> {
        match due.into_iter().chain(self.timeouts.deadline).min() {
            Some(due) => self.watchdog.poll_overdue(cx, due),
            None => Poll::Pending,
        }
    }
}

/// Whether a status answers a request for a tunnel with yes.
fn is_success(status: Status) -> bool {
    (200..300).contains(&status.code())
}

/// The length that the response promises, which the connection holds it to.
fn promised_length(headers: &Headers) -> Option<u64> {
    headers.get_str(Known::ContentLength)?.parse().ok()
}

fn received_head(
    status: http::StatusCode,
    fields: &http::HeaderMap,
    limits: &HeadLimits,
) -> Result<ResponseHead, Failure> {
    let status =
        Status::new(status.as_u16()).ok_or_else(|| Failure::Invalid("the status has not three digits".into()))?;
    // HTTP/2 has no other protocol to switch to on a connection (RFC 9113 §8.6).
    if status == Status::SWITCHING_PROTOCOLS {
        return Err(Failure::Invalid("101 in HTTP/2".into()));
    }
    Ok(ResponseHead {
        status,
        headers: received_fields(fields, limits).map_err(|error| Failure::malformed(&error))?,
    })
}

fn received_fields(fields: &http::HeaderMap, limits: &HeadLimits) -> portcullis_core::Result<Headers> {
    let bytes = message::size(fields, limits)?;
    // Room for what a gateway adds.
    let mut headers = Headers::with_capacity(fields.len() + 8, bytes + 256);
    message::append_fields(&mut headers, fields)?;
    Ok(headers)
}
