//! How much is asked, and when.

use std::sync::Arc;
use std::time::Duration;

/// A stretch of time with one load.
#[derive(Clone, Debug)]
pub struct Phase {
    /// Its name in reports: `warm-up`, `base`, `peak`.
    pub name: String,
    /// How long arrivals go on.
    pub duration: Duration,
    /// What arrives.
    pub load: Load,
    /// Whether objectives are judged by it. Warming up and cooling down don't count.
    pub counts: bool,
}

/// What arrives during a phase.
#[derive(Clone, Debug)]
pub enum Load {
    /// The open model: flows start at times that are fixed before, whatever became of earlier ones. The rate, in flows a second,
    /// goes evenly from one to the other.
    Rate {
        /// At the start of the phase.
        from: f64,
        /// At its end.
        to: f64,
    },
    /// The closed model: so many users, each of whom starts a flow when the one before has ended. A target that stands still gets
    /// no requests meanwhile, and so hides that it did.
    Users(usize),
    /// Flows at given times.
    Script(Arc<[Planned]>),
}

/// One arrival of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When, from the start of the phase.
    pub after: Duration,
    /// Which of the plan's flows.
    pub flow: u32,
}

/// How arrivals of a rate lie in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spacing {
    /// Evenly.
    #[default]
    Uniform,
    /// By chance, as those of many clients who don't know of each other (a Poisson process).
    Poisson,
}
