//! The response's half of an exchange, once its head is there.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use portcullis_core::{BodyStream, Error, Frame, Result as BodyResult, codes};
use tokio::io::{AsyncRead, AsyncWrite};

use super::sending::WaitsFor;
use super::{Connection, Exchange};
use crate::chunked::{self, Event};
use crate::framing::BodyLength;
use crate::head::HeadLimits;
use crate::{Refusal, buffers};

/// The body of a response, read from the connection to the server; it also sends what is left of the request.
pub(super) struct ResponseBody<IO, R> {
    /// Gone once the connection has been given back.
    exchange: Option<(Exchange<IO>, R)>,
    progress: Progress,
    keep_alive: bool,
    /// What has been received is not enough for a frame.
    starved: bool,
}

/// How far the body of the response has been read.
enum Progress {
    Sized(u64),
    Chunked(Box<chunked::Decoder>),
    UntilClose,
    Done,
}

impl<IO, R> ResponseBody<IO, R>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    R: FnOnce(Option<Connection<IO>>),
{
    pub(super) fn new(
        exchange: Exchange<IO>,
        length: BodyLength,
        keep_alive: bool,
        limits: &HeadLimits,
        recycle: R,
    ) -> ResponseBody<IO, R> {
        let progress = match length {
            BodyLength::None => Progress::Done,
            BodyLength::Sized(length) => Progress::Sized(length),
            BodyLength::Chunked => Progress::Chunked(Box::new(chunked::Decoder::new(limits))),
            BodyLength::UntilClose => Progress::UntilClose,
        };
        ResponseBody {
            exchange: Some((exchange, recycle)),
            progress,
            keep_alive,
            starved: false,
        }
    }

    /// The next frame from what has been received: `None` when more is needed.
    fn next_frame(&mut self) -> Result<Option<Frame>, Refusal> {
        let Some((exchange, _)) = &mut self.exchange else {
            return Ok(None);
        };
        let input = &mut exchange.input;
        if input.is_empty() {
            return Ok(None);
        }
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

    /// Gives the connection back. A request that the server answered before it had all of it spoils the connection, and
    /// so do bytes beyond the response.
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
                Poll::Ready(Ok(count)) if count > 0 => {
                    exchange.overdue_at = None;
                    self.starved = false;
                }
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
            WaitsFor::Server | WaitsFor::Answer => {
                Some(exchange.idle_due(matches!(self.progress, Progress::UntilClose)))
            }
        };
        ready!(exchange.poll_overdue(cx, due));
        self.fail(Error::new(&codes::UPSTREAM_TIMEOUT).with_cause("the body of the response stalled"))
    }

    fn is_past_deadline(&self) -> bool {
        let deadline = self
            .exchange
            .as_ref()
            .and_then(|(exchange, _)| exchange.timeouts.deadline);
        deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

impl<IO, R> BodyStream for ResponseBody<IO, R>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    R: FnOnce(Option<Connection<IO>>),
{
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<BodyResult<Frame>>> {
        if self.is_past_deadline() {
            return self.fail(Error::new(&codes::UPSTREAM_TIMEOUT).with_cause("the whole exchange took too long"));
        }
        loop {
            if self.is_complete() {
                self.release();
                return Poll::Ready(None);
            }
            let Some((exchange, _)) = &mut self.exchange else {
                return Poll::Ready(None);
            };
            if let Poll::Ready(Err(error)) = exchange.poll_request(cx) {
                return self.fail(error);
            }
            let received = self.poll_ahead(cx);
            match self.next_frame() {
                Ok(Some(frame)) => {
                    if self.is_complete() {
                        self.release();
                    }
                    return Poll::Ready(Some(Ok(frame)));
                }
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
            exchange.request.poll_background(cx, &mut exchange.connection.io);
        }
    }
}
