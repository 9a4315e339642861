//! One step of a flow that is to be done.

use std::cmp::Ordering;
use std::time::Instant;

use crate::engine::tally::Counted;
use crate::flow::{Flow, Iteration};

/// A request whose time has come or will come.
#[derive(Debug)]
pub(super) struct Job {
    /// The place of the flow.
    pub(super) flow: usize,
    /// The place of the step.
    pub(super) step: usize,
    /// When it is due.
    pub(super) due: Instant,
    /// In which phase that is.
    pub(super) phase: usize,
    /// The number of the arrival.
    pub(super) number: u64,
    /// Whose it is.
    pub(super) origin: Origin,
    /// What earlier steps have gathered; nothing before the first.
    pub(super) iteration: Option<Box<Iteration>>,
}

/// Why a flow was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It arrived.
    Arrival,
    /// A user goes on.
    User,
}

impl Job {
    /// What it is counted as.
    pub(super) fn counted(&self, flows: &[Flow]) -> Counted {
        Counted {
            due: self.due,
            phase: self.phase,
            route: flows[self.flow].steps[self.step].route,
        }
    }
}

/// A job that isn't due yet. In a heap, the first that is due comes out first.
#[derive(Debug)]
pub(super) struct Thinking(pub(super) Job);

impl Ord for Thinking {
    fn cmp(&self, other: &Thinking) -> Ordering {
        other.0.due.cmp(&self.0.due)
    }
}

impl PartialOrd for Thinking {
    fn partial_cmp(&self, other: &Thinking) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Thinking {
    fn eq(&self, other: &Thinking) -> bool {
        self.0.due == other.0.due
    }
}

impl Eq for Thinking {}
