//! The request's half of an exchange.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::{Reason, SendStream};
use portcullis_core::{Body, BodyStream, Error, Frame, Headers, Result};

use crate::message;

/// How much of the body is kept, once it has been handed on, to be sent again to a server that has not begun with it: a
/// unary call of gRPC, a small form.
const KEPT: usize = 64 * 1024;

/// How much of a stream's window is asked for at a time.
const ASKED_FOR: usize = 64 * 1024;

/// A request's body on its way to the server.
pub(super) struct Sending {
    stream: SendStream<Bytes>,
    body: Body,
    /// What was taken from the body and not yet granted room by the server.
    piece: Bytes,
    /// What comes behind the piece, where that is known already.
    next: Next,
    state: State,
    tunnel: Tunnel,
    sent: Sent,
    moved: bool,
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

enum Next {
    Unknown,
    Piece(Bytes),
    Trailers(Headers),
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// There may be more of the body.
    Body,
    /// All of it is handed to the connection.
    Done,
    /// The server takes no more, but may still answer.
    Refused,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tunnel {
    /// The request asks for none.
    None,
    /// The server has not agreed yet. Before it does, nothing that the client sends ahead may reach it.
    Asked,
    Open,
}

/// What was taken from the body so far, to be sent again.
enum Sent {
    Kept(VecDeque<Frame>, usize),
    /// It was too much, or the server has begun to answer.
    Gone,
}

impl Sending {
    pub(super) fn new(stream: SendStream<Bytes>, body: Body, without_body: bool, tunnel: bool) -> Sending {
        Sending {
            stream,
            body,
            piece: Bytes::new(),
            next: Next::Unknown,
            state: if without_body { State::Done } else { State::Body },
            tunnel: if tunnel { Tunnel::Asked } else { Tunnel::None },
            sent: Sent::Kept(VecDeque::new(), 0),
            moved: false,
            broken: None,
        }
    }

    /// Whether all of it is handed to the connection.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the stream speaks another protocol.
    pub(super) fn is_tunnel(&self) -> bool {
        self.tunnel == Tunnel::Open
    }

    /// Whether anything came from the client or went out since this was last asked.
    pub(super) fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// The head of the response is there; `success` opens a tunnel.
    pub(super) fn answered(&mut self, success: bool) {
        self.sent = Sent::Gone;
        if self.tunnel != Tunnel::Asked {
            return;
        }
        if success {
            self.tunnel = Tunnel::Open;
        } else {
            self.tunnel = Tunnel::None;
            self.body = Body::Empty;
            self.finish();
        }
    }

    pub(super) fn waits_for(&self) -> WaitsFor {
        match (self.state, self.tunnel) {
            (State::Done | State::Refused, _) | (_, Tunnel::Asked) => WaitsFor::Answer,
            _ if !self.piece.is_empty() => WaitsFor::Server,
            (_, Tunnel::Open) => WaitsFor::Server,
            (_, Tunnel::None) => WaitsFor::Client,
        }
    }

    /// The body as it was before, where all that was taken of it is still here.
    pub(super) fn into_unsent(self) -> Option<Body> {
        let Sent::Kept(frames, bytes) = self.sent else {
            return None;
        };
        if frames.is_empty() {
            return Some(self.body);
        }
        Some(Body::Stream(Box::new(SentAgain {
            frames,
            bytes: bytes as u64,
            rest: self.body,
        })))
    }

    /// Sends what can be sent. A server that takes no more may still have answered, so only a broken body is a failure;
    /// the stream is reset then, so that the server does not take what it has for the whole.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Err(error));
        }
        if self.tunnel == Tunnel::Asked {
            return Poll::Pending;
        }
        while self.state == State::Body {
            if self.piece.is_empty() {
                match std::mem::replace(&mut self.next, Next::Unknown) {
                    Next::Unknown => match self.poll_body(cx) {
                        Poll::Ready(next) => self.next = next?,
                        Poll::Pending => return Poll::Pending,
                    },
                    Next::Piece(piece) => self.piece = piece,
                    Next::Trailers(trailers) => self.finish_with(&trailers),
                    Next::End => self.finish(),
                }
                continue;
            }
            if !self.poll_room(cx) {
                return Poll::Pending;
            }
            // A piece that is known to be the last one says so itself, without an empty frame behind it.
            if matches!(self.next, Next::Unknown)
                && let Poll::Ready(next) = self.poll_body(cx)
            {
                self.next = next?;
            }
            self.send_piece();
        }
        Poll::Ready(Ok(()))
    }

    /// Goes on without anybody to tell of a failure; that waits until somebody asks.
    pub(super) fn poll_background(&mut self, cx: &mut Context<'_>) {
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            self.broken = Some(error);
        }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next>> {
        let next = match self.body.poll_frame(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => Next::End,
            Poll::Ready(Some(Ok(Frame::Data(data)))) => {
                self.sent.keep(Frame::Data(data.clone()), data.len());
                Next::Piece(data)
            }
            Poll::Ready(Some(Ok(Frame::Trailers(trailers)))) => {
                self.sent.keep(Frame::Trailers(trailers.clone()), 0);
                Next::Trailers(trailers)
            }
            Poll::Ready(Some(Err(error))) => {
                self.sent = Sent::Gone;
                self.state = State::Refused;
                self.stream.send_reset(Reason::CANCEL);
                return Poll::Ready(Err(error));
            }
        };
        if !matches!(next, Next::Piece(_)) {
            self.body = Body::Empty;
        }
        self.moved = true;
        Poll::Ready(Ok(next))
    }

    /// Whether some of the piece may go, or nothing ever will.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> bool {
        self.stream.reserve_capacity(self.piece.len().min(ASKED_FOR));
        while self.stream.capacity() == 0 {
            match self.stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(None | Some(Err(_))) => {
                    self.refuse();
                    return true;
                }
                Poll::Pending => return false,
            }
        }
        true
    }

    fn send_piece(&mut self) {
        if self.state != State::Body {
            return;
        }
        let room = self.stream.capacity().min(self.piece.len());
        let part = self.piece.split_to(room);
        let last = self.piece.is_empty() && matches!(self.next, Next::End);
        self.moved = true;
        match self.stream.send_data(part, last) {
            Ok(()) if last => self.state = State::Done,
            Ok(()) => {}
            Err(_) => self.refuse(),
        }
    }

    fn finish(&mut self) {
        match self.stream.send_data(Bytes::new(), true) {
            Ok(()) => self.state = State::Done,
            Err(_) => self.refuse(),
        }
    }

    fn finish_with(&mut self, trailers: &Headers) {
        match self.stream.send_trailers(message::written_trailers(trailers)) {
            Ok(()) => self.state = State::Done,
            Err(_) => self.refuse(),
        }
    }

    fn refuse(&mut self) {
        self.state = State::Refused;
        self.piece = Bytes::new();
    }
}

impl Sent {
    fn keep(&mut self, frame: Frame, length: usize) {
        if let Sent::Kept(frames, bytes) = self {
            *bytes += length;
            if *bytes > KEPT {
                *self = Sent::Gone;
            } else {
                frames.push_back(frame);
            }
        }
    }
}

/// A body of which some was taken, from its beginning.
struct SentAgain {
    frames: VecDeque<Frame>,
    /// What the frames hold.
    bytes: u64,
    rest: Body,
}

impl BodyStream for SentAgain {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let Some(frame) = self.frames.pop_front() else {
            return self.rest.poll_frame(cx);
        };
        if let Frame::Data(data) = &frame {
            self.bytes -= data.len() as u64;
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn remaining(&self) -> Option<u64> {
        Some(self.rest.remaining()? + self.bytes)
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        self.rest.poll_background(cx);
    }
}
