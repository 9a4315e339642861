//! The content of a request, read from its stream only as fast as it is taken.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use h3::error::Code;
use h3::server::RequestStream as Requests;
use portcullis_core::{BodyStream, Error, Frame, Result, Status, codes};
use portcullis_http1::HeadLimits;
use portcullis_http1::watchdog::Watchdog;
use portcullis_http2::message;

use crate::frames::Piece;
use crate::interim::Interims;
use crate::stream::{Broken, Stream};
use crate::transport::RequestStream;

/// How much content is gathered into one piece, unless a frame brings more in one.
const GATHERED: usize = 16 * 1024;

/// The receiving half, of which `h3` reads the trailers.
pub(crate) type TrailerReader = Requests<RequestStream, Bytes>;

pub(crate) struct RequestBody {
    stream: Rc<Stream>,
    trailers: TrailerReader,
    progress: Progress,
    /// What happened behind the content that was given last.
    broken: Option<Broken>,
    /// What the client has promised and not sent yet.
    promised: Option<u64>,
    /// Bytes that came, for the server to count.
    received: Rc<Cell<u64>>,
    /// Where to ask for the content, if the client waits for that.
    expected: Option<Rc<Interims>>,
    limits: HeadLimits,
    timeout: Duration,
    overdue_at: Option<Instant>,
    watchdog: Watchdog,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Content,
    Trailers,
    Done,
}

/// What the body of a request is read with.
pub(crate) struct Reading {
    pub(crate) promised: Option<u64>,
    pub(crate) received: Rc<Cell<u64>>,
    pub(crate) expected: Option<Rc<Interims>>,
    pub(crate) limits: HeadLimits,
    pub(crate) timeout: Duration,
}

impl RequestBody {
    pub(crate) fn new(stream: Rc<Stream>, trailers: TrailerReader, reading: Reading) -> RequestBody {
        RequestBody {
            stream,
            trailers,
            progress: Progress::Content,
            broken: None,
            promised: reading.promised,
            received: reading.received,
            expected: reading.expected,
            limits: reading.limits,
            timeout: reading.timeout,
            overdue_at: None,
            watchdog: Watchdog::new(),
        }
    }

    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>>> {
        if let Some(broken) = self.broken.take() {
            return Poll::Ready(Err(failure(&broken)));
        }
        let piece = match ready!(self.stream.poll_piece(cx)) {
            Ok(piece) => piece,
            Err(broken) => return Poll::Ready(Err(failure(&broken))),
        };
        match piece {
            Some(Piece::Data(data)) => {
                let data = self.with_what_follows(cx, data);
                self.count(data.len() as u64)?;
                Poll::Ready(Ok(Some(Frame::Data(data))))
            }
            Some(Piece::Frame(frame)) => {
                // It is the trailer section; what else it may be, `h3` refuses.
                self.stream.put_back(Some(Piece::Frame(frame)));
                self.all_came()?;
                self.progress = Progress::Trailers;
                self.poll_trailers(cx)
            }
            None => {
                self.progress = Progress::Done;
                self.all_came()?;
                Poll::Ready(Ok(None))
            }
        }
    }

    /// Some content, with more that is here already: packets are small, frames may be smaller still, and each piece costs
    /// everybody that it passes.
    fn with_what_follows(&mut self, cx: &mut Context<'_>, first: Bytes) -> Bytes {
        let mut gathered: Option<BytesMut> = None;
        while gathered.as_ref().map_or(first.len(), BytesMut::len) < GATHERED {
            match self.stream.poll_piece(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(Some(Piece::Data(more)))) => {
                    let gathered = gathered.get_or_insert_with(|| {
                        let mut room = BytesMut::with_capacity(GATHERED + more.len());
                        room.extend_from_slice(&first);
                        room
                    });
                    gathered.extend_from_slice(&more);
                }
                Poll::Ready(Ok(other)) => {
                    self.stream.put_back(other);
                    break;
                }
                Poll::Ready(Err(broken)) => {
                    self.broken = Some(broken);
                    break;
                }
            }
        }
        gathered.map_or(first, BytesMut::freeze)
    }

    fn poll_trailers(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>>> {
        let fields = ready!(self.trailers.poll_recv_trailers(cx));
        self.progress = Progress::Done;
        let fields = fields.map_err(|error| Error::new(&codes::BAD_REQUEST).with_cause(error))?;
        let Some(fields) = fields else {
            return Poll::Ready(Ok(None));
        };
        let trailers = message::received_trailers(&fields, &self.limits)?;
        Poll::Ready(Ok(Some(Frame::Trailers(trailers)).filter(|_| !fields.is_empty())))
    }

    fn count(&mut self, bytes: u64) -> Result<()> {
        self.received.set(self.received.get() + bytes);
        if let Some(promised) = &mut self.promised {
            *promised = promised.checked_sub(bytes).ok_or_else(|| self.stream.malformed())?;
        }
        Ok(())
    }

    /// Whether the client has sent what it promised (RFC 9114 §4.1.2).
    fn all_came(&self) -> Result<()> {
        match self.promised {
            Some(1..) => Err(self.stream.malformed()),
            _ => Ok(()),
        }
    }
}

impl BodyStream for RequestBody {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        if let Some(interims) = self.expected.take() {
            interims.push(message::informational_head(
                Status::CONTINUE,
                &portcullis_core::Headers::new(),
            ));
        }
        let polled = match self.progress {
            Progress::Content => self.poll_content(cx),
            Progress::Trailers => self.poll_trailers(cx),
            Progress::Done => return Poll::Ready(None),
        };
        match polled {
            Poll::Ready(result) => {
                self.overdue_at = None;
                if result.is_err() {
                    self.progress = Progress::Done;
                }
                Poll::Ready(result.transpose())
            }
            Poll::Pending => {
                let timeout = self.timeout;
                let due = *self.overdue_at.get_or_insert_with(|| Instant::now() + timeout);
                ready!(self.watchdog.poll_overdue(cx, due));
                self.progress = Progress::Done;
                self.stream.stop(Code::H3_REQUEST_CANCELLED);
                let error = Error::new(&codes::REQUEST_TIMEOUT).with_detail("the body stalled");
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn remaining(&self) -> Option<u64> {
        match self.progress {
            Progress::Content => self.promised,
            Progress::Trailers => None,
            Progress::Done => Some(0),
        }
    }
}

fn failure(broken: &Broken) -> Error {
    let detail = match broken {
        Broken::Reset => "the client broke the request off",
        Broken::Lost => "the connection ended before the whole body was there",
        Broken::Truncated => "the stream ended within a frame",
        Broken::TooLong => return Error::new(&codes::HEAD_TOO_LARGE).with_detail("the trailer section is too long"),
    };
    Error::new(&codes::BAD_REQUEST).with_detail(detail)
}

impl Stream {
    /// The content is not as long as the client said.
    fn malformed(&self) -> Error {
        self.stop(Code::H3_MESSAGE_ERROR);
        Error::new(&codes::BAD_REQUEST).with_detail("the content is not as long as Content-Length says")
    }
}
