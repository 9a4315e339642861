//! The counts of one limit: exact over all workers, bounded in number.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::KeyHash;
use super::gcra::{Rate, Verdict};

/// How many clients one limit tells apart.
///
/// At 25 bytes each and the slack of a hash map that is 30 to 60 MiB at the worst.
pub const MOST_CLIENTS: usize = 1_000_000;

/// Workers seldom want the same of 64 locks at the same time, and a sweep of one holds up few.
const SHARDS: usize = 64;

/// Below this a shard is not swept: there is nothing to gain.
const FEW: usize = 1024;

/// A full shard is swept at most this often (in nanoseconds), so that a flood of strangers pays for a sweep of some 30 µs
/// at most twenty times a second and shard.
const BETWEEN_SWEEPS: u64 = 50_000_000;

/// Who is counted: an address, or 128 bits of keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub u64, pub u64);

impl Key {
    /// All those who can't be told apart.
    pub const NOBODY: Key = Key(0, 0);
}

/// Theoretical arrival times by client.
///
/// When there are more live clients than room for them, the known ones are judged by their own counts, and the
/// strangers of a shard share one count: nobody passes unlimited, and nobody loses a count that a flood could clear.
#[derive(Debug)]
pub struct Counters {
    /// Made at the first request: ten thousand routes with limits of their own cost nothing until they are asked for.
    shards: OnceLock<Box<[Padded]>>,
    choose: RandomState,
    keys: KeyHash,
    most: usize,
}

/// A lock on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Padded(Mutex<Shard>);

#[derive(Debug, Default)]
struct Shard {
    arrivals: HashMap<Key, u64>,
    /// The count that strangers share while there is no room.
    strangers: u64,
    /// The latest time seen here. Workers read the clock before they take the lock, and so can come in the wrong order;
    /// a time before that of a sweep would find a count gone that still mattered.
    latest: u64,
    sweep_at: usize,
    sweep_after: u64,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters::with_room_for(MOST_CLIENTS)
    }
}

impl Counters {
    /// Counts of at most about that many clients.
    pub fn with_room_for(clients: usize) -> Counters {
        Counters {
            shards: OnceLock::new(),
            choose: RandomState::new(),
            keys: KeyHash::default(),
            most: clients.div_ceil(SHARDS),
        }
    }

    /// The key of a value that a client chose.
    pub fn key_of(&self, value: &[u8]) -> Key {
        self.keys.of(value)
    }

    /// Judges a request of a client at `now`, in nanoseconds of a clock that all callers share, and counts it if it may
    /// pass. All calls must be made with the same rate.
    pub fn judge(&self, rate: &Rate, key: Key, now: u64) -> Verdict {
        let shard = usize::try_from(self.choose.hash_one(key) % SHARDS as u64).expect("it is less than 64");
        // A panic in there leaves at worst one count as it was: better than none for everybody.
        let mut shard = self.shards()[shard].0.lock().unwrap_or_else(PoisonError::into_inner);
        shard.judge(rate, key, now, self.most)
    }

    /// How many clients are being counted.
    pub fn clients(&self) -> usize {
        let count = |shard: &Padded| shard.0.lock().unwrap_or_else(PoisonError::into_inner).arrivals.len();
        self.shards().iter().map(count).sum()
    }

    fn shards(&self) -> &[Padded] {
        self.shards
            .get_or_init(|| (0..SHARDS).map(|_| Padded::default()).collect())
    }
}

impl Shard {
    fn judge(&mut self, rate: &Rate, key: Key, now: u64, most: usize) -> Verdict {
        let now = now.max(self.latest);
        self.latest = now;
        if let Some(arrival) = self.arrivals.get_mut(&key) {
            return count(rate, arrival, now);
        }
        if self.arrivals.len() >= self.sweep_at.clamp(FEW.min(most), most) && now >= self.sweep_after {
            self.sweep(now, most);
        }
        if self.arrivals.len() < most {
            let mut arrival = 0;
            let verdict = count(rate, &mut arrival, now);
            self.arrivals.insert(key, arrival);
            return verdict;
        }
        count(rate, &mut self.strangers, now)
    }

    /// Forgets those whose time has come: they are as one not seen before. The next sweep waits until the map has
    /// doubled, so that each insertion pays for a constant number of steps.
    fn sweep(&mut self, now: u64, most: usize) {
        self.arrivals.retain(|_, arrival| *arrival > now);
        let live = self.arrivals.len();
        self.sweep_at = live.saturating_mul(2).max(FEW);
        if self.sweep_at > most {
            self.sweep_after = now.saturating_add(BETWEEN_SWEEPS);
        }
        self.arrivals.shrink_to(self.sweep_at);
    }
}

fn count(rate: &Rate, arrival: &mut u64, now: u64) -> Verdict {
    let verdict = rate.judge(*arrival, now);
    if let Verdict::Admitted { arrival: moved, .. } = verdict {
        *arrival = moved;
    }
    verdict
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn admitted(verdict: Verdict) -> bool {
        matches!(verdict, Verdict::Admitted { .. })
    }

    #[test]
    fn threads_together_admit_exactly_the_burst() {
        let rate = Rate::new(1, Duration::from_secs(60), 1000).unwrap();
        let counters = Counters::default();
        let passed: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        (0..500)
                            .filter(|_| admitted(counters.judge(&rate, Key(4, 1), 7)))
                            .count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 1000);
    }

    #[test]
    fn clocks_that_disagree_admit_no_more() {
        let rate = Rate::new(1000, Duration::from_secs(1), 1).unwrap();
        let counters = Counters::default();
        assert!(admitted(counters.judge(&rate, Key(4, 1), 5_000_000)));
        assert!(!admitted(counters.judge(&rate, Key(4, 1), 4_000_000)));
        assert!(!admitted(counters.judge(&rate, Key(4, 1), 5_999_999)));
        assert!(admitted(counters.judge(&rate, Key(4, 1), 6_000_000)));
    }

    #[test]
    fn a_flood_of_strangers_shares_one_count_and_takes_nobodys() {
        let rate = Rate::new(1, Duration::from_secs(60), 2).unwrap();
        let counters = Counters::with_room_for(640);
        assert!(admitted(counters.judge(&rate, Key(4, 0), 0)));
        let passed = (1..100_000)
            .filter(|client| admitted(counters.judge(&rate, Key(6, *client), 0)))
            .count();
        assert_eq!(counters.clients(), 640);
        // Each known client has passed once, and the strangers of each shard as often as one client may.
        assert_eq!(passed, 639 + SHARDS * 2);
        assert!(
            admitted(counters.judge(&rate, Key(4, 0), 0)),
            "the known client lost its burst"
        );
        assert!(
            !admitted(counters.judge(&rate, Key(4, 0), 0)),
            "the known client's count was cleared"
        );
    }

    #[test]
    fn silent_clients_make_room() {
        let rate = Rate::new(1000, Duration::from_secs(1), 1).unwrap();
        let counters = Counters::with_room_for(64 * FEW);
        for client in 0..1_000_000 {
            // Each is silent for ever after; 100 are live at a time.
            assert!(admitted(counters.judge(&rate, Key(4, client), client * 10_000)));
        }
        assert!(counters.clients() <= 64 * FEW, "{}", counters.clients());
    }
}
