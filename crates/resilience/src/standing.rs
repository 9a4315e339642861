//! Whether a target may get requests, and why not.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use crate::Moment;

/// What is known of a target's health. All workers read it at each request, and it is written when something turns.
#[derive(Debug, Default)]
pub struct Standing {
    /// What checks say; see [`Checked`].
    checked: AtomicU8,
    draining: AtomicBool,
    /// Until when it is ejected, in microseconds.
    ejected_until: AtomicU64,
    /// Since when it gets requests (again), in microseconds.
    joined: AtomicU64,
}

/// What checks say of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checked {
    /// It is not checked, or has not been yet.
    #[default]
    Unknown,
    /// It passes.
    Passing,
    /// It fails.
    Failing,
}

/// Why a target may get requests, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It may.
    Good,
    /// An operator or discovery takes it out of service.
    Draining,
    /// Its checks fail.
    Failing,
    /// What requests met made it an outlier; until then.
    Ejected(Moment),
}

impl Standing {
    /// Why it may get requests at that moment, or why not.
    pub fn state(&self, now: Moment) -> State {
        if self.draining.load(Ordering::Relaxed) {
            return State::Draining;
        }
        if self.checked() == Checked::Failing {
            return State::Failing;
        }
        match self.ejected_until(now) {
            Some(until) => State::Ejected(until),
            None => State::Good,
        }
    }

    /// Whether it may get requests at that moment.
    pub fn is_good(&self, now: Moment) -> bool {
        self.state(now) == State::Good
    }

    /// Until when it is ejected, where it is at that moment; whatever else is known against it.
    pub fn ejected_until(&self, now: Moment) -> Option<Moment> {
        let until = Moment::from_micros(self.ejected_until.load(Ordering::Relaxed));
        (now < until).then_some(until)
    }

    /// Whether nothing is known against the target itself: its checks don't fail, and it is not ejected. It may be
    /// draining.
    pub fn is_healthy(&self, now: Moment) -> bool {
        self.checked() != Checked::Failing && self.ejected_until(now).is_none()
    }

    /// What checks say.
    pub fn checked(&self) -> Checked {
        match self.checked.load(Ordering::Relaxed) {
            1 => Checked::Passing,
            2 => Checked::Failing,
            _ => Checked::Unknown,
        }
    }

    /// Says what checks found. One that passes again has joined anew.
    pub fn set_checked(&self, checked: Checked, now: Moment) {
        let before = self.checked.swap(checked as u8, Ordering::Relaxed);
        if checked == Checked::Passing && before == Checked::Failing as u8 {
            self.join(now);
        }
    }

    /// Takes it out until that moment, from which it joins anew.
    pub fn eject(&self, until: Moment) {
        self.ejected_until.store(until.micros(), Ordering::Relaxed);
        self.joined.store(until.micros(), Ordering::Relaxed);
    }

    /// Ends an ejection.
    pub fn readmit(&self, now: Moment) {
        self.ejected_until.store(0, Ordering::Relaxed);
        self.join(now);
    }

    /// Takes it out of service, or puts it back.
    pub fn set_draining(&self, draining: bool, now: Moment) {
        if self.draining.swap(draining, Ordering::Relaxed) && !draining {
            self.join(now);
        }
    }

    /// It gets requests from now on; slow start counts from here.
    pub fn join(&self, now: Moment) {
        self.joined.store(now.micros(), Ordering::Relaxed);
    }

    /// For how long it has been getting requests.
    pub fn age(&self, now: Moment) -> Duration {
        now.since(Moment::from_micros(self.joined.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_target_is_good_until_something_is_known_against_it() {
        let standing = Standing::default();
        assert_eq!(standing.state(at(1)), State::Good);
        standing.eject(at(5));
        assert_eq!(standing.state(at(4)), State::Ejected(at(5)));
        assert_eq!(standing.state(at(5)), State::Good);
        assert_eq!(standing.age(at(7)), Duration::from_secs(2));
        standing.set_checked(Checked::Failing, at(8));
        assert_eq!(standing.state(at(8)), State::Failing);
        standing.set_draining(true, at(9));
        assert_eq!(standing.state(at(9)), State::Draining);
        standing.set_draining(false, at(10));
        standing.set_checked(Checked::Passing, at(11));
        assert!(standing.is_good(at(11)));
        assert_eq!(standing.age(at(12)), Duration::from_secs(1));
    }
}
