//! Which shapes of statements a route runs, how often, and how long they take. A shape is a statement's text, in which no
//! value stands: so there are as many as there are kinds of questions, and their number is limited all the same, since
//! clients choose them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thread_local::ThreadLocal;

/// Shapes that one worker remembers of a route. More are counted together.
const MOST: usize = 512;
/// Upper bounds of the buckets of times, in microseconds, each four times the one before; the last bucket is what took
/// longer.
pub const BUCKETS: [u64; 9] = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304];

/// The shapes of a route.
///
/// Each worker counts for itself, in a map by a hash of the text: no lock is shared.
#[derive(Debug, Default)]
pub struct Shapes {
    workers: ThreadLocal<RefCell<Known>>,
    all: Mutex<Vec<Arc<Entry>>>,
    left_out: AtomicU64,
}

/// The shapes that a worker knows, by a hash of their text.
#[derive(Debug, Default)]
struct Known {
    by_hash: HashMap<u64, Arc<Entry>, BuildHasherDefault<Same>>,
}

/// What is counted of one shape by one worker.
#[derive(Debug)]
struct Entry {
    method: &'static str,
    text: Arc<str>,
    runs: AtomicU64,
    rows: AtomicU64,
    microseconds: AtomicU64,
    buckets: [AtomicU64; BUCKETS.len() + 1],
    /// Seconds since 1970.
    last_seen: AtomicU64,
}

/// What is known of one shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The method of the requests.
    pub method: &'static str,
    /// The statement's text.
    pub text: Arc<str>,
    /// How often it ran.
    pub runs: u64,
    /// Rows that it gave or touched, in all.
    pub rows: u64,
    /// How long it took, in all.
    pub took: Duration,
    /// How often it took no longer than each of [`BUCKETS`] and longer than the one before; and how often longer than all.
    pub buckets: [u64; BUCKETS.len() + 1],
    /// When it ran last.
    pub last_seen: SystemTime,
}

impl Shapes {
    /// Counts a run of a statement.
    pub(super) fn ran(&self, method: &'static str, text: &Arc<str>, took: Duration, rows: u64, now: SystemTime) {
        let known = self.workers.get_or_default();
        let hash = hash(method, text);
        let mut known = known.borrow_mut();
        let entry = known.by_hash.get(&hash);
        if let Some(entry) = entry.filter(|entry| entry.text == *text && entry.method == method) {
            entry.count(took, rows, now);
        } else if entry.is_none() && known.by_hash.len() < MOST {
            let entry = Arc::new(Entry::new(method, text.clone()));
            entry.count(took, rows, now);
            known.by_hash.insert(hash, entry.clone());
            self.all.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        } else {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What is known of all shapes, those of all workers together, the most frequent first.
    pub fn seen(&self) -> Vec<Seen> {
        let mut together: HashMap<(&'static str, Arc<str>), Seen> = HashMap::new();
        for entry in self.all.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let seen = entry.seen();
            match together.get_mut(&(seen.method, seen.text.clone())) {
                Some(known) => known.add(&seen),
                None => {
                    together.insert((seen.method, seen.text.clone()), seen);
                }
            }
        }
        let mut all: Vec<Seen> = together.into_values().collect();
        all.sort_by(|one, other| other.runs.cmp(&one.runs).then_with(|| one.text.cmp(&other.text)));
        all
    }

    /// Runs of shapes that are not remembered, for there were too many.
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }
}

impl Entry {
    fn new(method: &'static str, text: Arc<str>) -> Entry {
        Entry {
            method,
            text,
            runs: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            microseconds: AtomicU64::new(0),
            buckets: Default::default(),
            last_seen: AtomicU64::new(0),
        }
    }

    /// Written by one worker only, so that nobody waits for a cache line.
    fn count(&self, took: Duration, rows: u64, now: SystemTime) {
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.partition_point(|bound| *bound < microseconds);
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.last_seen.store(seconds, Ordering::Relaxed);
    }

    fn seen(&self) -> Seen {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Seen {
            method: self.method,
            text: self.text.clone(),
            runs: read(&self.runs),
            rows: read(&self.rows),
            took: Duration::from_micros(read(&self.microseconds)),
            buckets: std::array::from_fn(|at| read(&self.buckets[at])),
            last_seen: UNIX_EPOCH + Duration::from_secs(read(&self.last_seen)),
        }
    }
}

impl Seen {
    fn add(&mut self, other: &Seen) {
        self.runs += other.runs;
        self.rows += other.rows;
        self.took += other.took;
        for (bucket, more) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket += more;
        }
        self.last_seen = self.last_seen.max(other.last_seen);
    }
}

/// A hash that is one already.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// Eight bytes at a time, so that a text of a few hundred is hashed in some tens of nanoseconds. Shapes are made by us from
/// names of the schema: nobody gains by two that collide, of which the second is left out.
fn hash(method: &str, text: &str) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = FACTOR ^ (text.len() as u64) ^ u64::from(method.as_bytes().first().copied().unwrap_or_default());
    // Both halves of the product, so that every bit of a word reaches every bit of the hash.
    let mut step = |word: u64| {
        let product = u128::from(hash ^ word) * u128::from(FACTOR);
        let bytes = product.to_le_bytes();
        let half = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        hash = half(0) ^ half(8);
    };
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    for word in words {
        step(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    step(u64::from_le_bytes(last));
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(shapes: &Shapes, text: &str, microseconds: u64, at: u64) {
        let now = UNIX_EPOCH + Duration::from_secs(at);
        shapes.ran("GET", &text.into(), Duration::from_micros(microseconds), 2, now);
    }

    #[test]
    fn runs_are_counted_over_all_workers() {
        let shapes = Shapes::default();
        run(&shapes, "SELECT 1", 10, 5);
        run(&shapes, "SELECT 2", 5000, 6);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                run(&shapes, "SELECT 2", 10_000_000, 9);
            });
        });
        let seen = shapes.seen();
        assert_eq!(seen.len(), 2);
        assert_eq!((&*seen[0].text, seen[0].runs, seen[0].rows), ("SELECT 2", 2, 4));
        assert_eq!(seen[0].took, Duration::from_micros(10_005_000));
        assert_eq!(seen[0].last_seen, UNIX_EPOCH + Duration::from_secs(9));
        assert_eq!((seen[0].buckets[4], seen[0].buckets[9]), (1, 1));
        assert_eq!((seen[1].runs, seen[1].buckets[0]), (1, 1));
    }

    #[test]
    fn clients_can_not_make_it_grow() {
        let shapes = Shapes::default();
        for number in 0..2000 {
            run(&shapes, &format!("SELECT {number}"), 1, 1);
        }
        assert_eq!((shapes.seen().len(), shapes.left_out()), (MOST, 2000 - MOST as u64));
    }
}
