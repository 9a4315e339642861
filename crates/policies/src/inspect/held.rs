//! A body of which the first part was read already.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use portcullis_core::{Body, BodyStream, Frame, Headers, Result};

use crate::validate::content::Pile;

/// What was read, then what is still to come.
struct Held {
    read: VecDeque<Bytes>,
    trailers: Option<Headers>,
    /// `None` when the end has been seen.
    rest: Option<Body>,
}

/// The first `most` bytes of a body, or all where it has fewer, and whether that is all. The body stays whole.
pub(super) async fn first_part(body: &mut Body, most: usize) -> Result<(Bytes, bool)> {
    let mut rest = std::mem::take(body);
    let mut pile = Pile::default();
    let mut trailers = None;
    let mut length = 0;
    let mut ended = false;
    while length <= most {
        match rest.frame().await {
            Some(Ok(Frame::Data(data))) => {
                length += data.len();
                pile.push(data);
            }
            Some(Ok(Frame::Trailers(fields))) => trailers = Some(fields),
            Some(Err(error)) => return Err(error),
            None => {
                ended = true;
                break;
            }
        }
    }
    let mut read = pile.into_pieces();
    let first = match read.front() {
        Some(only) if read.len() == 1 => only.slice(..only.len().min(most)),
        _ => {
            let mut all = BytesMut::with_capacity(length.min(most));
            for piece in &read {
                all.extend_from_slice(&piece[..piece.len().min(most - all.len())]);
            }
            all.freeze()
        }
    };
    *body = match (ended, &trailers, read.len()) {
        (true, None, 0) => Body::Empty,
        (true, None, 1) => Body::from(read.pop_front().unwrap_or_default()),
        _ => Body::Stream(Box::new(Held {
            read,
            trailers,
            rest: (!ended).then_some(rest),
        })),
    };
    Ok((first, length <= most))
}

impl BodyStream for Held {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        if let Some(piece) = self.read.pop_front() {
            return Poll::Ready(Some(Ok(Frame::Data(piece))));
        }
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::Trailers(trailers))));
        }
        match &mut self.rest {
            Some(rest) => rest.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn remaining(&self) -> Option<u64> {
        let read: usize = self.read.iter().map(Bytes::len).sum();
        let rest = self.rest.as_ref().map_or(Some(0), Body::remaining);
        rest.map(|rest| rest + read as u64)
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        if let Some(rest) = &mut self.rest {
            rest.poll_background(cx);
        }
    }
}
