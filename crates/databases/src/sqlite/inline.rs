//! Reads on the worker itself. A point read takes SQLite a few microseconds, and handing it to another thread and back
//! several times as much. So each worker has a connection of its own and reads on it, within a budget that holds up
//! nobody; what exceeds it is stopped, and done again by the threads that read.
//!
//! What the budget does not bound: a page that is in no cache has to come from the disk, and a statement can't be
//! stopped in the middle of that, nor while SQLite reads the schema anew that somebody changed.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use portcullis_core::Result;
use portcullis_tables::content::Format;
use portcullis_tables::statement::{Outcome, Script};
use thread_local::ThreadLocal;

use super::connection::Session;
use super::counters::Counters;
use super::execute::{self, Fault};
use super::failure::{is_busy, is_interrupt};

/// Instructions of SQLite's machine that a worker may spend on one read.
const MAX_INSTRUCTIONS: u32 = 20_000;
/// How long it may take, where instructions are slow.
const MAX_TIME: Duration = Duration::from_micros(300);
/// For how long statements of a text are not tried again here after one of them exceeded the budget.
const AVOIDED: Duration = Duration::from_secs(1);
/// Texts that are kept as such. One more replaces the oldest, which then costs one budget a try.
const MAX_AVOIDED: usize = 32;
/// Workers that have a connection. Threads beyond that use those that read.
const MAX_WORKERS: usize = 256;

/// The connections of workers.
pub(super) struct Inline {
    path: PathBuf,
    workers: ThreadLocal<RefCell<Option<Worker>>>,
    /// Connections that no worker has yet. They are opened elsewhere, since that takes a while.
    spare: Mutex<Vec<Session>>,
    counters: Mutex<Vec<Arc<Counters>>>,
    opening: AtomicBool,
}

/// A worker's connection.
struct Worker {
    session: Session,
    avoided: Vec<(Arc<str>, Instant)>,
}

/// What came of a read.
pub(super) enum Inlined {
    /// The answer.
    Answered(Result<(Vec<Outcome>, Outcome)>),
    /// It belongs to the threads that read.
    Elsewhere,
    /// It belongs to them this time, and another connection has to be opened with [`Inline::open_one`].
    Unopened,
}

impl Inline {
    /// For that file, with so many connections ready.
    pub(super) fn open(path: PathBuf, ready: usize) -> rusqlite::Result<Inline> {
        let inline = Inline {
            path,
            workers: ThreadLocal::new(),
            spare: Mutex::default(),
            counters: Mutex::default(),
            opening: AtomicBool::new(false),
        };
        for _ in 0..ready {
            inline.open_one()?;
        }
        Ok(inline)
    }

    /// Opens one more connection. It blocks.
    pub(super) fn open_one(&self) -> rusqlite::Result<()> {
        // It waits for no lock: a worker doesn't wait.
        let opened = Session::open_reader(&self.path, Duration::ZERO);
        self.opening.store(false, Ordering::Relaxed);
        let session = opened?;
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.push(Arc::clone(&session.counters));
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        Ok(())
    }

    /// Reads here and now, if that is done within the budget and the answer has no more than `hold` bytes.
    pub(super) fn read(&self, script: &Script, format: Format, hold: usize) -> Inlined {
        let slot = self.workers.get_or(|| RefCell::new(None));
        // Nothing in here is asked while something in here runs.
        let Ok(mut slot) = slot.try_borrow_mut() else {
            return Inlined::Elsewhere;
        };
        if slot.is_none() {
            let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
            *slot = spare.map(|session| Worker {
                session,
                avoided: Vec::new(),
            });
        }
        match &mut *slot {
            Some(worker) => worker.read(script, format, hold),
            None if self.may_open() => Inlined::Unopened,
            None => Inlined::Elsewhere,
        }
    }

    /// What statements took, of each connection.
    pub(super) fn counters(&self) -> Vec<Arc<Counters>> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether one more connection should be opened: by one asker at a time.
    fn may_open(&self) -> bool {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).len() < MAX_WORKERS
            && !self.opening.swap(true, Ordering::Relaxed)
    }
}

impl Worker {
    fn read(&mut self, script: &Script, format: Format, hold: usize) -> Inlined {
        if self.avoids(script) {
            return Inlined::Elsewhere;
        }
        let running = self.session.limit_steps(MAX_TIME.min(script.timeout), MAX_INSTRUCTIONS);
        let ended = execute::read(&self.session, script, format, |taker, _| {
            if taker.ready() > hold {
                Err(Fault::Large)
            } else {
                Ok(())
            }
        });
        drop(running);
        match ended {
            Ok(answer) => Inlined::Answered(Ok(answer)),
            Err(Fault::Database(error)) if is_busy(&error) => Inlined::Elsewhere,
            Err(Fault::Database(error)) if is_interrupt(&error) => self.avoid(script),
            Err(Fault::Large) => self.avoid(script),
            Err(fault) => Inlined::Answered(Err(fault.into_error())),
        }
    }

    /// Whether a statement of it took too long a moment ago, or might take long in one instruction.
    fn avoids(&mut self, script: &Script) -> bool {
        // Making a pattern ready takes up to milliseconds, and no instruction is counted meanwhile.
        if script.steps.iter().any(|step| step.statement.text.contains(" REGEXP ")) {
            return true;
        }
        if self.avoided.is_empty() {
            return false;
        }
        self.avoided.retain(|(_, since)| since.elapsed() < AVOIDED);
        let texts = &self.avoided;
        script
            .steps
            .iter()
            .any(|step| texts.iter().any(|(text, _)| *text == step.statement.text))
    }

    fn avoid(&mut self, script: &Script) -> Inlined {
        if let Some(step) = script.steps.last() {
            if self.avoided.len() >= MAX_AVOIDED {
                self.avoided.remove(0);
            }
            self.avoided.push((Arc::clone(&step.statement.text), Instant::now()));
        }
        Inlined::Elsewhere
    }
}
