//! Bytes on their way out: heads and small pieces are gathered, a large piece is written from where it is.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use crate::{buffers, chunked};

/// A piece up to this size is copied behind what is to be written before it.
pub(crate) const COPIED: usize = 4096;

/// What is to be written: `before`, then `piece`, then `after`.
pub(crate) struct Outbox {
    before: Vec<u8>,
    written: usize,
    piece: Bytes,
    after: &'static [u8],
    /// The stream has taken bytes that it may still hold back, as one that encrypts does.
    unflushed: bool,
    /// Bytes were taken since this was last asked.
    moved: bool,
}

impl Outbox {
    /// An outbox that begins with an encoded head, in a buffer of [`buffers::take_output`].
    pub(crate) fn new(head: Vec<u8>) -> Outbox {
        Outbox {
            before: head,
            written: 0,
            piece: Bytes::new(),
            after: b"",
            unflushed: false,
            moved: false,
        }
    }

    /// Where more is put behind what is there, unless that [`Outbox::is_full`].
    pub(crate) fn text(&mut self) -> &mut Vec<u8> {
        debug_assert!(
            self.piece.is_empty() && self.after.is_empty(),
            "it would be written before the piece"
        );
        &mut self.before
    }

    /// Puts some content behind what is there, as a chunk where the content is chunked.
    pub(crate) fn push(&mut self, data: Bytes, chunked: bool) {
        if data.is_empty() {
            // An empty chunk would be the last one.
            return;
        }
        if chunked {
            chunked::encode_size(self.text(), data.len());
        }
        let after: &'static [u8] = if chunked { b"\r\n" } else { b"" };
        if data.len() <= COPIED {
            self.text().extend_from_slice(&data);
            self.text().extend_from_slice(after);
        } else {
            self.piece = data;
            self.after = after;
        }
    }

    /// Whether there is enough to write before more is gathered.
    pub(crate) fn is_full(&self) -> bool {
        !self.piece.is_empty() || !self.after.is_empty() || self.before.len() > buffers::INPUT
    }

    /// Whether something is still to be taken, or to be flushed, by the stream.
    pub(crate) fn has_left(&self) -> bool {
        self.written < self.before.len() || !self.piece.is_empty() || !self.after.is_empty() || self.unflushed
    }

    /// Whether bytes were taken since this was last asked.
    pub(crate) fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Puts bytes before all others. Nothing may have been written yet.
    pub(crate) fn put_first(&mut self, bytes: Vec<u8>) {
        debug_assert_eq!(self.written, 0);
        self.before.splice(..0, bytes);
    }

    /// Writes and flushes all there is.
    pub(crate) fn poll_empty<IO: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut IO,
    ) -> Poll<io::Result<()>> {
        loop {
            let before = &self.before[self.written..];
            if before.is_empty() && self.piece.is_empty() && self.after.is_empty() {
                self.before.clear();
                self.written = 0;
                if self.unflushed {
                    ready!(Pin::new(io).poll_flush(cx))?;
                    self.unflushed = false;
                }
                return Poll::Ready(Ok(()));
            }
            let written = if self.piece.is_empty() && self.after.is_empty() {
                Pin::new(&mut *io).poll_write(cx, before)
            } else {
                let slices = [
                    IoSlice::new(before),
                    IoSlice::new(&self.piece),
                    IoSlice::new(self.after),
                ];
                Pin::new(&mut *io).poll_write_vectored(cx, &slices)
            };
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.advance(count),
            }
        }
    }

    fn advance(&mut self, mut count: usize) {
        self.moved = true;
        self.unflushed = true;
        let before = count.min(self.before.len() - self.written);
        self.written += before;
        count -= before;
        let piece = count.min(self.piece.len());
        self.piece.advance(piece);
        self.after = &self.after[count - piece..];
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        buffers::give_output(std::mem::take(&mut self.before));
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes one byte at a time, holds all back until a flush, and needs two polls for that.
    #[derive(Default)]
    struct Reluctant {
        held: Vec<u8>,
        flushed: Vec<u8>,
        asked: bool,
    }

    impl AsyncWrite for Reluctant {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.held.push(bytes[0]);
            Poll::Ready(Ok(1))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.asked = !self.asked;
            if self.asked {
                return Poll::Pending;
            }
            let held = std::mem::take(&mut self.held);
            self.flushed.extend(held);
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn chunks_keep_their_order_and_nothing_is_held_back() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut io = Reluctant::default();
        let mut outbox = Outbox::new(b"head ".to_vec());
        for size in [3, COPIED + 1, 1, COPIED + 2] {
            outbox.push(Bytes::from(vec![b'x'; size]), true);
            if outbox.is_full() {
                assert!(
                    outbox.poll_empty(&mut cx, &mut io).is_pending(),
                    "the first flush is not enough"
                );
                assert!(outbox.has_left(), "what is not flushed is left");
                assert!(outbox.poll_empty(&mut cx, &mut io).is_ready());
                assert!(!outbox.has_left());
            }
        }
        let chunk = |size: usize| format!("{size:x}\r\n{}\r\n", "x".repeat(size));
        let expected: String = [3, COPIED + 1, 1, COPIED + 2].into_iter().map(chunk).collect();
        assert_eq!(
            String::from_utf8_lossy(&io.flushed).to_lowercase(),
            format!("head {expected}")
        );
    }

    #[test]
    fn an_empty_piece_is_not_the_last_chunk() {
        let mut outbox = Outbox::new(Vec::new());
        outbox.push(Bytes::new(), true);
        assert!(!outbox.has_left());
    }
}
