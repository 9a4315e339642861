//! Counts that workers write without waiting for each other, by two labels.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use thread_local::ThreadLocal;

/// Pairs of labels with a count of their own. All others share one.
const MOST: usize = 2_000;

/// The labels of all others.
const OTHER: (&str, &str) = ("other", "other");

/// Counts by two labels, kept over reloads so that none goes back.
#[derive(Default)]
pub struct Counts(Mutex<BTreeMap<(String, String), Arc<Count>>>);

/// A count. Each worker writes a part of its own.
#[derive(Default)]
pub struct Count(ThreadLocal<Part>);

/// A worker's part, on a line of memory that no other worker writes to.
#[derive(Default)]
#[repr(align(128))]
struct Part(AtomicU64);

impl Counts {
    /// The count of those labels, which the configuration decides on and no client.
    pub fn of(&self, one: &str, other: &str) -> Arc<Count> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (one.to_owned(), other.to_owned());
        let full = counts.len() >= MOST && !counts.contains_key(&key);
        let key = if full {
            (OTHER.0.to_owned(), OTHER.1.to_owned())
        } else {
            key
        };
        counts.entry(key).or_default().clone()
    }

    /// All counts with their labels, in order.
    pub fn all(&self) -> Vec<(String, String, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |((one, other), count): (&(String, String), &Arc<Count>)| (one.clone(), other.clone(), count.get());
        counts.iter().map(read).collect()
    }
}

impl Count {
    /// Adds one.
    pub fn add(&self) {
        let part = &self.0.get_or_default().0;
        // Only this thread writes to it, so nothing comes between load and store.
        part.store(part.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// The sum over all workers.
    pub fn get(&self) -> u64 {
        self.0.iter().map(|part| part.0.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_found_again_and_added_up() {
        let counts = Counts::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| counts.of("a", "b").add()));
            }
        });
        counts.of("a", "c");
        let expected = [
            ("a".to_owned(), "b".to_owned(), 4000),
            ("a".to_owned(), "c".to_owned(), 0),
        ];
        assert_eq!(counts.all(), expected);
    }

    #[test]
    fn there_are_not_more_series_than_somebody_can_read() {
        let counts = Counts::default();
        for number in 0..MOST + 10 {
            counts.of("a", &number.to_string()).add();
        }
        let all = counts.all();
        assert_eq!(all.len(), MOST + 1);
        assert!(all.contains(&("other".to_owned(), "other".to_owned(), 10)));
    }
}
