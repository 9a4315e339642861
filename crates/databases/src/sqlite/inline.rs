//! Reads on the worker itself. A point read takes SQLite a few microseconds, and handing it to another thread and back
//! several times as much. So each worker has a connection of its own and reads on it, within a budget that holds up
//! nobody; what exceeds it is stopped, and done again by the threads that read.
//!
//! What the budget does not bound: a page that is in no cache has to come from the disk, and a statement can't be
//! stopped in the middle of that.
//!
//! A connection reads the whole schema when it is opened, and again when somebody changed it. With thousands of tables
//! that takes longer than the budget, too. So connections are opened elsewhere, and when a changed schema is found,
//! workers get others in place of theirs.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// Connections that no worker has yet.
    spare: Mutex<Vec<Session>>,
    /// Connections that workers had. Closing one frees a schema: that is done elsewhere, too.
    retired: Mutex<Vec<Session>>,
    /// One for each worker that has a connection.
    counters: Mutex<Vec<Arc<Counters>>>,
    /// How often connections were replaced.
    epoch: AtomicU64,
    opening: AtomicBool,
}

/// A worker's connection.
struct Worker {
    session: Session,
    epoch: u64,
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
            retired: Mutex::default(),
            counters: Mutex::default(),
            epoch: AtomicU64::new(0),
            opening: AtomicBool::new(false),
        };
        for _ in 0..ready {
            inline.open_one()?;
        }
        Ok(inline)
    }

    /// Opens one more connection. It blocks.
    pub(super) fn open_one(&self) -> rusqlite::Result<()> {
        drop(std::mem::take(&mut *locked(&self.retired)));
        // It waits for no lock: a worker doesn't wait.
        let opened = Session::open_reader(&self.path, Duration::ZERO);
        self.opening.store(false, Ordering::Relaxed);
        locked(&self.spare).push(opened?);
        Ok(())
    }

    /// Gives each worker another connection in place of its own, since the schema changed. It blocks.
    pub(super) fn renew(&self) -> rusqlite::Result<()> {
        let wanted = locked(&self.counters).len() + locked(&self.spare).len();
        let renewed: rusqlite::Result<Vec<Session>> = (0..wanted)
            .map(|_| Session::open_reader(&self.path, Duration::ZERO))
            .collect();
        let old = std::mem::replace(&mut *locked(&self.spare), renewed?);
        self.epoch.fetch_add(1, Ordering::Release);
        drop(old);
        drop(std::mem::take(&mut *locked(&self.retired)));
        Ok(())
    }

    /// Reads here and now, if that is done within the budget and the answer has no more than `hold` bytes.
    pub(super) fn read(&self, script: &Script, format: Format, hold: usize) -> Inlined {
        let slot = self.workers.get_or(|| RefCell::new(None));
        // Nothing in here is asked while something in here runs.
        let Ok(mut slot) = slot.try_borrow_mut() else {
            return Inlined::Elsewhere;
        };
        let epoch = self.epoch.load(Ordering::Acquire);
        if slot.as_ref().is_none_or(|worker| worker.epoch != epoch)
            && let Some(session) = locked(&self.spare).pop()
        {
            self.take(&mut slot, session, epoch);
        }
        match &mut *slot {
            Some(worker) => worker.read(script, format, hold),
            None if self.may_open() => Inlined::Unopened,
            None => Inlined::Elsewhere,
        }
    }

    /// What statements took, of each connection.
    pub(super) fn counters(&self) -> Vec<Arc<Counters>> {
        locked(&self.counters).clone()
    }

    /// Makes that connection the worker's.
    fn take(&self, slot: &mut Option<Worker>, mut session: Session, epoch: u64) {
        match slot.take() {
            // What was counted stays the worker's.
            Some(old) => {
                session.counters = Arc::clone(&old.session.counters);
                locked(&self.retired).push(old.session);
            }
            None => locked(&self.counters).push(Arc::clone(&session.counters)),
        }
        *slot = Some(Worker {
            session,
            epoch,
            avoided: Vec::new(),
        });
    }

    /// Whether one more connection should be opened: by one asker at a time.
    fn may_open(&self) -> bool {
        locked(&self.counters).len() < MAX_WORKERS && !self.opening.swap(true, Ordering::Relaxed)
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in them is whole between any two statements above.
    of.lock().unwrap_or_else(PoisonError::into_inner)
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
        if script.steps.iter().any(|step| matches_patterns(&step.statement.text)) {
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
/// Whether a statement may compile a pattern: by the operator or the function, however it is written.
fn matches_patterns(text: &str) -> bool {
    const WORD: &[u8] = b"regexp";
    // The letter that is rarest in statements.
    const RARE: usize = 4;
    text.bytes().enumerate().any(|(place, byte)| {
        byte | 0x20 == WORD[RARE]
            && place >= RARE
            && text
                .as_bytes()
                .get(place - RARE..place - RARE + WORD.len())
                .is_some_and(|word| word.eq_ignore_ascii_case(WORD))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_found_however_it_is_written() {
        for text in [
            "SELECT a REGEXP ?",
            "select a regexp ?",
            "SELECT regexp(?, a)",
            "x Regexp",
        ] {
            assert!(matches_patterns(text), "{text}");
        }
        for text in ["", "x", "exp", "SELECT index FROM regex", "SELECT 'x'", "é x regexé"] {
            assert!(!matches_patterns(text), "{text}");
        }
    }
}
