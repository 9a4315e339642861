//! A connection of a stand-in: requests, one after another, and their answers.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Poll, ready};

use bytes::BytesMut;
use portcullis_core::Method;
use portcullis_http1::chunked::{Decoder, Event};
use portcullis_http1::framing::BodyLength;
use portcullis_http1::request::{self, RequestHead};
use portcullis_http1::{HeadLimits, HeadScanner};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::behaviour::Fault;
use super::conduct::Outcome;
use super::serving::{Open, Server, reason};

const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 64 * 1024,
    target_bytes: 32 * 1024,
    fields: 256,
};

/// Heads up to this length are recognised when they come again, as those of a load do.
const RECOGNISED: usize = 1024;

const REFUSED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
const MALFORMED: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const GARBAGE: &[u8] = b"\x00\x01this is not HTTP\r\n\r\n";

/// A byte stream whose end can be a reset.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {
    /// Makes the end of the connection a reset instead of an orderly end.
    fn reset_at_end(&self);
}

impl Stream for TcpStream {
    fn reset_at_end(&self) {
        // Without it the client sees the end of the connection, which fails its request too.
        let _ = self.set_zero_linger();
    }
}

impl Stream for TlsStream<TcpStream> {
    fn reset_at_end(&self) {
        let _ = self.get_ref().0.set_zero_linger();
    }
}

/// Serves a connection to its end. What goes wrong on it, the client knows as well as we.
pub(super) async fn serve<S: Stream>(stream: S, open: Open) {
    let mut connection = Connection {
        stream,
        server: &open.server,
        input: Vec::new(),
        seen: None,
    };
    // A failure is the end of the connection, and so is a good end.
    let _ = connection.serve().await;
}

struct Connection<'s, S> {
    stream: S,
    server: &'s Server,
    /// What was read and not yet understood: a part of a head, or what follows behind a request.
    input: Vec<u8>,
    /// The last head, and what it asks for.
    seen: Option<(Box<[u8]>, Asked)>,
}

/// What matters of a request's head here.
#[derive(Clone, Copy)]
struct Asked {
    /// Whether only the head of the answer is wanted.
    head_only: bool,
    body: BodyLength,
    expects_continue: bool,
    keep_alive: bool,
}

impl<S: Stream> Connection<'_, S> {
    async fn serve(&mut self) -> io::Result<()> {
        loop {
            let asked = match self.next().await? {
                Next::Request(asked) => asked,
                Next::End => return Ok(()),
                Next::Malformed => return self.write(MALFORMED).await,
            };
            if asked.expects_continue {
                self.write(CONTINUE).await?;
            }
            if !self.pass_over(asked.body).await? {
                return self.write(MALFORMED).await;
            }
            let decision = self.server.decide();
            self.server.clock.until(decision.due).await;
            match decision.outcome {
                Outcome::Answer => self.answer(asked).await?,
                Outcome::Refuse => {
                    self.server.shared.refused.fetch_add(1, Ordering::Relaxed);
                    self.write(REFUSED).await?;
                }
                Outcome::Fail(fault) => {
                    if !self.fail(fault).await? {
                        return Ok(());
                    }
                }
            }
            if !asked.keep_alive {
                return self.stream.shutdown().await;
            }
        }
    }

    async fn answer(&mut self, asked: Asked) -> io::Result<()> {
        let answer = self.server.answer();
        if asked.keep_alive {
            let length = if asked.head_only {
                answer.head
            } else {
                answer.whole.len()
            };
            return self.write(&answer.whole[..length]).await;
        }
        // The last line of the head is the empty one; the end of the connection is announced before it.
        let mut last = answer.whole[..answer.head - 2].to_vec();
        last.extend_from_slice(b"Connection: close\r\n\r\n");
        if !asked.head_only {
            last.extend_from_slice(&answer.whole[answer.head..]);
        }
        self.write(&last).await
    }

    /// Fails a request, and says whether the connection goes on.
    async fn fail(&mut self, fault: Fault) -> io::Result<bool> {
        match fault {
            Fault::Status(status) => {
                let text = format!("HTTP/1.1 {status} {}\r\nContent-Length: 0\r\n\r\n", reason(status));
                self.write(text.as_bytes()).await?;
                return Ok(true);
            }
            Fault::Reset => self.stream.reset_at_end(),
            Fault::Close => self.stream.shutdown().await?,
            Fault::Hang => {
                while self.read().await? > 0 {
                    self.input.clear();
                }
            }
            Fault::Garbage => {
                self.write(GARBAGE).await?;
                self.stream.shutdown().await?;
            }
        }
        Ok(false)
    }

    /// Reads up to the end of a head.
    async fn next(&mut self) -> io::Result<Next> {
        let mut scanner = HeadScanner::new();
        loop {
            if let Some(asked) = self.recognised() {
                return Ok(Next::Request(asked));
            }
            match scanner
                .ready(&self.input, &LIMITS)
                .then(|| request::parse(&self.input, &LIMITS))
            {
                Some(Ok(Some((head, length)))) => return Ok(Next::Request(self.take(&head, length))),
                Some(Err(_)) => return Ok(Next::Malformed),
                Some(Ok(None)) | None => {}
            }
            if self.read().await? == 0 {
                return Ok(Next::End);
            }
        }
    }

    /// The same bytes ask for the same thing: nothing has to be parsed then.
    fn recognised(&mut self) -> Option<Asked> {
        let (head, asked) = self.seen.as_ref()?;
        if !self.input.starts_with(head) {
            return None;
        }
        let (length, asked) = (head.len(), *asked);
        self.input.drain(..length);
        Some(asked)
    }

    fn take(&mut self, head: &RequestHead, length: usize) -> Asked {
        let asked = Asked {
            head_only: head.method == Method::Head,
            body: head.body,
            expects_continue: head.expect_continue,
            keep_alive: head.keep_alive,
        };
        if length <= RECOGNISED {
            self.seen = Some((self.input[..length].into(), asked));
        }
        self.input.drain(..length);
        asked
    }

    /// Reads the content of a request and forgets it. False, where it is malformed.
    async fn pass_over(&mut self, body: BodyLength) -> io::Result<bool> {
        match body {
            BodyLength::None | BodyLength::UntilClose => Ok(true),
            BodyLength::Sized(length) => self.pass_over_sized(length).await.map(|()| true),
            BodyLength::Chunked => self.pass_over_chunks().await,
        }
    }

    async fn pass_over_sized(&mut self, mut left: u64) -> io::Result<()> {
        loop {
            let count = self.input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.input.drain(..count);
            left -= count as u64;
            if left == 0 {
                return Ok(());
            }
            if self.read().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn pass_over_chunks(&mut self) -> io::Result<bool> {
        let mut decoder = Decoder::new(&LIMITS);
        let mut content = BytesMut::from(&self.input[..]);
        self.input.clear();
        loop {
            match decoder.decode(&mut content) {
                Ok(Event::Data(_)) => {}
                Ok(Event::End(_)) => {
                    self.input.extend_from_slice(&content);
                    return Ok(true);
                }
                Ok(Event::NeedMore) => {
                    if self.read().await? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    content.extend_from_slice(&self.input);
                    self.input.clear();
                }
                Err(_) => return Ok(false),
            }
        }
    }

    /// Reads what has come behind the input; 0 at the end.
    async fn read(&mut self) -> io::Result<usize> {
        let Connection {
            stream, server, input, ..
        } = self;
        poll_fn(|cx| {
            let mut room = server.room.borrow_mut();
            let mut piece = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut piece))?;
            input.extend_from_slice(piece.filled());
            Poll::Ready(Ok(piece.filled().len()))
        })
        .await
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }
}

/// What comes next on a connection.
enum Next {
    Request(Asked),
    /// Nothing any more.
    End,
    /// Something that is no request.
    Malformed,
}
