//! Counts by what they count, so that a reload finds them again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use portcullis_config::policy::rate_limit::RateLimitKey;

use super::counters::Counters;
use super::gcra::Rate;

/// What is kept across reloads: the counts of every limit in use. Counts that no snapshot uses any more are let go.
#[derive(Debug, Default)]
pub struct Registry {
    counters: Mutex<HashMap<Identity, Weak<Counters>>>,
}

/// A limit that has other quotas counts anew: its old counts mean something else.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Identity {
    name: Box<str>,
    rates: Box<[Rate]>,
    by: Box<[RateLimitKey]>,
}

impl Registry {
    /// The counts of the limit of that name, quotas, bursts and keys: those in use, or new ones.
    pub fn counters(&self, name: &str, rates: &[Rate], by: &[RateLimitKey]) -> Arc<Counters> {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = Identity {
            name: name.into(),
            rates: rates.into(),
            by: by.into(),
        };
        if let Some(known) = counters.get(&identity).and_then(Weak::upgrade) {
            return known;
        }
        counters.retain(|_, counters| counters.strong_count() > 0);
        let new = Arc::new(Counters::new(rates));
        counters.insert(identity, Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn counts_are_found_by_what_they_count_and_let_go_with_the_last_user() {
        let registry = Registry::default();
        let rate = Rate::new(1, Duration::from_secs(1), 1).unwrap();
        let other = Rate::new(2, Duration::from_secs(1), 1).unwrap();
        let address = [RateLimitKey::ClientIp];
        let first = registry.counters("a", &[rate], &address);
        assert!(Arc::ptr_eq(&first, &registry.counters("a", &[rate], &address)));
        for different in [
            registry.counters("b", &[rate], &address),
            registry.counters("a", &[other], &address),
            registry.counters("a", &[rate, other], &address),
            registry.counters("a", &[rate], &[RateLimitKey::Route]),
            registry.counters("a", &[rate], &[RateLimitKey::ClientIp, RateLimitKey::Route]),
        ] {
            assert!(!Arc::ptr_eq(&first, &different));
        }
        drop(first);
        registry.counters("c", &[rate], &[RateLimitKey::Route]);
        assert_eq!(registry.counters.lock().unwrap().len(), 1);
    }
}
