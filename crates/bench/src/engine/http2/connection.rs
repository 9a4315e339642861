//! A connection of HTTP/2, which a task of its own keeps going.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::streams::{Partial, Streams};
use crate::engine::dialer::{Dialer, Open, Secured};
use crate::engine::failing;
use crate::engine::multiplexed::Handle;
use crate::flow::Wants;
use crate::outcome::{Failed, Failure};

/// How much is read at a time, for all connections of a thread.
const ROOM: usize = 64 * 1024;

/// How often is read before others have their turn, so that much content on one connection delays no arrival.
const TURNS: usize = 4;

/// What waits for the socket is given back to the system when it was more than this.
const KEPT: usize = 64 * 1024;

thread_local! {
    /// Where bytes are read to first, so that a connection that rests holds no memory for it.
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; ROOM]);
}

/// A handle on a connection, which ends with the last of them.
#[derive(Clone)]
pub(super) struct Connection {
    streams: Rc<RefCell<Streams>>,
}

impl Handle for Connection {
    async fn open(dialer: &Dialer) -> Result<Connection, Failed> {
        let (stream, open) = dialer.tcp().await?;
        let streams = Rc::new(RefCell::new(Streams::new()));
        match dialer.tls(stream).await? {
            Secured::Clear(stream) => drive(stream, streams.clone(), open),
            Secured::Tls(stream) => drive(stream, streams.clone(), open),
        }
        let connection = Connection { streams };
        poll_fn(|cx| connection.streams.borrow_mut().poll_greeted(cx))
            .await
            .map_err(|failed| match failed.kind {
                Failure::Reset => Failed {
                    kind: Failure::Connect,
                    ..failed
                },
                _ => failed,
            })?;
        Ok(connection)
    }

    fn is_usable(&self) -> bool {
        self.streams.borrow().is_usable()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The task has the other one.
        if Rc::strong_count(&self.streams) == 2 {
            self.streams.borrow_mut().wake_driver();
        }
    }
}

impl Connection {
    /// Waits until the server takes one more request. False, when it never will.
    pub(super) async fn room(&self) -> bool {
        let mut waiting = Waiting {
            connection: self,
            ticket: None,
        };
        poll_fn(|cx| self.streams.borrow_mut().poll_room(&mut waiting.ticket, cx)).await
    }

    /// Sends a request, and waits for the whole answer. There must be [room](Connection::room) for it.
    pub(super) async fn exchange(
        &self,
        block: &[u8],
        body: &Bytes,
        wants: Wants,
        head_only: bool,
    ) -> Result<Partial, Failed> {
        let place = self.streams.borrow_mut().start(block, body, wants, head_only);
        let mut unfinished = Unfinished {
            connection: self,
            place: Some(place),
        };
        let result = poll_fn(|cx| self.streams.borrow_mut().poll_done(place, cx)).await;
        unfinished.place = None;
        result
    }
}

/// Somebody who waits for room, and may be told of it when nobody waits any more.
struct Waiting<'c> {
    connection: &'c Connection,
    ticket: Option<u64>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.connection.streams.borrow_mut().stop_waiting(ticket);
        }
    }
}

/// A request whose place is given back when nobody waits for its answer any more.
struct Unfinished<'c> {
    connection: &'c Connection,
    place: Option<usize>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.connection.streams.borrow_mut().give_up(place);
        }
    }
}

/// The task of a connection.
struct Driver<S> {
    stream: S,
    streams: Rc<RefCell<Streams>>,
    /// The beginning of a frame whose end has not come.
    input: BytesMut,
    /// How much of what is to be written was.
    written: usize,
}

fn drive<S>(stream: S, streams: Rc<RefCell<Streams>>, open: Open)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut driver = Driver {
        stream,
        streams,
        input: BytesMut::new(),
        written: 0,
    };
    tokio::task::spawn_local(async move {
        let Err(failed) = poll_fn(|cx| driver.poll(cx)).await;
        driver.streams.borrow_mut().fail(&failed);
        drop(open);
    });
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Writes and reads what can be. Ready when the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<std::convert::Infallible, Failed>> {
        self.streams.borrow_mut().driven_by(cx.waker());
        // Nobody is left who could ask for anything.
        if Rc::strong_count(&self.streams) == 1 {
            return Poll::Ready(Err(failing::reset("connection closed")));
        }
        if let Poll::Ready(Err(error)) = self.poll_write(cx) {
            return Poll::Ready(Err(failing::exchanging(&error)));
        }
        let mut turns = TURNS;
        while let Poll::Ready(count) = self.poll_read(cx)? {
            if count == 0 {
                return Poll::Ready(Err(failing::reset("connection closed")));
            }
            turns -= 1;
            if turns == 0 {
                cx.waker().wake_by_ref();
                break;
            }
        }
        if let Poll::Ready(Err(error)) = self.poll_write(cx) {
            return Poll::Ready(Err(failing::exchanging(&error)));
        }
        if self.streams.borrow().is_over() {
            return Poll::Ready(Err(failing::reset("connection closed")));
        }
        Poll::Pending
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let mut streams = self.streams.borrow_mut();
        if streams.out.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !streams.out.is_empty() {
            while let Some(left @ [_, ..]) = streams.out.get(self.written..) {
                match ready!(Pin::new(&mut self.stream).poll_write(cx, left))? {
                    0 => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                    count => self.written += count,
                }
            }
            self.written = 0;
            streams.written();
        }
        if streams.out.capacity() > KEPT {
            streams.out = Vec::new();
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Reads once, and takes all frames that are whole. Ready with how many bytes came.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Failed>> {
        READ.with_borrow_mut(|room| {
            let mut piece = ReadBuf::new(room);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece));
            read.map_err(|error| failing::exchanging(&error))?;
            let came = piece.filled();
            let mut streams = self.streams.borrow_mut();
            if self.input.is_empty() {
                let taken = streams.receive(came)?;
                self.input.extend_from_slice(&came[taken..]);
            } else {
                self.input.extend_from_slice(came);
                let taken = streams.receive(&self.input)?;
                let _ = self.input.split_to(taken);
            }
            if self.input.is_empty() {
                // Its memory is of no use until a frame is cut again.
                self.input = BytesMut::new();
            }
            Poll::Ready(Ok(came.len()))
        })
    }
}
