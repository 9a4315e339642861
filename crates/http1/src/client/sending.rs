//! The request's half of an exchange.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use portcullis_core::{Body, Error, Frame, Headers, codes};
use tokio::io::AsyncWrite;

use crate::chunked;
use crate::framing::BodyLength;
use crate::outbox::Outbox;

/// A request on its way to the server.
pub(super) struct Sending {
    outbox: Outbox,
    body: Body,
    framing: BodyLength,
    state: State,
    /// The server has switched to the other protocol. Before, what the client sends ahead must not reach it: a server
    /// that declines would take those bytes for requests that no route or policy has seen.
    switched: bool,
    /// Found while nobody could be told.
    broken: Option<Error>,
}

/// Whose turn it is.
pub(super) enum WaitsFor {
    /// The client's: more of the request's body must come.
    Client,
    /// The server's: it must take what is to be sent, or a tunnel must move.
    Server,
    /// The server's: it has the request.
    Answer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// There may be more of the body.
    Body,
    /// All of it has been gathered, and may not be written yet.
    Last,
    /// All of a tunnel's is out; the server is to learn that no more comes.
    Closing,
    /// All of it is out.
    Done,
    /// The server takes no more, but may still answer.
    Refused,
}

impl Sending {
    pub(super) fn new(head: Vec<u8>, body: Body, framing: BodyLength) -> Sending {
        let outbox = Outbox::new(head);
        Sending {
            outbox,
            body,
            framing,
            state: State::Body,
            switched: false,
            broken: None,
        }
    }

    /// Whether the server has got all of it.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the connection was switched to another protocol.
    pub(super) fn is_tunnel(&self) -> bool {
        self.switched
    }

    /// Whether bytes went out since this was last asked.
    pub(super) fn has_moved(&mut self) -> bool {
        self.outbox.has_moved()
    }

    /// The server has answered the request for another protocol.
    pub(super) fn upgrade_answered(&mut self, switched: bool) {
        if self.framing != BodyLength::UntilClose {
            return;
        }
        self.switched = switched;
        if !switched && !self.outbox.has_left() {
            self.state = State::Done;
        }
    }

    pub(super) fn waits_for(&self) -> WaitsFor {
        match self.state {
            State::Done | State::Refused => WaitsFor::Answer,
            _ if self.outbox.has_left() || self.state == State::Closing => WaitsFor::Server,
            _ if self.framing == BodyLength::UntilClose && !self.switched => WaitsFor::Answer,
            _ if self.framing == BodyLength::UntilClose => WaitsFor::Server,
            _ => WaitsFor::Client,
        }
    }

    /// Sends what can be sent. A server that takes no more may still have answered, so only a broken body is a failure.
    pub(super) fn poll_send<IO: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut IO,
    ) -> Poll<Result<(), Error>> {
        loop {
            match self.state {
                State::Done | State::Refused => return Poll::Ready(Ok(())),
                State::Closing => {
                    self.state = match ready!(Pin::new(&mut *io).poll_shutdown(cx)) {
                        Ok(()) => State::Done,
                        Err(_) => State::Refused,
                    };
                    continue;
                }
                State::Body | State::Last => {}
            }
            let waiting = self.gather(cx)?;
            match self.outbox.poll_empty(cx, io) {
                Poll::Ready(Ok(())) if self.state == State::Last => {
                    let tunnel = self.framing == BodyLength::UntilClose;
                    self.state = if tunnel { State::Closing } else { State::Done };
                }
                Poll::Ready(Ok(())) if waiting => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => self.state = State::Refused,
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Goes on sending while nobody can be told of a failure: that is kept for the next [`Sending::poll_send`].
    pub(super) fn poll_background<IO: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, io: &mut IO) {
        if self.broken.is_none()
            && let Poll::Ready(Err(error)) = self.poll_send(cx, io)
        {
            self.broken = Some(error);
        }
    }

    /// Collects frames of the body; whether the body has nothing more at the moment.
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        while self.state == State::Body && !self.outbox.is_full() {
            match self.framing {
                BodyLength::None | BodyLength::Sized(0) => {
                    self.state = State::Last;
                    break;
                }
                BodyLength::UntilClose if !self.switched => return Ok(true),
                _ => {}
            }
            match self.body.poll_frame(cx) {
                Poll::Pending => return Ok(true),
                Poll::Ready(Some(frame)) => self.push(frame?)?,
                Poll::Ready(None) => self.end(&Headers::new())?,
            }
        }
        Ok(false)
    }

    fn push(&mut self, frame: Frame) -> Result<(), Error> {
        let data = match frame {
            Frame::Data(data) => data,
            Frame::Trailers(trailers) => return self.end(&trailers),
        };
        if let BodyLength::Sized(left) = &mut self.framing {
            *left = left.checked_sub(data.len() as u64).ok_or_else(wrong_length)?;
        }
        self.outbox.push(data, self.framing == BodyLength::Chunked);
        Ok(())
    }

    fn end(&mut self, trailers: &Headers) -> Result<(), Error> {
        if matches!(self.framing, BodyLength::Sized(left) if left > 0) {
            return Err(wrong_length());
        }
        if self.framing == BodyLength::Chunked {
            chunked::encode_end(self.outbox.text(), trailers);
        }
        self.state = State::Last;
        Ok(())
    }
}

fn wrong_length() -> Error {
    Error::new(&codes::INTERNAL).with_cause("the body is not as long as its length")
}
