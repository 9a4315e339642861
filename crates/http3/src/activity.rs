//! What goes on on a connection: how many requests, since when none, and how many were broken off.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Instant;

/// How many requests more a client may break off than it lets be answered. A page that is left breaks off all that it
/// has asked for, a hundred at a time; who goes on like that makes work for nothing (as in CVE-2023-44487).
const PATIENCE: u32 = 300;

/// The requests of one connection.
pub(crate) struct Activity {
    requests: Cell<usize>,
    idle_since: Cell<Instant>,
    patience: Cell<u32>,
    waker: RefCell<Option<Waker>>,
}

/// A request in progress. It counts until it is dropped.
pub(crate) struct InProgress(Rc<Activity>);

impl Activity {
    pub(crate) fn new() -> Rc<Activity> {
        Rc::new(Activity {
            requests: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
            patience: Cell::new(PATIENCE),
            waker: RefCell::new(None),
        })
    }

    /// A request begins.
    pub(crate) fn begin(self: &Rc<Activity>) -> InProgress {
        self.requests.set(self.requests.get() + 1);
        InProgress(self.clone())
    }

    /// A request ends, in one way or the other.
    pub(crate) fn judge(&self, abandoned: bool) {
        let patience = self.patience.get();
        self.patience.set(if abandoned {
            patience.saturating_sub(1)
        } else {
            PATIENCE.min(patience + 1)
        });
    }

    /// Whether the client has broken off too many requests.
    pub(crate) fn is_abused(&self) -> bool {
        self.patience.get() == 0
    }

    /// Since when there is no request; if there is one, the task is woken when one ends.
    pub(crate) fn idle_since(&self, cx: &Context<'_>) -> Option<Instant> {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        (self.requests.get() == 0).then(|| self.idle_since.get())
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get() - 1);
        self.0.idle_since.set(Instant::now());
        if self.0.requests.get() == 0 || self.0.is_abused() {
            let waker = self.0.waker.borrow();
            waker.iter().for_each(Waker::wake_by_ref);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_and_is_won_back() {
        let activity = Activity::new();
        for _ in 1..PATIENCE {
            activity.judge(true);
        }
        assert!(!activity.is_abused());
        activity.judge(false);
        activity.judge(true);
        assert!(!activity.is_abused());
        activity.judge(true);
        assert!(activity.is_abused());
    }
}
