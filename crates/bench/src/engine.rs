//! Runs phases: threads with an event loop each, which start what is due and count what becomes of it.

mod collecting;
mod line;
mod pacer;
mod schedule;
mod thread;
mod worker;

mod alarm;
mod busy;
mod deadlines;
mod dialer;
mod event_loop;
mod failing;
mod job;
mod lane;
mod running;
mod seats;
mod tally;

mod http1;
mod http2;
mod http3;
mod multiplexed;

#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use crate::engine::collecting::Collecting;
use crate::engine::schedule::Share;
use crate::engine::thread::{Command, Thread};
use crate::flow::Flow;
use crate::load::{Load, Phase};
use crate::measured::{Measured, Second};
use crate::plan::Plan;

/// How often it is looked at how a run is doing.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long after the threads were told of it a run begins, so that none is late.
const LEAD: Duration = Duration::from_millis(2);

/// How many reports may lie about before the threads keep what they count to themselves for a while; for each thread.
const REPORTS: usize = 4;

/// The most requests that may be in progress or users that may be present, over all threads: so many are told apart in memory.
const MOST_LANES: usize = 1_000_000;

/// The highest rate, in flows a second. No machine that this runs on comes near it.
const HIGHEST_RATE: f64 = 1e8;

/// Threads that are ready to load a target, with connections that are kept between runs.
pub struct Engine {
    plan: Arc<Plan>,
    threads: Vec<Thread>,
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
    /// When the plan has no flow, a flow no step, or a step no route; when the system has no threads or descriptors left for it.
    /// A target that can't be reached is what a run finds.
    pub fn start(plan: Plan) -> Result<Engine, Fault> {
        check(&plan)?;
        let plan = Arc::new(plan);
        // A thread without a connection would have nothing to do.
        let of = plan.threads.min(plan.connections).max(1);
        let mut engine = Engine {
            plan,
            threads: Vec::with_capacity(of),
        };
        let (opened, ready) = sync_channel(of);
        for number in 0..of {
            let share = Share { number, of };
            let thread = Thread::start(&engine.plan, share, opened.clone())
                .map_err(|error| Fault(format!("no thread could be started: {error}")))?;
            engine.threads.push(thread);
        }
        drop(opened);
        for _ in 0..of {
            ready.recv().map_err(|_| died())?;
        }
        Ok(engine)
    }

    /// Runs phases one after another, without a pause between them, and waits for the last answers: for as long as a request may
    /// take, beyond the end of the last phase. Flows that have begun are finished in that time; what waits or is in progress at its
    /// end has failed.
    ///
    /// # Errors
    /// When a script is not in order or has flows that don't exist, a rate is no number or there are too many users, and when a
    /// thread has died.
    pub fn run(&mut self, phases: &[Phase], watch: &mut dyn Watch) -> Result<Measured, Fault> {
        for phase in phases {
            check_phase(phase, self.plan.flows.len())?;
        }
        let (reports, inbox) = sync_channel(REPORTS * self.threads.len());
        let start = Instant::now() + LEAD;
        let shared: Arc<[Phase]> = phases.into();
        for thread in &self.threads {
            thread.tell(Command::Run {
                start,
                phases: shared.clone(),
                reports: reports.clone(),
            });
        }
        drop(reports);
        let mut collecting = Collecting::new(phases, &self.plan.routes, self.threads.len(), start);
        let mut next_look = start + LOOK_EVERY;
        while !collecting.is_done() {
            match inbox.recv_timeout(next_look.saturating_duration_since(Instant::now())) {
                Ok(report) => collecting.take(report),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(died()),
            }
            let now = Instant::now();
            if now < next_look {
                continue;
            }
            // Whoever looks may take long.
            next_look = (next_look + LOOK_EVERY).max(now);
            if self.threads.iter().any(Thread::has_ended) {
                return Err(died());
            }
            if !collecting.is_stopped() && watch.look(&collecting.progress(now)).is_break() {
                collecting.stop(now);
                self.threads.iter().for_each(|thread| thread.tell(Command::Stop));
            }
        }
        Ok(collecting.finish(Instant::now()))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for thread in self.threads.drain(..) {
            thread.end();
        }
    }
}

fn check(plan: &Plan) -> Result<(), Fault> {
    let is_fit = |flow: &Flow| !flow.steps.is_empty() && flow.steps.iter().all(|step| step.route < plan.routes.len());
    if plan.flows.is_empty() {
        return Err(Fault("there is no flow to start".to_owned()));
    }
    if plan.connections.saturating_mul(plan.streams) > MOST_LANES {
        return Err(Fault(format!("no more than {MOST_LANES} requests can be in progress")));
    }
    match plan.flows.iter().find(|flow| !is_fit(flow)) {
        Some(flow) => Err(Fault(format!(
            "the flow `{}` has no step, or one of no route",
            flow.name
        ))),
        None => Ok(()),
    }
}

fn check_phase(phase: &Phase, flows: usize) -> Result<(), Fault> {
    let is_rate = |rate: f64| (0.0..=HIGHEST_RATE).contains(&rate);
    let script = match &phase.load {
        Load::Rate { from, to } if is_rate(*from) && is_rate(*to) => return Ok(()),
        Load::Users(users) if *users <= MOST_LANES => return Ok(()),
        Load::Rate { .. } => return Err(Fault(format!("the rate of `{}` is none that can be kept", phase.name))),
        Load::Users(_) => return Err(Fault(format!("there can't be more than {MOST_LANES} users"))),
        Load::Script(script) => script,
    };
    if !script.is_sorted_by_key(|planned| planned.after) {
        return Err(Fault(format!("the script of `{}` is not in order", phase.name)));
    }
    if script.iter().any(|planned| planned.flow as usize >= flows) {
        return Err(Fault(format!(
            "the script of `{}` has a flow that does not exist",
            phase.name
        )));
    }
    Ok(())
}

fn died() -> Fault {
    Fault("a thread that generates load has died".to_owned())
}
