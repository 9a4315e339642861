//! Content that has to be whole before it is judged.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use portcullis_core::{Body, BodyStream, Frame, Result};

/// Content that was gathered.
pub(crate) enum Gathered {
    /// All of it.
    Whole(Bytes),
    /// There is more than the limit. It can still be handed on as it came.
    TooMuch(Body),
}

/// Pieces of fewer bytes are copied together: kept by itself, each byte that a client sends alone would take a hundred.
const SMALL: usize = 1024;

/// Pieces of content, in order.
#[derive(Default)]
pub(crate) struct Pile {
    pieces: VecDeque<Bytes>,
    /// Small ones at the end.
    tail: BytesMut,
}

impl Pile {
    /// Puts one more at the end.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if piece.len() < SMALL {
            self.tail.extend_from_slice(&piece);
            return;
        }
        self.close();
        self.pieces.push_back(piece);
    }

    /// All of them.
    pub(crate) fn into_pieces(mut self) -> VecDeque<Bytes> {
        self.close();
        self.pieces
    }

    fn close(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
    }
}

/// Gathers content up to a limit.
///
/// # Errors
/// Whatever the stream reports.
pub(crate) async fn gather(mut body: Body, limit: u64) -> Result<Gathered> {
    if body.remaining().is_some_and(|remaining| remaining > limit) {
        return Ok(Gathered::TooMuch(body));
    }
    let mut pile = Pile::default();
    let mut count = 0;
    while let Some(frame) = body.frame().await {
        // Trailers are of no content, and may be dropped (RFC 9110 §6.5.1).
        let Frame::Data(data) = frame? else { continue };
        count += data.len() as u64;
        pile.push(data);
        if count > limit {
            let rest = Pieces {
                pieces: pile.into_pieces(),
                rest: body,
            };
            return Ok(Gathered::TooMuch(Body::Stream(Box::new(rest))));
        }
    }
    Ok(Gathered::Whole(joined(pile.into_pieces())))
}

fn joined(mut pieces: VecDeque<Bytes>) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop_front().unwrap_or_default();
    }
    let mut all = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    pieces.iter().for_each(|piece| all.extend_from_slice(piece));
    all.freeze()
}

/// What was gathered, and what follows.
struct Pieces {
    pieces: VecDeque<Bytes>,
    rest: Body,
}

impl BodyStream for Pieces {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        match self.pieces.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::Data(piece)))),
            None => self.rest.poll_frame(cx),
        }
    }

    fn remaining(&self) -> Option<u64> {
        let here: u64 = self.pieces.iter().map(|piece| piece.len() as u64).sum();
        self.rest.remaining().map(|rest| rest + here)
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        self.rest.poll_background(cx);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::trial::now;

    struct Stream(VecDeque<&'static str>);

    impl BodyStream for Stream {
        fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
            let piece = self.0.pop_front();
            Poll::Ready(piece.map(|text| Ok(Frame::Data(Bytes::from_static(text.as_bytes())))))
        }
    }

    fn stream() -> Body {
        Body::Stream(Box::new(Stream(["ab", "cd", "ef"].into())))
    }

    #[test]
    fn content_is_whole_or_as_it_came() {
        let Gathered::Whole(bytes) = now(gather(stream(), 6)).unwrap() else {
            panic!("it is not too much")
        };
        assert_eq!(bytes, "abcdef");
        for limit in [0, 3, 5] {
            let Gathered::TooMuch(body) = now(gather(stream(), limit)).unwrap() else {
                panic!("it is too much")
            };
            assert_eq!(now(body.read_to_end(100)).unwrap(), "abcdef");
        }
        assert!(matches!(
            now(gather(Body::from("abc"), 2)).unwrap(),
            Gathered::TooMuch(_)
        ));
    }

    #[test]
    fn small_pieces_are_kept_together() {
        let mut pile = Pile::default();
        for _ in 0..10_000 {
            pile.push(Bytes::from_static(b"x"));
        }
        pile.push(vec![b'y'; SMALL].into());
        pile.push(Bytes::from_static(b"z"));
        let pieces = pile.into_pieces();
        let lengths: Vec<usize> = pieces.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [10_000, SMALL, 1]);
    }
}
