//! An answer too large to be held: sent as its rows come.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use portcullis_core::{BodyStream, Frame, Result};
use portcullis_databases::Rest;

/// The content of an answer of which a part is there and the rest comes. A failure in the middle is an error of the
/// stream, which breaks the message off: a client sees that it isn't whole.
pub(super) struct Streamed {
    first: Option<Bytes>,
    rest: Box<dyn Rest>,
}

impl Streamed {
    pub(super) fn new(first: Bytes, rest: Box<dyn Rest>) -> Streamed {
        let first = (!first.is_empty()).then_some(first);
        Streamed { first, rest }
    }
}

impl BodyStream for Streamed {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::Data(first))));
        }
        loop {
            match ready!(self.rest.poll_next(cx)) {
                // A frame is never empty.
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(piece) => return Poll::Ready(Some(piece.map(Frame::Data))),
                None => return Poll::Ready(None),
            }
        }
    }
}
