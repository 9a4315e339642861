//! The client's side of a connection: a request out, its response in, both at the same time where need be.

mod receiving;
mod sending;

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use portcullis_core::{Body, Error, Method};
use tokio::io::{AsyncRead, AsyncWrite};

use self::receiving::ResponseBody;
use self::sending::{Sending, WaitsFor};
use crate::channel::poll_read_into;
use crate::framing::BodyLength;
use crate::head::{HeadLimits, HeadScanner};
use crate::outbox::COPIED;
use crate::response::{self, ResponseHead};
use crate::watchdog::Watchdog;
use crate::{Refusal, buffers};

/// A connection to a server, between two requests.
pub struct Connection<IO> {
    io: IO,
    watchdog: Watchdog,
    /// Requests that were answered on it.
    pub served: u64,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Connection<IO> {
    /// A connection that has just been made.
    pub fn new(io: IO) -> Connection<IO> {
        Connection {
            io,
            watchdog: Watchdog::new(),
            served: 0,
        }
    }

    /// The byte stream underneath.
    pub fn io(&self) -> &IO {
        &self.io
    }

    /// Starts a request: its encoded head, and its body in the framing that the head announces.
    pub fn start(self, request: Outbound, timeouts: Timeouts) -> Exchange<IO> {
        let Outbound {
            head,
            body,
            framing,
            method,
        } = request;
        Exchange {
            connection: self,
            request: Sending::new(head, body, framing),
            input: BytesMut::new(),
            method,
            timeouts,
            sent_at: None,
            overdue_at: None,
            scanner: HeadScanner::strict(),
            got_bytes: false,
        }
    }
}

/// A request as it goes out.
pub struct Outbound {
    /// The encoded head; a buffer of [`buffers::take_output`].
    pub head: Vec<u8>,
    /// The content.
    pub body: Body,
    /// How the head announces the content. `UntilClose`: as it is, for an upgrade.
    pub framing: BodyLength,
    /// Decides on the form of the response.
    pub method: Method,
}

/// How long a server may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the end of the request to the response's head.
    pub first_byte: Duration,
    /// Between two pieces of a body, either way.
    pub idle: Duration,
    /// Between two pieces in a connection that was switched to another protocol.
    pub tunnel_idle: Duration,
    /// When the whole exchange must be over.
    pub deadline: Option<Instant>,
}

/// Why an exchange failed.
#[derive(Debug)]
pub enum Failure {
    /// The server ended the connection, or the network did.
    Closed(io::Error),
    /// The server took too long.
    Timeout,
    /// What the server sent is not a response.
    Invalid(Refusal),
    /// The server sent a response that the request had not asked for; found by the caller.
    Unasked(&'static str),
    /// The body of the request broke off.
    Request(Error),
}

/// A request that is being sent and its response that is being received.
pub struct Exchange<IO> {
    connection: Connection<IO>,
    request: Sending,
    input: BytesMut,
    method: Method,
    timeouts: Timeouts,
    /// When the request was out, which is when waiting for the response starts.
    sent_at: Option<Instant>,
    /// Until when something must move; set while nothing does.
    overdue_at: Option<Instant>,
    /// Tells when the response's head is worth another look.
    scanner: HeadScanner,
    got_bytes: bool,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Exchange<IO> {
    /// Sends, and waits for the head of the final response, or of 101. `interim` gets the heads of others.
    ///
    /// # Errors
    /// See [`Failure`]. The connection is of no more use then.
    pub async fn head(
        &mut self,
        mut interim: impl FnMut(ResponseHead),
        limits: &HeadLimits,
    ) -> Result<ResponseHead, Failure> {
        poll_fn(|cx| self.poll_head(cx, &mut interim, limits)).await
    }

    /// When the whole request was out and waiting for the response began; `None` where the response did not wait.
    pub fn sent_at(&self) -> Option<Instant> {
        self.sent_at
    }

    /// Whether the server has sent anything yet.
    pub fn has_response(&self) -> bool {
        self.got_bytes
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        interim: &mut impl FnMut(ResponseHead),
        limits: &HeadLimits,
    ) -> Poll<Result<ResponseHead, Failure>> {
        if let Poll::Ready(Err(error)) = self.poll_request(cx) {
            return Poll::Ready(Err(Failure::Request(error)));
        }
        loop {
            if !self.input.is_empty()
                && self.scanner.ready(&self.input, limits)
                && let Some((head, consumed)) =
                    response::parse(&self.input, &self.method, limits).map_err(Failure::Invalid)?
            {
                self.input.advance(consumed);
                if head.status.is_informational() && head.status.code() != 101 {
                    self.scanner = HeadScanner::strict();
                    interim(head);
                    continue;
                }
                self.request.upgrade_answered(head.status.code() == 101);
                return Poll::Ready(Ok(head));
            }
            match self.poll_receive(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Failure::Closed(io::ErrorKind::UnexpectedEof.into()))),
                Poll::Ready(Ok(_)) => self.overdue_at = None,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Failure::Closed(error))),
                Poll::Pending => {
                    let patience = self.timeouts.first_byte;
                    let due = match self.request.waits_for() {
                        WaitsFor::Answer => Some(*self.sent_at.get_or_insert_with(Instant::now) + patience),
                        WaitsFor::Server => Some(self.idle_due(false)),
                        WaitsFor::Client => None,
                    };
                    return self.poll_overdue(cx, due).map(|()| Err(Failure::Timeout));
                }
            }
        }
    }

    /// Until when the server must do something, counted from when it began to do nothing.
    fn idle_due(&mut self, open_ended: bool) -> Instant {
        if self.request.has_moved() {
            self.overdue_at = None;
        }
        let tunnel = open_ended && self.request.is_tunnel();
        let idle = if tunnel {
            self.timeouts.tunnel_idle
        } else {
            self.timeouts.idle
        };
        *self.overdue_at.get_or_insert_with(|| Instant::now() + idle)
    }

    /// Ready when `due` or the end of the whole exchange is past. A client's slowness has its own limit elsewhere.
    fn poll_overdue(&mut self, cx: &mut Context<'_>, due: Option<Instant>) -> Poll<()> {
        match due.into_iter().chain(self.timeouts.deadline).min() {
            Some(due) => self.connection.watchdog.poll_overdue(cx, due),
            None => Poll::Pending,
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.capacity() == 0 {
            self.input = buffers::take_input();
        }
        let result = poll_read_into(&mut self.connection.io, cx, &mut self.input);
        match &result {
            Poll::Ready(Ok(count)) if *count > 0 => self.got_bytes = true,
            Poll::Pending if self.input.is_empty() => buffers::give_input(std::mem::take(&mut self.input)),
            _ => {}
        }
        result
    }

    /// Sends what can be sent.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.request.poll_send(cx, &mut self.connection.io)
    }

    /// Turns the rest of the exchange into the response's body. `recycle` gets the connection if it can serve another
    /// request once the body has been read; dropping it unread ends the connection.
    pub fn into_body<R>(mut self, head: &ResponseHead, limits: &HeadLimits, recycle: R) -> Body
    where
        IO: 'static,
        R: FnOnce(Option<Connection<IO>>) + 'static,
    {
        let keep_alive = head.keep_alive && head.body != BodyLength::UntilClose;
        let whole = match head.body {
            BodyLength::None => Some(0),
            BodyLength::Sized(length) if length <= self.input.len() as u64 => usize::try_from(length).ok(),
            _ => None,
        };
        if let Some(length) = whole
            && self.request.is_done()
        {
            // A small body is copied, so that the buffer can serve the next response at once.
            let body = if length <= COPIED {
                take_copy(&mut self.input, length)
            } else {
                self.input.split_to(length).freeze()
            };
            // Bytes beyond the response answer nothing: such a connection can't be trusted with another request.
            let reusable = keep_alive && self.input.is_empty();
            self.release(reusable, recycle);
            return Body::from(body);
        }
        Body::Stream(Box::new(ResponseBody::new(
            self, head.body, keep_alive, limits, recycle,
        )))
    }

    fn release<R: FnOnce(Option<Connection<IO>>)>(mut self, reusable: bool, recycle: R) {
        buffers::give_input(std::mem::take(&mut self.input));
        let reusable = reusable && self.request.is_done();
        let mut connection = self.connection;
        connection.served += 1;
        recycle(reusable.then_some(connection));
    }
}

fn take_copy(input: &mut BytesMut, length: usize) -> Bytes {
    let copy = Bytes::copy_from_slice(&input[..length]);
    input.advance(length);
    copy
}
