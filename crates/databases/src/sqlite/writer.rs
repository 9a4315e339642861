//! The thread that writes. SQLite lets one connection write at a time, and what a write costs is the wait for the disk
//! at its end; so scripts that wait at the same time share one.
//!
//! A group of scripts is one transaction. Each but the first has a savepoint of its own, so that one that fails takes
//! back nothing of the others. The answers go out when the commit is on the disk. Where the whole group fails, which
//! some failures of one script do to a transaction, each that had succeeded is run again by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portcullis_core::{Error, Result, codes};
use portcullis_tables::content::Format;
use portcullis_tables::statement::{Outcome, Script};
use tokio::sync::oneshot;

use super::connection::Session;
use super::execute::{self, Fault};
use super::failure::to_error;
use super::queue::Queue;
use crate::database::Load;
use crate::failure::busy;

/// Scripts in one group, at the most.
const MAX_GROUP: usize = 256;
/// How long a group takes more scripts in: those in it wait for all.
const MAX_GATHERING: Duration = Duration::from_millis(5);

/// The thread that writes, and the queue before it.
pub(super) struct Writer {
    queue: Arc<Queue<Write>>,
    thread: Option<JoinHandle<()>>,
}

/// A script that waits to be run, and who waits for it.
struct Write {
    script: Script,
    format: Format,
    asked: Instant,
    answer: oneshot::Sender<Result<Vec<Outcome>>>,
}

/// The other side, on its thread.
struct Serving {
    session: Session,
    queue: Arc<Queue<Write>>,
    wait: Duration,
}

/// A script that ran and is to be committed.
struct Done {
    write: Write,
    outcomes: Vec<Outcome>,
}

impl Writer {
    /// Starts the thread, with a queue of that length in which nobody waits longer than `wait`.
    pub(super) fn start(session: Session, queue: usize, wait: Duration) -> std::io::Result<Writer> {
        let queue = Arc::new(Queue::new(queue));
        let serving = Serving {
            session,
            queue: Arc::clone(&queue),
            wait,
        };
        let thread = std::thread::Builder::new()
            .name("database-write".to_owned())
            .spawn(move || serving.serve())?;
        Ok(Writer {
            queue,
            thread: Some(thread),
        })
    }

    /// Runs a script in a transaction, and answers when it is on the disk.
    pub(super) async fn run(&self, script: Script, format: Format) -> Result<Vec<Outcome>> {
        let (answer, receiver) = oneshot::channel();
        let write = Write {
            script,
            format,
            asked: Instant::now(),
            answer,
        };
        if self.queue.push(write).is_err() {
            return Err(busy());
        }
        receiver
            .await
            .unwrap_or_else(|lost| Err(Error::new(&codes::DATABASE_FAILED).with_cause(lost)))
    }

    /// How much it has to do.
    pub(super) fn load(&self) -> Load {
        let (waiting, idle) = self.queue.waiting();
        Load {
            connections: 1,
            busy: 1_usize.saturating_sub(idle),
            waiting,
        }
    }
}

impl Drop for Writer {
    /// Ends the thread after what waits now.
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has closed its connection on the way.
            let _ = thread.join();
        }
    }
}

impl Serving {
    fn serve(&self) {
        while let Some(first) = self.queue.pop() {
            self.group(first);
        }
    }

    /// Runs that script, and those that come while it is run, and answers all of them.
    fn group(&self, first: Write) {
        // Before the lock is waited for, which each of a long queue would do in its turn.
        if self.is_late(&first) {
            return first.refuse(busy());
        }
        // Takes the lock at once: a transaction that began with reading could find, when it comes to write, that another
        // process was faster.
        if let Err(error) = self.session.connection.execute_batch("BEGIN IMMEDIATE") {
            return first.refuse(to_error(error));
        }
        let began = Instant::now();
        let mut done = Vec::new();
        let mut next = Some(first);
        while let Some(write) = next.take() {
            self.member(write, &mut done);
            if self.session.connection.is_autocommit() {
                // The transaction went with the failure of one.
                return done.into_iter().for_each(|done| self.alone(done.write));
            }
            if done.len() < MAX_GROUP && began.elapsed() < MAX_GATHERING {
                next = self.queue.pop_ready();
            }
        }
        match self.session.connection.execute_batch("COMMIT") {
            Ok(()) => done.into_iter().for_each(|done| done.write.accept(done.outcomes)),
            Err(error) => {
                self.roll_back();
                match (done.pop(), done.is_empty()) {
                    (Some(only), true) => only.write.refuse(to_error(error)),
                    // One of them has a reference that nothing stands behind, which is found out at the end.
                    (last, _) => done.into_iter().chain(last).for_each(|done| self.alone(done.write)),
                }
            }
        }
    }

    /// Runs one script of a group, in a savepoint where others ran before it.
    fn member(&self, write: Write, done: &mut Vec<Done>) {
        if write.answer.is_closed() {
            // Whoever asked is gone: the client closed the connection, or a deadline passed.
            return;
        }
        if self.is_late(&write) {
            return write.refuse(busy());
        }
        let alone = done.is_empty();
        let session = &self.session;
        let savepoint = |sql: &str| {
            if alone {
                Ok(())
            } else {
                session.connection.execute_batch(sql)
            }
        };
        if let Err(error) = savepoint("SAVEPOINT member") {
            return write.refuse(to_error(error));
        }
        match self.execute(&write) {
            Ok(outcomes) if !write.script.roll_back => match savepoint("RELEASE member") {
                Ok(()) => done.push(Done { write, outcomes }),
                Err(error) => write.refuse(to_error(error)),
            },
            ended => {
                if alone {
                    self.roll_back();
                } else {
                    // Both are gone already where the failure took the transaction with it.
                    let _ = session.connection.execute_batch("ROLLBACK TO member; RELEASE member");
                }
                match ended {
                    Ok(outcomes) => write.accept(outcomes),
                    Err(fault) => write.refuse(fault.into_error()),
                }
            }
        }
    }

    /// Runs one script in a transaction of its own.
    fn alone(&self, write: Write) {
        let run = || -> std::result::Result<Vec<Outcome>, Fault> {
            self.session.connection.execute_batch("BEGIN IMMEDIATE")?;
            let outcomes = self.execute(&write)?;
            self.session
                .connection
                .execute_batch(if write.script.roll_back { "ROLLBACK" } else { "COMMIT" })?;
            Ok(outcomes)
        };
        match run() {
            Ok(outcomes) => write.accept(outcomes),
            Err(fault) => {
                self.roll_back();
                write.refuse(fault.into_error());
            }
        }
    }

    /// Ends the transaction, where there is one still.
    fn roll_back(&self) {
        if !self.session.connection.is_autocommit() {
            // What prevents it now, the next BEGIN finds, too, and tells.
            let _ = self.session.connection.execute_batch("ROLLBACK");
        }
    }

    fn is_late(&self, write: &Write) -> bool {
        write.asked.elapsed() > self.wait
    }

    fn execute(&self, write: &Write) -> std::result::Result<Vec<Outcome>, Fault> {
        let session = &self.session;
        // The wait for the lock had its own limit; and the commit is not to be stopped half-way.
        let _running = session.limit(write.script.timeout);
        // A bug in one request's work must not take the connection from all others.
        catch_unwind(AssertUnwindSafe(|| execute::run(session, &write.script, write.format))).unwrap_or_else(|_| {
            Err(Fault::Other(
                Error::new(&codes::INTERNAL).with_cause("a panic in the database's thread"),
            ))
        })
    }
}

impl Write {
    fn accept(self, outcomes: Vec<Outcome>) {
        // When they go while the work is done, the answer has nobody to go to.
        let _ = self.answer.send(Ok(outcomes));
    }

    fn refuse(self, error: Error) {
        let _ = self.answer.send(Err(error));
    }
}
