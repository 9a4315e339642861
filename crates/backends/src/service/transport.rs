use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rustix::net::{RecvFlags, sockopt};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use super::target::Opened;

/// A byte stream to a target, which counts it as open until it is dropped.
pub(super) struct Transport {
    pub(super) stream: Stream,
    pub(super) _opened: Opened,
}

pub(super) enum Stream {
    Plain(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// What the TLS handshake agreed to speak.
    pub(super) fn protocol(&self) -> Option<&[u8]> {
        match &self.stream {
            Stream::Plain(_) | Stream::Unix(_) => None,
            Stream::Tls(stream) => stream.get_ref().1.alpn_protocol(),
        }
    }

    /// Lets the kernel find out that the other end is gone without a word. For connections that may be silent for long while
    /// they are in use, and on which the protocol itself may not ask often.
    pub(super) fn watch_over(&self) -> io::Result<()> {
        let stream = match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.get_ref().0,
            // The kernel knows of both ends.
            Stream::Unix(_) => return Ok(()),
        };
        // Three probes after a minute of silence, when proxies and firewalls on the way still know the connection.
        sockopt::set_socket_keepalive(stream, true)?;
        sockopt::set_tcp_keepidle(stream, Duration::from_secs(60))?;
        sockopt::set_tcp_keepintvl(stream, Duration::from_secs(10))?;
        Ok(sockopt::set_tcp_keepcnt(stream, 3)?)
    }

    /// Whether an idle connection has ended or received something unasked for: either way it must not be used again.
    /// Costs no system call while nothing has happened.
    pub(super) fn is_stale(&self) -> bool {
        let stream = match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Unix(stream) => return is_stale(stream),
            // What the session holds already, such as the server's farewell, no socket will tell of.
            Stream::Tls(stream) if !stream.get_ref().1.wants_read() => return true,
            Stream::Tls(stream) => stream.get_ref().0,
        };
        let mut cx = Context::from_waker(Waker::noop());
        if stream.poll_read_ready(&mut cx).is_pending() {
            return false;
        }
        // The readiness may be left over from the last read.
        let mut byte = [0];
        stream.poll_peek(&mut cx, &mut ReadBuf::new(&mut byte)).is_ready()
    }
}

/// As [`Transport::is_stale`].
fn is_stale(stream: &UnixStream) -> bool {
    let peek = || Ok(rustix::net::recv(stream, &mut [0; 1], RecvFlags::PEEK)?.0);
    let seen = stream.try_io(Interest::READABLE, peek);
    !seen.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
