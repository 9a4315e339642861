//! Whose turn it is, among the gates that share a storage, to order from an authority.
//!
//! A turn is a file with a number, `NAME.N`, that its holder created and keeps changing as a sign of life. The highest
//! number holds. When its file says that it was given back, or has not changed for long, the turn is free, and whoever
//! creates the file with the next number has it: creating is what only one can do. No file is taken away from anybody,
//! so there is no moment between a look and a removal in which a second gate could slip in.
//!
//! How long a file has not changed is measured by the clock of whoever waits, from when it first saw it so. The clocks
//! of the machines need not agree.
//!
//! A holder that was stopped for long and wakes up finds a higher number and gives up. Should it have gone on a little
//! before, two orders were made where one was needed. That costs an order and breaks nothing, since a certificate and
//! its key are replaced together.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::storage::{Shelf, Storage};

/// What stands in the file of a turn that was given back.
const GIVEN_BACK: &[u8] = b"given back\n";

/// Files of turns that are kept behind the highest. A gate that was stopped between its look and its creation would have
/// to sleep through so many turns before it created a number that had been there.
const KEPT_BEHIND: u64 = 8;

/// Waits for a turn.
pub(crate) struct Queue {
    name: String,
    /// What stands in the files of our turns.
    me: String,
    seen: Option<Seen>,
}

/// The highest turn as it was first seen in this state.
struct Seen {
    number: u64,
    content: Vec<u8>,
    since: Instant,
}

impl Queue {
    /// A place among those who wait for the turn of that name.
    pub(crate) fn new(name: String) -> Queue {
        // No two processes have the same, wherever they run; the number is for people.
        let me = format!("process {} ({:032x})", std::process::id(), fastrand::u128(..));
        Queue { name, me, seen: None }
    }

    /// Takes the turn if it is free: given back, or held by nobody who has shown a sign of life for as long as `lost`.
    /// Otherwise it is to be asked again, the oftener the better it can see when signs of life end.
    ///
    /// # Errors
    /// The storage's.
    pub(crate) fn try_take(
        &mut self,
        storage: &Arc<Storage>,
        now: Instant,
        lost: Duration,
    ) -> io::Result<Option<Turn>> {
        let highest = self.numbers(storage)?.into_iter().max();
        if let Some(number) = highest
            && !self.is_free(storage, number, now, lost)?
        {
            return Ok(None);
        }
        let mut turn = Turn {
            storage: storage.clone(),
            name: self.name.clone(),
            number: highest.unwrap_or(0) + 1,
            me: self.me.clone(),
            signs: 0,
            held: true,
        };
        if !storage.create(Shelf::Turns, &turn.file(), turn.sign().as_bytes())? {
            turn.held = false;
            return Ok(None);
        }
        // Between the look and the creation others may have been through several turns.
        let numbers = self.numbers(storage)?;
        if numbers.iter().any(|number| *number > turn.number) {
            return Ok(None);
        }
        for number in numbers {
            if number + KEPT_BEHIND < turn.number {
                storage.remove(Shelf::Turns, &file(&self.name, number))?;
            }
        }
        self.seen = None;
        Ok(Some(turn))
    }

    fn is_free(&mut self, storage: &Storage, number: u64, now: Instant, lost: Duration) -> io::Result<bool> {
        // One that has just been cleared away had been given back or lost long before.
        let Some(content) = storage.read(Shelf::Turns, &file(&self.name, number))? else {
            return Ok(false);
        };
        if content == GIVEN_BACK {
            return Ok(true);
        }
        match &self.seen {
            Some(seen) if seen.number == number && seen.content == content => {
                Ok(now.saturating_duration_since(seen.since) >= lost)
            }
            _ => {
                self.seen = Some(Seen {
                    number,
                    content,
                    since: now,
                });
                Ok(false)
            }
        }
    }

    fn numbers(&self, storage: &Storage) -> io::Result<Vec<u64>> {
        numbers(storage, &self.name)
    }
}

/// A turn that is ours. It is given back when it is dropped.
pub(crate) struct Turn {
    storage: Arc<Storage>,
    name: String,
    number: u64,
    me: String,
    signs: u64,
    held: bool,
}

impl Turn {
    /// Shows a sign of life, and says whether the turn is still ours.
    ///
    /// # Errors
    /// The storage's. Whoever waits can't see a sign of life then either.
    pub(crate) fn show_life(&mut self) -> io::Result<bool> {
        if numbers(&self.storage, &self.name)?
            .iter()
            .any(|number| *number > self.number)
        {
            self.held = false;
            return Ok(false);
        }
        let sign = self.sign();
        self.storage.write(Shelf::Turns, &self.file(), sign.as_bytes())?;
        Ok(true)
    }

    fn sign(&mut self) -> String {
        self.signs += 1;
        format!("{}, sign of life {}\n", self.me, self.signs)
    }

    fn file(&self) -> String {
        file(&self.name, self.number)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.held {
            // Where it can't be given back, the others wait until it counts as lost.
            let _ = self.storage.write(Shelf::Turns, &self.file(), GIVEN_BACK);
        }
    }
}

fn file(name: &str, number: u64) -> String {
    format!("{name}.{number}")
}

fn numbers(storage: &Storage, name: &str) -> io::Result<Vec<u64>> {
    let files = storage.list(Shelf::Turns)?;
    let number = |file: &String| file.strip_prefix(name)?.strip_prefix('.')?.parse().ok();
    Ok(files.iter().filter_map(number).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const LOST: Duration = Duration::from_secs(30);

    fn storage() -> (tempfile::TempDir, Arc<Storage>) {
        let folder = tempfile::tempdir().unwrap();
        let storage = Arc::new(Storage::open(folder.path()).unwrap());
        (folder, storage)
    }

    #[test]
    fn one_has_it_until_it_is_given_back() {
        let (_folder, storage) = storage();
        let now = Instant::now();
        let (mut one, mut other) = (Queue::new("ca".to_owned()), Queue::new("ca".to_owned()));
        let turn = one.try_take(&storage, now, LOST).unwrap().unwrap();
        assert!(other.try_take(&storage, now, LOST).unwrap().is_none());
        assert!(one.try_take(&storage, now, LOST).unwrap().is_none());
        // The turn at another authority is another.
        assert!(
            Queue::new("ca.2".to_owned())
                .try_take(&storage, now, LOST)
                .unwrap()
                .is_some()
        );
        drop(turn);
        assert!(other.try_take(&storage, now, LOST).unwrap().is_some());
    }

    #[test]
    fn a_holder_that_shows_life_keeps_it_and_a_dead_one_loses_it() {
        let (_folder, storage) = storage();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut one, mut other) = (Queue::new("ca".to_owned()), Queue::new("ca".to_owned()));
        let mut turn = one.try_take(&storage, start, LOST).unwrap().unwrap();
        for second in (0..100).step_by(10) {
            assert!(other.try_take(&storage, at(second), LOST).unwrap().is_none());
            assert!(turn.show_life().unwrap());
        }
        // The first look after the last sign of life starts the wait.
        assert!(other.try_take(&storage, at(100), LOST).unwrap().is_none());
        assert!(other.try_take(&storage, at(129), LOST).unwrap().is_none());
        let taken = other.try_take(&storage, at(130), LOST).unwrap().unwrap();
        // It wakes up, sees that it lost the turn, and doesn't give back what isn't its own.
        assert!(!turn.show_life().unwrap());
        drop(turn);
        assert!(one.try_take(&storage, at(131), LOST).unwrap().is_none());
        drop(taken);
    }

    #[test]
    fn of_many_who_ask_at_once_one_gets_it() {
        let (_folder, storage) = storage();
        for _ in 0..50 {
            let start = Barrier::new(4);
            let winners = AtomicU32::new(0);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        let mut queue = Queue::new("ca".to_owned());
                        start.wait();
                        let turn = queue.try_take(&storage, Instant::now(), LOST).unwrap();
                        winners.fetch_add(u32::from(turn.is_some()), Ordering::Relaxed);
                        start.wait();
                        drop(turn);
                    });
                }
            });
            assert_eq!(winners.load(Ordering::Relaxed), 1);
        }
        assert!(storage.list(Shelf::Turns).unwrap().len() < 12);
    }
}
