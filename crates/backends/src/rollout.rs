//! `to: {rollout: …}`: a route that a new version of a service takes over step by step.
//!
//! Here requests are given to the two versions and what they answer is counted. Who decides by these counts how many requests
//! the new version gets is elsewhere ([`portcullis_resilience::rollout`] and the gateway).

mod measured;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use portcullis_config::route::split::SplitKey;
use portcullis_core::{Backend, Ctx, Reply, Request};
use portcullis_resilience::rollout::seen::{Latencies, Pair, Seen};
use thread_local::ThreadLocal;

use self::measured::{Measured, answered};
use crate::counts::Count;
use crate::split::client::Client;

/// A route that a new version takes over.
pub struct Rollout {
    versions: Pair<Version>,
    client: Client,
    progress: Arc<Progress>,
}

/// One of the two versions.
pub struct Version {
    /// Who answers.
    pub end: Arc<dyn Backend>,
    /// Counts the requests that it is given.
    pub count: Arc<Count>,
}

/// How far a roll-out is, as requests see it, and what came of them. Kept over reloads.
pub struct Progress {
    weight: AtomicU32,
    counters: Pair<ThreadLocal<Box<Counters>>>,
}

/// One of two versions.
#[derive(Clone, Copy, Debug)]
enum Which {
    Old,
    New,
}

impl Which {
    fn of<T>(self, pair: &Pair<T>) -> &T {
        match self {
            Which::Old => &pair.old,
            Which::New => &pair.new,
        }
    }
}

/// What one worker has seen of a version. Only that worker writes.
struct Counters {
    errors: AtomicU64,
    latencies: [AtomicU64; Latencies::BUCKETS],
}

impl Rollout {
    /// A roll-out between these versions, as far as `progress` says. Clients keep their version by `by`.
    pub fn new(versions: Pair<Version>, by: Option<&SplitKey>, progress: Arc<Progress>) -> Rollout {
        Rollout {
            versions,
            client: Client::told_by(by),
            progress,
        }
    }
}

impl Backend for Rollout {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request) -> Reply<'a> {
        let place = self.client.place(cx, &request);
        let which = if place.number < self.progress.weight() {
            Which::New
        } else {
            Which::Old
        };
        let version = which.of(&self.versions);
        version.count.add();
        let measured = Measured::begin(self.progress.clone(), which);
        let reply = Reply::later(async move {
            let result = version.end.call(cx, request).await;
            answered(measured, cx, result)
        });
        place.remembered(reply)
    }
}

impl Progress {
    /// One at which the new version gets `weight` of [`portcullis_resilience::rollout::WHOLE`] requests.
    pub fn new(weight: u32) -> Progress {
        Progress {
            weight: AtomicU32::new(weight),
            counters: Pair::default(),
        }
    }

    /// How many requests the new version gets.
    pub fn weight(&self) -> u32 {
        self.weight.load(Ordering::Relaxed)
    }

    /// Gives the new version that many requests, from the next one on.
    pub fn set_weight(&self, weight: u32) {
        self.weight.store(weight, Ordering::Relaxed);
    }

    fn counters(&self, which: Which) -> &Counters {
        which.of(&self.counters).get_or_default()
    }

    /// What both versions have answered since the process began.
    pub fn seen(&self) -> Pair<Seen> {
        self.counters.map(|workers| {
            let mut seen = Seen::default();
            for counters in workers.iter() {
                seen.errors += counters.errors.load(Ordering::Relaxed);
                for (bucket, count) in counters.latencies.iter().enumerate() {
                    seen.latencies.add(bucket, count.load(Ordering::Relaxed));
                }
            }
            seen
        })
    }
}

impl Counters {
    fn add_error(&self) {
        add(&self.errors);
    }

    fn add_answer(&self, latency: Duration) {
        add(&self.latencies[Latencies::bucket_of(latency)]);
    }
}

impl Default for Counters {
    fn default() -> Self {
        Counters {
            errors: AtomicU64::new(0),
            latencies: [const { AtomicU64::new(0) }; Latencies::BUCKETS],
        }
    }
}

/// Only the counter's own worker calls this, so nothing comes between load and store.
fn add(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests;
