//! Those whom operators add: in the durable store, and remembered for a short time.
//!
//! Guessing costs no disk: what doesn't have the form of a key that the gate made is not looked up, a key that nobody has is
//! remembered for as long as one that somebody has, and when many that nobody has were looked up within a second, those that
//! are not remembered have to wait for the next one.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portcullis_core::Consumer;
use portcullis_stores::durable::keys::{Found, Keys};

use super::Digest;
use super::validity::Validity;
use crate::consumer::consumer;

/// How long it is remembered what the store said of a key.
const REMEMBERED: Duration = Duration::from_secs(4);
/// How long it goes on being remembered while one request asks again: the others don't all ask at once.
const ASKING: Duration = Duration::from_secs(1);
/// Keys that are remembered at the most, and as many of those that nobody has: about 16 MiB.
const MOST: usize = 1 << 16;
/// Keys that nobody has and that are looked up within a second, over all workers. Those that somebody has don't count: after
/// a start all of them are looked up.
const STRANGERS: u32 = 1000;

/// What the store says of a key: who has it and when, or that nobody has.
pub(super) type Remembered = Option<Arc<Holder>>;

/// Who has a key.
pub(super) struct Holder {
    pub(super) consumer: Arc<Consumer>,
    pub(super) validity: Validity,
}

/// The consumers in the durable store. Every worker shares it.
pub struct Stored {
    keys: Arc<dyn Keys>,
    /// Those whose key somebody has, so that guesses don't drive them out.
    known: Mutex<Memory>,
    unknown: Mutex<Memory>,
    strangers: Mutex<Strangers>,
}

/// What is remembered, in two halves: when the younger is full it becomes the older, and that is forgotten.
#[derive(Default)]
struct Memory {
    young: HashMap<Digest, Entry>,
    old: HashMap<Digest, Entry>,
}

struct Entry {
    holder: Remembered,
    until: Instant,
    /// Whether somebody has found it out of date and asks again.
    asked: bool,
}

/// Keys that nobody has and that were looked up in the second that began then.
struct Strangers {
    began: Instant,
    missed: u32,
}

impl Stored {
    /// The consumers in that store.
    pub fn new(keys: Arc<dyn Keys>) -> Stored {
        Stored {
            keys,
            known: Mutex::default(),
            unknown: Mutex::default(),
            strangers: Mutex::new(Strangers {
                began: Instant::now(),
                missed: 0,
            }),
        }
    }

    /// The store itself, for operators.
    pub fn keys(&self) -> &Arc<dyn Keys> {
        &self.keys
    }

    /// Forgets what is remembered, so that a change holds at once.
    pub fn forget(&self) {
        *lock(&self.known) = Memory::default();
        *lock(&self.unknown) = Memory::default();
    }

    /// What is remembered of a key, if anything is that still holds.
    pub(super) fn remembered(&self, digest: &Digest, now: Instant) -> Option<Remembered> {
        [&self.known, &self.unknown]
            .into_iter()
            .find_map(|memory| lock(memory).recall(digest, now))
    }

    /// Asks the store.
    ///
    /// # Errors
    /// Why it could not be found out.
    pub(super) async fn look_up(&self, digest: Digest, now: Instant) -> Result<Remembered, String> {
        if !lock(&self.known).holds(&digest) && !lock(&self.strangers).admits(now) {
            return Err(format!("more than {STRANGERS} unknown keys were sent within a second"));
        }
        let found = self.keys.find(digest).await.map_err(|error| error.to_string())?;
        let holder = found.and_then(|found| holder(&found)).map(Arc::new);
        let memory = if holder.is_some() {
            &self.known
        } else {
            // A key that was revoked is not one that somebody has.
            lock(&self.known).remove(&digest);
            lock(&self.strangers).missed += 1;
            &self.unknown
        };
        let entry = Entry {
            holder: holder.clone(),
            until: now + REMEMBERED,
            asked: false,
        };
        lock(memory).insert(digest, entry);
        Ok(holder)
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stored")
    }
}

impl Memory {
    /// Who finds something that is out of date asks again, and others go on with it meanwhile.
    fn recall(&mut self, digest: &Digest, now: Instant) -> Option<Remembered> {
        let entry = match self.young.get_mut(digest) {
            Some(entry) => entry,
            None => self.old.get_mut(digest)?,
        };
        if now >= entry.until {
            // Once only: while the store doesn't answer, nobody must be believed for ever.
            if !entry.asked {
                entry.asked = true;
                entry.until += ASKING;
            }
            return None;
        }
        Some(entry.holder.clone())
    }

    fn holds(&self, digest: &Digest) -> bool {
        self.young.contains_key(digest) || self.old.contains_key(digest)
    }

    fn insert(&mut self, digest: Digest, entry: Entry) {
        if self.young.len() >= MOST / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, entry);
    }

    fn remove(&mut self, digest: &Digest) {
        self.young.remove(digest);
        self.old.remove(digest);
    }
}

impl Strangers {
    fn admits(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.began) >= Duration::from_secs(1) {
            *self = Strangers { began: now, missed: 0 };
        }
        self.missed < STRANGERS
    }
}

/// Whether backends can be told of such a consumer.
///
/// # Errors
/// When its name, a scope or a role can't stand in a field.
pub fn check(name: &str, scopes: &[String], roles: &[String]) -> Result<(), String> {
    consumer(name, "api_key", scopes, roles).map(drop)
}

/// Who has a key, unless it was revoked. What has a name that no field can hold was not added by a gate.
fn holder(found: &Found) -> Option<Holder> {
    if found.key.revoked.is_some() {
        return None;
    }
    let known = &found.consumer;
    let consumer = consumer(&known.name, "api_key", &known.scopes, &known.roles).ok()?;
    Some(Holder {
        consumer: Arc::new(consumer),
        validity: Validity::new(found.key.not_before, found.key.expires),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is inside is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use portcullis_stores::durable::keys::{Consumer as Added, Key};
    use portcullis_stores::durable::sqlite::{Limits, Sqlite};

    use super::*;
    use crate::api_key::Refusal;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(future)
    }

    fn store(folder: &tempfile::TempDir) -> Arc<Sqlite> {
        let store = Sqlite::open(&folder.path().join("s.db"), Limits::default()).unwrap();
        let alice = Added {
            name: "alice".to_owned(),
            scopes: vec!["read".to_owned()],
            roles: Vec::new(),
            created: 0,
        };
        store.put_consumer(alice).wait().unwrap();
        let key = Key {
            id: "k".to_owned(),
            not_before: None,
            expires: Some(1000),
            revoked: None,
            created: 0,
        };
        store.add_key("alice".to_owned(), [1; 32], key, None).wait().unwrap();
        Arc::new(store)
    }

    #[test]
    fn what_the_store_said_holds_for_a_short_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let stored = Stored::new(store.clone());
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        assert!(stored.remembered(&[1; 32], start).is_none());
        let found = block_on(stored.look_up([1; 32], start)).unwrap().unwrap();
        assert_eq!((&*found.consumer.name, &*found.consumer.scopes[0]), ("alice", "read"));
        assert_eq!(found.validity.judge(999), Ok(()));
        assert_eq!(found.validity.judge(1000), Err(Refusal::Expired));

        store.revoke("alice".to_owned(), "k".to_owned(), 5).wait().unwrap();
        let known = |millis| {
            stored
                .remembered(&[1; 32], after(millis))
                .map(|holder| holder.is_some())
        };
        assert_eq!(known(3999), Some(true));
        assert_eq!(known(4000), None, "one asks");
        assert_eq!(known(4999), Some(true), "the others go on meanwhile");
        assert_eq!((known(5000), known(5001)), (None, None), "but not for long");
        assert!(block_on(stored.look_up([1; 32], after(5000))).unwrap().is_none());
        assert_eq!((known(5001), known(8999)), (Some(false), Some(false)));
        assert_eq!(known(9000), None);
    }

    #[test]
    fn what_operators_change_can_hold_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let stored = Stored::new(store.clone());
        let now = Instant::now();
        assert!(block_on(stored.look_up([1; 32], now)).unwrap().is_some());
        assert!(store.remove_consumer("alice".to_owned()).wait().unwrap());
        stored.forget();
        assert!(stored.remembered(&[1; 32], now).is_none());
        assert!(block_on(stored.look_up([1; 32], now)).unwrap().is_none());
    }

    #[test]
    fn guesses_are_few_and_don_t_drive_out_those_who_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let stored = Stored::new(store(&folder));
        let now = Instant::now();
        let guess = |nth: u32| {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&nth.to_be_bytes());
            digest
        };
        assert!(block_on(stored.look_up([1; 32], now)).unwrap().is_some());
        for nth in 0..STRANGERS {
            assert!(block_on(stored.look_up(guess(nth), now)).unwrap().is_none());
        }
        assert!(block_on(stored.look_up(guess(STRANGERS), now)).is_err());
        assert!(block_on(stored.look_up([1; 32], now)).unwrap().is_some(), "it is known");
        assert!(block_on(stored.look_up(guess(STRANGERS), now + Duration::from_secs(1))).is_ok());
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut memory = Memory::default();
        let now = Instant::now();
        for nth in 0..3 * MOST {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&nth.to_be_bytes());
            let entry = Entry {
                holder: None,
                until: now,
                asked: false,
            };
            memory.insert(digest, entry);
            assert!(memory.young.len() + memory.old.len() <= MOST);
            assert!(memory.holds(&digest));
        }
    }
}
