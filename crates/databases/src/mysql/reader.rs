//! Reads, whose answers may be larger than what is held: then they are written as they are taken, in constant memory. The
//! server is kept waiting meanwhile: it sends no more than the sockets between hold.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use portcullis_core::{Error, Result, codes};
use portcullis_tables::content::Format;
use portcullis_tables::statement::{Outcome, Script};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::execute::{self, Attempts, Fault, bind, end_badly};
use super::pool::{Lease, Pool};
use super::session::Mode;
use super::values::Cells;
use crate::database::{Answer, Rest};
use crate::failure::busy;
use crate::script::{Progress, Taker};

/// Bytes of a piece of a large answer.
const PIECE: usize = 64 << 10;

/// What the steps came to, and of the last one what there is so far.
type Begun = (Vec<Outcome>, Outcome);

/// What the reading hands over before its end.
#[derive(Default)]
struct Handover {
    begun: RefCell<Option<Begun>>,
    piece: RefCell<Option<Bytes>>,
}

/// The work of one read.
type Work = Pin<Box<dyn Future<Output = Result<Begun>>>>;

/// The rest of a large answer.
struct Pieces {
    work: Work,
    handover: Rc<Handover>,
}

/// One read.
struct Reading {
    script: Rc<Script>,
    format: Format,
    hold: usize,
    handover: Rc<Handover>,
    /// When the piece that is being made must be there.
    deadline: Instant,
    has_begun: bool,
    /// The place of an answer that is handed over in pieces.
    streaming: Option<OwnedSemaphorePermit>,
}

/// Reads: the whole answer where it has at most `hold` bytes, else the beginning and the rest as it is taken.
pub(super) async fn read(
    pool: &Arc<Pool>,
    script: Script,
    format: Format,
    hold: usize,
) -> Result<(Vec<Outcome>, Answer)> {
    let handover = Rc::<Handover>::default();
    let reading = Reading {
        deadline: Instant::now() + script.timeout,
        script: Rc::new(script),
        format,
        hold: hold.max(1),
        handover: Rc::clone(&handover),
        has_begun: false,
        streaming: None,
    };
    let mut work: Work = Box::pin(reading.run(Arc::clone(pool)));
    let ended = std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(ended) => Poll::Ready(Some(ended)),
        Poll::Pending if handover.begun.borrow().is_some() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    match ended.await {
        Some(ended) => ended.map(|(outcomes, outcome)| (outcomes, Answer { outcome, rest: None })),
        None => {
            let (outcomes, outcome) = handover.begun.take().unwrap_or_default();
            let rest: Box<dyn Rest> = Box::new(Pieces { work, handover });
            Ok((
                outcomes,
                Answer {
                    outcome,
                    rest: Some(rest),
                },
            ))
        }
    }
}

impl Reading {
    async fn run(mut self, pool: Arc<Pool>) -> Result<Begun> {
        let mut attempts = Attempts::default();
        loop {
            let lease = tokio::time::timeout_at(self.deadline, pool.take(Mode::Reads, attempts.is_lost)).await;
            let lease = lease.map_err(|_| timeout())??;
            match self.attempt(&pool, lease).await {
                Ok(begun) => return Ok(begun),
                Err(fault) if self.has_begun => return Err(fault.into_error(self.script.access)),
                Err(fault) => attempts.again(fault, &self.script).await?,
            }
        }
    }

    async fn attempt(&mut self, pool: &Arc<Pool>, mut lease: Lease) -> std::result::Result<Begun, Fault> {
        let mut all_read = true;
        match self.attempt_on(pool, &mut lease, &mut all_read).await {
            Ok(begun) => {
                lease.give_back();
                Ok(begun)
            }
            // The lease is dropped, which has the server stop.
            Err(Fault::Other(error)) => Err(Fault::Other(error)),
            Err(fault) => {
                end_badly(lease, &fault, all_read).await;
                Err(fault)
            }
        }
    }

    async fn attempt_on(
        &mut self,
        pool: &Arc<Pool>,
        lease: &mut Lease,
        all_read: &mut bool,
    ) -> std::result::Result<Begun, Fault> {
        let script = Rc::clone(&self.script);
        let Some((last, first)) = script.steps.split_last() else {
            return Ok((Vec::new(), Outcome::default()));
        };
        let mut progress = Progress::new(&script);
        let beginning = tokio::time::timeout_at(self.deadline, async {
            lease.prepare_for(Mode::Reads, script.timeout).await?;
            execute::begin(lease, Mode::Reads, &script).await?;
            for step in first {
                let mut taker = progress.taker(step, self.format);
                execute::execute(lease, &progress, step, &mut taker).await?;
                progress.push(taker);
            }
            Ok::<(), Fault>(())
        });
        beginning.await.map_err(|_| timeout())??;
        let mut taker = progress.taker(last, self.format);
        for values in std::iter::once(&last.statement.values).chain(&last.batch) {
            let values = bind(&progress, values)?;
            let executing = tokio::time::timeout_at(self.deadline, lease.execute(&last.statement.text, values));
            let mut result = executing.await.map_err(|_| timeout())??;
            *all_read = false;
            // The time is looked at where rows have to be waited for only.
            while let Some(row) = tokio::time::timeout_at(self.deadline, result.next())
                .await
                .map_err(|_| timeout())??
            {
                taker.row(&Cells::new(&row))?;
                drop(row);
                self.hand_over(pool, &mut taker, &progress).await?;
            }
            // What else a procedure gives is not asked for.
            result.drop_result().await?;
            *all_read = true;
        }
        execute::met(lease, &progress, last, taker.rows()).await?;
        execute::end(lease, Mode::Reads, &script).await?;
        Ok((progress.finish(), taker.finish_alone()))
    }

    /// Hands over what was written, where that is enough, and waits until it was taken.
    async fn hand_over(&mut self, pool: &Arc<Pool>, taker: &mut Taker, progress: &Progress) -> Result<()> {
        if taker.ready() < if self.has_begun { PIECE } else { self.hold } {
            return Ok(());
        }
        let body = taker.take();
        if self.has_begun {
            *self.handover.piece.borrow_mut() = Some(body);
        } else {
            self.streaming = Some(pool.stream().ok_or_else(busy)?);
            self.has_begun = true;
            let outcome = Outcome {
                rows: taker.rows(),
                body,
                ..Outcome::default()
            };
            *self.handover.begun.borrow_mut() = Some((progress.outcomes().to_vec(), outcome));
        }
        let handover = &self.handover;
        std::future::poll_fn(|_| {
            // Whoever takes it polls again then.
            let is_there = handover.piece.borrow().is_some() || handover.begun.borrow().is_some();
            if is_there { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        // Each piece has the whole of the time: how long all of them take is up to the client.
        self.deadline = Instant::now() + self.script.timeout;
        Ok(())
    }
}

impl Rest for Pieces {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        match self.work.as_mut().poll(context) {
            Poll::Ready(Ok((_, outcome))) if outcome.body.is_empty() => Poll::Ready(None),
            Poll::Ready(Ok((_, outcome))) => {
                // Ended, it is not polled again.
                self.work = Box::pin(async { Ok(Begun::default()) });
                Poll::Ready(Some(Ok(outcome.body)))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error))),
            Poll::Pending => match self.handover.piece.take() {
                Some(piece) => Poll::Ready(Some(Ok(piece))),
                None => Poll::Pending,
            },
        }
    }
}

fn timeout() -> Error {
    Error::new(&codes::DATABASE_TIMEOUT)
}
