use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::{Reason, SendStream};
use portcullis_core::{Body, Frame, Headers, Response, Result, Status};
use portcullis_http1::encode::ResponseLength;
use portcullis_http1::framing::BodyLength;
use portcullis_http1::watchdog::Watchdog;

use super::answering::Answering;
use crate::message;

/// What of a request decides on the form of its response.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) is_head: bool,
    /// Whether the client wants to speak another protocol.
    pub(super) tunnel: bool,
}

/// How a response goes out.
pub(super) struct Plan {
    pub(super) status: Status,
    announced: ResponseLength,
    /// Whether content follows the head.
    has_content: bool,
    /// The length that the content must have, where it is announced.
    promised: Option<u64>,
}

impl Plan {
    pub(super) fn of(response: &Response, asked: Asked) -> Plan {
        let length = response.body.remaining();
        if asked.tunnel && response.status == Status::SWITCHING_PROTOCOLS {
            // RFC 8441 §5: what is 101 in HTTP/1.1 is 200 here.
            return Plan {
                status: Status::OK,
                announced: ResponseLength::Body(BodyLength::Chunked),
                has_content: true,
                promised: None,
            };
        }
        let status = response.status;
        let bodyless = status.is_bodyless();
        let announced = match length {
            // A 204 or an interim response has no length, whatever asked for it (RFC 9110 §8.6).
            _ if asked.is_head && (!bodyless || status == Status::NOT_MODIFIED) => ResponseLength::Head(length),
            _ if asked.is_head || bodyless => ResponseLength::Body(BodyLength::None),
            Some(length) => ResponseLength::Body(BodyLength::Sized(length)),
            None => ResponseLength::Body(BodyLength::Chunked),
        };
        let has_content = !asked.is_head && !bodyless && !response.body.is_empty();
        Plan {
            status,
            announced,
            has_content,
            promised: if has_content { length } else { None },
        }
    }
}

/// A response on its way out.
pub(super) struct Outgoing {
    stream: SendStream<Bytes>,
    body: Body,
    /// What comes next, and what comes then.
    piece: Bytes,
    then: Then,
    /// Bytes that a `Content-Length` has promised and that the body has not given.
    promised: Option<u64>,
    bytes_out: u64,
    patience: Duration,
    watchdog: Watchdog,
    /// Until when the client must have taken something; set while it does not.
    overdue_at: Option<Instant>,
}

/// What comes behind the piece that is being sent.
enum Then {
    /// The body has not said.
    Unknown,
    Data(Bytes),
    Trailers(Headers),
    End,
    /// The body broke off, or is not as long as was promised.
    BrokenOff,
}

/// How far a response came.
pub(super) struct Sending {
    pub(super) complete: bool,
    pub(super) bytes_out: u64,
}

/// How long a client may go on to send content that nobody wants, after the response has gone out.
const LINGER: Duration = Duration::from_secs(2);

/// Waits until the client has sent what it was about to send: one that learns of the end of its request before it has
/// seen the response may forget the response.
pub(super) async fn linger(answering: &Answering) {
    let due = Instant::now() + LINGER;
    let mut watchdog = Watchdog::new();
    poll_fn(|cx| match answering.poll_drop_unwanted(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => watchdog.poll_overdue(cx, due),
    })
    .await;
}

/// Sends a response: head, content, trailers.
pub(super) async fn send(answering: &Answering, plan: Plan, response: Response, patience: Duration) -> Sending {
    let head = message::response_head(plan.status, &response.headers, plan.announced);
    let Ok(stream) = answering.respond(head, !plan.has_content) else {
        return Sending {
            complete: false,
            bytes_out: 0,
        };
    };
    if !plan.has_content {
        return Sending {
            complete: true,
            bytes_out: 0,
        };
    }
    let mut outgoing = Outgoing {
        stream,
        body: response.body,
        piece: Bytes::new(),
        then: Then::Unknown,
        promised: plan.promised,
        bytes_out: 0,
        patience,
        watchdog: Watchdog::new(),
        overdue_at: None,
    };
    let complete = poll_fn(|cx| {
        let _ = answering.poll_drop_unwanted(cx);
        outgoing.poll(cx)
    })
    .await;
    Sending {
        complete,
        bytes_out: outgoing.bytes_out,
    }
}

impl Outgoing {
    /// Sends what can be sent. Ready at the end: whether all went out.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            if self.piece.is_empty() {
                match std::mem::replace(&mut self.then, Then::Unknown) {
                    Then::Data(data) => self.start(data),
                    Then::Unknown => match self.body.poll_frame(cx) {
                        Poll::Ready(frame) => self.then = self.judge(frame),
                        // Whether the client is there shows itself while there is nothing to send, too.
                        Poll::Pending => return self.stream.poll_reset(cx).map(|_| false),
                    },
                    Then::Trailers(trailers) => {
                        let trailers = message::written_trailers(&trailers);
                        return Poll::Ready(self.stream.send_trailers(trailers).is_ok());
                    }
                    Then::End => return Poll::Ready(self.stream.send_data(Bytes::new(), true).is_ok()),
                    Then::BrokenOff => return self.break_off(Reason::INTERNAL_ERROR),
                }
                continue;
            }
            let room = self.stream.capacity();
            if room > 0 {
                if let Some(complete) = self.send_piece(cx, room) {
                    return Poll::Ready(complete);
                }
                continue;
            }
            match self.stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(_) => return Poll::Ready(false),
                Poll::Pending => {
                    if !matches!(self.then, Then::End | Then::BrokenOff | Then::Trailers(_)) {
                        self.body.poll_background(cx);
                    }
                    let patience = self.patience;
                    let due = *self.overdue_at.get_or_insert_with(|| Instant::now() + patience);
                    if self.watchdog.poll_overdue(cx, due).is_pending() {
                        return Poll::Pending;
                    }
                    return self.break_off(Reason::CANCEL);
                }
            }
        }
    }

    fn start(&mut self, data: Bytes) {
        self.stream.reserve_capacity(data.len());
        self.piece = data;
    }

    /// Sends as much of the piece as there is room for; whether all went out, if that was the end.
    fn send_piece(&mut self, cx: &mut Context<'_>, room: usize) -> Option<bool> {
        self.overdue_at = None;
        let part = self.piece.split_to(room.min(self.piece.len()));
        // The end is best told with the last piece, so that the body is asked before that goes out.
        if self.piece.is_empty()
            && matches!(self.then, Then::Unknown)
            && let Poll::Ready(frame) = self.body.poll_frame(cx)
        {
            self.then = self.judge(frame);
        }
        let ends = self.piece.is_empty() && matches!(self.then, Then::End);
        let len = part.len() as u64;
        if self.stream.send_data(part, ends).is_err() {
            return Some(false);
        }
        self.bytes_out += len;
        ends.then_some(true)
    }

    /// What the body has given, and whether that is as long as was promised.
    fn judge(&mut self, frame: Option<Result<Frame>>) -> Then {
        match (frame, &mut self.promised) {
            (Some(Ok(Frame::Data(data))), Some(promised)) => match promised.checked_sub(data.len() as u64) {
                Some(left) => {
                    *promised = left;
                    Then::Data(data)
                }
                None => Then::BrokenOff,
            },
            (Some(Ok(Frame::Data(data))), None) => Then::Data(data),
            (Some(Err(_)), _) | (_, Some(1..)) => Then::BrokenOff,
            (Some(Ok(Frame::Trailers(trailers))), _) => Then::Trailers(trailers),
            (None, _) => Then::End,
        }
    }

    fn break_off(&mut self, reason: Reason) -> Poll<bool> {
        self.stream.send_reset(reason);
        Poll::Ready(false)
    }
}
