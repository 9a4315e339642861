//! Whether a new version goes on, waits or is taken back.
//!
//! A roll-out moves requests from an old version to a new one in steps. Somebody counts what both answer, as totals that
//! only grow, and shows them to [`Rollout::look`] as often as they like: a new version that is worse is taken back at the
//! look that shows it, and one that isn't goes on at the end of the step.
//!
//! What "worse" means is in [`evidence`]. The tests there stay sound however often one looks, and together they take back a new
//! version that is as good as the old one in less than one of a hundred roll-outs.

pub mod evidence;
pub mod seen;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use self::evidence::{Evidence, Reason};
use self::seen::{Pair, Seen, Share};
use crate::Moment;

/// All requests, in the unit of weights: the new version gets `weight` of so many.
pub const WHOLE: u32 = 10_000;

/// After so many times the length of a step, one that still lacks requests says so.
const PATIENCE: u32 = 3;

/// What a roll-out is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The weights of the new version, of [`WHOLE`], one after the other: rising, the last one the whole.
    pub steps: Vec<u32>,
    /// How long each step but the last takes at the least.
    pub every: Duration,
    /// What the new version is judged by.
    pub judge: Judge,
}

/// What a new version is judged by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judge {
    /// By how much its share of failures may be above that of the old one: 0.01 for one of a hundred requests.
    pub errors: f64,
    /// How many times the latency of the old one it may take, by the 95th percentile.
    pub latency: f64,
    /// Requests that it must have answered in a step for the step to be good, and before its latency is judged.
    pub min_requests: u64,
}

/// A roll-out under way.
#[derive(Clone, Debug)]
pub struct Rollout {
    plan: Plan,
    standing: Standing,
    /// When the step began.
    since: Moment,
    /// What had been counted when the roll-out began, when the step began, and at the last look.
    at_first: Pair<Seen>,
    at_step: Pair<Seen>,
    at_look: Pair<Seen>,
    evidence: Evidence,
    said_waiting: bool,
}

/// How far a roll-out is. With its plan, this is all that has to outlive a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What becomes of it.
    pub phase: Phase,
    /// Which step it is at, from 0.
    pub step: usize,
}

/// What becomes of a roll-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It goes on by itself.
    Running,
    /// An operator holds it where it is. It is still taken back when it turns out to be bad.
    Paused,
    /// The old version gets all requests, until an operator resumes.
    RolledBack,
    /// The new version gets all requests.
    Completed,
}

/// What an operator can do with a roll-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Hold it where it is.
    Pause,
    /// Let it go on; after it was taken back, from the first step.
    Resume,
    /// Take it back.
    Abort,
    /// Give the new version all requests.
    Promote,
}

/// Something was decided, and by which numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What.
    pub outcome: Outcome,
    /// How many requests of [`WHOLE`] the new version gets from now on.
    pub weight: u32,
    /// What both versions answered in the step that was judged.
    pub window: Pair<Share>,
    /// How long that step had lasted.
    pub lasted: Duration,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// The step was good, and the next one begins.
    Advanced,
    /// The last step is reached.
    Completed,
    /// The new version is worse.
    RolledBack(Reason),
    /// The step is over and the new version has answered too few requests: so many are wanted. It goes on waiting.
    Waiting(u64),
    /// An operator said so.
    Commanded(Command),
}

impl Phase {
    /// All of them.
    pub const ALL: [Phase; 4] = [Phase::Running, Phase::Paused, Phase::RolledBack, Phase::Completed];

    /// The word for it in documents and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Running => "running",
            Phase::Paused => "paused",
            Phase::RolledBack => "rolled_back",
            Phase::Completed => "completed",
        }
    }
}

impl Command {
    /// All of them.
    pub const ALL: [Command; 4] = [Command::Pause, Command::Resume, Command::Abort, Command::Promote];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Command::Pause => "pause",
            Command::Resume => "resume",
            Command::Abort => "abort",
            Command::Promote => "promote",
        }
    }
}

impl Rollout {
    /// One that begins at its first step. Nothing has been counted yet.
    ///
    /// # Panics
    /// When the plan has no steps.
    pub fn new(plan: Plan, now: Moment) -> Rollout {
        let first = Standing {
            phase: Phase::Running,
            step: 0,
        };
        Rollout::resumed(plan, first, Pair::default(), now)
    }

    /// One that had come so far in another process. The step that it is at begins anew, since what was counted there is
    /// not known here; `seen` is what has been counted here so far.
    ///
    /// # Panics
    /// When the plan has no steps.
    pub fn resumed(plan: Plan, standing: Standing, seen: Pair<Seen>, now: Moment) -> Rollout {
        assert!(!plan.steps.is_empty(), "a plan has at least one step");
        let step = standing.step.min(plan.steps.len() - 1);
        Rollout {
            evidence: Evidence::new(plan.judge, plan.steps.len()),
            standing: Standing { step, ..standing },
            since: now,
            at_first: seen.clone(),
            at_step: seen.clone(),
            at_look: seen,
            said_waiting: false,
            plan,
        }
    }

    /// What it is to do.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How far it is.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// How many requests of [`WHOLE`] the new version gets.
    pub fn weight(&self) -> u32 {
        match self.standing.phase {
            Phase::Running | Phase::Paused => self.plan.steps[self.standing.step],
            Phase::RolledBack => 0,
            Phase::Completed => WHOLE,
        }
    }

    /// What both versions answered in this step, and for how long it has lasted.
    pub fn window(&self, seen: &Pair<Seen>, now: Moment) -> (Pair<Share>, Duration) {
        let window = seen.since(&self.at_step);
        (window.map(Seen::share), now.since(self.since))
    }

    /// Looks at what has been counted so far, and decides. `None` when everything stays as it is.
    pub fn look(&mut self, seen: Pair<Seen>, now: Moment) -> Option<Decision> {
        let fresh = seen.since(&self.at_look);
        let window = seen.since(&self.at_step);
        let before = self.at_step.old.since(&self.at_first.old);
        self.at_look = seen;
        if !matches!(self.standing.phase, Phase::Running | Phase::Paused) {
            return None;
        }
        if let Some(reason) = self.evidence.weigh(&fresh, &window, &before) {
            return Some(self.turn(Phase::RolledBack, Outcome::RolledBack(reason), now));
        }
        let lasted = now.since(self.since);
        if self.standing.phase == Phase::Paused || lasted < self.plan.every {
            return None;
        }
        let wanted = self.plan.judge.min_requests;
        if window.new.requests() < wanted {
            let patience = self.plan.every.saturating_mul(PATIENCE);
            if self.said_waiting || lasted < patience {
                return None;
            }
            self.said_waiting = true;
            return Some(self.decision(Outcome::Waiting(wanted), now));
        }
        Some(self.advance(now))
    }

    /// Does what an operator says.
    ///
    /// # Errors
    /// When that makes no sense in the phase that it is in.
    pub fn command(&mut self, command: Command, seen: Pair<Seen>, now: Moment) -> Result<Decision, NotNow> {
        self.at_look = seen;
        let phase = self.standing.phase;
        let next = match (command, phase) {
            (Command::Pause, Phase::Running) => Phase::Paused,
            (Command::Resume, Phase::Paused) => Phase::Running,
            (Command::Resume, Phase::RolledBack) => {
                self.standing.step = 0;
                self.at_first = self.at_look.clone();
                Phase::Running
            }
            (Command::Abort, Phase::Running | Phase::Paused | Phase::Completed) => Phase::RolledBack,
            (Command::Promote, Phase::Running | Phase::Paused | Phase::RolledBack) => Phase::Completed,
            _ => return Err(NotNow { command, phase }),
        };
        Ok(self.turn(next, Outcome::Commanded(command), now))
    }

    fn advance(&mut self, now: Moment) -> Decision {
        let next = self.standing.step + 1;
        let last = self.plan.steps.len() - 1;
        if next >= last {
            return self.turn(Phase::Completed, Outcome::Completed, now);
        }
        let mut decision = self.decision(Outcome::Advanced, now);
        self.standing.step = next;
        decision.weight = self.weight();
        self.begin_step(now);
        decision
    }

    fn turn(&mut self, phase: Phase, outcome: Outcome, now: Moment) -> Decision {
        let mut decision = self.decision(outcome, now);
        if phase == Phase::Completed {
            self.standing.step = self.plan.steps.len() - 1;
        }
        self.standing.phase = phase;
        decision.weight = self.weight();
        if phase != Phase::Paused {
            self.begin_step(now);
        }
        decision
    }

    fn begin_step(&mut self, now: Moment) {
        self.since = now;
        self.at_step = self.at_look.clone();
        self.evidence = Evidence::new(self.plan.judge, self.plan.steps.len());
        self.said_waiting = false;
    }

    fn decision(&self, outcome: Outcome, now: Moment) -> Decision {
        let (window, lasted) = self.window(&self.at_look, now);
        Decision {
            outcome,
            weight: self.weight(),
            window,
            lasted,
        }
    }
}

/// A command makes no sense in this phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotNow {
    /// What was commanded.
    pub command: Command,
    /// What has become of the roll-out.
    pub phase: Phase,
}

impl fmt::Display for NotNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (command, phase) = (self.command.as_str(), self.phase.as_str());
        write!(f, "{command} changes nothing: the roll-out is {phase}")
    }
}

impl std::error::Error for NotNow {}
