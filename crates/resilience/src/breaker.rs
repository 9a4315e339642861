//! When a service is left alone, and when it is tried again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Moment;
use crate::window::Window;

/// When a circuit opens and how it closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// It opens when so many thousandths of the requests of the last `window` failed,
    pub errors_per_mille: u32,
    /// if there were at least so many.
    pub min_requests: u32,
    /// How far back requests count. A second at least: a shorter one is taken as that.
    pub window: Duration,
    /// For how long nothing is sent. It is always the same time: a service that comes back is to be found soon, and the few
    /// probes that find that it hasn't cost it nothing.
    pub open: Duration,
    /// So many requests are then let through, and no other until all have passed.
    pub probes: u32,
}

/// The circuit breaker of a service, shared by all workers. While it is closed a request reads one number that hardly ever
/// changes, and its end is counted where no other worker writes.
#[derive(Debug)]
pub struct Breaker {
    settings: Settings,
    /// How often the circuit changed, and in the last bit whether requests have to ask.
    word: AtomicU64,
    answers: Window,
    errors: Window,
    circuit: Mutex<Circuit>,
}

/// What a request is told.
#[derive(Debug)]
pub enum Admit<'a> {
    /// It may be sent, and its end is to be told.
    Yes(Admitted<'a>),
    /// It may not, and trying again is of no use before that.
    No {
        /// From now.
        retry_after: Duration,
    },
}

/// A request that was let through. One that is dropped without a word says nothing about the service.
#[derive(Debug)]
#[must_use = "its end is to be told"]
pub struct Admitted<'a> {
    breaker: &'a Breaker,
    /// The word at which it was let through.
    word: u64,
    told: bool,
}

/// What a circuit is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Requests go through.
    Closed,
    /// None does.
    Open,
    /// A few do, to see whether the service has come back.
    HalfOpen,
}

#[derive(Debug)]
enum Circuit {
    Closed,
    Open { until: Moment },
    HalfOpen { in_progress: u32, passed: u32 },
}

/// The bit of a circuit that isn't closed.
const ASK: u64 = 1;

/// When to come again where probes are under way: nobody knows how long they take.
const SOON: Duration = Duration::from_secs(1);

impl Breaker {
    /// A closed circuit, for so many workers.
    pub fn new(settings: Settings, shards: usize) -> Breaker {
        Breaker {
            settings,
            word: AtomicU64::new(0),
            answers: Window::new(settings.window, shards),
            errors: Window::new(settings.window, shards),
            circuit: Mutex::new(Circuit::Closed),
        }
    }

    /// What it was made with.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Whether a request may be sent now.
    pub fn admit(&self, now: Moment) -> Admit<'_> {
        let word = self.word.load(Ordering::Acquire);
        if word & ASK == 0 {
            return Admit::Yes(self.admitted(word));
        }
        let mut circuit = self.circuit();
        match &mut *circuit {
            Circuit::Open { until } if now < *until => {
                return Admit::No {
                    retry_after: until.since(now),
                };
            }
            Circuit::Open { .. } => {
                *circuit = Circuit::HalfOpen {
                    in_progress: 1,
                    passed: 0,
                };
                self.changed(true);
            }
            Circuit::HalfOpen { in_progress, passed } if *in_progress + *passed < self.settings.probes.max(1) => {
                *in_progress += 1;
            }
            Circuit::HalfOpen { .. } => return Admit::No { retry_after: SOON },
            // It was closed after the look at the word.
            Circuit::Closed => {}
        }
        Admit::Yes(self.admitted(self.word.load(Ordering::Relaxed)))
    }

    /// What it is like now.
    pub fn state(&self) -> State {
        if self.word.load(Ordering::Relaxed) & ASK == 0 {
            return State::Closed;
        }
        match *self.circuit() {
            Circuit::Closed => State::Closed,
            Circuit::Open { .. } => State::Open,
            Circuit::HalfOpen { .. } => State::HalfOpen,
        }
    }

    fn admitted(&self, word: u64) -> Admitted<'_> {
        Admitted {
            breaker: self,
            word,
            told: false,
        }
    }

    /// Opens the circuit if too much failed lately.
    fn judge(&self, word: u64, now: Moment) {
        let answers = self.answers.sum(now);
        let bound = answers.saturating_mul(u64::from(self.settings.errors_per_mille));
        if answers < u64::from(self.settings.min_requests) || self.errors.sum(now) * 1000 < bound {
            return;
        }
        let mut circuit = self.circuit();
        // Another worker may have come first.
        if self.word.load(Ordering::Relaxed) == word {
            self.open(&mut circuit, now);
        }
    }

    /// Takes in how a probe ended; `None` where that says nothing.
    fn probed(&self, word: u64, passed_now: Option<bool>, now: Moment) {
        let mut circuit = self.circuit();
        if self.word.load(Ordering::Relaxed) != word {
            // Another probe has decided.
            return;
        }
        let Circuit::HalfOpen { in_progress, passed } = &mut *circuit else {
            return;
        };
        *in_progress = in_progress.saturating_sub(1);
        match passed_now {
            Some(false) => self.open(&mut circuit, now),
            Some(true) => {
                *passed += 1;
                if *passed >= self.settings.probes.max(1) {
                    self.answers.clear();
                    self.errors.clear();
                    *circuit = Circuit::Closed;
                    self.changed(false);
                }
            }
            None => {}
        }
    }

    fn open(&self, circuit: &mut MutexGuard<'_, Circuit>, now: Moment) {
        **circuit = Circuit::Open {
            until: now + self.settings.open,
        };
        self.changed(true);
    }

    /// Publishes that the circuit, which is locked, has changed.
    fn changed(&self, ask: bool) {
        let word = self.word.load(Ordering::Relaxed) | ASK;
        self.word.store(word + 1 + u64::from(ask), Ordering::Release);
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admitted<'_> {
    /// Tells how the request ended. `shard` is the number of the worker.
    pub fn ended(mut self, passed: bool, shard: usize, now: Moment) {
        self.told = true;
        let (breaker, word) = (self.breaker, self.word);
        if word & ASK != 0 {
            breaker.probed(word, Some(passed), now);
        } else if breaker.word.load(Ordering::Acquire) == word {
            breaker.answers.count(shard, now);
            if !passed {
                breaker.errors.count(shard, now);
                breaker.judge(word, now);
            }
        }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if !self.told && self.word & ASK != 0 {
            self.breaker.probed(self.word, None, Moment::NEVER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        errors_per_mille: 500,
        min_requests: 20,
        window: Duration::from_secs(10),
        open: Duration::from_secs(5),
        probes: 3,
    };

    const fn at(millis: u64) -> Moment {
        Moment::from_micros(1_000_000 + millis * 1000)
    }

    fn admitted(breaker: &Breaker, now: Moment) -> Admitted<'_> {
        match breaker.admit(now) {
            Admit::Yes(admitted) => admitted,
            Admit::No { retry_after } => panic!("it is refused for {retry_after:?}"),
        }
    }

    fn refused_for(breaker: &Breaker, now: Moment) -> Duration {
        match breaker.admit(now) {
            Admit::Yes(_) => panic!("it is let through"),
            Admit::No { retry_after } => retry_after,
        }
    }

    /// Sends requests of which so many of ten fail.
    fn send(breaker: &Breaker, count: usize, failing_of_ten: usize, now: Moment) {
        for turn in 0..count {
            admitted(breaker, now).ended(turn % 10 < 10 - failing_of_ten, turn, now);
        }
    }

    fn opened(now: Moment) -> Breaker {
        let breaker = Breaker::new(SETTINGS, 2);
        send(&breaker, 20, 10, now);
        assert_eq!(breaker.state(), State::Open);
        breaker
    }

    #[test]
    fn it_opens_when_too_much_fails() {
        let breaker = Breaker::new(SETTINGS, 2);
        send(&breaker, 19, 10, at(0));
        assert_eq!(breaker.state(), State::Closed, "too few to judge by");
        send(&breaker, 1, 10, at(9));
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(refused_for(&breaker, at(9)), SETTINGS.open);
        assert_eq!(refused_for(&breaker, at(4009)), Duration::from_secs(1));
    }

    #[test]
    fn it_stays_closed_while_enough_passes() {
        let breaker = Breaker::new(SETTINGS, 2);
        for second in 0..100 {
            send(&breaker, 100, 4, at(second * 1000));
        }
        assert_eq!(breaker.state(), State::Closed);
        // Failures that are long ago count no more.
        let breaker = Breaker::new(SETTINGS, 2);
        send(&breaker, 15, 10, at(0));
        send(&breaker, 5, 10, at(10_000));
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn it_closes_when_all_probes_have_passed() {
        let breaker = opened(at(0));
        let probes = [(); 3].map(|()| admitted(&breaker, at(5000)));
        assert_eq!(breaker.state(), State::HalfOpen);
        assert_eq!(refused_for(&breaker, at(5000)), SOON);
        for probe in probes {
            assert_eq!(breaker.state(), State::HalfOpen);
            probe.ended(true, 0, at(5010));
        }
        assert_eq!(breaker.state(), State::Closed);
        // What failed before it opened is forgotten.
        send(&breaker, 19, 10, at(5020));
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn one_bad_probe_opens_it_again() {
        let breaker = opened(at(0));
        let [one, two, three] = [(); 3].map(|()| admitted(&breaker, at(5000)));
        one.ended(true, 0, at(5010));
        two.ended(false, 0, at(5020));
        assert_eq!(refused_for(&breaker, at(5020)), SETTINGS.open);
        // The last probe of that time says nothing about the next one.
        three.ended(true, 0, at(5030));
        let again = admitted(&breaker, at(10_020));
        assert_eq!(breaker.state(), State::HalfOpen);
        again.ended(true, 0, at(10_030));
        assert_eq!(breaker.state(), State::HalfOpen);
    }

    #[test]
    fn a_probe_that_is_given_up_makes_room_for_another() {
        let breaker = opened(at(0));
        let probes = [(); 3].map(|()| admitted(&breaker, at(5000)));
        refused_for(&breaker, at(5000));
        drop(probes);
        for _ in 0..3 {
            admitted(&breaker, at(5001)).ended(true, 0, at(5002));
        }
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn what_was_sent_before_it_opened_says_nothing_afterwards() {
        let breaker = Breaker::new(SETTINGS, 1);
        let early: Vec<_> = (0..100).map(|_| admitted(&breaker, at(0))).collect();
        send(&breaker, 20, 10, at(0));
        let probe = admitted(&breaker, at(5000));
        for request in early {
            request.ended(false, 0, at(5001));
        }
        assert_eq!(breaker.state(), State::HalfOpen);
        probe.ended(true, 0, at(5002));
        for _ in 0..2 {
            admitted(&breaker, at(5002)).ended(true, 0, at(5003));
        }
        assert_eq!(breaker.state(), State::Closed);
    }

    /// A service that fails for ten seconds sees few requests meanwhile, and all of them soon after it is back.
    #[test]
    fn a_service_that_is_down_is_left_alone() {
        let breaker = Breaker::new(SETTINGS, 2);
        let (mut reached_while_down, mut refused_after) = (0, 0);
        for millis in 0..40_000 {
            let (now, down) = (at(millis), (10_000..20_000).contains(&millis));
            match breaker.admit(now) {
                Admit::Yes(admitted) => {
                    reached_while_down += u32::from(down && millis > 15_000);
                    admitted.ended(!down, 0, now);
                }
                Admit::No { .. } => refused_after += u32::from(millis >= 20_000),
            }
        }
        assert!(reached_while_down <= 2, "{reached_while_down}");
        assert!(refused_after <= 5000, "{refused_after}");
        assert_eq!(breaker.state(), State::Closed);
    }
}
