//! Where lines go: buffers of the workers, and for each destination one thread that empties them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use thread_local::ThreadLocal;

use super::writer::Writer;
use crate::metrics::family::Family;

/// Bytes that wait for the writer, for each worker and destination at the most; from then on lines are dropped. It is
/// half a second of 1000 long lines.
const MOST_WAITING: usize = 256 * 1024;

/// From here on the writer is called at once, so that nothing is dropped while the disk keeps up.
const MANY_WAITING: usize = MOST_WAITING / 2;

/// Everything that [`Sinks::render`] writes.
pub const FAMILIES: [Family; 2] = [
    Family::counter(
        "portcullis_access_log_dropped_lines",
        &[],
        "Lines of access logs that were not written.",
    ),
    Family::counter(
        "portcullis_access_log_failed_writes",
        &[],
        "Writes to and openings of access logs that failed.",
    ),
];

/// Something that lines are written to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// The process's standard output.
    StandardOutput,
    /// A file, appended to and created where it is missing.
    File(PathBuf),
}

/// All destinations in use, kept across reloads. One that no snapshot uses any more is flushed and closed.
#[derive(Debug, Default)]
pub struct Sinks {
    open: Mutex<HashMap<Destination, Weak<Sink>>>,
    totals: Arc<Totals>,
}

/// What did not get written, since the process began.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) dropped: AtomicU64,
    pub(super) failed_writes: AtomicU64,
}

/// One destination.
#[derive(Debug)]
pub struct Sink {
    shared: Arc<Shared>,
    writer: Thread,
    /// Hangs up when the writer has ended.
    ended: Mutex<Receiver<()>>,
}

/// What workers and the writer have in common.
#[derive(Debug, Default)]
pub(super) struct Shared {
    waiting: ThreadLocal<Waiting>,
    /// Whether the writer knows that there are lines.
    pub(super) pending: AtomicBool,
    pub(super) reopen: AtomicBool,
    pub(super) closing: AtomicBool,
    pub(super) totals: Arc<Totals>,
}

/// Lines of one worker. The writer holds one of the two locks at a time, and only to swap a buffer: so the worker finds
/// the other one free and never waits, not even for a writer that was put to sleep in the middle of it.
#[derive(Debug, Default)]
struct Waiting([Mutex<Vec<u8>>; 2]);

impl Sinks {
    /// The sink for a destination: the open one, or a new one.
    ///
    /// # Errors
    /// When the file can't be opened or the writer's thread can't be started.
    pub fn open(&self, destination: &Destination) -> Result<Arc<Sink>, String> {
        let mut open = self.lock();
        if let Some(sink) = open.get(destination).and_then(Weak::upgrade) {
            return Ok(sink);
        }
        open.retain(|_, sink| sink.strong_count() > 0);
        let sink = Arc::new(Sink::open(destination.clone(), Arc::clone(&self.totals))?);
        open.insert(destination.clone(), Arc::downgrade(&sink));
        Ok(sink)
    }

    /// Has every file opened anew by its path, after a rotation. A file that can't be opened is written on as it was.
    pub fn reopen(&self) {
        self.in_use().iter().for_each(|sink| sink.reopen());
    }

    /// Writes out what waits and ends all writers; false when that took longer than `patience`. Lines that come later are
    /// dropped.
    pub fn close(&self, patience: Duration) -> bool {
        let sinks = self.in_use();
        sinks.iter().for_each(|sink| sink.begin_to_close());
        let deadline = Instant::now() + patience;
        let ended = |sink: &Arc<Sink>| sink.close(deadline.saturating_duration_since(Instant::now()));
        sinks.iter().filter(|sink| !ended(sink)).count() == 0
    }

    /// Lines that were dropped: a worker's buffer was full, or a write failed.
    pub fn dropped(&self) -> u64 {
        self.totals.dropped.load(Ordering::Relaxed)
    }

    /// Writes and openings that failed.
    pub fn failed_writes(&self) -> u64 {
        self.totals.failed_writes.load(Ordering::Relaxed)
    }

    /// Adds both counters as OpenMetrics text.
    pub fn render(&self, out: &mut String) {
        for (family, value) in FAMILIES.iter().zip([self.dropped(), self.failed_writes()]) {
            family.announce(out);
            family.sample(&[], value, out);
        }
    }

    fn in_use(&self) -> Vec<Arc<Sink>> {
        self.lock().values().filter_map(Weak::upgrade).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Destination, Weak<Sink>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink {
    fn open(destination: Destination, totals: Arc<Totals>) -> Result<Sink, String> {
        let shared = Arc::new(Shared {
            totals,
            ..Shared::default()
        });
        let writer = Writer::open(destination, Arc::clone(&shared))?;
        let (alive, ended) = channel();
        let thread = thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            writer.run();
            drop(alive);
        });
        let thread = thread.map_err(|error| format!("the thread of the access log can't be started: {error}"))?;
        Ok(Sink {
            shared,
            writer: thread.thread().clone(),
            ended: Mutex::new(ended),
        })
    }

    /// Takes a line, which `write` appends to the buffer without its line break. Never waits.
    pub fn line(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let waiting = self.shared.waiting.get_or_default();
        let Some(mut buffer) = waiting
            .free()
            .filter(|buffer| buffer.len() < MOST_WAITING && !self.is_closing())
        else {
            self.shared.totals.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let before = buffer.len();
        write(&mut buffer);
        buffer.push(b'\n');
        let many = before < MANY_WAITING && buffer.len() >= MANY_WAITING;
        drop(buffer);
        // The writer clears the flag before it takes buffers, so a line that it misses finds the flag cleared.
        if many || (!self.shared.pending.load(Ordering::SeqCst) && !self.shared.pending.swap(true, Ordering::SeqCst)) {
            self.writer.unpark();
        }
    }

    /// Has the file opened anew by its path.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::SeqCst);
        self.writer.unpark();
    }

    /// Writes out what waits and ends the writer; false when that took longer than `patience`.
    pub fn close(&self, patience: Duration) -> bool {
        self.begin_to_close();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }

    fn begin_to_close(&self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.writer.unpark();
    }

    fn is_closing(&self) -> bool {
        self.shared.closing.load(Ordering::Relaxed)
    }
}

impl Drop for Sink {
    /// Lets the writer end by itself: whoever drops the last snapshot must not wait for a disk.
    fn drop(&mut self) {
        self.begin_to_close();
    }
}

impl Waiting {
    fn free(&self) -> Option<MutexGuard<'_, Vec<u8>>> {
        self.0.iter().find_map(|buffer| match buffer.try_lock() {
            Ok(buffer) => Some(buffer),
            Err(TryLockError::Poisoned(buffer)) => Some(buffer.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        })
    }
}

impl Shared {
    /// Swaps each buffer that holds lines for `spare`, one after another, and has `take` use it up.
    pub(super) fn take_all(&self, spare: &mut Vec<u8>, mut take: impl FnMut(&[u8])) {
        for buffer in self.waiting.iter().flat_map(|waiting| &waiting.0) {
            // Briefly held by a worker that appends a line at this moment, at the worst.
            let mut buffer = buffer.lock().unwrap_or_else(PoisonError::into_inner);
            if buffer.is_empty() {
                continue;
            }
            std::mem::swap(&mut *buffer, spare);
            drop(buffer);
            take(spare);
            spare.clear();
        }
    }
}
