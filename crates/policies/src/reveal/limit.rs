//! Content that ends where it gets too long.

use std::task::{Context, Poll};

use portcullis_core::{Body, BodyStream, Error, Frame, Result, codes};

/// Content of which no more than so many bytes are handed on. It breaks off after them, so that nobody takes a part for the whole.
pub(super) struct Limited {
    inner: Body,
    left: u64,
}

impl Limited {
    pub(super) fn of(inner: Body, most: u64) -> Body {
        match inner {
            Body::Stream(_) => Body::Stream(Box::new(Limited { inner, left: most })),
            whole => whole,
        }
    }
}

impl BodyStream for Limited {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let frame = self.inner.poll_frame(cx);
        if let Poll::Ready(Some(Ok(Frame::Data(data)))) = &frame {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => {
                    let error = Error::new(&codes::RESPONSE_WITHHELD).with_cause("it is longer than `max_body`");
                    return Poll::Ready(Some(Err(error.by_policy("reveal"))));
                }
            }
        }
        frame
    }

    fn remaining(&self) -> Option<u64> {
        self.inner.remaining()
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        self.inner.poll_background(cx);
    }
}
