use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::RecvStream;
use portcullis_core::{BodyStream, Error, Frame, Result, codes};
use portcullis_http1::HeadLimits;
use portcullis_http1::watchdog::Watchdog;

use super::answering::Answering;
use crate::message;

/// The content of a request, or all that a client sends after a request for another protocol.
pub(super) struct RequestBody {
    /// There until the body is dropped.
    stream: Option<RecvStream>,
    answering: Rc<Answering>,
    limits: HeadLimits,
    /// What the client has promised and not sent, where it has promised a length.
    left: Option<u64>,
    /// Between two pieces; none after a switch to another protocol.
    patience: Option<Duration>,
    /// Whether the client may be silent once the response has begun.
    may_pause: bool,
    watchdog: Watchdog,
    /// Until when the client must have sent more; set while that is waited for.
    overdue_at: Option<Instant>,
}

impl RequestBody {
    pub(super) fn new(
        stream: RecvStream,
        answering: Rc<Answering>,
        limits: HeadLimits,
        left: Option<u64>,
        patience: Option<Duration>,
    ) -> RequestBody {
        RequestBody {
            stream: Some(stream),
            answering,
            limits,
            left,
            patience,
            may_pause: false,
            watchdog: Watchdog::new(),
            overdue_at: None,
        }
    }

    /// Lets the client be silent once the response has begun: a call of gRPC may be a conversation. Its backend limits that.
    pub(super) fn may_pause(&mut self) {
        self.may_pause = true;
    }

    fn stream(&mut self) -> &mut RecvStream {
        self.stream.as_mut().expect("the body has not been dropped")
    }

    /// Takes a piece, and lets the client send as much again.
    fn take(&mut self, data: Bytes) -> Result<Frame> {
        // Fails for a stream that has ended, whose window is of no use to anybody.
        let _ = self.stream().flow_control().release_capacity(data.len());
        self.overdue_at = None;
        self.answering.count_in(data.len());
        if let Some(left) = &mut self.left {
            // The crate has compared the two already.
            *left = left.saturating_sub(data.len() as u64);
        }
        Ok(Frame::Data(data))
    }

    fn poll_trailers(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let trailers = match ready!(self.stream().poll_trailers(cx)) {
            Ok(Some(fields)) => message::received_trailers(&fields, &self.limits),
            Ok(None) => return Poll::Ready(None),
            Err(error) => Err(broken(error)),
        };
        Poll::Ready(match trailers {
            Ok(trailers) if trailers.is_empty() => None,
            Ok(trailers) => Some(Ok(Frame::Trailers(trailers))),
            Err(error) => Some(Err(error)),
        })
    }

    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        self.answering.wants_content();
        let Some(patience) = self
            .patience
            .filter(|_| !(self.may_pause && self.answering.has_begun()))
        else {
            self.overdue_at = None;
            return Poll::Pending;
        };
        let due = *self.overdue_at.get_or_insert_with(|| Instant::now() + patience);
        ready!(self.watchdog.poll_overdue(cx, due));
        let error = Error::new(&codes::REQUEST_TIMEOUT).with_detail("the body stalled");
        Poll::Ready(Some(Err(error)))
    }
}

impl BodyStream for RequestBody {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        loop {
            match self.stream().poll_data(cx) {
                // The empty piece that may end a stream.
                Poll::Ready(Some(Ok(data))) if data.is_empty() => {}
                Poll::Ready(Some(Ok(data))) => return Poll::Ready(Some(self.take(data))),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(broken(error)))),
                Poll::Ready(None) => {
                    let trailers = self.poll_trailers(cx);
                    return if trailers.is_pending() {
                        self.poll_overdue(cx)
                    } else {
                        trailers
                    };
                }
                Poll::Pending => return self.poll_overdue(cx),
            }
        }
    }

    fn remaining(&self) -> Option<u64> {
        let ended = self.stream.as_ref().is_some_and(RecvStream::is_end_stream);
        if ended { Some(0) } else { self.left }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.answering.leave(stream, self.left);
        }
    }
}

/// Why the content ends before its end.
#[cold]
fn broken(error: h2::Error) -> Error {
    if error.is_remote() || error.is_io() {
        return Error::new(&codes::CLIENT_GONE).with_cause(error);
    }
    let detail = "the content is not what the client said it would be";
    Error::new(&codes::BAD_REQUEST).with_detail(detail).with_cause(error)
}
