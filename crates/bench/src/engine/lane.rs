//! A lane: one request after another, for as long as there are any.

use std::rc::Rc;
use std::time::Instant;

use crate::engine::job::Job;
use crate::engine::line::Line;
use crate::engine::seats::Interrupt;
use crate::engine::tally::Ended;
use crate::engine::worker::Worker;
use crate::flow::{Flow, Iteration};
use crate::outcome::{Failed, Failure};
use crate::plan::Plan;

/// How an attempt ended.
struct Outcome {
    /// When the request was sent, where it was.
    sent: Option<Instant>,
    /// The status and the bytes of content, where there was an answer.
    answer: Option<(u16, u64)>,
    /// Why it failed; nothing where all was well.
    failed: Option<Failed>,
}

/// Serves as a lane until the thread ends.
pub(super) async fn serve<L: Line>(worker: Rc<Worker>, lane: u32, mut line: L) {
    let _mourner = worker.mourner();
    let plan = worker.plan.clone();
    loop {
        let (mut job, mut now) = worker.job(lane).await;
        loop {
            let mut iteration = iteration(&plan, &mut job);
            let Ok(outcome) = attempt(&worker, lane, &mut line, &plan.flows, &job, &mut iteration, now).await else {
                worker.give_up(lane, &job);
                break;
            };
            now = Instant::now();
            let ended = Ended {
                at: now,
                sent: outcome.sent,
                answer: outcome.answer,
                failed: outcome.failed.as_ref(),
            };
            match worker.end(lane, job, iteration, &ended) {
                Some(next) => job = next,
                None => break,
            }
        }
    }
}

fn iteration(plan: &Plan, job: &mut Job) -> Iteration {
    match job.iteration.take() {
        Some(begun) => *begun,
        None => Iteration::new(plan.seed, job.number),
    }
}

/// Why there is no outcome: the run was stopped.
struct Stopped;

async fn attempt<L: Line>(
    worker: &Worker,
    lane: u32,
    line: &mut L,
    flows: &[Flow],
    job: &Job,
    iteration: &mut Iteration,
    began: Instant,
) -> Result<Outcome, Stopped> {
    let step = &flows[job.flow].steps[job.step];
    let ready = match step.request(iteration) {
        Ok(ready) => ready,
        Err(unfit) => return Ok(Outcome::failed(None, Failed::new(Failure::Check, unfit.0))),
    };
    let exchange = line.exchange(ready.request(), step.wants(), began);
    let answer = match worker.seats.within(lane, exchange).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(failed)) => return Ok(Outcome::failed(Some(began), failed)),
        Err(Interrupt::Timeout) => {
            let failed = Failed::new(Failure::Timeout, "no answer in time");
            return Ok(Outcome::failed(Some(began), failed));
        }
        Err(Interrupt::Stop) => return Err(Stopped),
    };
    let failed = if step.expect.status(answer.status) {
        let judged = step.judge(&answer, iteration);
        judged.err().map(|check| Failed::new(Failure::Check, check))
    } else {
        Some(Failed::new(Failure::Status, answer.status.to_string()))
    };
    Ok(Outcome {
        sent: Some(answer.sent),
        answer: Some((answer.status, answer.length)),
        failed,
    })
}

impl Outcome {
    fn failed(sent: Option<Instant>, failed: Failed) -> Outcome {
        Outcome {
            sent,
            answer: None,
            failed: Some(failed),
        }
    }
}
