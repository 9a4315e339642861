//! What names of services mean: two of them can be exchanged, in one step, for all requests that come after it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use portcullis_core::{Backend, Ctx, Reply, Request};

use crate::service::{Pool, Service};

/// Which service each name means, where it isn't its own. Kept over reloads.
#[derive(Default)]
pub struct Swaps {
    /// Whether there is any, so that a gate without them looks at nothing else.
    any: AtomicBool,
    /// Always a permutation: as many names are meant as mean something.
    meanings: ArcSwap<BTreeMap<String, String>>,
    changing: Mutex<()>,
}

impl Swaps {
    /// Exchanges what two names mean. Once more, and all is as before.
    pub fn swap(&self, one: &str, other: &str) {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut meanings = BTreeMap::clone(&self.meanings.load());
        let mut meant_by = |name: &str| meanings.remove(name).unwrap_or_else(|| name.to_owned());
        let (by_one, by_other) = (meant_by(one), meant_by(other));
        for (name, meaning) in [(one, by_other), (other, by_one)] {
            if name != meaning {
                meanings.insert(name.to_owned(), meaning);
            }
        }
        self.put(meanings);
    }

    /// What is exchanged: each name that doesn't mean its own service, and whose it means.
    pub fn all(&self) -> BTreeMap<String, String> {
        BTreeMap::clone(&self.meanings.load())
    }

    /// Takes over what another process had exchanged.
    ///
    /// # Errors
    /// When that can't be, because two names would mean one service.
    pub fn restore(&self, meanings: BTreeMap<String, String>) -> Result<(), String> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut meant: Vec<&String> = meanings.values().collect();
        meant.sort();
        if !meant.into_iter().eq(meanings.keys()) {
            return Err("two names of services would mean the same".to_owned());
        }
        self.put(meanings);
        Ok(())
    }

    fn put(&self, meanings: BTreeMap<String, String>) {
        let any = !meanings.is_empty();
        self.meanings.store(Arc::new(meanings));
        self.any.store(any, Ordering::Release);
    }
}

/// The services of a configuration, by what their names mean now.
pub struct Meanings {
    swaps: Arc<Swaps>,
    pools: BTreeMap<String, Arc<Pool>>,
}

impl Meanings {
    /// Names of these services, exchanged by those swaps.
    pub fn new(swaps: Arc<Swaps>, pools: BTreeMap<String, Arc<Pool>>) -> Meanings {
        Meanings { swaps, pools }
    }

    /// The service that a name means instead of its own. One that the configuration no longer has is none.
    fn other(&self, name: &str) -> Option<&Arc<Pool>> {
        if !self.swaps.any.load(Ordering::Acquire) {
            return None;
        }
        self.pools.get(self.swaps.meanings.load().get(name)?)
    }
}

/// A route's end in a service by its name.
pub struct Named {
    name: Box<str>,
    strip: Option<Box<str>>,
    own: Service,
    meanings: Arc<Meanings>,
}

impl Named {
    /// The end in the service of that name; targets don't see the prefix `strip` of the path. `None` where there is no such
    /// service.
    pub fn new(name: &str, strip: Option<&str>, meanings: Arc<Meanings>) -> Option<Named> {
        let own = Service::new(meanings.pools.get(name)?.clone(), strip);
        Some(Named {
            name: name.into(),
            strip: strip.map(Box::from),
            own,
            meanings,
        })
    }
}

impl Backend for Named {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request) -> Reply<'a> {
        match self.meanings.other(&self.name) {
            None => self.own.call(cx, request),
            Some(pool) => {
                // Made for the request, which costs one allocation more for as long as names are exchanged, and nothing before.
                let service = Service::new(pool.clone(), self.strip.as_deref());
                Reply::later(async move { service.call(cx, request).await })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(swaps: &Swaps) -> Vec<(String, String)> {
        swaps.all().into_iter().collect()
    }

    fn pair(name: &str, meaning: &str) -> (String, String) {
        (name.to_owned(), meaning.to_owned())
    }

    #[test]
    fn a_swap_is_undone_by_itself() {
        let swaps = Swaps::default();
        swaps.swap("blue", "green");
        assert_eq!(pairs(&swaps), [pair("blue", "green"), pair("green", "blue")]);
        assert!(swaps.any.load(Ordering::Relaxed));
        swaps.swap("green", "blue");
        assert_eq!(pairs(&swaps), []);
        assert!(!swaps.any.load(Ordering::Relaxed));
    }

    #[test]
    fn swaps_of_three_are_a_circle_and_come_undone_backwards() {
        let swaps = Swaps::default();
        swaps.swap("a", "b");
        swaps.swap("b", "c");
        assert_eq!(pairs(&swaps), [pair("a", "b"), pair("b", "c"), pair("c", "a")]);
        swaps.swap("b", "c");
        swaps.swap("a", "b");
        assert_eq!(pairs(&swaps), []);
    }

    #[test]
    fn a_name_exchanged_with_itself_is_itself() {
        let swaps = Swaps::default();
        swaps.swap("a", "a");
        assert_eq!(pairs(&swaps), []);
    }

    #[test]
    fn only_what_can_be_is_taken_over() {
        let swaps = Swaps::default();
        let good = BTreeMap::from([pair("a", "b"), pair("b", "a")]);
        assert_eq!(swaps.restore(good.clone()), Ok(()));
        let doubled = BTreeMap::from([pair("a", "c"), pair("b", "c")]);
        assert!(swaps.restore(doubled).is_err());
        assert_eq!(swaps.all(), good);
    }
}
