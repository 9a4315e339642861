//! The content of a message: nothing, a whole, or a stream.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};

use crate::{Error, Headers, Result, codes};

/// The content of a message.
#[derive(Default)]
pub enum Body {
    /// No content.
    #[default]
    Empty,
    /// Content that is already here, whole.
    Full(Bytes),
    /// Content that arrives in pieces.
    Stream(Box<dyn BodyStream>),
}

/// Content that arrives in pieces. It lives on one thread.
///
/// A stream may have work of its own beside producing frames: the response of an upstream also sends what is left of
/// the request. Such work goes on in `poll_frame` and in [`BodyStream::poll_background`].
pub trait BodyStream {
    /// The next piece; `None` at the end. After an error or the end it is not called again.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>>;

    /// How many bytes are still to come, where that is known.
    fn remaining(&self) -> Option<u64> {
        None
    }

    /// Goes on with work that must not wait until somebody wants the next frame, such as sending the rest of a
    /// request while the client is slow to take the response. Called while the last frame is still being written.
    fn poll_background(&mut self, _cx: &mut Context<'_>) {}
}

/// One piece of a [`BodyStream`].
#[derive(Debug)]
pub enum Frame {
    /// Some of the content; not empty.
    Data(Bytes),
    /// The trailer fields, after the content and at most once.
    Trailers(Headers),
}

impl Body {
    /// How many bytes are (still) to come, where that is known.
    pub fn remaining(&self) -> Option<u64> {
        match self {
            Body::Empty => Some(0),
            Body::Full(bytes) => Some(bytes.len() as u64),
            Body::Stream(stream) => stream.remaining(),
        }
    }

    /// Whether it is certain that no content comes.
    pub fn is_empty(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Full(bytes) => bytes.is_empty(),
            Body::Stream(_) => false,
        }
    }

    /// The next piece; `None` at the end.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        match self {
            Body::Empty => Poll::Ready(None),
            Body::Full(_) => match std::mem::take(self) {
                Body::Full(bytes) if !bytes.is_empty() => Poll::Ready(Some(Ok(Frame::Data(bytes)))),
                _ => Poll::Ready(None),
            },
            Body::Stream(stream) => stream.poll_frame(cx),
        }
    }

    /// The next piece; `None` at the end.
    pub async fn frame(&mut self) -> Option<Result<Frame>> {
        poll_fn(|cx| self.poll_frame(cx)).await
    }

    /// See [`BodyStream::poll_background`].
    pub fn poll_background(&mut self, cx: &mut Context<'_>) {
        if let Body::Stream(stream) = self {
            stream.poll_background(cx);
        }
    }

    /// All of the content, up to `limit` bytes; trailers are dropped.
    ///
    /// # Errors
    /// `content_too_large` when there is more than `limit`, and whatever the stream itself reports.
    pub async fn read_to_end(mut self, limit: u64) -> Result<Bytes> {
        let too_large =
            || Err(Error::new(&codes::CONTENT_TOO_LARGE).with_detail(format!("the limit is {limit} bytes")));
        if self.remaining().is_some_and(|remaining| remaining > limit) {
            return too_large();
        }
        let mut first: Option<Bytes> = None;
        let mut all = BytesMut::new();
        while let Some(frame) = self.frame().await {
            let Frame::Data(data) = frame? else { continue };
            let so_far = first.as_ref().map_or(0, Bytes::len) + all.len() + data.len();
            if so_far as u64 > limit {
                return too_large();
            }
            match first.take() {
                None if all.is_empty() => first = Some(data),
                None => all.extend_from_slice(&data),
                Some(head) => {
                    all.extend_from_slice(&head);
                    all.extend_from_slice(&data);
                }
            }
        }
        Ok(first.unwrap_or_else(|| all.freeze()))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        if bytes.is_empty() {
            Body::Empty
        } else {
            Body::Full(bytes)
        }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body::from(Bytes::from(text))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body::from(Bytes::from(bytes))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Body {
        Body::from(Bytes::from_static(text.as_bytes()))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.remaining() {
            Some(bytes) => write!(f, "Body({bytes} bytes)"),
            None => f.write_str("Body(stream)"),
        }
    }
}
