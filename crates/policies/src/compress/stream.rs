//! Content that is compressed while it passes.

use std::cell::Cell;
use std::io;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use portcullis_core::{Body, BodyStream, Error, Frame, Headers, Result, codes};

use super::encoder::{Encoder, SLICE};
use super::fields;

/// How much compressed content goes on at once, where more is to come.
const PIECE: usize = 16 * 1024;

/// A body that another one is compressed into.
///
/// It takes the next piece only when somebody wants more of the result, and holds no more than one piece of each. When the
/// source has nothing at the moment, all that was taken is handed on, so that events of a stream aren't late. After each
/// [`SLICE`] the rest of the worker has its turn.
pub(super) struct Compressed {
    source: Body,
    /// What of the last piece is still to be compressed.
    piece: Bytes,
    /// `None` once the end has been written.
    encoder: Option<Encoder>,
    /// Whether the encoder may hold content that has not come out.
    holds_back: bool,
    /// Bytes that went in since others had their turn.
    in_slice: usize,
    out: Vec<u8>,
    trailers: Option<Headers>,
    _memory: Held,
}

impl Compressed {
    /// The source, compressed.
    pub(super) fn new(source: Body, encoder: Encoder, memory: Held) -> Compressed {
        Compressed {
            source,
            piece: Bytes::new(),
            encoder: Some(encoder),
            holds_back: false,
            in_slice: 0,
            out: Vec::new(),
            trailers: None,
            _memory: memory,
        }
    }

    /// What goes on now.
    fn take_out(&mut self) -> Poll<Option<Result<Frame>>> {
        Poll::Ready(Some(Ok(Frame::Data(Bytes::from(std::mem::take(&mut self.out))))))
    }

    /// Compresses of the present piece what still fits into the slice.
    fn compress_piece(&mut self, encoder: &mut Encoder) -> io::Result<()> {
        let length = self.piece.len().min(SLICE - self.in_slice);
        encoder.write(&self.piece[..length], &mut self.out)?;
        self.piece.advance(length);
        self.in_slice += length;
        self.holds_back = true;
        if self.in_slice == SLICE {
            encoder.end_slice(&mut self.out)?;
        }
        Ok(())
    }

    /// Works until there is something to hand on, or the end has been written.
    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while let Some(mut encoder) = self.encoder.take() {
            if self.in_slice == SLICE {
                self.encoder = Some(encoder);
                if !self.out.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                self.in_slice = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !self.piece.is_empty() {
                self.compress_piece(&mut encoder).map_err(failed)?;
                self.encoder = Some(encoder);
            } else {
                match self.source.poll_frame(cx) {
                    Poll::Ready(Some(Ok(Frame::Data(piece)))) => {
                        self.piece = piece;
                        self.encoder = Some(encoder);
                    }
                    Poll::Ready(Some(Ok(Frame::Trailers(mut trailers)))) => {
                        fields::forget_digests(&mut trailers);
                        self.trailers = Some(trailers);
                        encoder.finish(&mut self.out).map_err(failed)?;
                    }
                    Poll::Ready(None) => encoder.finish(&mut self.out).map_err(failed)?,
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                    Poll::Pending => {
                        if std::mem::take(&mut self.holds_back) {
                            encoder.flush(&mut self.out).map_err(failed)?;
                        }
                        self.encoder = Some(encoder);
                        if !self.out.is_empty() {
                            return Poll::Ready(Ok(()));
                        }
                        self.in_slice = 0;
                        return Poll::Pending;
                    }
                }
            }
            if self.out.len() >= PIECE {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl BodyStream for Compressed {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        match self.poll_work(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error))),
            Poll::Ready(Ok(())) if !self.out.is_empty() => self.take_out(),
            Poll::Ready(Ok(())) => Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::Trailers(trailers)))),
        }
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        self.source.poll_background(cx);
    }
}

/// An encoder fails only where the source is not as long as it said.
pub(super) fn failed(cause: io::Error) -> Error {
    Error::new(&codes::INTERNAL).by_policy("compress").with_cause(cause)
}

thread_local! {
    /// What the encoders of this worker hold in memory.
    static HELD: Cell<u64> = const { Cell::new(0) };
}

/// Memory that an encoder of this worker may hold. It is given back when this ends.
pub(super) struct Held(u64);

impl Held {
    /// So many bytes, unless the encoders of this worker would then hold more than `limit`.
    pub(super) fn take(bytes: u64, limit: u64) -> Option<Held> {
        HELD.with(|held| {
            let more = held.get() + bytes;
            (more <= limit).then(|| {
                held.set(more);
                Held(bytes)
            })
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.with(|held| held.set(held.get() - self.0));
    }
}
