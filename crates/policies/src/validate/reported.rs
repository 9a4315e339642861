//! What policies found wrong and let pass, since they were told only to report it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::metrics::family::Family;

/// What is counted.
pub const FAMILY: Family = Family::counter(
    "portcullis_reported_violations",
    &["policies", "policy", "message"],
    "Messages that a policy would have refused if it did more than report, by the set of policies or the route.",
);

/// The most counters: what is beyond shares one.
const MOST: usize = 1_000;

/// Counters that live through reloads.
#[derive(Debug, Default)]
pub struct Reported(Mutex<BTreeMap<Key, Arc<AtomicU64>>>);

/// The set of policies, the policy, and `request` or `response`.
type Key = (String, &'static str, &'static str);

impl Reported {
    /// The counter of one policy.
    pub fn counter(&self, set: &str, policy: &'static str, message: &'static str) -> Arc<AtomicU64> {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (set.to_owned(), policy, message);
        let key = if counters.len() < MOST || counters.contains_key(&key) {
            key
        } else {
            ("other".to_owned(), policy, message)
        };
        counters.entry(key).or_default().clone()
    }

    /// Writes all of them as OpenMetrics text.
    pub fn render(&self, out: &mut String) {
        let counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.is_empty() {
            return;
        }
        FAMILY.announce(out);
        for ((set, policy, message), count) in &*counters {
            FAMILY.sample(&[set, policy, message], count.load(Ordering::Relaxed), out);
        }
    }
}
