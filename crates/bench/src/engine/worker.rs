//! What the lanes of one thread share, and the pacer that leads them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::engine::deadlines::Deadlines;
use crate::engine::job::Job;
use crate::engine::running::Running;
use crate::engine::seats::Seats;
use crate::engine::tally::Ended;
use crate::flow::Iteration;
use crate::plan::Plan;

/// One thread's lanes and its part of the run.
pub(super) struct Worker {
    pub(super) plan: Arc<Plan>,
    pub(super) seats: Seats,
    pub(super) state: RefCell<State>,
    /// The pacer's task, to be woken when something happens that it doesn't wait for.
    pacer: RefCell<Option<Waker>>,
    broken: Cell<bool>,
}

/// What changes.
pub(super) struct State {
    pub(super) in_progress: Deadlines,
    pub(super) running: Option<Running>,
}

/// Says that a lane's task has died of a panic.
pub(super) struct Mourner(Rc<Worker>);

impl Drop for Mourner {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.set(true);
            self.0.call_pacer();
        }
    }
}

impl Worker {
    /// A thread with so many lanes, none of which is there yet.
    pub(super) fn new(plan: Arc<Plan>, lanes: usize) -> Rc<Worker> {
        Rc::new(Worker {
            plan,
            seats: Seats::new(lanes),
            state: RefCell::new(State {
                in_progress: Deadlines::new(lanes),
                running: None,
            }),
            pacer: RefCell::default(),
            broken: Cell::new(false),
        })
    }

    /// Has to be held by a lane.
    pub(super) fn mourner(self: &Rc<Worker>) -> Mourner {
        Mourner(self.clone())
    }

    /// Whether a lane has died.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// Waits until there is something for a lane to do. It has begun with it then.
    pub(super) async fn job(&self, lane: u32) -> (Job, Instant) {
        std::future::poll_fn(|context| self.poll_job(lane, context)).await
    }

    fn poll_job(&self, lane: u32, context: &mut Context<'_>) -> Poll<(Job, Instant)> {
        let mut state = self.state.borrow_mut();
        let now = Instant::now();
        match state.running.as_mut().and_then(|running| running.claimed(now)) {
            Some(job) => {
                self.seats.calm(lane);
                state.in_progress.begin(lane, now);
                Poll::Ready((job, now))
            }
            None => {
                self.seats.rest(lane, context.waker());
                Poll::Pending
            }
        }
    }

    /// A lane's request has ended. What it has to do next, with which it has begun; nothing when it may rest.
    pub(super) fn end(&self, lane: u32, job: Job, iteration: Iteration, ended: &Ended<'_>) -> Option<Job> {
        let mut state = self.state.borrow_mut();
        let State { in_progress, running } = &mut *state;
        in_progress.end(lane);
        let running = running.as_mut()?;
        let next = running.end(job, iteration, ended, &self.seats);
        if next.is_some() {
            self.seats.calm(lane);
            in_progress.begin(lane, ended.at);
        }
        if running.take_sooner() || (in_progress.count() == 0 && running.is_done()) {
            self.call_pacer();
        }
        next
    }

    /// A lane has given its request up because the run was stopped.
    pub(super) fn give_up(&self, lane: u32, job: &Job) {
        let mut state = self.state.borrow_mut();
        let State { in_progress, running } = &mut *state;
        in_progress.end(lane);
        if let Some(running) = running {
            running.forget(job);
        }
        if in_progress.count() == 0 {
            self.call_pacer();
        }
    }

    /// Which task is to be woken for the pacer.
    pub(super) fn set_pacer(&self, waker: &Waker) {
        let mut pacer = self.pacer.borrow_mut();
        if pacer.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *pacer = Some(waker.clone());
        }
    }

    fn call_pacer(&self) {
        if let Some(waker) = &*self.pacer.borrow() {
            waker.wake_by_ref();
        }
    }
}
