//! One request's stream, as all that deal with the request hold it: in one task, on one thread.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h3::error::Code;
use portcullis_core::Watch;
use quinn::{ReadError, StoppedError, VarInt, WriteError};

use crate::frames::{Cutter, Piece};

type Stopped = Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>>>>;

/// Both directions of a stream.
pub(crate) struct Stream {
    connection: quinn::Connection,
    sending: RefCell<quinn::SendStream>,
    receiving: RefCell<Receiving>,
    /// Made when somebody waits for it.
    stopped: RefCell<Option<Stopped>>,
    early: bool,
    /// The client broke the request off.
    abandoned: Cell<bool>,
}

struct Receiving {
    stream: quinn::RecvStream,
    cutter: Cutter,
    /// What was received and not yet cut.
    input: Bytes,
    /// What was looked at ahead of its reader.
    ahead: Option<Option<Piece>>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    Broken,
}

/// Why a request can't be read on.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The client broke it off.
    Reset,
    /// The connection is gone.
    Lost,
    /// It ended within a frame.
    Truncated,
    /// A head or trailer section is longer than it may be.
    TooLong,
}

impl Stream {
    /// A stream whose head may take `longest` bytes as they are sent.
    pub(crate) fn new(
        connection: quinn::Connection,
        sending: quinn::SendStream,
        receiving: quinn::RecvStream,
        longest: u64,
    ) -> Stream {
        Stream {
            connection,
            early: receiving.is_0rtt(),
            sending: RefCell::new(sending),
            receiving: RefCell::new(Receiving {
                stream: receiving,
                cutter: Cutter::new(longest),
                input: Bytes::new(),
                ahead: None,
                state: State::Open,
            }),
            stopped: RefCell::new(None),
            abandoned: Cell::new(false),
        }
    }

    /// Its number.
    pub(crate) fn number(&self) -> u64 {
        self.sending.borrow().id().into()
    }

    /// Whether the client broke the request off.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.get()
    }

    /// What comes next; `None` at the end.
    pub(crate) fn poll_piece(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, Broken>> {
        let mut receiving = self.receiving.borrow_mut();
        if let Some(piece) = receiving.ahead.take() {
            return Poll::Ready(Ok(piece));
        }
        let piece = ready!(receiving.poll_piece(cx));
        match piece {
            // RFC 9114 §7.1
            Err(Broken::Truncated) => self
                .connection
                .close(number(Code::H3_FRAME_ERROR), b"a frame is cut off"),
            Err(Broken::Reset) => self.abandoned.set(true),
            _ => {}
        }
        Poll::Ready(piece)
    }

    /// Whether nothing comes any more, as far as that is known now.
    pub(crate) fn has_ended(&self, cx: &mut Context<'_>) -> bool {
        match self.poll_piece(cx) {
            Poll::Ready(Ok(None)) => true,
            Poll::Ready(Ok(piece)) => {
                self.put_back(piece);
                false
            }
            // What broke shows again when it is read.
            Poll::Ready(Err(_)) | Poll::Pending => false,
        }
    }

    /// Gives back what was read, to be read again.
    pub(crate) fn put_back(&self, piece: Option<Piece>) {
        self.receiving.borrow_mut().ahead = Some(piece);
    }

    /// Writes the chunks, which are empty then.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, chunks: &mut [Bytes]) -> Poll<Result<bool, WriteError>> {
        let mut sending = self.sending.borrow_mut();
        let mut written = false;
        let left = |chunks: &[Bytes]| chunks.iter().position(|chunk| !chunk.is_empty());
        while let Some(first) = left(chunks) {
            match pin!(sending.write_chunks(&mut chunks[first..])).poll(cx) {
                Poll::Ready(Ok(_)) => written = true,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if written => return Poll::Ready(Ok(false)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(true))
    }

    /// Writes some bytes and tells how many.
    pub(crate) fn poll_write_bytes(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, WriteError>> {
        Pin::new(&mut *self.sending.borrow_mut()).poll_write(cx, bytes)
    }

    /// Ends the response.
    pub(crate) fn finish(&self) {
        // A stream that the client has stopped is over already.
        let _ = self.sending.borrow_mut().finish();
    }

    /// Breaks the response off.
    pub(crate) fn reset(&self, code: Code) {
        let _ = self.sending.borrow_mut().reset(number(code));
    }

    /// Tells the client to send no more of the request, unless all of it is here.
    pub(crate) fn stop(&self, code: Code) {
        let mut receiving = self.receiving.borrow_mut();
        if receiving.state != State::Ended {
            receiving.state = State::Broken;
            let _ = receiving.stream.stop(number(code));
        }
    }

    /// Ready when the client has all of a finished response, or wants no more of it: true.
    pub(crate) fn poll_stopped(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut stopped = self.stopped.borrow_mut();
        let future = stopped.get_or_insert_with(|| Box::pin(self.sending.borrow().stopped()));
        let result = ready!(future.as_mut().poll(cx));
        // It can't be asked again, but a new one can.
        *stopped = None;
        Poll::Ready(!matches!(result, Ok(None)))
    }
}

impl Watch for Stream {
    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !ready!(self.poll_stopped(cx)) {
            return Poll::Pending;
        }
        self.abandoned.set(true);
        Poll::Ready(())
    }

    fn in_early_data(&self) -> bool {
        self.early
    }
}

impl Receiving {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, Broken>> {
        loop {
            match self.state {
                State::Open => {}
                State::Ended => return Poll::Ready(Ok(None)),
                State::Broken => return Poll::Ready(Err(Broken::Lost)),
            }
            let result = match self.cutter.next(&mut self.input) {
                Ok(Some(piece)) => return Poll::Ready(Ok(Some(piece))),
                Err(_) => Err(Broken::TooLong),
                Ok(None) => match ready!(pin!(self.stream.read_chunk(usize::MAX, true)).poll(cx)) {
                    Ok(Some(chunk)) => {
                        self.input = chunk.bytes;
                        continue;
                    }
                    Ok(None) if self.cutter.is_between_frames() => {
                        self.state = State::Ended;
                        continue;
                    }
                    Ok(None) => Err(Broken::Truncated),
                    Err(ReadError::Reset(_)) => Err(Broken::Reset),
                    Err(_) => Err(Broken::Lost),
                },
            };
            self.state = State::Broken;
            return Poll::Ready(result);
        }
    }
}

/// A code as QUIC writes it.
pub(crate) fn number(code: Code) -> VarInt {
    VarInt::from_u64(code.value()).expect("the codes of HTTP/3 are small")
}
