//! The places that requests in progress take: exact over all workers, and handed on in the order in which they are waited
//! for.

use std::collections::hash_map::Entry as Found;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use portcullis_config::policy::rate_limit::RateLimitKey;
use tokio::sync::oneshot;

use crate::rate_limit::key::{Hashed, Key, KeyHash};

/// Workers seldom want the same of 32 locks at the same time.
const SHARDS: usize = 32;

/// A shard that holds fewer gives no memory back: there is nothing to gain.
const FEW: usize = 256;

/// How many places are taken, by client. Clients without any are not kept.
#[derive(Debug)]
pub struct Places {
    keys: KeyHash,
    shards: Box<[Mutex<Shard>]>,
}

type Shard = HashMap<Key, Taken, BuildHasherDefault<Hashed>>;

#[derive(Debug, Default)]
struct Taken {
    places: u32,
    /// As the last one who came knew it.
    limit: u32,
    waiting: VecDeque<oneshot::Sender<Place>>,
}

/// What becomes of one who comes.
#[derive(Debug)]
pub enum Entry {
    /// There is a place.
    Now(Place),
    /// All are taken; one comes this way when it is its turn.
    Later(oneshot::Receiver<Place>),
    /// All are taken, and too many wait.
    Full,
}

/// A place that is taken. It is given back, or handed on, when this is dropped.
#[derive(Debug)]
pub struct Place {
    /// `None` for one that was never taken.
    places: Option<Arc<Places>>,
    key: Key,
}

impl Default for Places {
    fn default() -> Places {
        Places {
            keys: KeyHash::default(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Places {
    /// What makes the keys of clients.
    pub fn keys(&self) -> &KeyHash {
        &self.keys
    }

    /// Takes one of `limit` places of a client, or a turn behind at most `queue` others.
    pub fn enter(places: &Arc<Places>, key: Key, limit: u32, queue: usize) -> Entry {
        let mut shard = places.shard(key);
        let taken = shard.entry(key).or_default();
        taken.limit = limit;
        if taken.places < limit {
            taken.places += 1;
            return Entry::Now(Place {
                places: Some(Arc::clone(places)),
                key,
            });
        }
        if taken.waiting.len() >= queue {
            // Those who went away while they waited are found only now.
            taken.waiting.retain(|turn| !turn.is_closed());
        }
        if taken.waiting.len() >= queue {
            return Entry::Full;
        }
        let (turn, place) = oneshot::channel();
        taken.waiting.push_back(turn);
        Entry::Later(place)
    }

    /// How many clients have a place.
    pub fn clients(&self) -> usize {
        let count = |shard: &Mutex<Shard>| shard.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.shards.iter().map(count).sum()
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, Shard> {
        self.shards[key.shard(SHARDS)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(places: &Arc<Places>, key: Key) {
        let mut shard = places.shard(key);
        let Found::Occupied(mut entry) = shard.entry(key) else {
            return;
        };
        let taken = entry.get_mut();
        // A limit that a reload has lowered is reached by handing nothing on.
        while taken.places <= taken.limit {
            let Some(turn) = taken.waiting.pop_front() else {
                break;
            };
            let place = Place {
                places: Some(Arc::clone(places)),
                key,
            };
            match turn.send(place) {
                Ok(()) => return,
                // Whoever waited has gone. The lock is held, so that this must not come here again.
                Err(mut place) => place.places = None,
            }
        }
        taken.places = taken.places.saturating_sub(1);
        if taken.places == 0 {
            entry.remove();
            if shard.capacity() > FEW.max(shard.len() * 4) {
                let enough = FEW.max(shard.len() * 2);
                shard.shrink_to(enough);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(places) = self.places.take() {
            Places::leave(&places, self.key);
        }
    }
}

/// What is kept across reloads: the places of every limit in use.
#[derive(Debug, Default)]
pub struct Registry(Mutex<HashMap<Identity, Weak<Places>>>);

type Identity = (Box<str>, Box<[RateLimitKey]>);

impl Registry {
    /// The places of the limit of that name and keys: those in use, or new ones.
    pub fn places(&self, name: &str, by: &[RateLimitKey]) -> Arc<Places> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = (name.into(), by.into());
        if let Some(places) = known.get(&identity).and_then(Weak::upgrade) {
            return places;
        }
        known.retain(|_, places| places.strong_count() > 0);
        let new = Arc::new(Places::default());
        known.insert(identity, Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::*;

    fn now(entry: Entry) -> Place {
        match entry {
            Entry::Now(place) => place,
            other => panic!("{other:?}"),
        }
    }

    fn later(entry: Entry) -> oneshot::Receiver<Place> {
        match entry {
            Entry::Later(turn) => turn,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn places_are_handed_on_in_order() {
        let places = Arc::new(Places::default());
        let key = places.keys().of(b"a");
        let enter = || Places::enter(&places, key, 2, 2);
        let (first, _second) = (now(enter()), now(enter()));
        let (mut third, mut fourth) = (later(enter()), later(enter()));
        assert!(matches!(enter(), Entry::Full));
        assert!(third.try_recv().is_err());
        drop(first);
        let third = third.try_recv().unwrap();
        assert!(fourth.try_recv().is_err());
        drop(third);
        drop(fourth.try_recv().unwrap());
        assert_eq!(places.clients(), 1);
        let _again = now(enter());
        assert!(matches!(enter(), Entry::Later(_)));
    }

    #[test]
    fn who_goes_away_while_waiting_loses_nobody_a_place() {
        let places = Arc::new(Places::default());
        let key = places.keys().of(b"a");
        let enter = || Places::enter(&places, key, 1, 2);
        let first = now(enter());
        drop(later(enter()));
        let mut patient = later(enter());
        // The one that has gone makes room in the queue.
        let last = later(enter());
        drop(first);
        let second = patient.try_recv().unwrap();
        // It is handed on while it is on its way to one who goes just then.
        drop(second);
        drop(last);
        assert_eq!(places.clients(), 0);
        drop(now(enter()));
        assert_eq!(places.clients(), 0);
    }

    #[test]
    fn a_limit_that_is_lowered_is_reached() {
        let places = Arc::new(Places::default());
        let key = places.keys().of(b"a");
        let held: Vec<Place> = (0..3).map(|_| now(Places::enter(&places, key, 3, 1))).collect();
        let mut turn = later(Places::enter(&places, key, 1, 1));
        for place in held {
            assert!(turn.try_recv().is_err());
            drop(place);
        }
        drop(turn.try_recv().unwrap());
        assert_eq!(places.clients(), 0);
    }

    #[test]
    fn never_more_than_the_limit_are_in_progress() {
        let places = Arc::new(Places::default());
        let key = places.keys().of(b"a");
        let (inside, most) = (AtomicU32::new(0), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let place = match Places::enter(&places, key, 3, 4) {
                            Entry::Now(place) => place,
                            Entry::Later(turn) => turn.blocking_recv().unwrap(),
                            Entry::Full => continue,
                        };
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(place);
                    }
                });
            }
        });
        assert_eq!(places.clients(), 0);
        assert!((1..=3).contains(&most.into_inner()));
    }

    #[test]
    fn a_flood_of_clients_leaves_nothing_behind() {
        let places = Arc::new(Places::default());
        let held: Vec<Place> = (0..100_000u32)
            .map(|client| now(Places::enter(&places, places.keys().of(&client.to_be_bytes()), 1, 0)))
            .collect();
        assert_eq!(places.clients(), 100_000);
        drop(held);
        assert_eq!(places.clients(), 0);
        let room: usize = places.shards.iter().map(|shard| shard.lock().unwrap().capacity()).sum();
        assert!(room <= SHARDS * FEW * 2, "{room}");
    }

    #[test]
    fn places_are_found_again_by_name_and_keys() {
        let registry = Registry::default();
        let by = [RateLimitKey::Route];
        let first = registry.places("a", &by);
        assert!(Arc::ptr_eq(&first, &registry.places("a", &by)));
        assert!(!Arc::ptr_eq(&first, &registry.places("b", &by)));
        assert!(!Arc::ptr_eq(&first, &registry.places("a", &[RateLimitKey::ClientIp])));
        drop(first);
        registry.places("c", &by);
        assert_eq!(registry.0.lock().unwrap().len(), 1);
    }
}
