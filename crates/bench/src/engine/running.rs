//! One thread's part of a run: what is due is begun, or waits.

use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::busy::Busy;
use crate::engine::job::{Job, Origin, Thinking};
use crate::engine::schedule::{Arrival, Due, Schedule, Share};
use crate::engine::seats::Seats;
use crate::engine::tally::{Delta, Ended, Tally};
use crate::flow::{Flow, Iteration, Think};
use crate::load::Phase;
use crate::outcome::Failure;
use crate::plan::Plan;

/// The most flows of one thread that think at a time; those beyond end early, which is counted.
const MOST_THINKING: usize = 1_000_000;

/// How long a user waits after no connection could be made. Nobody tries that as often as a processor can.
const AFTER_NO_CONNECTION: Duration = Duration::from_millis(100);

/// An arrival that is taken up later than this, and then finds no room, was lost by the generator.
const LATE: Duration = Duration::from_millis(10);

/// A run that goes on.
pub(super) struct Running {
    plan: Arc<Plan>,
    share: Share,
    schedule: Schedule,
    tally: Tally,
    busy: Busy,
    chooser: Chooser,
    /// Jobs for each of which a lane was woken.
    claimed: VecDeque<Job>,
    /// Jobs that wait for a lane.
    backlog: VecDeque<Job>,
    room: usize,
    thinking: BinaryHeap<Thinking>,
    users: Users,
    over: Option<Instant>,
    /// Whether something is due earlier than was known before.
    sooner: bool,
}

#[derive(Default)]
struct Users {
    present: usize,
    wanted: usize,
    /// How many flows they have started.
    started: u64,
}

/// Chooses flows by their weights.
struct Chooser {
    seed: u64,
    /// Of each flow, the weights up to and with it.
    sums: Vec<f64>,
}

impl Running {
    /// A thread's part of phases that begin at `start`.
    pub(super) fn new(plan: &Arc<Plan>, share: Share, start: Instant, phases: Arc<[Phase]>) -> Running {
        Running {
            share,
            tally: Tally::new(start, &phases, plan.routes.len()),
            busy: Busy::new(&phases),
            schedule: Schedule::new(start, phases, share, plan.spacing, plan.seed),
            chooser: Chooser::new(&plan.flows, plan.seed),
            claimed: VecDeque::new(),
            backlog: VecDeque::new(),
            room: share.of_many(plan.backlog),
            thinking: BinaryHeap::new(),
            users: Users::default(),
            over: None,
            sooner: false,
            plan: plan.clone(),
        }
    }

    /// Takes up all that is due by now: lanes that rest are woken for it, or it waits.
    pub(super) fn take_up(&mut self, now: Instant, seats: &Seats) {
        while let Some(due) = self.schedule.take(now) {
            match due {
                Due::Phase { number, users, .. } => {
                    self.busy.phase(number, now);
                    self.users.wanted = users;
                    while self.users.present < users {
                        self.users.present += 1;
                        let job = self.of_user(now);
                        self.place(job, now, seats);
                    }
                }
                Due::Arrival(arrival) => {
                    self.tally.arrival(arrival.phase);
                    let job = self.of_arrival(arrival);
                    self.place(job, now, seats);
                }
                Due::Over => {
                    self.busy.over(now);
                    self.users.wanted = 0;
                    self.over = Some(now);
                }
            }
        }
        while self.thinking.peek().is_some_and(|job| job.0.due <= now) {
            if let Some(Thinking(job)) = self.thinking.pop() {
                self.resume(job, now, seats);
            }
        }
    }

    /// A job for a lane that was woken.
    pub(super) fn claimed(&mut self, now: Instant) -> Option<Job> {
        let job = self.claimed.pop_front()?;
        if job.origin == Origin::Arrival && job.step == 0 {
            // A lane was free: all that it waited, it waited for the generator.
            self.tally.lag(now.saturating_duration_since(job.due));
        }
        Some(job)
    }

    /// A request has ended: counts it, and finds what its lane does next.
    pub(super) fn end(&mut self, job: Job, iteration: Iteration, ended: &Ended<'_>, seats: &Seats) -> Option<Job> {
        let now = ended.at;
        self.tally.end(job.counted(&self.plan.flows), ended);
        let next = match ended.failed {
            None if job.step + 1 < self.plan.flows[job.flow].steps.len() => self.next_step(job, iteration, now),
            failed => self.end_of_flow(&job, failed.map(|failed| failed.kind), now),
        };
        self.take_up(now, seats);
        match next {
            // A user's next flow is no better than what waits already.
            Some(next) if next.step == 0 && !self.backlog.is_empty() => {
                self.backlog.push_back(next);
                self.backlog.pop_front()
            }
            Some(next) => Some(next),
            None => self.backlog.pop_front(),
        }
    }

    /// A request was given up because the run was ended.
    pub(super) fn forget(&mut self, job: &Job) {
        self.tally.forget(job.counted(&self.plan.flows));
    }

    /// Ends it at once: nothing more is begun.
    pub(super) fn stop(&mut self, now: Instant) {
        for job in self.claimed.drain(..).chain(self.backlog.drain(..)) {
            self.tally.forget(job.counted(&self.plan.flows));
        }
        self.thinking.clear();
        self.users.wanted = 0;
        self.schedule.stop();
        self.busy.over(now);
        self.over.get_or_insert(now);
    }

    /// Gives up what still waits after the last phase.
    pub(super) fn give_up(&mut self, now: Instant) {
        for job in self.claimed.drain(..).chain(self.backlog.drain(..)) {
            let counted = job.counted(&self.plan.flows);
            self.tally.missed_after_all(counted, now, "the run was over");
        }
        self.thinking.clear();
    }

    /// When the last phase ended, once it has.
    pub(super) fn over(&self) -> Option<Instant> {
        self.over
    }

    /// Whether nothing more is to be begun.
    pub(super) fn is_done(&self) -> bool {
        self.over.is_some() && self.claimed.is_empty() && self.backlog.is_empty() && self.thinking.is_empty()
    }

    /// The next moment at which something will be due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let thinking = self.thinking.peek().map(|job| job.0.due);
        match (self.schedule.next_at(), thinking) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Whether something has become due earlier than what was; asked once.
    pub(super) fn take_sooner(&mut self) -> bool {
        std::mem::take(&mut self.sooner)
    }

    /// How many arrivals wait for a lane.
    pub(super) fn waiting(&self) -> usize {
        self.backlog.len()
    }

    /// What was counted since the last time.
    pub(super) fn take(&mut self, now: Instant) -> Delta {
        self.tally.take(now)
    }

    /// Remembers how many arrivals wait.
    pub(super) fn note_waiting(&mut self, now: Instant) {
        self.tally.waiting(now, self.backlog.len());
    }

    /// How busy the thread was.
    pub(super) fn busy(&self) -> &Busy {
        &self.busy
    }

    /// A job that is due goes to the lane that has rested longest, or waits where there is none.
    fn place(&mut self, job: Job, now: Instant, seats: &Seats) {
        let counted = job.counted(&self.plan.flows);
        if seats.wake_one() {
            self.tally.begin(counted);
            self.claimed.push_back(job);
            return;
        }
        let is_arrival = job.origin == Origin::Arrival;
        let late = now.saturating_duration_since(job.due);
        if is_arrival && job.step == 0 {
            self.tally.lag(late);
        }
        // There are only so many users, and each has one job.
        if !is_arrival || self.backlog.len() < self.room {
            self.tally.begin(counted);
            self.backlog.push_back(job);
            return;
        }
        self.tally
            .miss(counted, now, self.plan.timeout, "too many wait for a connection");
        if late > LATE {
            self.tally.missed();
        }
    }

    fn of_arrival(&self, arrival: Arrival) -> Job {
        Job {
            flow: arrival.flow.unwrap_or_else(|| self.chooser.choose(arrival.number)),
            step: 0,
            due: arrival.due,
            phase: arrival.phase,
            number: arrival.number,
            origin: Origin::Arrival,
            iteration: None,
        }
    }

    fn of_user(&mut self, due: Instant) -> Job {
        // The numbers of all threads together are those of all flows.
        let number = self.users.started * self.share.of as u64 + self.share.number as u64;
        self.users.started += 1;
        Job {
            flow: self.chooser.choose(number),
            step: 0,
            due,
            phase: self.tally.phase_of(due),
            number,
            origin: Origin::User,
            iteration: None,
        }
    }

    /// The step after a job's: at once in the same lane, or after thinking.
    fn next_step(&mut self, mut job: Job, iteration: Iteration, now: Instant) -> Option<Job> {
        let think = self.plan.flows[job.flow].steps[job.step].think;
        job.step += 1;
        job.iteration = Some(Box::new(iteration));
        match think {
            None => {
                job.due = now;
                job.phase = self.tally.phase_of(now);
                self.tally.begin(job.counted(&self.plan.flows));
                Some(job)
            }
            Some(think) => {
                self.think(job, think, now);
                None
            }
        }
    }

    /// What the lane does after a flow: the user's next one, if it was a user's and that doesn't have to wait.
    fn end_of_flow(&mut self, job: &Job, failed: Option<Failure>, now: Instant) -> Option<Job> {
        if job.origin == Origin::Arrival {
            return None;
        }
        if self.users.present > self.users.wanted {
            self.users.present -= 1;
            return None;
        }
        let think = match failed {
            Some(Failure::Connect | Failure::Tls) => Some(Think {
                least: AFTER_NO_CONNECTION,
                most: AFTER_NO_CONNECTION,
            }),
            _ => self.plan.flows[job.flow].steps[job.step].think,
        };
        let next = self.of_user(now);
        if let Some(think) = think {
            self.think(next, think, now);
            return None;
        }
        self.tally.begin(next.counted(&self.plan.flows));
        Some(next)
    }

    fn think(&mut self, mut job: Job, think: Think, now: Instant) {
        job.due = now + think.draw(job.number, job.step);
        if self.thinking.len() >= MOST_THINKING && job.origin == Origin::Arrival {
            let counted = job.counted(&self.plan.flows);
            self.tally.miss(counted, now, self.plan.timeout, "too many think");
            return;
        }
        self.sooner |= self.next_at().is_none_or(|next| job.due < next);
        self.thinking.push(Thinking(job));
    }

    /// A job has been thought about for long enough.
    fn resume(&mut self, mut job: Job, now: Instant, seats: &Seats) {
        if job.origin == Origin::User && job.step == 0 && self.users.present > self.users.wanted {
            self.users.present -= 1;
            return;
        }
        job.phase = self.tally.phase_of(job.due);
        self.place(job, now, seats);
    }
}

impl Chooser {
    fn new(flows: &[Flow], seed: u64) -> Chooser {
        let mut sum = 0.0;
        let sums = flows.iter().map(|flow| {
            sum += if flow.weight.is_finite() {
                flow.weight.max(0.0)
            } else {
                0.0
            };
            sum
        });
        Chooser {
            seed,
            sums: sums.collect(),
        }
    }

    /// The flow of an arrival, which follows from its number: so it is the same, whatever the number of threads.
    fn choose(&self, number: u64) -> usize {
        if self.sums.len() < 2 {
            return 0;
        }
        let whole = self.sums.last().copied().unwrap_or_default();
        let drawn = draw(self.seed, number) * whole;
        let place = self.sums.partition_point(|sum| *sum <= drawn);
        place.min(self.sums.len() - 1)
    }
}

/// A number from 0 to 1 that follows from two others.
fn draw(seed: u64, number: u64) -> f64 {
    // Neighbouring numbers must not give neighbouring draws: they are spread by the golden ratio, as SplitMix64 does.
    fastrand::Rng::with_seed(seed ^ number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)).f64()
}

impl Think {
    /// How long it is this time.
    fn draw(self, number: u64, step: usize) -> Duration {
        let more = self.most.saturating_sub(self.least);
        self.least + more.mul_f64(draw(step as u64, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_are_chosen_by_their_weights() {
        let flows: Vec<Flow> = [1.0, 0.0, 3.0]
            .map(|weight| Flow {
                name: String::new(),
                weight,
                steps: Vec::new(),
            })
            .into();
        let chooser = Chooser::new(&flows, 5);
        let mut counts = [0; 3];
        for number in 0..40_000 {
            counts[chooser.choose(number)] += 1;
        }
        // Four deviations: the square root of 40000 · ¼ · ¾ is 87.
        assert!(counts[1] == 0 && (9_650..10_350).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn thinking_takes_between_the_least_and_the_most() {
        let think = Think {
            least: Duration::from_millis(50),
            most: Duration::from_millis(200),
        };
        let drawn: Vec<_> = (0..1000).map(|number| think.draw(number, 1)).collect();
        assert!(drawn.iter().all(|time| (think.least..=think.most).contains(time)));
        assert!(drawn.iter().min() < Some(&Duration::from_millis(60)));
        assert!(drawn.iter().max() > Some(&Duration::from_millis(190)));
    }
}
