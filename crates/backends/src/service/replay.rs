//! A request's body that can be sent more than once, as long as it is not too large.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use portcullis_core::{Body, BodyStream, Error, Frame, Headers, Result, codes};

/// The body of a request that may be sent again. Each attempt reads a copy of its own: first what others have read, then on
/// from there.
pub(super) struct Replay(Rc<RefCell<Shared>>);

struct Shared {
    source: Body,
    /// What was read, while it is within the limit.
    read: Vec<Bytes>,
    length: u64,
    limit: u64,
    trailers: Option<Headers>,
    ended: bool,
    /// More was read than is remembered: nobody can begin anew.
    forgotten: bool,
    /// How many bytes there are in all, where that was known from the beginning.
    whole: Option<u64>,
}

impl Replay {
    /// Remembers up to `limit` bytes.
    pub(super) fn new(source: Body, limit: u64) -> Replay {
        let whole = source.remaining();
        Replay(Rc::new(RefCell::new(Shared {
            source,
            read: Vec::new(),
            length: 0,
            limit,
            trailers: None,
            ended: false,
            forgotten: whole.is_some_and(|whole| whole > limit),
            whole,
        })))
    }

    /// Whether its beginning is remembered, or was not read yet.
    pub(super) fn is_left(&self) -> bool {
        let shared = self.0.borrow();
        !(shared.forgotten && shared.length > 0)
    }

    /// The body from its beginning; `None` where that was read and is not remembered.
    pub(super) fn copy(&self) -> Option<Body> {
        let copy = || Copy {
            shared: self.0.clone(),
            next: 0,
            sent: 0,
            done: false,
        };
        self.is_left().then(|| Body::Stream(Box::new(copy())))
    }
}

/// One attempt's reading.
struct Copy {
    shared: Rc<RefCell<Shared>>,
    /// Which of the remembered pieces is next.
    next: usize,
    sent: u64,
    done: bool,
}

impl BodyStream for Copy {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let mut shared = self.shared.borrow_mut();
        if let Some(piece) = shared.read.get(self.next) {
            self.next += 1;
            self.sent += piece.len() as u64;
            return Poll::Ready(Some(Ok(Frame::Data(piece.clone()))));
        }
        if self.sent < shared.length {
            // Another attempt has read on, beyond what is remembered.
            return Poll::Ready(Some(Err(Error::new(&codes::INTERNAL).with_cause("the body is gone"))));
        }
        if shared.ended {
            let trailers = shared.trailers.clone().filter(|_| !self.done);
            self.done = true;
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::Trailers(trailers))));
        }
        let frame = match shared.source.poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(match frame {
            Some(Ok(Frame::Data(piece))) => {
                shared.keep(&piece);
                self.sent += piece.len() as u64;
                self.next = shared.read.len();
                Some(Ok(Frame::Data(piece)))
            }
            Some(Ok(Frame::Trailers(trailers))) => {
                shared.trailers = Some(trailers.clone());
                shared.ended = true;
                self.done = true;
                Some(Ok(Frame::Trailers(trailers)))
            }
            Some(Err(error)) => {
                // It can't be told again what went wrong, and a request that broke off is not sent again.
                shared.forgotten = true;
                shared.length = shared.length.max(1);
                Some(Err(error))
            }
            None => {
                shared.ended = true;
                self.done = true;
                None
            }
        })
    }

    fn remaining(&self) -> Option<u64> {
        self.shared.borrow().whole.map(|whole| whole.saturating_sub(self.sent))
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        self.shared.borrow_mut().source.poll_background(cx);
    }
}

impl Shared {
    fn keep(&mut self, piece: &Bytes) {
        self.length += piece.len() as u64;
        if self.length > self.limit {
            self.forgotten = true;
        }
        if self.forgotten {
            self.read = Vec::new();
        } else {
            self.read.push(piece.clone());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::collections::VecDeque;
    use std::task::Waker;

    use super::*;

    struct Pieces(VecDeque<Option<Result<Frame>>>);

    impl BodyStream for Pieces {
        fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
            match self.0.pop_front() {
                Some(frame) => Poll::Ready(frame),
                None => Poll::Pending,
            }
        }
    }

    fn body(pieces: &[&'static str], end: bool) -> Body {
        let data = |piece: &&'static str| Some(Ok(Frame::Data(Bytes::from_static(piece.as_bytes()))));
        let mut frames: VecDeque<_> = pieces.iter().map(data).collect();
        if end {
            let mut trailers = Headers::new();
            trailers.append("x-sum", "1");
            frames.push_back(Some(Ok(Frame::Trailers(trailers))));
            frames.push_back(None);
        }
        Body::Stream(Box::new(Pieces(frames)))
    }

    /// What there is to read now, and whether trailers and the end came.
    fn read(body: &mut Body) -> (String, bool, bool) {
        let (mut text, mut trailers) = (String::new(), false);
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match body.poll_frame(&mut cx) {
                Poll::Ready(Some(Ok(Frame::Data(piece)))) => text.push_str(std::str::from_utf8(&piece).unwrap()),
                Poll::Ready(Some(Ok(Frame::Trailers(_)))) => trailers = true,
                Poll::Ready(Some(Err(_))) => return (text, trailers, false),
                Poll::Ready(None) => return (text, trailers, true),
                Poll::Pending => return (text, trailers, false),
            }
        }
    }

    #[test]
    fn every_copy_reads_all_of_it() {
        let replay = Replay::new(body(&["one ", "two"], true), 100);
        for _ in 0..3 {
            let mut copy = replay.copy().unwrap();
            assert_eq!(read(&mut copy), ("one two".to_owned(), true, true));
        }
    }

    #[test]
    fn a_copy_goes_on_where_another_was_left() {
        let replay = Replay::new(body(&["one ", "two"], false), 100);
        let mut first = replay.copy().unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(first.poll_frame(&mut cx).is_ready());
        let mut second = replay.copy().unwrap();
        assert_eq!(read(&mut second).0, "one two");
        assert_eq!(read(&mut first).0, "two");
    }

    #[test]
    fn what_is_too_large_is_sent_once_and_not_kept() {
        let replay = Replay::new(body(&["one ", "two ", "three"], true), 6);
        let mut first = replay.copy().unwrap();
        assert_eq!(read(&mut first), ("one two three".to_owned(), true, true));
        assert!(replay.copy().is_none());
        assert!(replay.0.borrow().read.is_empty());
    }

    #[test]
    fn a_body_known_to_be_too_large_may_begin_anew_until_it_was_read() {
        let whole = Body::Full(Bytes::from_static(b"longer than six"));
        let replay = Replay::new(whole, 6);
        assert!(replay.copy().is_some());
        let mut copy = replay.copy().unwrap();
        assert_eq!(copy.remaining(), Some(15));
        assert_eq!(read(&mut copy).0, "longer than six");
        assert_eq!(copy.remaining(), Some(0));
        assert!(replay.copy().is_none());
    }

    #[test]
    fn what_broke_off_is_not_sent_again() {
        let failing = VecDeque::from([
            Some(Ok(Frame::Data(Bytes::from_static(b"one")))),
            Some(Err(Error::new(&codes::REQUEST_TIMEOUT))),
        ]);
        let replay = Replay::new(Body::Stream(Box::new(Pieces(failing))), 100);
        assert_eq!(read(&mut replay.copy().unwrap()).0, "one");
        assert!(replay.copy().is_none());
    }
}
