//! The client's side of a connection: a request out, its response in, both at the same time where need be.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use portcullis_core::{Body, BodyStream, Error, Frame, Headers, Method, Result as BodyResult, codes};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::channel::poll_read_into;
use crate::chunked::{self, Event};
use crate::framing::BodyLength;
use crate::head::{HeadLimits, HeadScanner};
use crate::response::{self, ResponseHead};
use crate::watchdog::Watchdog;
use crate::{Refusal, buffers};

/// A request's piece up to this size is copied behind its head; a larger one is written from where it is.
const COPIED: usize = 4096;

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
            request: Sending {
                before: head,
                written: 0,
                piece: Bytes::new(),
                after: b"",
                body,
                framing,
                state: SendState::Body,
            },
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

struct Sending {
    before: Vec<u8>,
    written: usize,
    piece: Bytes,
    after: &'static [u8],
    body: Body,
    framing: BodyLength,
    state: SendState,
}

/// Whose turn it is.
enum WaitsFor {
    /// The client's: more of the request's body must come.
    Client,
    /// The server's: it must take what is to be sent.
    Server,
    /// The server's: it has the request.
    Answer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SendState {
    /// There may be more of the body.
    Body,
    /// All of it has been gathered, and may not be written yet.
    Last,
    /// All of it is out.
    Done,
    /// The server takes no more, but may still answer.
    Refused,
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
        if let Poll::Ready(Err(failure)) = self.poll_request(cx) {
            return Poll::Ready(Err(failure));
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
                        WaitsFor::Server => Some(self.idle_due()),
                        WaitsFor::Client => None,
                    };
                    return self.poll_overdue(cx, due).map(|()| Err(Failure::Timeout));
                }
            }
        }
    }

    /// Until when the server must do something, counted from when it began to do nothing.
    fn idle_due(&mut self) -> Instant {
        let idle = self.timeouts.idle;
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

    /// Sends what can be sent. A server that takes no more may still have answered, so only a broken body is a failure.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            if matches!(self.request.state, SendState::Done | SendState::Refused) {
                return Poll::Ready(Ok(()));
            }
            let waiting = self.request.gather(cx).map_err(Failure::Request)?;
            match self
                .request
                .poll_flush(cx, &mut self.connection.io, &mut self.overdue_at)
            {
                Poll::Ready(Ok(())) if self.request.state == SendState::Last => {
                    self.request.state = SendState::Done;
                    buffers::give_output(std::mem::take(&mut self.request.before));
                    if self.request.framing == BodyLength::UntilClose {
                        // After an upgrade the client has ended its side; the server learns of it.
                        let _ = Pin::new(&mut self.connection.io).poll_shutdown(cx);
                    }
                }
                Poll::Ready(Ok(())) if waiting => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => self.request.state = SendState::Refused,
                Poll::Pending => return Poll::Pending,
            }
        }
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
        if let (Some(length), SendState::Done) = (whole, self.request.state) {
            // A small body is copied, so that the buffer can serve the next response at once.
            let body = if length <= COPIED {
                take_copy(&mut self.input, length)
            } else {
                self.input.split_to(length).freeze()
            };
            let body = Body::from(body);
            // Bytes beyond the response answer nothing: such a connection can't be trusted with another request.
            let reusable = keep_alive && self.input.is_empty();
            self.release(reusable, recycle);
            return body;
        }
        let progress = match head.body {
            BodyLength::None => Progress::Sized(0),
            BodyLength::Sized(length) => Progress::Sized(length),
            BodyLength::Chunked => Progress::Chunked(Box::new(chunked::Decoder::new(limits))),
            BodyLength::UntilClose => Progress::UntilClose,
        };
        Body::Stream(Box::new(ResponseBody {
            exchange: Some((self, recycle)),
            progress,
            keep_alive,
            starved: false,
        }))
    }

    fn release<R: FnOnce(Option<Connection<IO>>)>(mut self, reusable: bool, recycle: R) {
        buffers::give_input(std::mem::take(&mut self.input));
        let reusable = reusable && self.request.state == SendState::Done;
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

impl Sending {
    fn waits_for(&self) -> WaitsFor {
        match self.state {
            SendState::Done | SendState::Refused => WaitsFor::Answer,
            SendState::Body | SendState::Last if self.written < self.before.len() || !self.piece.is_empty() => {
                WaitsFor::Server
            }
            SendState::Body | SendState::Last => WaitsFor::Client,
        }
    }

    /// Collects frames of the body; whether the body has nothing more at the moment.
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        while self.state == SendState::Body && self.piece.is_empty() && self.before.len() < buffers::INPUT {
            if self.framing == BodyLength::None {
                self.state = SendState::Last;
                break;
            }
            match self.body.poll_frame(cx) {
                Poll::Pending => return Ok(true),
                Poll::Ready(Some(frame)) => self.push(frame?)?,
                Poll::Ready(None) => self.end(&Headers::new()),
            }
        }
        Ok(false)
    }

    fn push(&mut self, frame: Frame) -> Result<(), Error> {
        let data = match frame {
            Frame::Data(data) => data,
            Frame::Trailers(trailers) => {
                self.end(&trailers);
                return Ok(());
            }
        };
        if let BodyLength::Sized(left) = &mut self.framing {
            let too_much = || Error::new(&codes::INTERNAL).with_cause("the body is longer than its length");
            *left = left.checked_sub(data.len() as u64).ok_or_else(too_much)?;
        }
        let chunked = self.framing == BodyLength::Chunked;
        if chunked {
            chunked::encode_size(&mut self.before, data.len());
        }
        if data.len() <= COPIED {
            self.before.extend_from_slice(&data);
            if chunked {
                self.before.extend_from_slice(b"\r\n");
            }
        } else {
            self.piece = data;
            self.after = if chunked { b"\r\n" } else { b"" };
        }
        if self.framing == BodyLength::Sized(0) {
            self.state = SendState::Last;
        }
        Ok(())
    }

    fn end(&mut self, trailers: &Headers) {
        if self.framing == BodyLength::Chunked {
            chunked::encode_end(&mut self.before, trailers);
        }
        self.state = SendState::Last;
    }

    fn poll_flush<IO: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut IO,
        overdue_at: &mut Option<Instant>,
    ) -> Poll<io::Result<()>> {
        let mut wrote = false;
        loop {
            let before = &self.before[self.written..];
            if before.is_empty() && self.piece.is_empty() && self.after.is_empty() {
                self.before.clear();
                self.written = 0;
                return if wrote {
                    Pin::new(io).poll_flush(cx)
                } else {
                    Poll::Ready(Ok(()))
                };
            }
            let result = if self.piece.is_empty() && self.after.is_empty() {
                Pin::new(&mut *io).poll_write(cx, before)
            } else {
                let slices = [
                    IoSlice::new(before),
                    IoSlice::new(&self.piece),
                    IoSlice::new(self.after),
                ];
                Pin::new(&mut *io).poll_write_vectored(cx, &slices)
            };
            match ready!(result)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => {
                    *overdue_at = None;
                    wrote = true;
                    self.advance(count);
                }
            }
        }
    }

    fn advance(&mut self, mut count: usize) {
        let before = count.min(self.before.len() - self.written);
        self.written += before;
        count -= before;
        let piece = count.min(self.piece.len());
        self.piece.advance(piece);
        self.after = &self.after[count - piece..];
    }
}

/// How far the body of the response has been read.
enum Progress {
    Sized(u64),
    Chunked(Box<chunked::Decoder>),
    UntilClose,
    Done,
}

/// The body of a response, read from the connection to the server; it also sends what is left of the request.
struct ResponseBody<IO, R> {
    /// Gone once the connection has been given back.
    exchange: Option<(Exchange<IO>, R)>,
    progress: Progress,
    keep_alive: bool,
    /// What has been received is not enough for a frame.
    starved: bool,
}

impl<IO, R> ResponseBody<IO, R>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    R: FnOnce(Option<Connection<IO>>),
{
    /// The next frame from what has been received: `None` when more is needed.
    fn next_frame(&mut self) -> Result<Option<Frame>, Refusal> {
        let Some((exchange, _)) = &mut self.exchange else {
            return Ok(None);
        };
        let input = &mut exchange.input;
        if input.is_empty() {
            return Ok(None);
        }
        exchange.overdue_at = None;
        match &mut self.progress {
            Progress::Done => Ok(None),
            Progress::UntilClose => Ok(Some(Frame::Data(input.split().freeze()))),
            Progress::Sized(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= count as u64;
                Ok((count > 0).then(|| Frame::Data(input.split_to(count).freeze())))
            }
            Progress::Chunked(decoder) => match decoder.decode(input)? {
                Event::NeedMore => Ok(None),
                Event::Data(data) => Ok(Some(Frame::Data(data))),
                Event::End(trailers) => {
                    self.progress = Progress::Done;
                    Ok((!trailers.is_empty()).then_some(Frame::Trailers(trailers)))
                }
            },
        }
    }

    fn is_complete(&self) -> bool {
        matches!(self.progress, Progress::Done | Progress::Sized(0))
    }

    /// Gives the connection back. A request that the server answered before it had all of it spoils the connection.
    fn release(&mut self) {
        if let Some((exchange, recycle)) = self.exchange.take() {
            let reusable = self.keep_alive && exchange.input.is_empty();
            exchange.release(reusable, recycle);
        }
    }

    fn fail(&mut self, error: Error) -> Poll<Option<BodyResult<Frame>>> {
        self.keep_alive = false;
        self.release();
        Poll::Ready(Some(Err(error)))
    }

    /// Receives what the next frame needs; of a body of known length as much as is there, so that it goes on in few
    /// large pieces. Ready with a count when there was no need, or something came.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some((exchange, _)) = &mut self.exchange else {
            return Poll::Ready(Ok(0));
        };
        loop {
            let here = exchange.input.len();
            let wanted = match self.progress {
                Progress::Sized(left) => usize::try_from(left).unwrap_or(usize::MAX).min(buffers::LARGE_INPUT),
                _ => 1,
            };
            if here >= wanted && !self.starved {
                return Poll::Ready(Ok(here));
            }
            exchange.input.reserve(wanted.saturating_sub(here));
            match exchange.poll_receive(cx) {
                Poll::Ready(Ok(count)) if count > 0 => self.starved = false,
                other => return other,
            }
        }
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Option<BodyResult<Frame>>> {
        let Some((exchange, _)) = &mut self.exchange else {
            return Poll::Ready(None);
        };
        let due = match exchange.request.waits_for() {
            // A server that answers while it reads can't go on before the client does.
            WaitsFor::Client => None,
            WaitsFor::Server | WaitsFor::Answer => Some(exchange.idle_due()),
        };
        ready!(exchange.poll_overdue(cx, due));
        self.fail(Error::new(&codes::UPSTREAM_TIMEOUT).with_cause("the body of the response stalled"))
    }
}

impl<IO, R> BodyStream for ResponseBody<IO, R>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    R: FnOnce(Option<Connection<IO>>),
{
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<BodyResult<Frame>>> {
        loop {
            if self.is_complete() {
                self.release();
                return Poll::Ready(None);
            }
            let Some((exchange, _)) = &mut self.exchange else {
                return Poll::Ready(None);
            };
            if let Poll::Ready(Err(Failure::Request(error))) = exchange.poll_request(cx) {
                return self.fail(error);
            }
            let received = self.poll_ahead(cx);
            match self.next_frame() {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) if self.is_complete() => continue,
                Ok(None) => {}
                Err(refusal) => {
                    return self.fail(Error::new(&codes::UPSTREAM_INVALID).with_cause(refusal.to_string()));
                }
            }
            match received {
                Poll::Pending => return self.poll_idle(cx),
                Poll::Ready(Ok(0)) if matches!(self.progress, Progress::UntilClose) => self.progress = Progress::Done,
                Poll::Ready(Ok(0)) => {
                    let cause = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return self.fail(Error::new(&codes::UPSTREAM_CLOSED).with_cause(cause));
                }
                // What is here is not a whole frame: ask for more of it.
                Poll::Ready(Ok(_)) => self.starved = true,
                Poll::Ready(Err(error)) => return self.fail(Error::new(&codes::UPSTREAM_CLOSED).with_cause(error)),
            }
        }
    }

    fn remaining(&self) -> Option<u64> {
        match self.progress {
            Progress::Sized(left) => Some(left),
            Progress::Done => Some(0),
            Progress::Chunked(_) | Progress::UntilClose => None,
        }
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        if let Some((exchange, _)) = &mut self.exchange {
            // A failure shows again when the next frame is asked for.
            let _ = exchange.poll_request(cx);
        }
    }
}
