//! All counts of the process, kept across reloads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use portcullis_core::Outcome;
use thread_local::ThreadLocal;

use super::counters::{Counters, Totals};
use super::render;

/// Routes with series of their own. With 10 series each besides the histogram's 17 that is what a Prometheus server takes
/// from one target without pain.
pub const MOST_ROUTES: usize = 2_000;

/// The name under which all other routes are counted.
const OTHER: &str = "other";

/// Counters of every worker for every route that had a request.
#[derive(Debug)]
pub struct Registry {
    /// Names by index; index 0 is [`OTHER`].
    names: Mutex<Names>,
    workers: ThreadLocal<Worker>,
    most: usize,
}

#[derive(Debug)]
struct Names {
    by_name: HashMap<Arc<str>, RouteIndex>,
    by_index: Vec<Arc<str>>,
}

/// A route's place among the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteIndex(usize);

/// One worker's counters. A route's are made at its first request; until then it has a pointer's room.
#[derive(Debug)]
struct Worker(Box<[OnceLock<Box<Counters>>]>);

impl Default for Registry {
    fn default() -> Registry {
        Registry::with_room_for(MOST_ROUTES)
    }
}

impl Registry {
    /// A registry in which at most that many routes have series of their own.
    pub fn with_room_for(routes: usize) -> Registry {
        let other: Arc<str> = Arc::from(OTHER);
        let names = Names {
            by_name: HashMap::from([(Arc::clone(&other), RouteIndex(0))]),
            by_index: vec![other],
        };
        Registry {
            names: Mutex::new(names),
            workers: ThreadLocal::new(),
            most: routes,
        }
    }

    /// The place of a route: the one that its name had before, a new one, or that of all others.
    pub fn index_of(&self, route: &str) -> RouteIndex {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = names.by_name.get(route) {
            return *index;
        }
        if names.by_index.len() > self.most {
            return RouteIndex(0);
        }
        let (name, index): (Arc<str>, _) = (Arc::from(route), RouteIndex(names.by_index.len()));
        names.by_index.push(Arc::clone(&name));
        names.by_name.insert(name, index);
        index
    }

    /// Counts a request of a route. Takes no lock and shares no cache line with other workers.
    pub fn count(&self, route: RouteIndex, outcome: &Outcome<'_>) {
        let worker = self
            .workers
            .get_or(|| Worker((0..=self.most).map(|_| OnceLock::new()).collect()));
        worker.0[route.0].get_or_init(Box::default).count(outcome);
    }

    /// Adds all series as OpenMetrics text, without the closing `# EOF`.
    pub fn render(&self, out: &mut String) {
        let names = self
            .names
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .by_index
            .clone();
        let routes: Vec<(Arc<str>, Totals)> = names
            .into_iter()
            .enumerate()
            .filter_map(|(at, name)| Some((name, self.totals(at)?)))
            .collect();
        render::families(&routes, out);
    }

    /// The sums over all workers; `None` for a route without requests.
    fn totals(&self, route: usize) -> Option<Totals> {
        let mut totals = None;
        for counters in self.workers.iter().filter_map(|worker| worker.0[route].get()) {
            counters.add_to(totals.get_or_insert_default());
        }
        if let Some(totals) = &mut totals {
            totals.requests.sort_unstable();
            totals.errors.sort_unstable();
        }
        totals
    }
}
