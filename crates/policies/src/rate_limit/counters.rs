//! The counts of one limit: exact over all workers, bounded in number.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasherDefault;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::gcra::{Rate, Verdict};
use super::key::{Hashed, Key, KeyHash};

/// How many clients one limit tells apart, at the least.
///
/// With one quota that is 29 MiB, and 8 bytes a client more for each further one. What clients say is spread over shards
/// by chance, so that there is room for 3 % more: then none is full before there are a million.
pub const MOST_CLIENTS: usize = 1_000_000;

/// How many quotas one limit can have.
pub const MOST_QUOTAS: usize = 4;

/// Workers seldom want the same of 72 locks at the same time, and a sweep of one holds up few.
const SHARDS: usize = 72;

/// What a hash map of 2^14 places holds (7/8 of them), so that a full shard has no empty half.
const FULL_SHARD: usize = 14_336;

/// Below this a shard is not swept: there is nothing to gain.
const FEW: usize = 1024;

/// A full shard is swept at most this often (in nanoseconds), so that a flood of strangers pays for a sweep of some 30 µs
/// at most twenty times a second and shard.
const BETWEEN_SWEEPS: u64 = 50_000_000;

/// What became of a request under all quotas of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Whether it may pass: only if each quota lets it.
    pub admitted: bool,
    /// How it stands with each quota, in their order; places behind the last one are nothing.
    pub standings: [Standing; MOST_QUOTAS],
}

/// How a client stands with one quota. Times are nanoseconds from now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether this quota refuses the request.
    pub refused: bool,
    /// How many more may pass at once.
    pub remaining: u32,
    /// When the request may pass, for one that is refused ([`super::gcra::NEVER`] is possible); else when the whole burst
    /// will be there again.
    pub after: u64,
}

/// Theoretical arrival times by client, one for each quota.
///
/// When there are more live clients than room for them, the known ones are judged by their own counts, and the
/// strangers of a shard share one count: nobody passes unlimited, and nobody loses a count that a flood could clear.
pub struct Counters {
    rates: Box<[Rate]>,
    table: Box<dyn Count>,
    keys: KeyHash,
}

impl Counters {
    /// Counts of a million clients.
    ///
    /// # Panics
    /// When there is no rate, or more of them than [`MOST_QUOTAS`].
    pub fn new(rates: &[Rate]) -> Counters {
        Counters::with_room_for(FULL_SHARD * SHARDS, rates)
    }

    /// Counts of at most about that many clients.
    ///
    /// # Panics
    /// As [`Counters::new`].
    pub fn with_room_for(clients: usize, rates: &[Rate]) -> Counters {
        let most = clients.div_ceil(SHARDS);
        let table: Box<dyn Count> = match rates.len() {
            1 => Box::new(Table::<1>::new(most)),
            2 => Box::new(Table::<2>::new(most)),
            3 => Box::new(Table::<3>::new(most)),
            4 => Box::new(Table::<4>::new(most)),
            other => unreachable!("a limit has 1 to 4 quotas, not {other}"),
        };
        Counters {
            rates: rates.into(),
            table,
            keys: KeyHash::default(),
        }
    }

    /// What makes the keys of this limit.
    pub fn keys(&self) -> &KeyHash {
        &self.keys
    }

    /// Judges a request of a client at `now`, in nanoseconds of a clock that all callers share, and counts it if it may
    /// pass.
    pub fn judge(&self, key: Key, cost: u32, now: u64) -> Judged {
        self.table.judge(&self.rates, key, cost, now)
    }

    /// Takes back that a request was counted: another limit refused it.
    pub fn give_back(&self, key: Key, cost: u32) {
        self.table.give_back(&self.rates, key, cost);
    }

    /// How many may pass at once under every quota.
    pub fn burst(&self) -> u32 {
        self.rates.iter().map(Rate::burst).min().unwrap_or(0)
    }

    /// How many clients are being counted.
    pub fn clients(&self) -> usize {
        self.table.clients()
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counters").field("rates", &self.rates).finish()
    }
}

/// A table of counts, whatever the number of quotas.
trait Count: Send + Sync {
    fn judge(&self, rates: &[Rate], key: Key, cost: u32, now: u64) -> Judged;
    fn give_back(&self, rates: &[Rate], key: Key, cost: u32);
    fn clients(&self) -> usize;
}

/// Counts of clients with so many quotas.
struct Table<const QUOTAS: usize> {
    /// Made at the first request: ten thousand routes with limits of their own cost nothing until they are asked for.
    shards: OnceLock<Box<[Padded<QUOTAS>]>>,
    most: usize,
}

/// A lock on a cache line of its own.
#[repr(align(64))]
struct Padded<const QUOTAS: usize>(Mutex<Shard<QUOTAS>>);

struct Shard<const QUOTAS: usize> {
    arrivals: HashMap<Key, [u64; QUOTAS], BuildHasherDefault<Hashed>>,
    /// The count that strangers share while there is no room.
    strangers: [u64; QUOTAS],
    /// The latest time seen here. Workers read the clock before they take the lock, and so can come in the wrong order;
    /// a time before that of a sweep would find a count gone that still mattered.
    latest: u64,
    sweep_at: usize,
    sweep_after: u64,
}

impl<const QUOTAS: usize> Table<QUOTAS> {
    fn new(most: usize) -> Table<QUOTAS> {
        Table {
            shards: OnceLock::new(),
            most,
        }
    }

    fn shards(&self) -> &[Padded<QUOTAS>] {
        self.shards.get_or_init(|| {
            let shard = || Padded(Mutex::new(Shard::new()));
            (0..SHARDS).map(|_| shard()).collect()
        })
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, Shard<QUOTAS>> {
        // A panic in there leaves at worst one count as it was: better than none for everybody.
        self.shards()[key.shard(SHARDS)]
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<const QUOTAS: usize> Count for Table<QUOTAS> {
    fn judge(&self, rates: &[Rate], key: Key, cost: u32, now: u64) -> Judged {
        self.shard(key).judge(rates, key, cost, now, self.most)
    }

    fn give_back(&self, rates: &[Rate], key: Key, cost: u32) {
        let mut shard = self.shard(key);
        let shard = &mut *shard;
        let arrivals = shard.arrivals.get_mut(&key).unwrap_or(&mut shard.strangers);
        for (arrival, rate) in arrivals.iter_mut().zip(rates) {
            *arrival = rate.give_back(*arrival, cost);
        }
    }

    fn clients(&self) -> usize {
        let count = |shard: &Padded<QUOTAS>| shard.0.lock().unwrap_or_else(PoisonError::into_inner).arrivals.len();
        self.shards().iter().map(count).sum()
    }
}

impl<const QUOTAS: usize> Shard<QUOTAS> {
    fn new() -> Shard<QUOTAS> {
        Shard {
            arrivals: HashMap::default(),
            strangers: [0; QUOTAS],
            latest: 0,
            sweep_at: 0,
            sweep_after: 0,
        }
    }

    fn judge(&mut self, rates: &[Rate], key: Key, cost: u32, now: u64, most: usize) -> Judged {
        let now = now.max(self.latest);
        self.latest = now;
        if let Some(arrivals) = self.arrivals.get_mut(&key) {
            return count(rates, arrivals, cost, now);
        }
        if self.arrivals.len() >= self.sweep_at.clamp(FEW.min(most), most) && now >= self.sweep_after {
            self.sweep(now, most);
        }
        if self.arrivals.len() >= most {
            return count(rates, &mut self.strangers, cost, now);
        }
        let mut arrivals = [0; QUOTAS];
        let judged = count(rates, &mut arrivals, cost, now);
        if arrivals.iter().any(|arrival| *arrival > now) {
            self.arrivals.insert(key, arrivals);
        }
        judged
    }

    /// Forgets those whose time has come: they are as one not seen before. The next sweep waits until the map has
    /// doubled, so that each insertion pays for a constant number of steps.
    fn sweep(&mut self, now: u64, most: usize) {
        self.arrivals
            .retain(|_, arrivals| arrivals.iter().any(|arrival| *arrival > now));
        let live = self.arrivals.len();
        self.sweep_at = live.saturating_mul(2).max(FEW);
        if self.sweep_at > most {
            self.sweep_after = now.saturating_add(BETWEEN_SWEEPS);
        }
        self.arrivals.shrink_to(self.sweep_at.min(most));
    }
}

/// Counts a request under all quotas, or under none.
fn count<const QUOTAS: usize>(rates: &[Rate], arrivals: &mut [u64; QUOTAS], cost: u32, now: u64) -> Judged {
    let mut judged = Judged {
        admitted: true,
        standings: [Standing::default(); MOST_QUOTAS],
    };
    let mut moved = *arrivals;
    for (at, rate) in rates.iter().enumerate().take(QUOTAS) {
        judged.standings[at] = match rate.judge(arrivals[at], cost, now) {
            Verdict::Admitted {
                arrival,
                remaining,
                full_after,
            } => {
                moved[at] = arrival;
                Standing {
                    refused: false,
                    remaining,
                    after: full_after,
                }
            }
            Verdict::Refused { retry_after } => {
                judged.admitted = false;
                Standing {
                    refused: true,
                    remaining: 0,
                    after: retry_after,
                }
            }
        };
    }
    if judged.admitted {
        *arrivals = moved;
        return judged;
    }
    for (at, rate) in rates.iter().enumerate().take(QUOTAS) {
        // What one quota refuses takes nothing from the others.
        if let (
            false,
            Verdict::Admitted {
                remaining, full_after, ..
            },
        ) = (judged.standings[at].refused, rate.judge(arrivals[at], 0, now))
        {
            judged.standings[at].remaining = remaining;
            judged.standings[at].after = full_after;
        }
    }
    judged
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn rate(limit: u32, seconds: u64, burst: u32) -> Rate {
        Rate::new(limit, Duration::from_secs(seconds), burst).unwrap()
    }

    /// A key, spread as a hash would spread it.
    fn key(client: u64) -> Key {
        let mut generator = fastrand::Rng::with_seed(client);
        Key(generator.u64(..), generator.u64(..))
    }

    #[test]
    fn threads_together_admit_exactly_the_burst() {
        let counters = Counters::new(&[rate(1, 60, 1000)]);
        let passed: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..500).filter(|_| counters.judge(key(1), 1, 7).admitted).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 1000);
    }

    #[test]
    fn clocks_that_disagree_admit_no_more() {
        let counters = Counters::new(&[rate(1000, 1, 1)]);
        let admitted = |at| counters.judge(key(1), 1, at).admitted;
        assert!(admitted(5_000_000));
        assert!(!admitted(4_000_000));
        assert!(!admitted(5_999_999));
        assert!(admitted(6_000_000));
    }

    #[test]
    fn all_quotas_must_admit_and_a_refusal_takes_nothing() {
        let counters = Counters::new(&[rate(2, 1, 2), rate(3, 3600, 3)]);
        let judge = |at: u64| counters.judge(key(1), 1, at * 1_000_000);
        assert!(judge(0).admitted);
        assert!(judge(0).admitted);
        // The short one refuses; the long one still has its third.
        for _ in 0..10 {
            let refused = judge(0);
            assert!(!refused.admitted);
            assert!(refused.standings[0].refused);
            assert_eq!(refused.standings[0].after, 500_000_000);
            assert_eq!(
                (refused.standings[1].refused, refused.standings[1].remaining),
                (false, 1)
            );
        }
        assert!(judge(1000).admitted);
        // Now the long one refuses, and the short one keeps its second.
        for _ in 0..10 {
            let refused = judge(1000);
            assert!(!refused.admitted && refused.standings[1].refused);
            assert_eq!(
                (refused.standings[0].refused, refused.standings[0].remaining),
                (false, 1)
            );
        }
    }

    #[test]
    fn what_is_given_back_is_there_again() {
        let counters = Counters::new(&[rate(1, 60, 5), rate(1, 3600, 3)]);
        assert!(counters.judge(key(1), 3, 0).admitted);
        assert!(!counters.judge(key(1), 1, 0).admitted);
        counters.give_back(key(1), 3);
        assert!(counters.judge(key(1), 3, 0).admitted);
    }

    #[test]
    fn what_costs_nothing_or_is_refused_takes_no_room() {
        let counters = Counters::new(&[rate(1, 60, 1)]);
        assert!(counters.judge(key(1), 0, 5).admitted);
        assert!(!counters.judge(key(2), 2, 5).admitted);
        assert_eq!(counters.clients(), 0);
    }

    #[test]
    fn a_flood_of_strangers_shares_one_count_and_takes_nobodys() {
        let counters = Counters::with_room_for(SHARDS * 10, &[rate(1, 60, 2)]);
        assert!(counters.judge(key(0), 1, 0).admitted);
        let passed = (1..100_000)
            .filter(|client| counters.judge(key(*client), 1, 0).admitted)
            .count();
        assert_eq!(counters.clients(), SHARDS * 10);
        // Each known client has passed once, and the strangers of each shard as often as one client may.
        assert_eq!(passed, SHARDS * 10 - 1 + SHARDS * 2);
        assert!(counters.judge(key(0), 1, 0).admitted, "the known client lost its burst");
        assert!(
            !counters.judge(key(0), 1, 0).admitted,
            "the known client's count was cleared"
        );
    }

    #[test]
    fn silent_clients_make_room() {
        let counters = Counters::with_room_for(SHARDS * FEW, &[rate(1000, 1, 1)]);
        for client in 0..1_000_000 {
            // Each is silent for ever after; 100 are live at a time.
            assert!(counters.judge(key(client), 1, client * 10_000).admitted);
        }
        assert!(counters.clients() <= SHARDS * FEW, "{}", counters.clients());
    }

    #[test]
    fn a_million_clients_are_told_apart() {
        let counters = Counters::new(&[rate(1, 3600, 1)]);
        let hash = KeyHash::default();
        for client in 0..1_000_000u32 {
            assert!(
                counters.judge(hash.of(&client.to_be_bytes()), 1, 7).admitted,
                "{client}"
            );
        }
        assert_eq!(counters.clients(), MOST_CLIENTS);
    }
}
