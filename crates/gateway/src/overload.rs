//! What the node can take: counts what is in progress, measures how late event loops are, and sends away what is too much.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use portcullis_config::File;
use portcullis_config::route::priority::Priority as WrittenPriority;
use portcullis_resilience::Moment;
use portcullis_resilience::shedding::{Priority, Settings, Shedder};

/// How often a worker looks how late it is.
const PULSE: Duration = Duration::from_millis(20);

/// From this limit on, half of it is hardly ever taken up between two pulses.
const HIGH: u32 = 4096;

/// What a configuration says of it.
pub(crate) struct Limits {
    settings: Settings,
    /// What the requests of the routes are worth, in their order. Not with the routes themselves, which have no room for what is
    /// hardly ever asked.
    priorities: Box<[Priority]>,
}

impl Limits {
    /// The limits of the file, where it has any.
    pub(crate) fn of(file: &File) -> Option<Limits> {
        let settings = Settings {
            requests: file.overload.requests,
            lag: file.overload.lag.map(|lag| lag.0),
        };
        let priorities = file.routes.iter().map(|route| match route.priority {
            WrittenPriority::High => Priority::High,
            WrittenPriority::Normal => Priority::Normal,
            WrittenPriority::Low => Priority::Low,
        });
        (settings != Settings::default()).then(|| Limits {
            settings,
            priorities: priorities.collect(),
        })
    }

    fn priority_of(&self, route: u32) -> Priority {
        self.priorities.get(route as usize).copied().unwrap_or_default()
    }
}

/// The loads of all workers.
#[derive(Default)]
pub(crate) struct Loads(ArcSwap<Vec<Arc<Published>>>);

/// What a worker tells the others, in memory that it alone writes.
#[repr(align(128))]
pub(crate) struct Published {
    /// The worker's number.
    pub(crate) worker: usize,
    in_progress: AtomicU32,
    /// In microseconds; [`UNKNOWN`] while it isn't measured.
    lag: AtomicU64,
    shed: [AtomicU64; Priority::ALL.len()],
}

const UNKNOWN: u64 = u64::MAX;

impl Loads {
    /// Those of all workers that have begun.
    pub(crate) fn all(&self) -> Arc<Vec<Arc<Published>>> {
        self.0.load_full()
    }

    fn add(&self, load: &Arc<Published>) {
        self.0.rcu(|all| {
            let mut all = Vec::clone(all);
            all.push(load.clone());
            all
        });
    }
}

impl Published {
    /// How late the worker's event loop was when that was last looked at.
    pub(crate) fn lag(&self) -> Option<Duration> {
        match self.lag.load(Ordering::Relaxed) {
            UNKNOWN => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }

    /// How many requests of a priority it has sent away.
    pub(crate) fn shed(&self, priority: Priority) -> u64 {
        self.shed[priority as usize].load(Ordering::Relaxed)
    }
}

/// The load of one worker.
pub(crate) struct Load {
    own: Arc<Published>,
    loads: Arc<Loads>,
    /// What the others had in progress at the last pulse.
    others: Cell<u64>,
    shedder: RefCell<Shedder>,
    /// When the worker looks next how late it is.
    due: Cell<Option<Instant>>,
}

/// A request in progress, until it is dropped.
pub(crate) struct InProgress(Rc<Load>);

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.count(|count| count.saturating_sub(1));
    }
}

/// A request is too much.
pub(crate) struct TooMuch;

impl Load {
    /// That of a worker that begins.
    pub(crate) fn new(worker: usize, loads: Arc<Loads>) -> Rc<Load> {
        let own = Arc::new(Published {
            worker,
            in_progress: AtomicU32::new(0),
            lag: AtomicU64::new(UNKNOWN),
            shed: Default::default(),
        });
        loads.add(&own);
        Rc::new(Load {
            own,
            loads,
            others: Cell::new(0),
            shedder: RefCell::new(Shedder::new(Settings::default())),
            due: Cell::new(None),
        })
    }

    /// Lets a request of a route in, which counts until what is given back is dropped; nothing is counted where there are no
    /// limits.
    ///
    /// # Errors
    /// When it is to be sent away.
    pub(crate) fn enter(self: &Rc<Load>, limits: Option<&Limits>, route: u32) -> Result<Option<InProgress>, TooMuch> {
        let Some(limits) = limits else {
            return Ok(None);
        };
        let priority = limits.priority_of(route);
        let in_progress = limits.settings.requests.map_or(0, |limit| self.in_progress(limit));
        if self.follows(limits).sheds(priority, in_progress, fastrand::u32(..)) {
            let shed = &self.own.shed[priority as usize];
            shed.store(shed.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            return Err(TooMuch);
        }
        self.count(|count| count.saturating_add(1));
        Ok(Some(InProgress(self.clone())))
    }

    /// When the event loop is to look next how late it is; never, where there are no limits.
    pub(crate) fn due(&self, limits: Option<&Limits>) -> Option<Instant> {
        if limits.is_none() {
            if self.due.take().is_some() {
                self.own.lag.store(UNKNOWN, Ordering::Relaxed);
            }
            return None;
        }
        let due = self.due.get().unwrap_or_else(|| Instant::now() + PULSE);
        self.due.set(Some(due));
        Some(due)
    }

    /// Takes in how late it is, at the moment that it was due or later.
    pub(crate) fn pulse(&self, limits: Option<&Limits>) {
        let (Some(limits), Some(due)) = (limits, self.due.get()) else {
            return;
        };
        let now = Instant::now();
        let lag = now.saturating_duration_since(due);
        self.follows(limits).measured(lag, Moment::of(now));
        let micros = u64::try_from(lag.as_micros()).unwrap_or(UNKNOWN - 1);
        self.own.lag.store(micros, Ordering::Relaxed);
        self.others.set(self.of_others());
        self.due.set(Some(now + PULSE));
    }

    /// What decides, by these limits.
    fn follows(&self, limits: &Limits) -> RefMut<'_, Shedder> {
        let mut shedder = self.shedder.borrow_mut();
        if shedder.settings() != limits.settings {
            *shedder = Shedder::new(limits.settings);
        }
        shedder
    }

    /// Requests in progress on the node: exactly, where that comes near to the limit. Far below a high one what the others had
    /// at the last pulse is good enough: looking at their memory at each request would cost more than it tells.
    fn in_progress(&self, limit: u32) -> u64 {
        let own = u64::from(self.own.in_progress.load(Ordering::Relaxed));
        let about = own + self.others.get();
        if limit >= HIGH && about * 2 < u64::from(limit) {
            about
        } else {
            own + self.of_others()
        }
    }

    fn of_others(&self) -> u64 {
        let all = self.loads.0.load();
        let others = all.iter().filter(|load| !Arc::ptr_eq(load, &self.own));
        others
            .map(|load| u64::from(load.in_progress.load(Ordering::Relaxed)))
            .sum()
    }

    fn count(&self, change: impl Fn(u32) -> u32) {
        let count = &self.own.in_progress;
        // Nobody else writes it.
        count.store(change(count.load(Ordering::Relaxed)), Ordering::Relaxed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn limits(requests: Option<u32>, lag: Option<Duration>) -> Limits {
        Limits {
            settings: Settings { requests, lag },
            priorities: Box::new([Priority::High, Priority::Normal, Priority::Low]),
        }
    }

    fn entered(load: &Rc<Load>, limits: &Limits, route: u32) -> Vec<InProgress> {
        std::iter::from_fn(|| load.enter(Some(limits), route).ok().flatten()).collect()
    }

    #[test]
    fn requests_count_over_all_workers_until_they_are_dropped() {
        let loads = Arc::new(Loads::default());
        let [one, other] = [0, 1].map(|worker| Load::new(worker, loads.clone()));
        let limits = limits(Some(100), None);
        let low = entered(&one, &limits, 2);
        assert_eq!(low.len(), 80);
        let normal = entered(&other, &limits, 1);
        assert_eq!(normal.len(), 20);
        assert_eq!(entered(&one, &limits, 0).len(), 20);
        assert!(one.enter(Some(&limits), 2).is_err());
        assert_eq!((one.own.shed(Priority::Low), other.own.shed(Priority::Normal)), (2, 1));
        drop(low);
        assert!(other.enter(Some(&limits), 2).is_ok());
        drop(normal);
        assert_eq!(one.of_others() + other.of_others(), 0);
    }

    #[test]
    fn where_there_are_no_limits_nothing_is_counted_or_measured() {
        let load = Load::new(0, Arc::default());
        assert!(matches!(load.enter(None, 0), Ok(None)));
        assert!(load.due(None).is_none());
        let limits = limits(None, Some(Duration::from_millis(50)));
        assert!(load.due(Some(&limits)).is_some());
        load.pulse(Some(&limits));
        assert!(load.own.lag().is_some());
        assert!(load.due(None).is_none());
        assert!(load.own.lag().is_none());
    }

    #[test]
    fn other_limits_hold_from_the_next_request_on() {
        let load = Load::new(0, Arc::default());
        let _progress = entered(&load, &limits(Some(10), None), 1);
        assert!(load.enter(Some(&limits(Some(11), None)), 1).is_ok());
        assert!(load.enter(Some(&limits(None, Some(Duration::from_secs(1)))), 1).is_ok());
    }
}
