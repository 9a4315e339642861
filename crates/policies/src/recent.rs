//! What was found out a short while ago, in bounded memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sha2::{Digest, Sha256};

/// Parts that are locked apart, so that workers seldom wait for each other.
const SHARDS: usize = 16;

/// Answers by the hash of their question, each until its time. The newest half of what fits is always there; what is older
/// goes all at once, without a look at each.
pub(crate) struct Recent<V> {
    shards: [Mutex<Generations<V>>; SHARDS],
    /// How many a generation of a shard may have.
    most: usize,
}

/// The hash of a question.
pub(crate) type Mark = [u8; 32];

struct Generations<V> {
    young: HashMap<Mark, (Instant, V)>,
    old: HashMap<Mark, (Instant, V)>,
}

/// The hash of all parts, of which none can pass for another's end or beginning.
pub(crate) fn mark<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Mark {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

impl<V: Clone> Recent<V> {
    /// Room for so many.
    pub(crate) fn new(most: usize) -> Recent<V> {
        Recent {
            shards: std::array::from_fn(|_| {
                Mutex::new(Generations {
                    young: HashMap::new(),
                    old: HashMap::new(),
                })
            }),
            most: (most / (2 * SHARDS)).max(1),
        }
    }

    /// What is known, unless its time is over.
    pub(crate) fn find(&self, mark: &Mark, now: Instant) -> Option<V> {
        let shard = self.shard(mark);
        let (until, value) = shard.young.get(mark).or_else(|| shard.old.get(mark))?;
        (*until > now).then(|| value.clone())
    }

    /// Keeps what was found out.
    pub(crate) fn keep(&self, mark: Mark, until: Instant, value: V) {
        let mut shard = self.shard(&mark);
        if shard.young.len() >= self.most {
            shard.old = std::mem::take(&mut shard.young);
        }
        shard.young.insert(mark, (until, value));
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let shards = self.shards.iter().map(|shard| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.young.len() + shard.old.len()
        });
        shards.sum()
    }

    fn shard(&self, mark: &Mark) -> MutexGuard<'_, Generations<V>> {
        let shard = &self.shards[usize::from(mark[0]) % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_known_is_forgotten_in_time() {
        let recent = Recent::new(100);
        let now = Instant::now();
        let one = mark([&b"one"[..]]);
        recent.keep(one, now + Duration::from_secs(1), 1);
        assert_eq!(recent.find(&one, now), Some(1));
        assert_eq!(recent.find(&one, now + Duration::from_secs(1)), None);
        assert_eq!(recent.find(&mark([&b"two"[..]]), now), None);
    }

    #[test]
    fn memory_is_bounded_and_the_newest_stay() {
        let recent = Recent::new(1000);
        let now = Instant::now();
        let until = now + Duration::from_secs(1);
        for nth in 0_u32..10_000 {
            recent.keep(mark([&nth.to_le_bytes()[..]]), until, nth);
        }
        assert!((300..=1000).contains(&recent.len()), "{}", recent.len());
        for nth in 9_900_u32..10_000 {
            assert_eq!(recent.find(&mark([&nth.to_le_bytes()[..]]), now), Some(nth));
        }
    }

    #[test]
    fn parts_keep_their_bounds() {
        assert_ne!(mark([&b"ab"[..], b"c"]), mark([&b"a"[..], b"bc"]));
        assert_ne!(mark([&b"ab"[..]]), mark([&b"ab"[..], b""]));
    }
}
