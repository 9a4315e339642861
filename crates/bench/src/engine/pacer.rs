//! Leads a thread through a run: starts what is due on time, ends what takes too long, and reports.

use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;

use crate::engine::alarm::Alarm;
use crate::engine::dialer::{Connections, Dialer};
use crate::engine::running::Running;
use crate::engine::schedule::Share;
use crate::engine::seats::Interrupt;
use crate::engine::tally::Delta;
use crate::engine::thread::Command;
use crate::engine::worker::{State, Worker};

/// How often a thread reports.
const REPORT_EVERY: Duration = Duration::from_millis(125);

/// The shortest sleep. Waking takes some microseconds, and what falls due meanwhile is taken up together, or earlier by a lane
/// that becomes free.
const SHORTEST_SLEEP: Duration = Duration::from_micros(50);

/// What a thread tells of a run.
#[derive(Debug)]
pub(super) struct Report {
    /// Which thread.
    pub(super) thread: usize,
    /// What was counted since the last report.
    pub(super) delta: Delta,
    /// Requests in progress at present.
    pub(super) in_progress: usize,
    /// Arrivals that wait at present.
    pub(super) waiting: usize,
    /// Connections since the last report.
    pub(super) connections: Connections,
    /// The share of its processor that it used in its busiest phase.
    pub(super) busy: f64,
    /// The processor time it has used for this run.
    pub(super) used: Duration,
    /// Whether that is all.
    pub(super) done: bool,
}

/// What paces one thread.
pub(super) struct Pacer {
    worker: Rc<Worker>,
    dialer: Rc<Dialer>,
    share: Share,
    alarm: Alarm,
    next_report: Instant,
    unsent: Option<Report>,
    stopped: bool,
}

/// The thread is to end.
pub(super) struct End;

impl Pacer {
    /// The pacer of a thread.
    pub(super) fn new(worker: Rc<Worker>, dialer: Rc<Dialer>, share: Share, alarm: Alarm) -> Pacer {
        Pacer {
            worker,
            dialer,
            share,
            alarm,
            next_report: Instant::now(),
            unsent: None,
            stopped: false,
        }
    }

    /// Leads through a run, to its last answer.
    ///
    /// # Errors
    /// When the thread has to end, because the engine has gone or something here has broken.
    pub(super) async fn run(
        &mut self,
        running: Running,
        inbox: &mut UnboundedReceiver<Command>,
        reports: &SyncSender<Report>,
    ) -> Result<(), End> {
        self.worker.state.borrow_mut().running = Some(running);
        self.next_report = Instant::now() + REPORT_EVERY;
        self.stopped = false;
        let led = std::future::poll_fn(|context| self.poll(inbox, reports, context)).await;
        let now = Instant::now();
        let worker = self.worker.clone();
        let mut state = worker.state.borrow_mut();
        // What nobody had room for before comes first.
        for report in [self.unsent.take(), self.report(&mut state, now, true)]
            .into_iter()
            .flatten()
        {
            // Whoever called the engine waits for this, or has gone.
            let _ = reports.send(report);
        }
        state.running = None;
        led
    }

    fn poll(
        &mut self,
        inbox: &mut UnboundedReceiver<Command>,
        reports: &SyncSender<Report>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), End>> {
        self.worker.set_pacer(context.waker());
        loop {
            if self.worker.is_broken() {
                return Poll::Ready(Err(End));
            }
            let command = inbox.poll_recv(context);
            let now = Instant::now();
            match command {
                Poll::Ready(None) => return Poll::Ready(Err(End)),
                Poll::Ready(Some(Command::Stop)) => self.stop(now),
                Poll::Ready(Some(Command::Run { .. })) | Poll::Pending => {}
            }
            let ControlFlow::Continue(wake_at) = self.turn(now, reports) else {
                return Poll::Ready(Ok(()));
            };
            match self.alarm.poll_until(wake_at.max(now + SHORTEST_SLEEP), now, context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Err(End)),
            }
        }
    }

    /// Does all that is to be done now, and says when there will be more to do; nothing when the run is over.
    fn turn(&mut self, now: Instant, reports: &SyncSender<Report>) -> ControlFlow<(), Instant> {
        let worker = self.worker.clone();
        let mut state = worker.state.borrow_mut();
        let State { in_progress, running } = &mut *state;
        let Some(running) = running else {
            return ControlFlow::Break(());
        };
        running.take_up(now, &worker.seats);
        let timeout = worker.plan.timeout;
        let last_call = running.over().map(|over| over + timeout);
        let too_late = last_call.is_some_and(|last| last <= now);
        if too_late {
            running.give_up(now);
        }
        let mut deadline = now + timeout;
        let interrupt = if self.stopped {
            Interrupt::Stop
        } else {
            Interrupt::Timeout
        };
        for (lane, began) in in_progress.all() {
            if began + timeout > now && !too_late {
                deadline = began + timeout;
                break;
            }
            worker.seats.interrupt(lane, interrupt);
        }
        if running.is_done() && in_progress.count() == 0 {
            return ControlFlow::Break(());
        }
        let mut wake_at = deadline.min(last_call.filter(|_| !too_late).unwrap_or(deadline));
        wake_at = wake_at.min(running.next_at().unwrap_or(wake_at));
        running.note_waiting(now);
        if now >= self.next_report {
            self.next_report = now + REPORT_EVERY;
            self.send(&mut state, now, reports);
        }
        ControlFlow::Continue(wake_at.min(self.next_report))
    }

    /// Ends a run early: what is in progress is given up.
    fn stop(&mut self, now: Instant) {
        let mut state = self.worker.state.borrow_mut();
        let State { in_progress, running } = &mut *state;
        if let Some(running) = running {
            running.stop(now);
        }
        for (lane, _) in in_progress.all() {
            self.worker.seats.interrupt(lane, Interrupt::Stop);
        }
        self.stopped = true;
    }

    /// Reports, unless the last report wasn't taken yet: then counting goes on until it is.
    fn send(&mut self, state: &mut State, now: Instant, reports: &SyncSender<Report>) {
        let Some(report) = self.unsent.take().or_else(|| self.report(state, now, false)) else {
            return;
        };
        if let Err(TrySendError::Full(report)) = reports.try_send(report) {
            self.unsent = Some(report);
        }
    }

    fn report(&self, state: &mut State, now: Instant, done: bool) -> Option<Report> {
        let running = state.running.as_mut()?;
        Some(Report {
            thread: self.share.number,
            delta: running.take(now),
            in_progress: state.in_progress.count(),
            waiting: running.waiting(),
            connections: self.dialer.take_counts(),
            busy: running.busy().share(),
            used: running.busy().used(),
            done,
        })
    }
}
