//! Rows as they come.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Stream as _, TryStreamExt as _};
use portcullis_core::Result;
use portcullis_tables::output::Outputs;
use portcullis_tables::statement::{Failure, Outcome};
use tokio_postgres::{Error, RowStream};

use super::failure::to_error;
use super::pool::Lease;
use super::transaction::Failed;
use super::values::Cells;
use crate::database::Rest;
use crate::failure::unmet;
use crate::script::Taker;

/// Bytes of a long answer that are handed on at a time.
const PIECE: usize = 32 << 10;

/// The rows of one execution, on their way into content.
pub(super) struct Rows {
    stream: Pin<Box<RowStream>>,
    taker: Taker,
    /// Whether rows are of interest, or only how many were touched.
    has_outputs: bool,
}

/// What became of taking rows.
enum Step {
    /// One was taken.
    Row,
    /// That was all.
    End,
}

impl Rows {
    pub(super) fn new(stream: RowStream, taker: Taker, outputs: &Outputs) -> Rows {
        Rows {
            stream: Box::pin(stream),
            taker,
            has_outputs: outputs.shown_columns() + outputs.hidden > 0 || outputs.checked,
        }
    }

    /// Takes rows until there are no more, or their content is more than `hold` bytes: whether that was all.
    pub(super) async fn take(&mut self, hold: usize) -> std::result::Result<bool, Failed> {
        loop {
            match std::future::poll_fn(|cx| self.poll_row(cx)).await? {
                Step::End => return Ok(true),
                Step::Row if self.taker.ready() > hold => return Ok(false),
                Step::Row => {}
            }
        }
    }

    pub(super) fn into_taker(self) -> Taker {
        self.taker
    }

    fn poll_row(&mut self, cx: &mut Context<'_>) -> Poll<std::result::Result<Step, Failed>> {
        let refused = |failure: Failure| Failed::Refused(unmet(failure));
        match ready!(self.stream.as_mut().poll_next(cx)) {
            Some(Ok(row)) => {
                if self.has_outputs {
                    self.taker.row(&Cells(&row)).map_err(refused)?;
                }
                Poll::Ready(Ok(Step::Row))
            }
            Some(Err(error)) => Poll::Ready(Err(error.into())),
            None => {
                if !self.has_outputs {
                    let touched = self.stream.rows_affected().unwrap_or(0);
                    self.taker.touched(touched).map_err(refused)?;
                }
                Poll::Ready(Ok(Step::End))
            }
        }
    }
}

/// Takes what is left of rows that nobody wants, and gives their number.
pub(super) async fn drain(stream: RowStream) -> std::result::Result<u64, Error> {
    let mut stream = Box::pin(stream);
    let mut rows = 0;
    while stream.try_next().await?.is_some() {
        rows += 1;
    }
    Ok(rows)
}

/// An answer that goes out while its rows come. Rows are taken from the connection as pieces are taken from here, so
/// that a slow client slows the server's cursor and no memory fills.
pub(super) struct Answering(Option<(Rows, Lease)>);

impl Answering {
    /// What is left of those rows; the connection is theirs alone now.
    pub(super) fn new(rows: Rows, mut lease: Lease) -> Answering {
        lease.keep();
        Answering(Some((rows, lease)))
    }

    /// What there is so far.
    pub(super) fn begun(&mut self) -> Outcome {
        match &mut self.0 {
            Some((rows, _)) => Outcome {
                rows: rows.taker.rows(),
                body: rows.taker.take(),
                ..Outcome::default()
            },
            None => Outcome::default(),
        }
    }
}

impl Rest for Answering {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let Some((rows, _)) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let result = loop {
            match rows.poll_row(cx) {
                Poll::Pending if rows.taker.ready() > 0 => return Poll::Ready(Some(Ok(rows.taker.take()))),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(Step::Row)) if rows.taker.ready() >= PIECE => {
                    return Poll::Ready(Some(Ok(rows.taker.take())));
                }
                Poll::Ready(Ok(Step::Row)) => {}
                Poll::Ready(Ok(Step::End)) => break Ok(()),
                Poll::Ready(Err(failed)) => break Err(failed),
            }
        };
        let (rows, lease) = self.0.take().expect("it is here still");
        Poll::Ready(match result {
            Ok(()) => {
                // Dropped, it comes to rest first: a transaction may be open.
                drop(lease);
                let body = rows.taker.finish_alone().body;
                (!body.is_empty()).then_some(Ok(body))
            }
            Err(Failed::Server { error, .. }) => {
                drop(lease);
                Some(Err(to_error(&error, false)))
            }
            Err(Failed::Refused(error)) => {
                lease.sever();
                Some(Err(error))
            }
            Err(Failed::Moved) => None,
        })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        // Nobody wants the rest: the server need not make it.
        if let Some((_, lease)) = self.0.take() {
            lease.sever();
        }
    }
}
