//! A body that is written down as it passes.

use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use portcullis_core::{Body, BodyStream, Frame, Result};

use super::Copy;

/// A body that is written down for a copy as it passes. The copy is sent once it is whole; one that grows too large, or breaks
/// off, is not.
pub(super) struct Tee {
    inner: Box<dyn BodyStream>,
    writing: Option<Writing>,
}

struct Writing {
    copy: Copy,
    content: BytesMut,
    limit: u64,
}

impl Tee {
    /// Writes down up to `limit` bytes for `copy`.
    pub(super) fn new(inner: Box<dyn BodyStream>, copy: Copy, limit: u64) -> Tee {
        let content = BytesMut::new();
        Tee {
            inner,
            writing: Some(Writing { copy, content, limit }),
        }
    }

    fn write(&mut self, data: &Bytes) {
        let Some(writing) = &mut self.writing else { return };
        if (writing.content.len() + data.len()) as u64 > writing.limit {
            writing.copy.mirror.results.too_large.add();
            self.writing = None;
            return;
        }
        writing.content.extend_from_slice(data);
        // Whoever knows how much comes asks for no end.
        if self.inner.remaining() == Some(0) {
            self.send();
        }
    }

    fn send(&mut self) {
        if let Some(Writing { copy, content, .. }) = self.writing.take() {
            copy.send(Body::from(content.freeze()));
        }
    }
}

impl BodyStream for Tee {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let polled = self.inner.poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(Frame::Data(data)))) => self.write(data),
            Poll::Ready(Some(Ok(Frame::Trailers(_))) | None) => self.send(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn remaining(&self) -> Option<u64> {
        self.inner.remaining()
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        self.inner.poll_background(cx);
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        if let Some(writing) = &self.writing {
            writing.copy.mirror.results.incomplete.add();
        }
    }
}
