use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use portcullis_http1::buffers;
use portcullis_http1::watchdog::Watchdog;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::guard::{Flood, Guard};

/// How long a connection that has ended is read from, so that the client gets the last frame before it learns that the
/// connection is gone.
const LINGER: Duration = Duration::from_secs(2);

/// The most bytes that are read and dropped meanwhile.
const LINGER_BYTES: usize = 1024 * 1024;

/// How much is gathered before it is written, whatever else there is to say.
const GATHERED: usize = 32 * 1024;

/// A piece of at least this length is written from where it is.
const LARGE: usize = 8 * 1024;

/// A client's byte stream, and what can be seen on it: who floods, who stalls.
///
/// The crate writes and flushes each piece of content by itself, which is a system call and a TLS record for each of many
/// small responses. Here what it writes is gathered, until [`Watched::poll_send`] or a buffer's worth.
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
    /// What was gathered, and how much of it has been written.
    gathered: Vec<u8>,
    written: usize,
    /// Whether the crate was told to wait.
    refused: bool,
    unflushed: bool,
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
            gathered: Vec::new(),
            written: 0,
            refused: false,
            unflushed: false,
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
    /// Sends what was gathered. Ready when all of it went out: whether the crate waits to write more.
    ///
    /// # Errors
    /// The system's, after which nothing can be sent.
    pub(super) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let inner = &mut *self.0.borrow_mut();
        let sent = inner.poll_send(cx);
        sent.map_ok(|()| std::mem::take(&mut inner.refused))
    }

    /// Ends the stream so that the client can still read what was sent last.
    pub(super) async fn linger(&self) {
        let due = Instant::now() + LINGER;
        let mut watchdog = Watchdog::new();
        let mut dropped = 0;
        let mut shut = false;
        let mut room = vec![0; 4096];
        poll_fn(|cx| {
            let inner = &mut *self.0.borrow_mut();
            if !shut {
                match inner.poll_shutdown(cx) {
                    Poll::Ready(Ok(())) => shut = true,
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => return watchdog.poll_overdue(cx, due),
                }
            }
            loop {
                let mut buffer = ReadBuf::new(&mut room);
                match Pin::new(&mut inner.io).poll_read(cx, &mut buffer) {
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
}

impl<IO: AsyncWrite + Unpin> Inner<IO> {
    /// Takes these pieces: gathers them, or sends a large one from where it is.
    fn poll_take(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        let taken = if len >= LARGE {
            ready!(self.poll_write_through(cx, pieces))?
        } else {
            if self.gathered.len() + len > GATHERED {
                ready!(self.poll_write_gathered(cx))?;
            }
            if self.gathered.capacity() == 0 {
                self.gathered = buffers::take_output();
            }
            pieces.iter().for_each(|piece| self.gathered.extend_from_slice(piece));
            len
        };
        let mut left = taken;
        for piece in pieces {
            let part = left.min(piece.len());
            self.guard.sent(&piece[..part]);
            left -= part;
        }
        Poll::Ready(Ok(taken))
    }

    /// Writes what was gathered and these pieces behind it; how much of the pieces went out.
    fn poll_write_through(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        while !self.gathered.is_empty() {
            let waiting = &self.gathered[self.written..];
            let (first, second) = (pieces.first(), pieces.get(1));
            let all = [
                waiting,
                first.map_or(&[], |piece| piece),
                second.map_or(&[], |piece| piece),
            ];
            let written = Pin::new(&mut self.io).poll_write_vectored(cx, &all.map(IoSlice::new));
            let waited = waiting.len();
            let count = ready!(self.moved(written))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if count < waited {
                self.written += count;
                continue;
            }
            self.gathered.clear();
            self.written = 0;
            if count > waited {
                return Poll::Ready(Ok(count - waited));
            }
        }
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, pieces);
        self.moved(written)
    }

    fn poll_write_gathered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.gathered.len() {
            let written = Pin::new(&mut self.io).poll_write(cx, &self.gathered[self.written..]);
            match ready!(self.moved(written))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
        }
        self.gathered.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_gathered(cx))?;
        if self.gathered.capacity() > 0 {
            buffers::give_output(std::mem::take(&mut self.gathered));
        }
        if self.unflushed {
            let flushed = Pin::new(&mut self.io).poll_flush(cx);
            if flushed.is_pending() {
                self.blocked_since.get_or_insert_with(Instant::now);
            }
            ready!(flushed)?;
            self.unflushed = false;
            self.blocked_since = None;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    /// Notes whether the client takes what it should.
    fn moved(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => {
                self.refused = true;
                self.blocked_since.get_or_insert_with(Instant::now);
            }
            Poll::Ready(_) => {
                self.unflushed = true;
                self.blocked_since = None;
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
        self.0.borrow_mut().poll_take(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().poll_take(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Ready at once: what was gathered is sent when the crate has nothing more to say.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_shutdown(cx)
    }
}
