//! A client connection as its request's body and its response share it: both live in one task, on one thread.

use std::cell::{Ref, RefCell, RefMut};
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use portcullis_core::{BodyStream, Error, Frame, Headers, Interim, Result, Status, Version, Watch, codes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::chunked::{self, Event};
use crate::framing::BodyLength;
use crate::head::HeadLimits;

use crate::watchdog::Watchdog;
use crate::{buffers, encode};

/// The most bytes of interim responses that wait for a client that doesn't read.
const INTERIM_LIMIT: usize = 64 * 1024;

pub(crate) struct Channel<IO> {
    io: IO,
    /// What was received and not yet used; `None` while there is nothing, so that an idle connection holds no buffer.
    input: Option<BytesMut>,
    /// Interim responses that are still to be written.
    interim: Vec<u8>,
    interim_unflushed: bool,
    /// No interim response may come any more.
    response_started: bool,
    watchdog: Watchdog,
    progress: Progress,
    /// Whether the client has said that it sends no more.
    ended: bool,
    /// Whether the client waits for 100 before it sends the body (RFC 9110 §10.1.1).
    continue_wanted: bool,
    /// Bytes of content that the current request brought.
    pub(crate) bytes_in: u64,
    limits: HeadLimits,
    body_timeout: Duration,
    /// Until when the client must have sent more of the body; set while that is waited for.
    body_overdue_at: Option<Instant>,
}

/// How far the body of the current request has been read.
enum Progress {
    Done,
    Sized(u64),
    Chunked(Box<chunked::Decoder>),
    /// After an upgrade: whatever comes, until the client ends.
    Raw,
    /// It can't be read on; what follows on the connection is unknown.
    Broken,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Channel<IO> {
    fn new(io: IO, limits: HeadLimits, body_timeout: Duration) -> Channel<IO> {
        Channel {
            io,
            input: None,
            interim: Vec::new(),
            interim_unflushed: false,
            response_started: false,
            watchdog: Watchdog::new(),
            progress: Progress::Done,
            ended: false,
            continue_wanted: false,
            bytes_in: 0,
            limits,
            body_timeout,
            body_overdue_at: None,
        }
    }

    /// What was received and not yet used.
    pub(crate) fn input(&self) -> &[u8] {
        self.input.as_deref().unwrap_or_default()
    }

    /// Marks received bytes as used.
    pub(crate) fn consume(&mut self, count: usize) {
        if let Some(input) = &mut self.input {
            input.advance(count);
        }
    }

    /// Lets go of the buffer if nothing is in it.
    pub(crate) fn release_empty_input(&mut self) {
        if self.input.as_ref().is_some_and(|input| input.is_empty())
            && let Some(input) = self.input.take()
        {
            buffers::give_input(input);
        }
    }

    /// Receives more; 0 at the end of what the client sends.
    pub(crate) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut input = self.input.take().unwrap_or_else(buffers::take_input);
        let result = poll_read_into(&mut self.io, cx, &mut input);
        self.input = Some(input);
        if result.is_pending() {
            self.release_empty_input();
        }
        result
    }

    pub(crate) fn poll_overdue(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        self.watchdog.poll_overdue(cx, due)
    }

    /// The byte stream, for the response that is being written.
    pub(crate) fn io(&mut self) -> &mut IO {
        &mut self.io
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    /// Writes interim responses as far as the client takes them.
    pub(crate) fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.interim.is_empty() {
            match ready!(Pin::new(&mut self.io).poll_write(cx, &self.interim))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => drop(self.interim.drain(..count)),
            }
            self.interim_unflushed = true;
        }
        if self.interim_unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.interim_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// The final response begins: what is left of interim ones goes before it, and none comes any more.
    pub(crate) fn start_response(&mut self) -> Vec<u8> {
        self.response_started = true;
        std::mem::take(&mut self.interim)
    }

    /// Starts the body of a request.
    pub(crate) fn start_body(&mut self, length: BodyLength, upgrade: bool, continue_wanted: bool) {
        self.bytes_in = 0;
        self.body_overdue_at = None;
        self.response_started = false;
        self.continue_wanted = continue_wanted;
        self.progress = match length {
            _ if upgrade => Progress::Raw,
            BodyLength::None | BodyLength::Sized(0) | BodyLength::UntilClose => Progress::Done,
            BodyLength::Sized(length) => Progress::Sized(length),
            BodyLength::Chunked => Progress::Chunked(Box::new(chunked::Decoder::new(&self.limits))),
        };
    }

    /// Whether the next request can be read: the body was read whole, or what is left of it is here and is dropped.
    pub(crate) fn finish_body(&mut self) -> bool {
        match self.progress {
            Progress::Done => true,
            Progress::Sized(left) if !self.continue_wanted && left <= self.input().len() as u64 => {
                self.consume(usize::try_from(left).expect("it is at most the length of a buffer"));
                self.progress = Progress::Done;
                true
            }
            _ => false,
        }
    }

    /// An upgrade was not taken up: the connection goes on in HTTP/1.1.
    pub(crate) fn decline_upgrade(&mut self) {
        if matches!(self.progress, Progress::Raw) && self.bytes_in == 0 {
            self.progress = Progress::Done;
        }
    }

    /// Ready when the client has broken the connection off. That it sends no more is no reason to stop: it may still
    /// read (a half-close). Meanwhile what it sends ahead is received, up to a buffer.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while matches!(self.progress, Progress::Done) && !self.ended && self.input().len() < buffers::INPUT {
            match ready!(self.poll_receive(cx)) {
                Ok(0) => self.ended = true,
                Ok(_) => {}
                // A TLS client that ends without saying so ends all the same.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.ended = true,
                Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        if self.continue_wanted {
            self.continue_wanted = false;
            if self.input().is_empty() && !self.response_started {
                self.interim.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
        }
        loop {
            match self.next_frame() {
                Ok(Step::Frame(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::NeedMore) => {}
                Err(error) => return self.broken(error),
            }
            if let Poll::Ready(Err(error)) = self.poll_interim(cx) {
                return self.broken(Error::new(&codes::BAD_REQUEST).with_cause(error));
            }
            match self.poll_receive(cx) {
                Poll::Ready(Ok(0)) if matches!(self.progress, Progress::Raw) => {
                    self.progress = Progress::Done;
                    return Poll::Ready(None);
                }
                Poll::Ready(Ok(0)) => {
                    let detail = "the connection ended before the whole body was there";
                    return self.broken(Error::new(&codes::BAD_REQUEST).with_detail(detail));
                }
                Poll::Ready(Ok(_)) => self.body_overdue_at = None,
                Poll::Ready(Err(error)) => return self.broken(Error::new(&codes::BAD_REQUEST).with_cause(error)),
                Poll::Pending if matches!(self.progress, Progress::Raw) => return Poll::Pending,
                Poll::Pending => {
                    let patience = self.body_timeout;
                    let due = *self.body_overdue_at.get_or_insert_with(|| Instant::now() + patience);
                    if self.watchdog.poll_overdue(cx, due).is_ready() {
                        return self.broken(Error::new(&codes::REQUEST_TIMEOUT).with_detail("the body stalled"));
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    fn broken(&mut self, error: Error) -> Poll<Option<Result<Frame>>> {
        self.progress = Progress::Broken;
        Poll::Ready(Some(Err(error)))
    }

    /// The next frame from what has been received.
    fn next_frame(&mut self) -> Result<Step> {
        let received = self.input.as_ref().map_or(0, BytesMut::len);
        let Some(input) = self.input.as_mut().filter(|_| received > 0) else {
            return Ok(match self.progress {
                Progress::Done => Step::End,
                _ => Step::NeedMore,
            });
        };
        let data = match &mut self.progress {
            Progress::Done => return Ok(Step::End),
            Progress::Broken => return Err(Error::new(&codes::BAD_REQUEST)),
            Progress::Raw => input.split().freeze(),
            Progress::Sized(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(received);
                *left -= count as u64;
                if *left == 0 {
                    self.progress = Progress::Done;
                }
                input.split_to(count).freeze()
            }
            Progress::Chunked(decoder) => match decoder.decode(input).map_err(Error::from)? {
                Event::NeedMore => return Ok(Step::NeedMore),
                Event::Data(data) => data,
                Event::End(trailers) => {
                    self.progress = Progress::Done;
                    return Ok(if trailers.is_empty() {
                        Step::End
                    } else {
                        Step::Frame(Frame::Trailers(trailers))
                    });
                }
            },
        };
        self.bytes_in += data.len() as u64;
        Ok(Step::Frame(Frame::Data(data)))
    }
}

enum Step {
    Frame(Frame),
    End,
    NeedMore,
}

/// Reads once into the spare room of a buffer, which grows for a body that fills it.
pub(crate) fn poll_read_into<IO: AsyncRead + Unpin>(
    io: &mut IO,
    cx: &mut Context<'_>,
    buffer: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    if buffer.capacity() - buffer.len() < 1024 {
        buffer.reserve(buffers::INPUT.max(buffer.len()));
    }
    pin!(io.read_buf(buffer)).poll(cx)
}

/// A channel as all of a request's parts hold it. It is borrowed within one poll only, never across two.
pub(crate) struct Shared<IO>(RefCell<Channel<IO>>);

impl<IO: AsyncRead + AsyncWrite + Unpin> Shared<IO> {
    pub(crate) fn new(io: IO, limits: HeadLimits, body_timeout: Duration) -> Rc<Shared<IO>> {
        Rc::new(Shared(RefCell::new(Channel::new(io, limits, body_timeout))))
    }

    /// The byte stream and what was received and not yet used; nothing while somebody else holds the channel.
    pub(crate) fn into_parts(channel: Rc<Shared<IO>>) -> Option<(IO, BytesMut)> {
        let channel = Rc::into_inner(channel)?.0.into_inner();
        Some((channel.io, channel.input.unwrap_or_default()))
    }

    pub(crate) fn borrow(&self) -> Ref<'_, Channel<IO>> {
        self.0.borrow()
    }

    pub(crate) fn borrow_mut(&self) -> RefMut<'_, Channel<IO>> {
        self.0.borrow_mut()
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Watch for Shared<IO> {
    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.borrow_mut().poll_gone(cx)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Interim for Shared<IO> {
    fn send(&self, status: Status, headers: &Headers) {
        let mut channel = self.borrow_mut();
        if channel.interim.len() < INTERIM_LIMIT && !channel.response_started {
            encode::informational(&mut channel.interim, status, headers);
        }
    }
}

/// The body of a request, read from the connection it came by.
pub(crate) struct RequestBody<IO>(pub(crate) Rc<Shared<IO>>);

impl<IO: AsyncRead + AsyncWrite + Unpin> BodyStream for RequestBody<IO> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        self.0.borrow_mut().poll_body(cx)
    }

    fn remaining(&self) -> Option<u64> {
        match self.0.borrow().progress {
            Progress::Done => Some(0),
            Progress::Sized(left) => Some(left),
            Progress::Chunked(_) | Progress::Raw | Progress::Broken => None,
        }
    }
}

/// Whether a client of this version understands interim responses (RFC 9110 §15.2).
pub(crate) fn takes_interim(version: Version) -> bool {
    version > Version::Http10
}
