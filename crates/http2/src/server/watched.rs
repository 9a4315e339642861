use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use portcullis_http1::watchdog::Watchdog;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::guard::{Flood, Guard};

/// How long a connection that has ended is read from, so that the client gets the last frame before it learns that the
/// connection is gone.
const LINGER: Duration = Duration::from_secs(2);

/// The most bytes that are read and dropped meanwhile.
const LINGER_BYTES: usize = 1024 * 1024;

/// A client's byte stream, and what can be seen on it: who floods, who stalls.
pub(super) struct Watched<IO>(Rc<RefCell<Inner<IO>>>);

struct Inner<IO> {
    io: IO,
    guard: Guard,
    flooded: bool,
    received: u64,
    /// The header block that has not come to its end, and since when that is waited for.
    head: Option<(u64, Instant)>,
    /// Since when the client takes nothing of what it should.
    blocked_since: Option<Instant>,
}

impl<IO> Watched<IO> {
    pub(super) fn new(io: IO) -> Watched<IO> {
        Watched(Rc::new(RefCell::new(Inner {
            io,
            guard: Guard::new(Instant::now()),
            flooded: false,
            received: 0,
            head: None,
            blocked_since: None,
        })))
    }

    /// The same stream, for another holder.
    pub(super) fn another(&self) -> Watched<IO> {
        Watched(self.0.clone())
    }

    /// Whether the guard has had enough. Then nothing more is received.
    pub(super) fn is_flooded(&self) -> bool {
        self.0.borrow().flooded
    }

    /// Bytes that the client has sent.
    pub(super) fn received(&self) -> u64 {
        self.0.borrow().received
    }

    /// Since when the client is in the middle of a head.
    pub(super) fn head_since(&self) -> Option<Instant> {
        self.0.borrow().head.map(|(_, since)| since)
    }

    /// Since when the client takes nothing of what it should.
    pub(super) fn blocked_since(&self) -> Option<Instant> {
        self.0.borrow().blocked_since
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Watched<IO> {
    /// Ends the stream so that the client can still read what was sent last.
    pub(super) async fn linger(&self) {
        let due = Instant::now() + LINGER;
        let mut watchdog = Watchdog::new();
        let mut dropped = 0;
        let mut shut = false;
        let mut room = [0; 4096];
        poll_fn(|cx| {
            let io = &mut self.0.borrow_mut().io;
            if !shut {
                match Pin::new(&mut *io).poll_shutdown(cx) {
                    Poll::Ready(Ok(())) => shut = true,
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => return watchdog.poll_overdue(cx, due),
                }
            }
            loop {
                let mut buffer = ReadBuf::new(&mut room);
                match Pin::new(&mut *io).poll_read(cx, &mut buffer) {
                    Poll::Ready(Ok(())) if !buffer.filled().is_empty() && dropped < LINGER_BYTES => {
                        dropped += buffer.filled().len();
                    }
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return watchdog.poll_overdue(cx, due),
                }
            }
        })
        .await;
    }
}

impl<IO> Inner<IO> {
    /// Looks at what was received.
    fn look_at(&mut self, bytes: &[u8]) -> Result<(), Flood> {
        self.received += bytes.len() as u64;
        self.guard.received(bytes, Instant::now)?;
        self.head = self.guard.unfinished_block().map(|block| match self.head {
            Some((same, since)) if same == block => (block, since),
            _ => (block, Instant::now()),
        });
        Ok(())
    }

    /// Looks at what was sent of `pieces`, or that nothing could be.
    fn wrote<'p>(
        &mut self,
        written: Poll<io::Result<usize>>,
        pieces: impl IntoIterator<Item = &'p [u8]>,
    ) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => {
                self.blocked_since.get_or_insert_with(Instant::now);
            }
            Poll::Ready(Err(_)) => {}
            Poll::Ready(Ok(count)) => {
                self.blocked_since = None;
                let mut left = *count;
                for piece in pieces {
                    let sent = left.min(piece.len());
                    self.guard.sent(&piece[..sent]);
                    left -= sent;
                    if left == 0 {
                        break;
                    }
                }
            }
        }
        written
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watched<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let inner = &mut *self.0.borrow_mut();
        if inner.flooded {
            // Nobody need be woken: the task that reads is the one that ends the connection.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut inner.io).poll_read(cx, buf))?;
        if let Err(Flood) = inner.look_at(&buf.filled()[before..]) {
            inner.flooded = true;
            buf.set_filled(before);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Watched<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let inner = &mut *self.0.borrow_mut();
        let written = Pin::new(&mut inner.io).poll_write(cx, buf);
        inner.wrote(written, [buf])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let inner = &mut *self.0.borrow_mut();
        let written = Pin::new(&mut inner.io).poll_write_vectored(cx, bufs);
        inner.wrote(written, bufs.iter().map(|slice| &**slice))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.borrow().io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = &mut *self.0.borrow_mut();
        let flushed = Pin::new(&mut inner.io).poll_flush(cx);
        if flushed.is_pending() {
            inner.blocked_since.get_or_insert_with(Instant::now);
        } else {
            inner.blocked_since = None;
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().io).poll_shutdown(cx)
    }
}
