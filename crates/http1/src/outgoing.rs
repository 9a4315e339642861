//! A response on its way out: head and small bodies in one write, large pieces without a copy.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use portcullis_core::{Body, Frame, Response, Status, Version};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::channel::Shared;
use crate::encode::{self, Persistence};
use crate::framing::BodyLength;
use crate::server::Client;
use crate::{buffers, chunked};

/// A piece up to this size is copied behind what is to be written before it; a larger one is written from where it is.
const COPIED: usize = 4096;

pub(crate) struct Outgoing {
    body: Body,
    framing: BodyLength,
    keeps_alive: bool,
    /// What is to be written: `before`, then `piece`, then `after`.
    before: Vec<u8>,
    written: usize,
    piece: Bytes,
    after: &'static [u8],
    /// Until when the client must have taken something; set while it does not.
    overdue_at: Option<Instant>,
    finished: bool,
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
            BodyLength::None if client.is_head => encode::ResponseLength::Head(length),
            other => encode::ResponseLength::Body(other),
        };
        if framing == BodyLength::None {
            body = Body::Empty;
        }
        let mut before = buffers::take_output();
        encode::response(&mut before, status, &headers, announced, persistence);
        Outgoing {
            body,
            framing,
            keeps_alive,
            before,
            written: 0,
            piece: Bytes::new(),
            after: b"",
            overdue_at: None,
            finished: framing == BodyLength::None,
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
        {
            let mut interim = Vec::new();
            channel.borrow_mut().take_interim(&mut interim);
            if !interim.is_empty() {
                self.before.splice(..0, interim);
            }
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
            match self.poll_flush(cx, channel) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Err(CutOff)),
                Poll::Pending => {
                    self.body.poll_background(cx);
                    let due = *self.overdue_at.get_or_insert_with(|| Instant::now() + timeout);
                    return match channel.borrow_mut().poll_overdue(cx, due) {
                        Poll::Ready(()) => Poll::Ready(Err(CutOff)),
                        Poll::Pending => Poll::Pending,
                    };
                }
            }
            match gathered {
                Err(CutOff) => return Poll::Ready(Err(CutOff)),
                Ok(Gathered::Full) => {}
                Ok(Gathered::Waiting) => {
                    return match channel.borrow_mut().poll_gone(cx) {
                        Poll::Ready(()) => Poll::Ready(Err(CutOff)),
                        Poll::Pending => Poll::Pending,
                    };
                }
                Ok(Gathered::All) => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Collects frames until there is a large piece to write, nothing more is ready, or all is there.
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<Gathered, CutOff> {
        loop {
            if self.finished {
                return Ok(Gathered::All);
            }
            if !self.piece.is_empty() || self.before.len() > buffers::INPUT {
                return Ok(Gathered::Full);
            }
            match self.body.poll_frame(cx) {
                Poll::Pending => return Ok(Gathered::Waiting),
                Poll::Ready(Some(Err(_))) => return Err(CutOff),
                Poll::Ready(Some(Ok(Frame::Data(data)))) => self.push(data)?,
                Poll::Ready(Some(Ok(Frame::Trailers(trailers)))) => {
                    if self.framing == BodyLength::Chunked {
                        chunked::encode_end(&mut self.before, &trailers);
                        self.finished = true;
                    }
                }
                Poll::Ready(None) => {
                    if self.promised.is_some_and(|promised| promised > 0) {
                        return Err(CutOff);
                    }
                    if self.framing == BodyLength::Chunked {
                        chunked::encode_end(&mut self.before, &portcullis_core::Headers::new());
                    }
                    self.finished = true;
                }
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
        Ok(())
    }

    fn poll_flush<IO>(&mut self, cx: &mut Context<'_>, channel: &Shared<IO>) -> Poll<io::Result<()>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let mut channel = channel.borrow_mut();
        let mut wrote = false;
        loop {
            let before = &self.before[self.written..];
            if before.is_empty() && self.piece.is_empty() && self.after.is_empty() {
                self.before.clear();
                self.written = 0;
                return if wrote {
                    channel.poll_flush(cx)
                } else {
                    Poll::Ready(Ok(()))
                };
            }
            let slices = [
                IoSlice::new(before),
                IoSlice::new(&self.piece),
                IoSlice::new(self.after),
            ];
            let slices = if self.piece.is_empty() && self.after.is_empty() {
                &slices[..1]
            } else {
                &slices[..]
            };
            match channel.poll_write(cx, slices) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    self.advance(count);
                    wrote = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn advance(&mut self, mut count: usize) {
        self.overdue_at = None;
        let before = count.min(self.before.len() - self.written);
        self.written += before;
        count -= before;
        let piece = count.min(self.piece.len());
        self.piece.advance(piece);
        count -= piece;
        self.after = &self.after[count..];
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        buffers::give_output(std::mem::take(&mut self.before));
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
