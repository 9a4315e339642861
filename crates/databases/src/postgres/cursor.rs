//! Answers that are too large to be held. Their rows are fetched through a cursor, some at a time and as pieces are taken,
//! so that neither memory fills nor a slow client uses up the time of a statement: each fetch has its own.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use portcullis_core::Result;
use portcullis_tables::output::Outputs;
use portcullis_tables::statement::{Outcome, Statement};

use super::connection::{Connection, Ready};
use super::failure::to_error;
use super::pool::{Lease, Streaming};
use super::rows::{Rows, drain};
use super::transaction::Failed;
use super::values::Parameter;
use crate::database::Rest;
use crate::script::Taker;

/// Bytes of content that are fetched at a time, about.
const PIECE: usize = 128 << 10;
/// Rows that are fetched at a time, at the most, and at first.
const MAX_ROWS: usize = 1000;
const FIRST_ROWS: usize = 100;

/// A cursor in the transaction of its connection.
pub(super) struct Cursor {
    taker: Taker,
    outputs: Outputs,
    /// How many rows are fetched the next time.
    rows: usize,
    is_complete: bool,
}

/// An answer whose rows are fetched as it is taken.
pub(super) struct Answering {
    state: State,
    _streaming: Streaming,
}

enum State {
    /// What was fetched may be taken.
    Ready(Box<Cursor>, Lease),
    /// More is being fetched.
    Fetching(Pin<Box<dyn Future<Output = Fetched>>>),
    /// All was taken, or it failed.
    Ended,
}

type Fetched = std::result::Result<(Box<Cursor>, Lease), Failed>;

impl Cursor {
    /// Opens one for that statement, in a transaction that has begun.
    pub(super) async fn open(
        connection: &Connection,
        statement: &Statement,
        values: Vec<Parameter<'_>>,
        taker: Taker,
    ) -> std::result::Result<Cursor, Failed> {
        let text = format!("declare portcullis no scroll cursor for {}", statement.text);
        drain(connection.execute(&Ready::Unnamed(text.into()), values).await?).await?;
        Ok(Cursor {
            taker,
            outputs: statement.outputs.clone(),
            rows: FIRST_ROWS,
            is_complete: false,
        })
    }

    /// Fetches rows until there are no more, or their content is more than `hold` bytes.
    pub(super) async fn fill(mut self, connection: &Connection, hold: usize) -> std::result::Result<Cursor, Failed> {
        while !self.is_complete && self.taker.ready() <= hold {
            self = self.fetch(connection).await?;
        }
        Ok(self)
    }

    /// Whether there are no more rows.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    pub(super) fn into_taker(self) -> Taker {
        self.taker
    }

    async fn fetch(mut self, connection: &Connection) -> std::result::Result<Cursor, Failed> {
        let text = format!("fetch forward {} from portcullis", self.rows);
        let (rows, bytes) = (self.taker.rows(), self.taker.ready());
        let stream = connection.execute(&Ready::Unnamed(text.into()), Vec::new()).await?;
        self.taker = Rows::new(stream, self.taker, &self.outputs).take(usize::MAX).await?;
        let fetched = usize::try_from(self.taker.rows() - rows).unwrap_or(usize::MAX);
        self.is_complete = fetched < self.rows;
        let size = (self.taker.ready() - bytes) / fetched.max(1);
        self.rows = (PIECE / size.max(1)).clamp(1, MAX_ROWS);
        Ok(self)
    }
}

impl Answering {
    pub(super) fn new(cursor: Cursor, lease: Lease, streaming: Streaming) -> Answering {
        Answering {
            state: State::Ready(Box::new(cursor), lease),
            _streaming: streaming,
        }
    }

    /// What there is so far.
    pub(super) fn begun(&mut self) -> Outcome {
        match &mut self.state {
            State::Ready(cursor, _) => Outcome {
                rows: cursor.taker.rows(),
                body: cursor.taker.take(),
                ..Outcome::default()
            },
            State::Fetching(_) | State::Ended => Outcome::default(),
        }
    }
}

impl Rest for Answering {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Poll::Ready(None),
                State::Ready(cursor, lease) if cursor.is_complete => {
                    // Dropped, it comes to rest first: the transaction is open still.
                    drop(lease);
                    let body = cursor.taker.finish_alone().body;
                    return Poll::Ready((!body.is_empty()).then_some(Ok(body)));
                }
                State::Ready(mut cursor, lease) if cursor.taker.ready() > 0 => {
                    let piece = cursor.taker.take();
                    self.state = State::Ready(cursor, lease);
                    return Poll::Ready(Some(Ok(piece)));
                }
                State::Ready(cursor, lease) => self.state = State::Fetching(Box::pin(fetch(cursor, lease))),
                State::Fetching(mut fetching) => match fetching.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.state = State::Fetching(fetching);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok((cursor, lease))) => self.state = State::Ready(cursor, lease),
                    Poll::Ready(Err(Failed::Server { error, .. })) => {
                        return Poll::Ready(Some(Err(to_error(&error, false))));
                    }
                    Poll::Ready(Err(Failed::Refused(error))) => return Poll::Ready(Some(Err(error))),
                    Poll::Ready(Err(Failed::TooLarge)) => return Poll::Ready(None),
                },
            }
        }
    }
}

async fn fetch(cursor: Box<Cursor>, lease: Lease) -> Fetched {
    let cursor = cursor.fetch(lease.connection()).await?;
    Ok((Box::new(cursor), lease))
}
