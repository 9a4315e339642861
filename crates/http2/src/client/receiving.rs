//! The response's half of an exchange, once its head is there.

use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use bytes::Bytes;
use h2::RecvStream;
use portcullis_core::{BodyStream, Error, Frame, Result, codes};
use portcullis_http1::HeadLimits;

use super::sending::WaitsFor;
use super::{Exchange, Failure};
use crate::message;

/// The body of a response; it also sends what is left of the request.
pub(super) struct ResponseBody<D> {
    /// Gone once all has been received: what is left of the request then goes with it.
    open: Option<(Exchange, RecvStream, D)>,
    /// The first piece, where it was there together with the head.
    first: Option<Bytes>,
    /// What is still to come, where the head promised it.
    left: Option<u64>,
    /// Bytes of the piece handed out last. The server is granted as many anew when the next one is asked for, which is
    /// when the consumer has taken this one.
    taken: usize,
    limits: HeadLimits,
}

/// The first piece of a response's content, if it is here already.
pub(super) fn first_piece(content: &mut RecvStream) -> Option<Bytes> {
    // Whoever asks for what comes later does so with a waker.
    match content.poll_data(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Ok(data))) if !data.is_empty() => Some(data),
        // An end or an error is found again.
        _ => None,
    }
}

impl<D> ResponseBody<D> {
    pub(super) fn new(
        exchange: Exchange,
        content: RecvStream,
        first: Option<Bytes>,
        left: Option<u64>,
        limits: HeadLimits,
        done: D,
    ) -> ResponseBody<D> {
        ResponseBody {
            open: Some((exchange, content, done)),
            first,
            left,
            taken: 0,
            limits,
        }
    }

    fn hand_out(&mut self, data: Bytes) -> Poll<Option<Result<Frame>>> {
        self.taken = data.len();
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(data.len() as u64);
        }
        Poll::Ready(Some(Ok(Frame::Data(data))))
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<Frame>>> {
        self.open = None;
        Poll::Ready(Some(Err(error)))
    }

    /// Asks the stream for more.
    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let Some((exchange, content, _)) = &mut self.open else {
            return Poll::Ready(None);
        };
        loop {
            match content.poll_data(cx) {
                Poll::Ready(Some(Ok(data))) => {
                    exchange.connection.0.hear();
                    exchange.overdue_at = None;
                    if !data.is_empty() {
                        return self.hand_out(data);
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    let failure = Failure::of(error, &exchange.connection.0);
                    return self.fail(failure.into());
                }
                Poll::Ready(None) => return self.poll_trailers(cx),
                Poll::Pending => return self.poll_idle(cx),
            }
        }
    }

    fn poll_trailers(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let Some((exchange, content, _)) = &mut self.open else {
            return Poll::Ready(None);
        };
        let trailers = match content.poll_trailers(cx) {
            Poll::Pending => return self.poll_idle(cx),
            Poll::Ready(Ok(trailers)) => trailers,
            Poll::Ready(Err(error)) => {
                let failure = Failure::of(error, &exchange.connection.0);
                return self.fail(failure.into());
            }
        };
        self.open = None;
        let Some(fields) = trailers else {
            return Poll::Ready(None);
        };
        match message::received_trailers(&fields, &self.limits) {
            Ok(trailers) if trailers.is_empty() => Poll::Ready(None),
            Ok(trailers) => Poll::Ready(Some(Ok(Frame::Trailers(trailers)))),
            Err(error) => self.fail(Failure::malformed(&error).into()),
        }
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let Some((exchange, ..)) = &mut self.open else {
            return Poll::Ready(None);
        };
        let due = match exchange.sending.waits_for() {
            // A server that answers while it reads can't go on before the client does; a conversation may pause for long.
            WaitsFor::Client => exchange.idle_due(true),
            WaitsFor::Server | WaitsFor::Answer => exchange.idle_due(false),
        };
        ready!(exchange.poll_overdue(cx, Some(due)));
        self.fail(Error::new(&codes::UPSTREAM_TIMEOUT).with_cause("the body of the response stalled"))
    }

    fn is_past_deadline(&self) -> bool {
        let deadline = self.open.as_ref().and_then(|(exchange, ..)| exchange.timeouts.deadline);
        deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

impl<D> BodyStream for ResponseBody<D> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        if self.is_past_deadline() {
            return self.fail(Error::new(&codes::UPSTREAM_TIMEOUT).with_cause("the whole exchange took too long"));
        }
        let Some((exchange, content, _)) = &mut self.open else {
            return Poll::Ready(None);
        };
        // It fails only for more than was received.
        let _ = content.flow_control().release_capacity(std::mem::take(&mut self.taken));
        if let Poll::Ready(Err(error)) = exchange.sending.poll_send(cx) {
            return self.fail(error);
        }
        match self.first.take() {
            Some(first) => self.hand_out(first),
            None => self.poll_content(cx),
        }
    }

    fn remaining(&self) -> Option<u64> {
        self.left
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        if let Some((exchange, ..)) = &mut self.open {
            exchange.sending.poll_background(cx);
        }
    }
}
