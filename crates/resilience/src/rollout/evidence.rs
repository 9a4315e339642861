//! How sure it is that a new version is worse than the old one.
//!
//! Each test is a bet against "the new version is no worse": what is staked grows with each request that speaks against the
//! new version and shrinks with each other one, in such a way that it grows by a factor of `x` with a probability of `1/x` at
//! the most if the new version is no worse, *at any time* (Ville's inequality; such a bet is called an e-process). So it may
//! be looked at after each request, which a test that was made for one look at its end may not.
//!
//! - **Errors.** Given that a request of either version failed, it is one of the new version's with the probability of
//!   its share of the requests, if both fail equally often. Nothing is assumed of how often that is.
//! - **Errors without a comparison.** While the old version gets no requests at all, failures of the new one are held against
//!   what the old one had before, plus what may come on top.
//! - **Latency.** Of a new version that takes no longer than it may, 5 of 100 answers take longer than the limit made of
//!   the old one's 95th percentile.
//!
//! A new version is worse when a test says so *and* the difference that was seen is more than the judge allows.

use std::fmt;
use std::time::Duration;

use super::Judge;
use super::seen::{Pair, Seen};

/// How often a new version that is no worse may be taken back, over a whole roll-out: one of a hundred times.
const FALSE_ALARMS: f64 = 0.01;

/// Among how many tests that is shared.
const TESTS: f64 = 3.0;

/// How many times as often as the old one a bet supposes the new version to fail. Several, for it isn't known before.
const ODDS: [f64; 4] = [2.0, 4.0, 12.0, 100.0];

/// Which share of the requests that might still fail a bet supposes to fail, where there is nothing to compare with.
const RATES: [f64; 4] = [0.02, 0.08, 0.25, 0.9];

/// Which share of the answers a bet supposes to be slow.
const SLOW: [f64; 4] = [0.1, 0.2, 0.4, 0.9];

/// Which share of the answers is slow by the meaning of a 95th percentile.
const SLOW_BEFORE: f64 = 0.05;

/// A smaller difference in latency is not held against a new version: that much comes from new connections and cold caches.
const NOTICEABLE: Duration = Duration::from_millis(5);

/// Why a new version was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It fails more often.
    Errors,
    /// It takes longer.
    Latency,
}

/// What speaks against a new version in one step.
#[derive(Clone, Debug)]
pub struct Evidence {
    judge: Judge,
    /// The stake, as a logarithm, at which a test is sure.
    sure: f64,
    compared: Bets,
    alone: Bets,
    slow: Bets,
}

impl Evidence {
    /// None yet, in one of so many steps.
    #[allow(clippy::cast_precision_loss, reason = "steps are few")]
    pub fn new(judge: Judge, steps: usize) -> Evidence {
        Evidence {
            judge,
            sure: (TESTS * steps as f64 / FALSE_ALARMS).ln(),
            compared: Bets::default(),
            alone: Bets::default(),
            slow: Bets::default(),
        }
    }

    /// Takes in what was counted since the last time, and says why the new version is worse, if it is. `window` is what was
    /// counted in this step with what is new, `before` what the old version answered in the steps before.
    pub fn weigh(&mut self, fresh: &Pair<Seen>, window: &Pair<Seen>, before: &Seen) -> Option<Reason> {
        let reference = self.reference(&window.old, before);
        if window.old.requests() > 0 {
            self.compare(fresh);
        } else {
            let expected = (reference.error_rate() + self.judge.errors).clamp(1e-6, 1.0);
            let bets = RATES.map(|rate| expected + (1.0 - expected) * rate);
            self.alone
                .settle(fresh.new.requests(), fresh.new.errors, expected, bets);
        }
        let limit = self.slowest(&reference);
        if let Some(limit) = limit {
            let answers = &fresh.new.latencies;
            self.slow
                .settle(answers.count(), answers.slower_than(limit), SLOW_BEFORE, SLOW);
        }
        let more_errors = window.new.error_rate() - reference.error_rate() > self.judge.errors;
        if more_errors && (self.compared.stake() >= self.sure || self.alone.stake() >= self.sure) {
            return Some(Reason::Errors);
        }
        let slower = |limit| window.new.latencies.percentile(0.95).is_some_and(|p95| p95 > limit);
        let enough = window.new.requests() >= self.judge.min_requests;
        if enough && limit.is_some_and(slower) && self.slow.stake() >= self.sure {
            return Some(Reason::Latency);
        }
        None
    }

    /// What the new version is compared with: the old one in this step, or, where it had too few requests in it, in all.
    fn reference(&self, window: &Seen, before: &Seen) -> Seen {
        if window.requests() >= self.judge.min_requests {
            window.clone()
        } else {
            window.clone().and(before)
        }
    }

    /// Bets on which version each failure was one of.
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn compare(&mut self, fresh: &Pair<Seen>) {
        let all = fresh.old.requests() + fresh.new.requests();
        if all == 0 {
            return;
        }
        let share = fresh.new.requests() as f64 / all as f64;
        let (old, new) = (fresh.old.errors as f64, fresh.new.errors as f64);
        for (stake, odds) in self.compared.0.iter_mut().zip(ODDS) {
            let fair = 1.0 + share * (odds - 1.0);
            *stake += new * (odds / fair).ln() - old * fair.ln();
        }
    }

    /// From which latency on an answer of the new version is slow; `None` where too little is known of the old one.
    fn slowest(&self, reference: &Seen) -> Option<Duration> {
        if reference.latencies.count() < self.judge.min_requests {
            return None;
        }
        let usual = reference.latencies.percentile(1.0 - SLOW_BEFORE)?;
        Some(usual.mul_f64(self.judge.latency).max(usual + NOTICEABLE))
    }
}

/// Several bets on the same thing, each with its stake as a logarithm. They began with 1 in all.
#[derive(Clone, Copy, Debug, Default)]
struct Bets([f64; 4]);

impl Bets {
    /// The stakes together, as a logarithm.
    fn stake(&self) -> f64 {
        let most = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = self.0.iter().map(|stake| (stake - most).exp()).sum();
        most + (sum / 4.0).ln()
    }

    /// Settles bets that each of `all` speaks against the new version with those probabilities, where at most `expected` would.
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn settle(&mut self, all: u64, against: u64, expected: f64, bets: [f64; 4]) {
        let (against, others) = (against as f64, all.saturating_sub(against) as f64);
        for (stake, bet) in self.0.iter_mut().zip(bets) {
            // A bet of one would lose everything with the first request that doesn't speak against the new version.
            let bet = bet.min(0.999);
            if expected < bet {
                *stake += against * (bet / expected).ln() + others * ((1.0 - bet) / (1.0 - expected)).ln();
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Errors => "errors",
            Reason::Latency => "latency",
        })
    }
}
