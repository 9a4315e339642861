//! A connection of HTTP/1.1 (RFC 9112).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::engine::dialer::{Dialer, Open, Reading, Secured};
use crate::engine::failing;
use crate::engine::http1::exchange::Exchange;
use crate::engine::line::Line;
use crate::flow::Wants;
use crate::outcome::{Answer, Failed};
use crate::request::Request;

mod exchange;
mod heads;

pub(super) use self::heads::Heads;

/// One connection after another, each for as many requests as it is good for.
pub(super) struct Http1Line {
    dialer: Rc<Dialer>,
    kept: Option<Connection>,
}

struct Connection {
    stream: Secured,
    _open: Open,
}

impl Line for Http1Line {
    fn of_connection(dialer: &Rc<Dialer>, _streams: usize) -> Vec<Http1Line> {
        let dialer = dialer.clone();
        vec![Http1Line { dialer, kept: None }]
    }

    async fn open(&mut self) -> Result<(), Failed> {
        if self.kept.is_none() && !self.dialer.fresh() {
            self.kept = Some(self.connect().await?);
        }
        Ok(())
    }

    async fn exchange(&mut self, request: &Request, wants: Wants, began: Instant) -> Result<Answer, Failed> {
        // While it is in use it is not kept: should this future be dropped, the connection is too.
        let (mut connection, sent) = match self.kept.take().and_then(Connection::if_usable) {
            Some(connection) => (connection, began),
            None => {
                let connection = Box::pin(self.connect()).await?;
                (connection, Instant::now())
            }
        };
        let mut exchange = Exchange::new(request, wants);
        match &mut connection.stream {
            Secured::Clear(stream) => drive(stream, &self.dialer, &mut exchange).await?,
            Secured::Tls(stream) => drive(stream, &self.dialer, &mut exchange).await?,
        }
        if exchange.may_follow() && !self.dialer.fresh() {
            self.kept = Some(connection);
        }
        Ok(exchange.into_answer(sent))
    }
}

impl Http1Line {
    async fn connect(&self) -> Result<Connection, Failed> {
        let (stream, open) = self.dialer.tcp().await?;
        let stream = self.dialer.tls(stream).await?;
        Ok(Connection { stream, _open: open })
    }
}

impl Connection {
    /// The same, unless it is known that the server has ended it, or that it says something unasked.
    fn if_usable(mut self) -> Option<Connection> {
        let usable = match &mut self.stream {
            Secured::Clear(stream) => matches!(peek(stream), Ok(None)),
            Secured::Tls(stream) => match peek(stream.get_ref().0) {
                Ok(None) => true,
                // Records of TLS itself, such as session tickets, are no sign of anything. They are read here.
                Ok(Some(1..)) => {
                    let mut byte = [0];
                    let mut buffer = ReadBuf::new(&mut byte);
                    let mut context = Context::from_waker(Waker::noop());
                    Pin::new(&mut **stream)
                        .poll_read(&mut context, &mut buffer)
                        .is_pending()
                }
                Ok(Some(0)) | Err(_) => false,
            },
        };
        usable.then_some(self)
    }
}

/// How many bytes can be read at present, of one; nothing when the event loop knows of none, which asks nobody.
fn peek(stream: &TcpStream) -> io::Result<Option<usize>> {
    let peeked = stream.try_io(Interest::READABLE, || {
        let (count, _) = rustix::net::recv(stream, &mut [0; 1], rustix::net::RecvFlags::PEEK)?;
        Ok(count)
    });
    match peeked {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes what is to be written and reads until the answer is whole.
async fn drive<S>(stream: &mut S, dialer: &Dialer, exchange: &mut Exchange<'_>) -> Result<(), Failed>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|context| poll(Pin::new(stream), dialer, exchange, context)).await
}

fn poll<S>(
    mut stream: Pin<&mut S>,
    dialer: &Dialer,
    exchange: &mut Exchange<'_>,
    context: &mut Context<'_>,
) -> Poll<Result<(), Failed>>
where
    S: AsyncRead + AsyncWrite,
{
    if let Err(error) = write(stream.as_mut(), exchange, context) {
        // The server may have answered before it had read everything, and then ended the connection.
        exchange.stop_sending(failing::exchanging(&error));
    }
    let mut reading = dialer.reading();
    let Reading { room, heads } = &mut *reading;
    loop {
        let mut buffer = ReadBuf::new(room);
        match stream.as_mut().poll_read(context, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(exchange.broken(&error))),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Poll::Ready(exchange.end_of_input()),
            Poll::Ready(Ok(())) => {
                if exchange.take_in(buffer.filled(), heads)? {
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

/// Writes as much as can be written now.
fn write<S>(mut stream: Pin<&mut S>, exchange: &mut Exchange<'_>, context: &mut Context<'_>) -> io::Result<()>
where
    S: AsyncWrite,
{
    while !exchange.unsent().is_empty() {
        match stream.as_mut().poll_write(context, exchange.unsent()) {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(count)) => exchange.sent(count),
            Poll::Ready(Err(error)) => return Err(error),
        }
    }
    // TLS may still hold some of it.
    match stream.poll_flush(context) {
        Poll::Ready(Err(error)) => Err(error),
        Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
    }
}
