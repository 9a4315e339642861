//! `limits` bounds how large a request may be.
//!
//! ```yaml
//! limits: {body: 1MiB}
//! ```
//!
//! A request whose length is known to be over the limit is refused with 413 (`content_too_large`) before any of its
//! body is read. One that comes in chunks is counted while it is handed on, and cut off with the same answer when it
//! goes over. What a connection carries after it has switched protocols (WebSocket) is not a body and is not limited.
//! Limits of the head belong to the listener.

use std::task::{Context, Poll};

use portcullis_config::policy::limits;
use portcullis_core::{Body, BodyStream, Ctx, Error, Frame, Next, Policy, Reply, Request, Result, codes};

/// Bounds the body of a request.
#[derive(Debug)]
pub struct Limits {
    body: u64,
}

impl Limits {
    /// Compiles what the file says.
    ///
    /// # Errors
    /// None so far: every size is a limit.
    pub fn new(config: &limits::Limits) -> std::result::Result<Limits, String> {
        Ok(Limits { body: config.body.0 })
    }
}

impl Policy for Limits {
    fn call<'a>(&'a self, cx: &'a mut Ctx, mut request: Request, next: Next<'a>) -> Reply<'a> {
        match request.body.remaining() {
            Some(bytes) if bytes > self.body => return too_large(self.body).into(),
            Some(_) => {}
            None => request.body = counted(std::mem::take(&mut request.body), self.body),
        }
        next.run(cx, request)
    }
}

fn too_large(limit: u64) -> Error {
    Error::new(&codes::CONTENT_TOO_LARGE)
        .with_detail(format!("the limit is {limit} bytes"))
        .by_policy("limits")
}

fn counted(body: Body, limit: u64) -> Body {
    Body::Stream(Box::new(Counted {
        body,
        limit,
        left: limit,
    }))
}

/// A body of unknown length that fails once there is more of it than the limit.
struct Counted {
    body: Body,
    limit: u64,
    left: u64,
}

impl BodyStream for Counted {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let frame = self.body.poll_frame(cx);
        if let Poll::Ready(Some(Ok(Frame::Data(data)))) = &frame {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => {
                    // Whoever polls on gets nothing more past the limit.
                    self.left = 0;
                    return Poll::Ready(Some(Err(too_large(self.limit))));
                }
            }
        }
        frame
    }

    fn remaining(&self) -> Option<u64> {
        self.body.remaining()
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        self.body.poll_background(cx);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;

    use bytes::Bytes;
    use portcullis_config::units::ByteSize;

    use super::*;
    use crate::trial::{request, send};

    /// A body in pieces of unknown total length.
    struct Pieces(VecDeque<&'static str>);

    impl BodyStream for Pieces {
        fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
            let piece = self.0.pop_front();
            Poll::Ready(piece.map(|text| Ok(Frame::Data(Bytes::from_static(text.as_bytes())))))
        }
    }

    fn check(body: Body, status: u16) {
        let policy: Arc<dyn Policy> = Arc::new(Limits::new(&limits::Limits { body: ByteSize(5) }).unwrap());
        let mut request = request("POST", "/", &[]);
        request.body = body;
        let trial = send(&policy, request, &[]);
        assert_eq!(trial.status().code(), status);
        assert_eq!(trial.seen.is_some(), status == 200);
        if let Err(error) = trial.result {
            assert_eq!(
                (error.code().name, error.policy()),
                ("content_too_large", Some("limits"))
            );
        }
    }

    fn pieces(texts: &[&'static str]) -> Body {
        Body::Stream(Box::new(Pieces(texts.iter().copied().collect())))
    }

    #[test]
    fn a_body_may_be_as_large_as_the_limit() {
        check(Body::Empty, 200);
        check(Body::from("12345"), 200);
        check(pieces(&["123", "45"]), 200);
    }

    #[test]
    fn one_byte_more_is_refused_whether_or_not_the_length_is_known() {
        check(Body::from("123456"), 413);
        check(pieces(&["123", "456"]), 413);
        check(pieces(&["123456"]), 413);
    }
}
