//! The one thread that writes. What waits while a transaction is written to the disk goes into the next one together: the
//! cost of a write is that of a wait for the disk, shared by all who wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::sweep::Sweep;
use super::{Answer, Error};

/// Changes that go into one transaction, at the most: some ten milliseconds of work.
const TOGETHER: usize = 512;

/// A change: it is given the connection within a transaction, or the reason why there is none.
type Job = Box<dyn FnOnce(Result<&Connection, Error>) -> Settle + Send>;

/// Tells whoever asked, once it is known what became of the transaction.
type Settle = Box<dyn FnOnce(&Result<(), Error>)>;

pub(super) struct Writer {
    queue: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, queue: usize) -> Result<Writer, String> {
        let (sender, jobs) = sync_channel(queue);
        let thread = thread::Builder::new().name("store-write".to_owned());
        let thread = thread
            .spawn(move || serve(&connection, &jobs))
            .map_err(|error| format!("a thread can't be started: {error}"))?;
        Ok(Writer {
            queue: Some(sender),
            thread: Some(thread),
        })
    }

    /// Does `work` in a transaction. The answer is given when that is on the disk; an error undoes this work and no other.
    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Answer<T> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let outcome = connection.and_then(|connection| in_savepoint(connection, work));
            Box::new(move |committed| {
                // When nobody waits any more, nobody is told.
                let _ = sender.send(committed.clone().and(outcome));
            })
        });
        match self.queue.as_ref().map(|queue| queue.try_send(job)) {
            Some(Ok(())) => Answer::awaited(receiver),
            _ => Answer::refused(Error::Busy),
        }
    }
}

impl Drop for Writer {
    /// What waits is still written. The connection writes the log back into the file when it closes.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, jobs: &Receiver<Job>) {
    let mut sweep = Sweep::new(Instant::now());
    loop {
        match jobs.recv_timeout(sweep.wait(Instant::now())) {
            Ok(first) => write_together(connection, first, jobs),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        sweep.step(connection, Instant::now());
    }
}

fn write_together(connection: &Connection, first: Job, jobs: &Receiver<Job>) {
    let begun = run(connection, "BEGIN IMMEDIATE");
    let others = jobs.try_iter().take(TOGETHER - 1);
    let settles: Vec<Settle> = std::iter::once(first)
        .chain(others)
        .map(|job| job(begun.clone().map(|()| connection)))
        .collect();
    let committed = begun.and_then(|()| {
        run(connection, "COMMIT").inspect_err(|_| {
            // SQLite may have rolled it back itself.
            let _ = run(connection, "ROLLBACK");
        })
    });
    for settle in settles {
        settle(&committed);
    }
}

/// Does one of the works of a transaction, and undoes it alone when it fails.
fn in_savepoint<T>(connection: &Connection, work: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
    run(connection, "SAVEPOINT work")?;
    // A mistake in one work must not take the store from all others.
    let outcome = catch_unwind(AssertUnwindSafe(|| work(connection)))
        .unwrap_or_else(|_| Err(Error::Failed("the work on it panicked".to_owned())));
    if outcome.is_err() {
        run(connection, "ROLLBACK TO work")?;
    }
    run(connection, "RELEASE work")?;
    outcome
}

fn run(connection: &Connection, statement: &str) -> Result<(), Error> {
    connection.prepare_cached(statement)?.execute(())?;
    Ok(())
}
