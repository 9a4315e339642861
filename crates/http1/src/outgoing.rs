//! A response on its way out: head and small bodies in one write, large pieces without a copy.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use portcullis_core::{Body, Frame, Headers, Response, Status, Version};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::channel::Shared;
use crate::encode::{self, Persistence};
use crate::framing::BodyLength;
use crate::outbox::Outbox;
use crate::server::Client;
use crate::{buffers, chunked};

pub(crate) struct Outgoing {
    outbox: Outbox,
    body: Body,
    framing: BodyLength,
    keeps_alive: bool,
    /// Until when the client must have taken something; set while it does not.
    overdue_at: Option<Instant>,
    finished: bool,
    /// The body broke off: what came before is still written, and nothing else.
    cut_off: bool,
    bytes_out: u64,
    /// Bytes that a `Content-Length` has promised and that are still to come.
    promised: Option<u64>,
}

/// The response can't be sent to its end.
struct CutOff;

impl Outgoing {
    /// Prepares a response. `can_go_on` tells whether the connection could take another request after it, asked only
    /// when the response itself would allow it.
    pub(crate) fn new(response: Response, client: &Client, can_go_on: impl FnOnce() -> bool) -> Outgoing {
        let Response {
            status,
            headers,
            mut body,
        } = response;
        let switching = status == Status::SWITCHING_PROTOCOLS;
        let length = body.remaining();
        let framing = if switching {
            BodyLength::UntilClose
        } else if client.is_head || status.is_bodyless() {
            BodyLength::None
        } else {
            match length {
                Some(length) => BodyLength::Sized(length),
                None if client.version == Version::Http10 => BodyLength::UntilClose,
                None => BodyLength::Chunked,
            }
        };
        // A response that is still being made may yet read the rest of the request; one that is whole will not.
        let undecided = matches!(body, Body::Stream(_)) && client.keep_alive;
        let keeps_alive = framing != BodyLength::UntilClose && client.keep_alive && (undecided || can_go_on());
        let persistence = match (switching, keeps_alive, client.version) {
            (true, ..) => Persistence::Upgrade,
            (false, false, _) => Persistence::Close,
            (false, true, Version::Http10) => Persistence::KeepAlive,
            (false, true, _) => Persistence::Default,
        };
        let announced = match framing {
            // A 204 or an interim response has no length, whatever asked for it (RFC 9110 §8.6).
            BodyLength::None if client.is_head && (!status.is_bodyless() || status == Status::NOT_MODIFIED) => {
                encode::ResponseLength::Head(length)
            }
            other => encode::ResponseLength::Body(other),
        };
        if framing == BodyLength::None {
            body = Body::Empty;
        }
        let mut before = buffers::take_output();
        encode::response(&mut before, status, &headers, announced, persistence);
        Outgoing {
            outbox: Outbox::new(before),
            body,
            framing,
            keeps_alive,
            overdue_at: None,
            finished: framing == BodyLength::None,
            cut_off: false,
            bytes_out: 0,
            promised: if let BodyLength::Sized(length) = framing {
                Some(length)
            } else {
                None
            },
        }
    }

    pub(crate) fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    pub(crate) fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    /// Sends head and body; whether all of it went out.
    pub(crate) async fn send<IO>(&mut self, channel: &Shared<IO>, timeout: Duration) -> bool
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let interim = channel.borrow_mut().start_response();
        if !interim.is_empty() {
            self.outbox.put_first(interim);
        }
        poll_fn(|cx| self.poll_send(cx, channel, timeout)).await.is_ok()
    }

    fn poll_send<IO>(
        &mut self,
        cx: &mut Context<'_>,
        channel: &Shared<IO>,
        timeout: Duration,
    ) -> Poll<Result<(), CutOff>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            // A body that breaks off ends the connection, after what came before has been written.
            let gathered = self.gather(cx);
            let emptied = self.outbox.poll_empty(cx, channel.borrow_mut().io());
            if self.outbox.has_moved() {
                self.overdue_at = None;
            }
            match emptied {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Err(CutOff)),
                Poll::Pending => {
                    if !self.cut_off {
                        self.body.poll_background(cx);
                    }
                    let due = *self.overdue_at.get_or_insert_with(|| Instant::now() + timeout);
                    return channel.borrow_mut().poll_overdue(cx, due).map(|()| Err(CutOff));
                }
            }
            match gathered {
                Err(CutOff) => return Poll::Ready(Err(CutOff)),
                Ok(Gathered::Full) => {}
                Ok(Gathered::Waiting) => return channel.borrow_mut().poll_gone(cx).map(|()| Err(CutOff)),
                Ok(Gathered::All) => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Collects frames until there is a large piece to write, nothing more is ready, or all is there.
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<Gathered, CutOff> {
        if self.cut_off {
            return Err(CutOff);
        }
        let gathered = self.gather_frames(cx);
        self.cut_off = gathered.is_err();
        gathered
    }

    fn gather_frames(&mut self, cx: &mut Context<'_>) -> Result<Gathered, CutOff> {
        loop {
            if self.finished {
                return Ok(Gathered::All);
            }
            if self.outbox.is_full() {
                return Ok(Gathered::Full);
            }
            match self.body.poll_frame(cx) {
                Poll::Pending => return Ok(Gathered::Waiting),
                Poll::Ready(Some(Err(_))) => return Err(CutOff),
                Poll::Ready(Some(Ok(Frame::Data(data)))) => self.push(data)?,
                Poll::Ready(Some(Ok(Frame::Trailers(trailers)))) => self.end(&trailers)?,
                Poll::Ready(None) => self.end(&Headers::new())?,
            }
        }
    }

    /// Puts a piece of the body behind what is to be written.
    fn push(&mut self, data: Bytes) -> Result<(), CutOff> {
        if let Some(promised) = &mut self.promised {
            // More than was promised would be taken for the next response.
            *promised = promised.checked_sub(data.len() as u64).ok_or(CutOff)?;
        }
        self.bytes_out += data.len() as u64;
        self.outbox.push(data, self.framing == BodyLength::Chunked);
        Ok(())
    }

    fn end(&mut self, trailers: &Headers) -> Result<(), CutOff> {
        if self.promised.is_some_and(|promised| promised > 0) {
            return Err(CutOff);
        }
        if self.framing == BodyLength::Chunked {
            chunked::encode_end(self.outbox.text(), trailers);
        }
        self.finished = true;
        Ok(())
    }
}

enum Gathered {
    /// There is enough to write for now.
    Full,
    /// The body has nothing more at the moment.
    Waiting,
    /// The body has ended.
    All,
}
