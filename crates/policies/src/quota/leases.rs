//! Units that this gate has taken from the store and not spent yet.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portcullis_stores::durable::quota::{Quotas, Returned, Take};
use portcullis_stores::durable::{Answer, Digest, Error, Millis};

/// Parts that can be locked by themselves.
const SHARDS: usize = 32;
/// Clients of a part that have units here at a time: 65,536 in all, and about 16 MiB. Others spend straight from the store.
const MOST: usize = 2048;
/// How long a client has been silent whose units are given back.
pub(super) const SILENT: Duration = Duration::from_secs(60);
/// How often a part is looked through for such clients.
const SWEEP: Duration = Duration::from_secs(10);
/// How long it is believed that the store has nothing more for a client. Another gate may give units back.
const BELIEVED: Duration = Duration::from_secs(5);

/// Units that this gate has taken from a store and not spent yet. Every worker shares it, and it lives through reloads.
pub struct Leases {
    store: Arc<dyn Quotas>,
    hash: RandomState,
    shards: Box<[Mutex<Shard>]>,
    most: usize,
}

struct Shard {
    leases: HashMap<Digest, Lease>,
    swept: Instant,
}

struct Lease {
    ends: Millis,
    /// Units that may be spent without asking.
    units: u64,
    /// Units that the store had left when it was asked.
    left: u64,
    /// When it was asked last.
    asked: Option<Instant>,
    used: Instant,
    /// One request at a time asks for more; the others wait for what it gets.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// What a request takes of whose quota.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    pub(super) counter: Digest,
    /// When the period ends.
    pub(super) ends: Millis,
    /// Units of the request, at least one.
    pub(super) cost: u64,
    /// Units of the period.
    pub(super) limit: u64,
    /// Units that are taken from the store at a time.
    pub(super) lease: u64,
}

/// Whether a request fits, and how much is left, as far as is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Admitted { left: u64 },
    Refused { left: u64 },
}

impl Verdict {
    pub(super) fn left(self) -> u64 {
        match self {
            Verdict::Admitted { left } | Verdict::Refused { left } => left,
        }
    }
}

impl Leases {
    /// Nothing taken yet.
    pub fn new(store: Arc<dyn Quotas>) -> Leases {
        Leases::with_room(store, MOST)
    }

    pub(super) fn with_room(store: Arc<dyn Quotas>, most: usize) -> Leases {
        let shard = || {
            Mutex::new(Shard {
                leases: HashMap::new(),
                swept: Instant::now(),
            })
        };
        Leases {
            store,
            hash: RandomState::new(),
            shards: (0..SHARDS).map(|_| shard()).collect(),
            most,
        }
    }

    /// Gives back all that is not spent: when the gate ends.
    pub fn give_back(&self) -> Answer<()> {
        let mut returned = Vec::new();
        for shard in &self.shards {
            let leases = std::mem::take(&mut lock(shard).leases);
            returned.extend(
                leases
                    .into_iter()
                    .filter_map(|(counter, lease)| lease.returned(counter)),
            );
        }
        self.store.give_back(returned)
    }

    /// Spends units that are here; `None` where the store must be asked.
    pub(super) fn spend(&self, demand: &Demand, now: Instant) -> Option<Verdict> {
        let mut shard = lock(self.shard(&demand.counter));
        shard.leases.get_mut(&demand.counter)?.spend(demand, now)
    }

    /// Takes more units from the store, and spends of them.
    ///
    /// # Errors
    /// When the store can't say.
    pub(super) async fn draw(&self, demand: &Demand, now: Instant) -> Result<Verdict, Error> {
        let Some(turn) = self.turn(demand, now) else {
            return self.draw_alone(demand).await;
        };
        let _turn = turn.lock().await;
        // Whoever had the turn before may have brought enough for this one, too.
        let (ends, have) = match self.spend_or_look(demand, now) {
            Ok(verdict) => return Ok(verdict),
            Err(known) => known,
        };
        let least = demand.cost - have;
        let taken = self.store.take(Take {
            counter: demand.counter,
            ends,
            least,
            most: demand.lease.max(least),
            limit: demand.limit,
        });
        let taken = taken.await?;
        let mut shard = lock(self.shard(&demand.counter));
        let lease = shard.lease(demand, now);
        if lease.ends != ends {
            // The next period has begun meanwhile, and units of the one before are no use in it.
            return Ok(match taken.units >= demand.cost {
                true => Verdict::Admitted { left: taken.left },
                false => Verdict::Refused { left: taken.left },
            });
        }
        lease.units += taken.units;
        lease.left = taken.left;
        lease.asked = Some(now);
        Ok(lease.spend(demand, now).unwrap_or(Verdict::Refused {
            left: lease.units + lease.left,
        }))
    }

    /// Spends straight from the store, for a client that has no place here.
    async fn draw_alone(&self, demand: &Demand) -> Result<Verdict, Error> {
        let take = Take {
            counter: demand.counter,
            ends: demand.ends,
            least: demand.cost,
            most: demand.cost,
            limit: demand.limit,
        };
        let taken = self.store.take(take).await?;
        Ok(match taken.units {
            0 => Verdict::Refused { left: taken.left },
            _ => Verdict::Admitted { left: taken.left },
        })
    }

    /// Whose turn it is to ask for this client; `None` where there is no place for one more.
    fn turn(&self, demand: &Demand, now: Instant) -> Option<Arc<tokio::sync::Mutex<()>>> {
        let mut shard = lock(self.shard(&demand.counter));
        if now.saturating_duration_since(shard.swept) >= SWEEP {
            let returned = shard.sweep(now);
            if !returned.is_empty() {
                // What can't be given back is lost to its clients until the period is over, as after a crash.
                drop(self.store.give_back(returned));
            }
        }
        if shard.leases.len() >= self.most && !shard.leases.contains_key(&demand.counter) {
            return None;
        }
        Some(shard.lease(demand, now).turn.clone())
    }

    /// Spends units that are here; or says of which period the client has units here, and how many: less than it wants.
    fn spend_or_look(&self, demand: &Demand, now: Instant) -> Result<Verdict, (Millis, u64)> {
        let mut shard = lock(self.shard(&demand.counter));
        let lease = shard.lease(demand, now);
        lease.spend(demand, now).ok_or((lease.ends, lease.units))
    }

    fn shard(&self, counter: &Digest) -> &Mutex<Shard> {
        let hash = self.hash.hash_one(counter);
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or(0)]
    }
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Leases")
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        // The store does it before it ends.
        drop(self.give_back());
    }
}

impl Shard {
    /// The units of a client in the period of the request.
    fn lease(&mut self, demand: &Demand, now: Instant) -> &mut Lease {
        self.leases.entry(demand.counter).or_insert_with(|| Lease {
            ends: demand.ends,
            units: 0,
            left: 0,
            asked: None,
            used: now,
            turn: Arc::default(),
        })
    }

    /// Takes out those of silent clients for whom nobody asks.
    fn sweep(&mut self, now: Instant) -> Vec<Returned> {
        self.swept = now;
        let silent = |lease: &mut Lease| {
            Arc::strong_count(&lease.turn) == 1 && now.saturating_duration_since(lease.used) >= SILENT
        };
        let silent = self.leases.extract_if(|_, lease| silent(lease));
        silent.filter_map(|(counter, lease)| lease.returned(counter)).collect()
    }
}

impl Lease {
    fn spend(&mut self, demand: &Demand, now: Instant) -> Option<Verdict> {
        if demand.ends > self.ends {
            // What was left of the period before is worth nothing now.
            *self = Lease {
                ends: demand.ends,
                units: 0,
                left: 0,
                asked: None,
                used: now,
                turn: self.turn.clone(),
            };
        }
        self.used = now;
        if let Some(units) = self.units.checked_sub(demand.cost) {
            self.units = units;
            return Some(Verdict::Admitted {
                left: units + self.left,
            });
        }
        let left = self.units + self.left;
        let believed = self
            .asked
            .is_some_and(|asked| now.saturating_duration_since(asked) < BELIEVED);
        (believed && left < demand.cost).then_some(Verdict::Refused { left })
    }

    fn returned(&self, counter: Digest) -> Option<Returned> {
        (self.units > 0).then_some(Returned {
            counter,
            ends: self.ends,
            units: self.units,
        })
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // What is inside is whole between any two statements.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
