//! Threads that read: what takes longer than a worker may be held up, and answers that are sent while they come.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use portcullis_core::{Error, Result, codes};
use portcullis_tables::content::Format;
use portcullis_tables::statement::{Outcome, Script};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::connection::Session;
use super::counters::Counters;
use super::execute::{self, Fault};
use super::failure::to_error;
use super::queue::Queue;
use crate::database::{Answer, Load, Rest};
use crate::failure::busy;

/// Bytes of a piece of a large answer.
const PIECE: usize = 64 << 10;
/// Pieces that wait to be taken. With the one being written and the one being sent they are all that a large answer
/// takes.
const PIECES: usize = 2;

/// Threads with one connection each that share a queue. More of them are started while all are at work.
pub(super) struct Readers {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the threads are given.
struct Shared {
    path: PathBuf,
    busy: Duration,
    wait: Duration,
    most: usize,
    queue: Queue<Job>,
    /// One for each large answer that may be sent at a time. Each holds a thread for as long as its client takes.
    streams: Arc<Semaphore>,
    counters: Mutex<Vec<Arc<Counters>>>,
}

/// Work on the connection of a thread; not begun where it waited too long.
struct Job {
    asked: Instant,
    work: Work,
}

/// Work that is given a connection, or why there is none.
type Work = Box<dyn FnOnce(Result<&Session>) + Send>;

/// The answer to a read as the thread gives it.
type Begun = Result<(Vec<Outcome>, Outcome, Option<mpsc::Receiver<Result<Bytes>>>)>;

/// The rest of a large answer.
struct Pieces(mpsc::Receiver<Result<Bytes>>);

impl Readers {
    /// No threads yet; at most `most` of them for that file.
    pub(super) fn new(path: PathBuf, settings: &crate::settings::Settings) -> Readers {
        let most = settings.connections.max(1);
        Readers {
            shared: Arc::new(Shared {
                path,
                busy: settings.busy_timeout,
                wait: settings.wait,
                most,
                queue: Queue::new(settings.queue),
                streams: Arc::new(Semaphore::new((most / 2).max(1))),
                counters: Mutex::default(),
            }),
            threads: Mutex::default(),
        }
    }

    /// Reads on a thread: the whole answer where it has at most `hold` bytes, else the beginning and the rest as it
    /// comes.
    pub(super) async fn read(&self, script: Script, format: Format, hold: usize) -> Result<(Vec<Outcome>, Answer)> {
        let (sender, receiver) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        self.begin(move |session| match session {
            Ok(session) => Reading::new(script, format, hold, sender).run(session, &shared),
            Err(error) => drop(sender.send(Err(error))),
        })?;
        let (outcomes, outcome, rest) = receiver.await.unwrap_or_else(lost)?;
        let rest = rest.map(|pieces| Box::new(Pieces(pieces)) as Box<dyn Rest>);
        Ok((outcomes, Answer { outcome, rest }))
    }

    /// Does any other work with a connection that reads.
    pub(super) async fn run<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&Session) -> Result<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        self.begin(move |session| {
            // When they go while the work is done, the answer has nobody to go to.
            let _ = sender.send(session.and_then(work));
        })?;
        receiver.await.unwrap_or_else(lost)
    }

    /// What statements took, of each connection.
    pub(super) fn counters(&self) -> Vec<Arc<Counters>> {
        self.shared
            .counters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How much they have to do.
    pub(super) fn load(&self) -> Load {
        let connections = self.threads.lock().unwrap_or_else(PoisonError::into_inner).len();
        let (waiting, idle) = self.shared.queue.waiting();
        Load {
            connections,
            busy: connections.saturating_sub(idle),
            waiting,
        }
    }

    /// Ends the threads after what they do now.
    pub(super) fn end(&mut self) {
        self.shared.queue.close();
        for thread in std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner)) {
            // A thread that panicked has closed its connection on the way.
            let _ = thread.join();
        }
    }

    /// Begins work that nobody waits for.
    pub(super) fn begin(&self, work: impl FnOnce(Result<&Session>) + Send + 'static) -> Result<()> {
        let job = Job {
            asked: Instant::now(),
            work: Box::new(work),
        };
        match self.shared.queue.push(job) {
            Ok(true) => Ok(()),
            Ok(false) => self.one_more(),
            Err(_) => Err(busy()),
        }
    }

    /// Starts one more thread, where there may be more.
    fn one_more(&self) -> Result<()> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.len() >= self.shared.most {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        let started = std::thread::Builder::new()
            .name("database-read".to_owned())
            .spawn(move || shared.serve());
        match started {
            Ok(thread) => threads.push(thread),
            // Those that there are get to it.
            Err(_) if !threads.is_empty() => {}
            Err(error) => return Err(Error::new(&codes::DATABASE_BUSY).with_cause(error)),
        }
        Ok(())
    }
}

impl Shared {
    /// What a thread does until the queue is closed. Its connection is opened when there is work for it, and once more
    /// where that failed.
    fn serve(&self) {
        let mut session = None;
        while let Some(job) = self.queue.pop() {
            if session.is_none() {
                match Session::open_reader(&self.path, self.busy) {
                    Ok(opened) => {
                        let counters = Arc::clone(&opened.counters);
                        self.counters
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(counters);
                        session = Some(opened);
                    }
                    Err(error) => {
                        (job.work)(Err(to_error(error)));
                        continue;
                    }
                }
            }
            let session = session.as_ref().expect("it was opened above");
            let work = if job.asked.elapsed() > self.wait {
                Err(busy())
            } else {
                Ok(session)
            };
            // A bug in one request's work must not take the thread from all others. The sender that it drops answers.
            let _ = catch_unwind(AssertUnwindSafe(|| (job.work)(work)));
        }
    }

    /// A place for one more large answer. They may take half of the threads: clients that are slow to take their
    /// answers must not keep others from reading.
    fn stream(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.streams).try_acquire_owned().ok()
    }
}

/// One read on its thread.
struct Reading {
    script: Script,
    format: Format,
    hold: usize,
    /// Who waits for the beginning, until they have it.
    begin: Option<oneshot::Sender<Begun>>,
    /// Who takes the pieces after the beginning.
    pieces: Option<(mpsc::Sender<Result<Bytes>>, OwnedSemaphorePermit)>,
}

impl Reading {
    fn new(script: Script, format: Format, hold: usize, begin: oneshot::Sender<Begun>) -> Reading {
        Reading {
            script,
            format,
            hold,
            begin: Some(begin),
            pieces: None,
        }
    }

    fn run(mut self, session: &Session, shared: &Arc<Shared>) {
        if self.begin.as_ref().is_some_and(oneshot::Sender::is_closed) {
            // Whoever asked is gone: the client closed the connection, or a deadline passed.
            return;
        }
        let script = self.script.clone();
        let timeout = script.timeout;
        let running = session.limit(timeout);
        let ended = execute::read(session, &script, self.format, |taker, outcomes| {
            let most = if self.pieces.is_some() { PIECE } else { self.hold };
            if taker.ready() < most.max(1) {
                return Ok(());
            }
            let rows = taker.rows();
            self.give(taker.take(), rows, outcomes, shared)?;
            // Each piece has the whole of the time: how long all of them take is up to the client.
            running.again(timeout);
            Ok(())
        });
        drop(running);
        match (ended, self.begin, self.pieces) {
            (Ok((outcomes, outcome)), Some(begin), _) => drop(begin.send(Ok((outcomes, outcome, None)))),
            (Err(fault), Some(begin), _) => drop(begin.send(Err(fault.into_error()))),
            (Ok((_, outcome)), None, Some((pieces, _))) => {
                if !outcome.body.is_empty() {
                    drop(pieces.blocking_send(Ok(outcome.body)));
                }
            }
            (Err(Fault::Gone), None, _) | (_, None, None) => {}
            (Err(fault), None, Some((pieces, _))) => drop(pieces.blocking_send(Err(fault.into_error()))),
        }
    }

    /// Hands a piece over, the first one as the beginning, and waits for as long as nobody takes it.
    fn give(
        &mut self,
        piece: Bytes,
        rows: u64,
        earlier: &[Outcome],
        shared: &Arc<Shared>,
    ) -> std::result::Result<(), Fault> {
        if let Some((pieces, _)) = &self.pieces {
            return pieces.blocking_send(Ok(piece)).map_err(|_| Fault::Gone);
        }
        let place = shared.stream().ok_or_else(busy)?;
        let (sender, receiver) = mpsc::channel(PIECES);
        let outcome = Outcome {
            rows,
            body: piece,
            ..Outcome::default()
        };
        let begin = self.begin.take().ok_or(Fault::Gone)?;
        begin
            .send(Ok((earlier.to_vec(), outcome, Some(receiver))))
            .map_err(|_| Fault::Gone)?;
        self.pieces = Some((sender, place));
        Ok(())
    }
}

impl Rest for Pieces {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        self.0.poll_recv(cx)
    }
}

#[cold]
fn lost<T>(lost: oneshot::error::RecvError) -> Result<T> {
    Err(Error::new(&codes::DATABASE_FAILED).with_cause(lost))
}
