//! Runs phases: threads with an event loop each, which start what is due and count what becomes of it.

use std::fmt;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::load::Phase;
use crate::measured::{Measured, Second};
use crate::plan::Plan;

/// Threads that are ready to load a target, with connections that are kept between runs.
pub struct Engine {
    _plan: Plan,
}

/// Why a run can't begin or go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

/// How a run is doing.
#[derive(Debug)]
pub struct Progress<'r> {
    /// The phases that are run.
    pub phases: &'r [Phase],
    /// Which of them it is, by its place.
    pub phase: usize,
    /// How long the run has gone on. Beyond the phases it waits for the last answers.
    pub elapsed: Duration,
    /// Requests that were sent and have no answer yet.
    pub in_progress: u64,
    /// Arrivals that wait for a connection.
    pub waiting: u64,
    /// The seconds that are over.
    pub seconds: &'r [Second],
    /// All that has ended so far.
    pub so_far: &'r Measured,
}

/// Who looks on. Called about four times a second on the thread that called [`Engine::run`].
pub trait Watch {
    /// Sees how it is going, and may end the run: what was measured so far is its result then.
    fn look(&mut self, progress: &Progress<'_>) -> ControlFlow<()>;
}

/// Nobody looks on.
impl Watch for () {
    fn look(&mut self, _progress: &Progress<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl Engine {
    /// Starts the threads and opens the connections of a plan.
    ///
    /// # Errors
    /// When the system has no threads or descriptors left for it. A target that can't be reached is what a run finds.
    pub fn start(plan: Plan) -> Result<Engine, Fault> {
        Ok(Engine { _plan: plan })
    }

    /// Runs phases one after another, without a pause between them, and waits for the last answers.
    ///
    /// # Errors
    /// When a thread has died.
    pub fn run(&mut self, _phases: &[Phase], _watch: &mut dyn Watch) -> Result<Measured, Fault> {
        Err(Fault("nothing runs yet".to_owned()))
    }
}
