//! QUIC as `h3` uses it: for settings, GOAWAY, and the coding of fields. Bodies go past it, see [`crate::stream`].

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf};
use quinn::{ConnectionError, ReadError, WriteError};

use crate::frames::{Cutter, Piece, integer};
use crate::stream::{Broken, Stream, number};

/// The most bytes of a frame on a control stream: settings are the longest.
const CONTROL_FRAME: u64 = 4096;

/// What `h3` gets in place of content where it expects none: an empty DATA frame, which it refuses.
const UNEXPECTED_CONTENT: Bytes = Bytes::from_static(&[0, 0]);

type Opening<T> = Pin<Box<dyn Future<Output = Result<T, ConnectionError>>>>;

/// A connection, for `h3`.
pub(crate) struct Transport {
    connection: quinn::Connection,
    accept_request: Opening<(quinn::SendStream, quinn::RecvStream)>,
    accept_control: Opening<quinn::RecvStream>,
    opener: Opener,
    accepted: Accepted,
    longest_head: u64,
}

/// Where the newest stream of a request is left for the server.
pub(crate) type Accepted = Rc<Cell<Option<Rc<Stream>>>>;

impl Transport {
    /// A connection whose requests' heads may take `longest_head` bytes as they are sent.
    pub(crate) fn new(connection: quinn::Connection, longest_head: u64) -> (Transport, Accepted) {
        let accepted = Accepted::default();
        let transport = Transport {
            accept_request: accept_request(&connection),
            accept_control: accept_control(&connection),
            opener: Opener {
                connection: connection.clone(),
                opening: None,
            },
            connection,
            accepted: accepted.clone(),
            longest_head,
        };
        (transport, accepted)
    }
}

fn accept_request(connection: &quinn::Connection) -> Opening<(quinn::SendStream, quinn::RecvStream)> {
    let connection = connection.clone();
    Box::pin(async move { connection.accept_bi().await })
}

fn accept_control(connection: &quinn::Connection) -> Opening<quinn::RecvStream> {
    let connection = connection.clone();
    Box::pin(async move { connection.accept_uni().await })
}

impl quic::Connection<Bytes> for Transport {
    type RecvStream = ControlReceiving;
    type OpenStreams = Opener;

    fn poll_accept_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Self::RecvStream, ConnectionErrorIncoming>> {
        let accepted = ready!(self.accept_control.as_mut().poll(cx));
        self.accept_control = accept_control(&self.connection);
        Poll::Ready(match accepted {
            Ok(stream) => Ok(ControlReceiving::new(stream)),
            Err(error) => Err(lost(error)),
        })
    }

    fn poll_accept_bidi(&mut self, cx: &mut Context<'_>) -> Poll<Result<Self::BidiStream, ConnectionErrorIncoming>> {
        let accepted = ready!(self.accept_request.as_mut().poll(cx));
        self.accept_request = accept_request(&self.connection);
        let (sending, receiving) = accepted.map_err(lost)?;
        let stream = Stream::new(self.connection.clone(), sending, receiving, self.longest_head);
        let stream = Rc::new(stream);
        self.accepted.set(Some(stream.clone()));
        Poll::Ready(Ok(RequestStream::new(stream)))
    }

    fn opener(&self) -> Self::OpenStreams {
        Opener {
            connection: self.connection.clone(),
            opening: None,
        }
    }
}

impl quic::OpenStreams<Bytes> for Transport {
    type BidiStream = RequestStream;
    type SendStream = ControlSending;

    fn poll_open_bidi(&mut self, cx: &mut Context<'_>) -> Poll<Result<RequestStream, StreamErrorIncoming>> {
        self.opener.poll_open_bidi(cx)
    }

    fn poll_open_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<ControlSending, StreamErrorIncoming>> {
        self.opener.poll_open_send(cx)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.opener.close(code, reason);
    }
}

/// Opens the server's own control streams.
pub(crate) struct Opener {
    connection: quinn::Connection,
    opening: Option<Opening<quinn::SendStream>>,
}

impl quic::OpenStreams<Bytes> for Opener {
    type BidiStream = RequestStream;
    type SendStream = ControlSending;

    fn poll_open_bidi(&mut self, _: &mut Context<'_>) -> Poll<Result<RequestStream, StreamErrorIncoming>> {
        // RFC 9114 §6.1
        let error = "a server starts no requests";
        Poll::Ready(Err(StreamErrorIncoming::Unknown(error.into())))
    }

    fn poll_open_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<ControlSending, StreamErrorIncoming>> {
        let opening = self.opening.get_or_insert_with(|| {
            let connection = self.connection.clone();
            Box::pin(async move { connection.open_uni().await })
        });
        let opened = ready!(opening.as_mut().poll(cx));
        self.opening = None;
        Poll::Ready(match opened {
            Ok(stream) => Ok(ControlSending { stream, writing: None }),
            Err(error) => Err(StreamErrorIncoming::ConnectionErrorIncoming {
                connection_error: lost(error),
            }),
        })
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.connection.close(number(code), reason);
    }
}

/// A request's stream. `h3` reads and writes its heads and trailers.
pub(crate) struct RequestStream {
    stream: Rc<Stream>,
    writing: Option<WriteBuf<Bytes>>,
}

impl RequestStream {
    fn new(stream: Rc<Stream>) -> RequestStream {
        RequestStream { stream, writing: None }
    }

    fn id(&self) -> StreamId {
        self.stream
            .number()
            .try_into()
            .expect("numbers of streams are below 2^62")
    }
}

impl quic::BidiStream<Bytes> for RequestStream {
    type SendStream = RequestStream;
    type RecvStream = RequestStream;

    fn split(self) -> (RequestStream, RequestStream) {
        (RequestStream::new(self.stream.clone()), self)
    }
}

impl quic::RecvStream for RequestStream {
    type Buf = Bytes;

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        Poll::Ready(match ready!(self.stream.poll_piece(cx)) {
            Ok(None) => Ok(None),
            Ok(Some(Piece::Frame(frame))) => Ok(Some(frame)),
            Ok(Some(Piece::Data(_))) => Ok(Some(UNEXPECTED_CONTENT)),
            Err(Broken::Reset) => Err(StreamErrorIncoming::StreamTerminated {
                error_code: Code::H3_REQUEST_CANCELLED.value(),
            }),
            Err(broken) => Err(StreamErrorIncoming::Unknown(format!("{broken:?}").into())),
        })
    }

    fn stop_sending(&mut self, error_code: u64) {
        self.stream.stop(Code::from(error_code));
    }

    fn recv_id(&self) -> StreamId {
        self.id()
    }
}

impl quic::SendStream<Bytes> for RequestStream {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        let stream = &self.stream;
        poll_written(&mut self.writing, |bytes| stream.poll_write_bytes(cx, bytes))
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.writing = Some(data.into());
        Ok(())
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.stream.finish();
        Poll::Ready(Ok(()))
    }

    fn reset(&mut self, reset_code: u64) {
        self.stream.reset(Code::from(reset_code));
    }

    fn send_id(&self) -> StreamId {
        self.id()
    }
}

/// A control stream of the server's.
pub(crate) struct ControlSending {
    stream: quinn::SendStream,
    writing: Option<WriteBuf<Bytes>>,
}

impl quic::SendStream<Bytes> for ControlSending {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        let stream = &mut self.stream;
        poll_written(&mut self.writing, |bytes| Pin::new(&mut *stream).poll_write(cx, bytes))
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.writing = Some(data.into());
        Ok(())
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        let _ = self.stream.finish();
        Poll::Ready(Ok(()))
    }

    fn reset(&mut self, reset_code: u64) {
        let _ = self.stream.reset(number(Code::from(reset_code)));
    }

    fn send_id(&self) -> StreamId {
        id_of(self.stream.id())
    }
}

/// A control stream of the client's (RFC 9114 §6.2).
pub(crate) struct ControlReceiving {
    stream: quinn::RecvStream,
    kind: Kind,
    input: Bytes,
}

/// What a control stream is for.
enum Kind {
    /// Its first bytes have not all come yet.
    Unknown(Vec<u8>),
    /// Frames, whole ones.
    Control(Cutter),
    /// Anything else; `h3` reads no more than its type.
    Other,
}

impl ControlReceiving {
    fn new(stream: quinn::RecvStream) -> ControlReceiving {
        ControlReceiving {
            stream,
            kind: Kind::Unknown(Vec::new()),
            input: Bytes::new(),
        }
    }

    /// What can be handed on of what is here.
    fn next(&mut self) -> Result<Option<Bytes>, StreamErrorIncoming> {
        match &mut self.kind {
            Kind::Unknown(start) => {
                start.extend_from_slice(&self.input.split_to(self.input.len()));
                let Some((kind, rest)) = integer(start) else {
                    return Ok(None);
                };
                let handed_on = start.len() - rest.len();
                let mut start = Bytes::from(std::mem::take(start));
                self.input = start.split_off(handed_on);
                self.kind = if kind == 0 {
                    Kind::Control(Cutter::new(CONTROL_FRAME))
                } else {
                    Kind::Other
                };
                Ok(Some(start))
            }
            Kind::Control(cutter) => match cutter.next(&mut self.input) {
                Ok(Some(Piece::Frame(frame))) => Ok(Some(frame)),
                Ok(Some(Piece::Data(_))) => Ok(Some(UNEXPECTED_CONTENT)),
                Ok(None) => Ok(None),
                Err(_) => Err(StreamErrorIncoming::Unknown("a frame is too long".into())),
            },
            Kind::Other if self.input.is_empty() => Ok(None),
            Kind::Other => Ok(Some(self.input.split_to(self.input.len()))),
        }
    }
}

impl quic::RecvStream for ControlReceiving {
    type Buf = Bytes;

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        loop {
            if let Some(bytes) = self.next()? {
                return Poll::Ready(Ok(Some(bytes)));
            }
            match ready!(pin!(self.stream.read_chunk(usize::MAX, true)).poll(cx)) {
                Ok(Some(chunk)) => self.input = chunk.bytes,
                Ok(None) => return Poll::Ready(Ok(None)),
                Err(error) => return Poll::Ready(Err(unread(error))),
            }
        }
    }

    fn stop_sending(&mut self, error_code: u64) {
        let _ = self.stream.stop(number(Code::from(error_code)));
    }

    fn recv_id(&self) -> StreamId {
        id_of(self.stream.id())
    }
}

/// Writes on until nothing is left.
fn poll_written(
    writing: &mut Option<WriteBuf<Bytes>>,
    mut write: impl FnMut(&[u8]) -> Poll<Result<usize, WriteError>>,
) -> Poll<Result<(), StreamErrorIncoming>> {
    if let Some(data) = writing {
        while data.has_remaining() {
            let count = ready!(write(data.chunk())).map_err(unwritten)?;
            data.advance(count);
        }
    }
    *writing = None;
    Poll::Ready(Ok(()))
}

fn id_of(id: quinn::StreamId) -> StreamId {
    u64::from(id).try_into().expect("numbers of streams are below 2^62")
}

fn lost(error: ConnectionError) -> ConnectionErrorIncoming {
    match error {
        ConnectionError::ApplicationClosed(close) => ConnectionErrorIncoming::ApplicationClose {
            error_code: close.error_code.into(),
        },
        ConnectionError::TimedOut => ConnectionErrorIncoming::Timeout,
        error => ConnectionErrorIncoming::Undefined(Arc::new(error)),
    }
}

fn unread(error: ReadError) -> StreamErrorIncoming {
    match error {
        ReadError::Reset(code) => StreamErrorIncoming::StreamTerminated {
            error_code: code.into_inner(),
        },
        ReadError::ConnectionLost(error) => StreamErrorIncoming::ConnectionErrorIncoming {
            connection_error: lost(error),
        },
        error => StreamErrorIncoming::Unknown(Box::new(error)),
    }
}

fn unwritten(error: WriteError) -> StreamErrorIncoming {
    match error {
        WriteError::Stopped(code) => StreamErrorIncoming::StreamTerminated {
            error_code: code.into_inner(),
        },
        WriteError::ConnectionLost(error) => StreamErrorIncoming::ConnectionErrorIncoming {
            connection_error: lost(error),
        },
        error => StreamErrorIncoming::Unknown(Box::new(error)),
    }
}
