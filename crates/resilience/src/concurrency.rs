//! How many requests a service can have in progress, found by how long they take.
//!
//! A server that has more requests than it can work at puts them in a queue, and each takes longer by what waits before it. So the time
//! that requests take now, beside the time that they take where nothing waits, tells how much too many there are. That is the
//! gradient; it is the idea of Netflix's `concurrency-limits` and of Envoy's adaptive concurrency.
//!
//! The limit settles a fifth and a root above what the server works at, so that it never lacks work. A server that is slow without a
//! queue is not limited by this: how long it is waited for is the timeouts' business, whether it is asked at all the breaker's.

#[cfg(test)]
mod simulation;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::Moment;

/// The bounds of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What the service can take in any case. The limit begins here, for what is measured here counts as unburdened.
    pub min: u32,
    /// The limit never exceeds this.
    pub max: u32,
}

/// The limit for the requests in progress of a service, shared by all workers.
#[derive(Debug)]
pub struct Limiter {
    settings: Settings,
    limit: AtomicU32,
    in_progress: AtomicU32,
    /// The most that were in progress since the limit was last adjusted.
    peak: AtomicU32,
    gradient: Mutex<Gradient>,
}

/// The right to one request. Its drop makes room for another.
#[derive(Debug)]
#[must_use = "its drop makes room for another request"]
pub struct Permit<'a> {
    limiter: &'a Limiter,
}

/// What decides about the limit. Times are logarithms of microseconds, to base two: their mean is moved by what makes all answers
/// slower, and hardly by a few that are always slow.
#[derive(Debug)]
struct Gradient {
    settings: Settings,
    limit: f64,
    answers: Answers,
    /// When the limit was last adjusted. What began before says nothing about the limit as it is.
    since: Moment,
    /// When it is adjusted next.
    due: Moment,
    /// How long an answer takes where nothing waits, as far as is known.
    base: Option<f64>,
    /// Whether the limit is still looked for, in great steps.
    searching: bool,
    falling: Option<Fall>,
    look: Look,
}

/// The answers to what began since the limit was last adjusted.
#[derive(Debug, Default)]
struct Answers {
    count: u32,
    sum: f64,
    squares: f64,
}

/// How long answers took, and how far chance may have moved that: two standard errors.
#[derive(Clone, Copy, Debug)]
struct Mean {
    took: f64,
    chance: f64,
}

/// The limit falls.
#[derive(Clone, Copy, Debug)]
struct Fall {
    /// From here.
    from: f64,
    /// The most that answers have taken since.
    took: f64,
    /// It falls no further.
    ended: bool,
}

/// Looking for the time of an unburdened answer. A busy service doesn't show it, so that the limit is lowered for that, as long
/// as answers get quicker by it.
#[derive(Clone, Copy, Debug)]
enum Look {
    /// Next at that moment.
    At(Moment),
    /// The limit has been lowered from there, where answers took so long.
    Lowered { from: f64, took: f64 },
}

/// Answers may take so many times what they take unburdened: that much is noise, and keeps the service busy.
const TOLERANCE: f64 = 1.2;

/// Half a millisecond more is never taken for a queue; it is within what the machines in between cause. In microseconds.
const GRAIN: f64 = 500.0;

/// Answers are quicker if they take less than this of what they took.
const QUICKER: f64 = 0.85;

/// A limit that falls by less than this has stopped; and one that is not below this of what it was only swings.
const STOPPED: f64 = 0.95;
const FAR: f64 = 0.7;

/// The limit is adjusted when there were so many answers,
const ENOUGH: u32 = 30;

/// and so much time has passed since the first of them, or as much as it took itself.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// How often the time of an unburdened answer is looked for, and what the limit is lowered to for that: no more is refused than
/// what would wait.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const LOOK_WITH: f64 = 0.75;

impl Limiter {
    /// One that begins with the least limit.
    pub fn new(settings: Settings) -> Limiter {
        let min = settings.min.max(1);
        let settings = Settings {
            min,
            max: settings.max.max(min),
        };
        Limiter {
            settings,
            limit: AtomicU32::new(min),
            in_progress: AtomicU32::new(0),
            peak: AtomicU32::new(0),
            gradient: Mutex::new(Gradient::new(settings)),
        }
    }

    /// What it was made with; a greatest that was below the least has been raised to it.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// The limit as it is now.
    pub fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    /// How many requests are in progress.
    pub fn in_progress(&self) -> u32 {
        self.in_progress.load(Ordering::Relaxed)
    }

    /// The right to one more request, if the limit leaves it.
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        let in_progress = self.in_progress.fetch_add(1, Ordering::Relaxed) + 1;
        if in_progress > self.limit() {
            self.in_progress.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        if in_progress > self.peak.load(Ordering::Relaxed) {
            self.peak.store(in_progress, Ordering::Relaxed);
        }
        Some(Permit { limiter: self })
    }

    /// Takes in how long an answer took.
    fn answered(&self, took: Duration, now: Moment) {
        let mut gradient = self.gradient.lock().unwrap_or_else(PoisonError::into_inner);
        if gradient.since + took > now || !gradient.takes(took, now) {
            return;
        }
        let peak = self.peak.swap(self.in_progress(), Ordering::Relaxed);
        gradient.adjust(f64::from(peak), now);
        self.limit.store(rounded(gradient.limit), Ordering::Relaxed);
    }
}

impl Permit<'_> {
    /// Tells how long the answer took, or how long it was waited for in vain. Of what failed at once nothing is to be told: it
    /// only seems to be quick.
    pub fn answered(self, took: Duration, now: Moment) {
        self.limiter.answered(took, now);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.limiter.in_progress.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gradient {
    fn new(settings: Settings) -> Gradient {
        Gradient {
            settings,
            limit: f64::from(settings.min),
            answers: Answers::default(),
            since: Moment::NEVER,
            due: Moment::NEVER,
            base: None,
            searching: true,
            falling: None,
            look: Look::At(Moment::NEVER),
        }
    }

    /// Takes in an answer, and says whether there are enough now to adjust the limit.
    fn takes(&mut self, took: Duration, now: Moment) -> bool {
        if self.answers.count == 0 {
            self.due = now + took.clamp(SHORTEST, LONGEST);
        }
        self.answers.add(took);
        self.answers.count >= ENOUGH && now >= self.due
    }

    /// Adjusts the limit by the answers that there were, with so many in progress at the most.
    fn adjust(&mut self, peak: f64, now: Moment) {
        let mean = std::mem::take(&mut self.answers).mean();
        self.since = now;
        // Whether it is the limit that bounds how many there are.
        let busy = peak * 2.0 >= self.limit;
        self.learn(mean, busy);
        let gradient = self.gradient(mean);
        if self.looks(mean, busy && gradient >= FAR, now) {
            return;
        }
        self.judge_fall(mean);
        let gradient = self.gradient(mean);
        if gradient < 1.0 {
            self.searching = false;
            let wanted = self.bounded(self.limit * gradient + self.limit.sqrt());
            self.follow(wanted, mean);
            if wanted < self.limit || busy {
                self.limit = wanted;
            }
        } else {
            self.falling = None;
            let more = if self.searching { self.limit } else { self.limit.sqrt() };
            if busy {
                self.limit = self.bounded(self.limit + more);
            }
        }
    }

    /// How much the limit is to fall: the time of an unburdened answer divided by what answers take. One, if they are hardly slower
    /// than that, and no less than a half, for one adjustment is not to believe too much.
    fn gradient(&self, mean: Mean) -> f64 {
        let base = self.base.unwrap_or(mean.took);
        let allowed = (base + TOLERANCE.log2()).max((base.exp2() + GRAIN).log2());
        (allowed + mean.chance - mean.took).exp2().clamp(0.5, 1.0)
    }

    /// Takes in what answers took into what an unburdened one takes: soon where that is less, slowly where it is more and
    /// few are in progress, and not at all where many are.
    fn learn(&mut self, mean: Mean, busy: bool) {
        let base = self.base.unwrap_or(mean.took);
        let less = mean.took + mean.chance - base;
        let more = mean.took - base;
        self.base = Some(if less < 0.0 {
            base + less * 0.5
        } else if !busy && more > 0.0 {
            base + more * 0.05
        } else {
            base
        });
    }

    /// Looks for the time of an unburdened answer, if it is time for that.
    fn looks(&mut self, mean: Mean, busy: bool, now: Moment) -> bool {
        match self.look {
            // The limit has begun where nothing waits.
            Look::At(Moment::NEVER) => self.look = Look::At(now + LOOK_EVERY),
            Look::At(due) if now < due || !busy || self.searching => {}
            Look::At(_) => self.lower(mean),
            Look::Lowered { took, .. } if mean.took < took + QUICKER.log2() => self.lower(mean),
            Look::Lowered { from, took } => {
                // No more came of it: nothing waited, and the last step was one too many. Unless it has become worse meanwhile,
                // which proves nothing.
                if mean.took < took + TOLERANCE.log2() {
                    self.limit = self.bounded(from);
                    let base = self.base.unwrap_or(mean.took);
                    self.base = Some(base.midpoint(mean.took).min(mean.took));
                }
                self.look = Look::At(now + LOOK_EVERY);
                return true;
            }
        }
        !matches!(self.look, Look::At(_))
    }

    fn lower(&mut self, mean: Mean) {
        self.look = Look::Lowered {
            from: self.limit,
            took: mean.took,
        };
        self.limit = self.bounded(self.limit * LOOK_WITH);
    }

    /// Remembers from where the limit falls, and whether it is about to stop.
    fn follow(&mut self, wanted: f64, mean: Mean) {
        let least = f64::from(self.settings.min);
        match &mut self.falling {
            Some(fall) if wanted > self.limit * STOPPED => {
                if self.limit > fall.from * FAR {
                    // It only swings.
                    self.falling = None;
                } else {
                    fall.ended = true;
                }
            }
            Some(_) => {}
            None if wanted < self.limit * STOPPED || self.limit <= least => {
                self.falling = Some(Fall::new(self.limit, mean));
            }
            None => {}
        }
    }

    /// Finds out whether it was of use that the limit fell. If requests wait for each other, then fewer of them are as much quicker.
    /// If they are not, the service has become slower by itself, and what it can take is looked for anew.
    fn judge_fall(&mut self, mean: Mean) {
        let Some(fall) = &mut self.falling else {
            return;
        };
        if !fall.ended && self.limit > fall.from / 2.0 && self.limit > f64::from(self.settings.min) {
            fall.took = fall.took.max(mean.took);
            return;
        }
        // Half of the way is enough, for chance has its part in it.
        let quicker = (self.limit / fall.from).log2().min(QUICKER.log2()) / 2.0;
        if mean.took > fall.took + TOLERANCE.log2() {
            // It is still getting worse, so that nothing is proved yet.
            *fall = Fall::new(self.limit, mean);
            return;
        }
        if mean.took > fall.took + quicker {
            self.base = Some(mean.took);
            self.searching = true;
        }
        self.falling = None;
    }

    fn bounded(&self, limit: f64) -> f64 {
        limit.clamp(f64::from(self.settings.min), f64::from(self.settings.max))
    }
}

impl Fall {
    fn new(from: f64, mean: Mean) -> Fall {
        Fall {
            from,
            took: mean.took,
            ended: false,
        }
    }
}

impl Answers {
    fn add(&mut self, took: Duration) {
        let took = (took.as_secs_f64() * 1e6).max(1.0).log2();
        self.count = self.count.saturating_add(1);
        self.sum += took;
        self.squares += took * took;
    }

    fn mean(&self) -> Mean {
        let count = f64::from(self.count.max(1));
        let took = self.sum / count;
        let variance = (self.squares / count - took * took).max(0.0);
        Mean {
            took,
            chance: 2.0 * (variance / count).sqrt(),
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates, which is what is wanted"
)]
fn rounded(number: f64) -> u32 {
    number.round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_in_progress_than_the_limit_says() {
        let limiter = Limiter::new(Settings { min: 3, max: 1 });
        assert_eq!(limiter.settings(), Settings { min: 3, max: 3 });
        let permits: Vec<_> = std::iter::from_fn(|| limiter.try_acquire()).collect();
        assert_eq!((permits.len(), limiter.in_progress()), (3, 3));
        drop(permits);
        assert_eq!(limiter.in_progress(), 0);
        let permit = limiter.try_acquire().expect("there is room again");
        permit.answered(Duration::from_millis(1), Moment::from_micros(5));
        assert_eq!(limiter.in_progress(), 0);
    }

    #[test]
    fn odd_durations_do_no_harm() {
        let limiter = Limiter::new(Settings { min: 1, max: 100 });
        for turn in 0..2000 {
            let took = [Duration::ZERO, Duration::MAX, Duration::from_nanos(1)][turn % 3];
            let now = Moment::from_micros(turn as u64 * 1_000_000);
            limiter
                .try_acquire()
                .expect("nothing is in progress")
                .answered(took, now);
        }
        assert!((1..=100).contains(&limiter.limit()));
    }
}
