//! Merges what the threads of a run have counted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::engine::Progress;
use crate::engine::pacer::Report;
use crate::engine::tally::SecondDelta;
use crate::histogram::Histogram;
use crate::load::Phase;
use crate::measured::{Measured, PhaseMeasured, Second};

/// What a run has measured so far.
pub(super) struct Collecting {
    start: Instant,
    phases: Vec<Phase>,
    routes: Vec<String>,
    measured: Measured,
    threads: Vec<ThreadState>,
    /// The latencies of seconds that may still change; the first of them has the number `first`.
    open: VecDeque<Histogram>,
    first: usize,
    stopped: Option<Instant>,
}

#[derive(Clone, Copy, Default)]
struct ThreadState {
    in_progress: u64,
    waiting: u64,
    closed: usize,
    most_connections: u64,
    busy: f64,
    used: Duration,
    done: bool,
}

impl Collecting {
    /// Nothing yet of a run that begins at `start`.
    pub(super) fn new(phases: &[Phase], routes: &[String], threads: usize, start: Instant) -> Collecting {
        let mut began = Duration::ZERO;
        let of_phase = |phase: &Phase| {
            let measured = PhaseMeasured {
                name: phase.name.clone(),
                counts: phase.counts,
                began,
                lasted: phase.duration,
                ..PhaseMeasured::default()
            };
            began += phase.duration;
            measured
        };
        Collecting {
            start,
            measured: Measured {
                phases: phases.iter().map(of_phase).collect(),
                ..Measured::default()
            },
            phases: phases.to_vec(),
            routes: routes.to_vec(),
            threads: vec![ThreadState::default(); threads],
            open: VecDeque::new(),
            first: 0,
            stopped: None,
        }
    }

    /// Adds what a thread has counted.
    pub(super) fn take(&mut self, report: Report) {
        for (place, due, routes) in report.delta.phases {
            let Some(phase) = self.measured.phases.get_mut(place) else {
                continue;
            };
            phase.due += due;
            for (route, measured) in routes {
                let Some(name) = self.routes.get(route) else { continue };
                match phase.routes.get_mut(name) {
                    Some(known) => known.merge(&measured),
                    None => {
                        phase.routes.insert(name.clone(), *measured);
                    }
                }
            }
        }
        for second in report.delta.seconds {
            self.second(second);
        }
        let generator = &mut self.measured.generator;
        generator.lag.merge(&report.delta.lag);
        generator.missed += report.delta.missed;
        generator.connected += report.connections.made;
        if let Some(thread) = self.threads.get_mut(report.thread) {
            thread.in_progress = report.in_progress as u64;
            thread.waiting = report.waiting as u64;
            thread.closed = report.delta.closed;
            thread.most_connections = thread.most_connections.max(report.connections.most);
            thread.busy = report.busy;
            thread.used = report.used;
            thread.done |= report.done;
        }
        generator.connections = self.threads.iter().map(|thread| thread.most_connections).sum();
        generator.busiest = self.threads.iter().map(|thread| thread.busy).fold(0.0, f64::max);
        generator.processor_time = self.threads.iter().map(|thread| thread.used).sum();
        self.freeze();
    }

    /// How it is going.
    pub(super) fn progress(&mut self, now: Instant) -> Progress<'_> {
        self.work_out_rows();
        let elapsed = now.saturating_duration_since(self.start);
        let began_by = |phase: &PhaseMeasured| phase.began <= elapsed;
        let over = usize::try_from(elapsed.as_secs()).unwrap_or(usize::MAX);
        Progress {
            phases: &self.phases,
            phase: self.measured.phases.partition_point(began_by).saturating_sub(1),
            elapsed,
            in_progress: self.threads.iter().map(|thread| thread.in_progress).sum(),
            waiting: self.threads.iter().map(|thread| thread.waiting).sum(),
            seconds: &self.measured.seconds[..over.min(self.measured.seconds.len())],
            so_far: &self.measured,
        }
    }

    /// The run was ended early.
    pub(super) fn stop(&mut self, now: Instant) {
        self.stopped = Some(now);
    }

    /// Whether it was.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Whether all threads have told everything.
    pub(super) fn is_done(&self) -> bool {
        self.threads.iter().all(|thread| thread.done)
    }

    /// What was measured.
    pub(super) fn finish(mut self, now: Instant) -> Measured {
        self.work_out_rows();
        if let Some(stopped) = self.stopped {
            let elapsed = stopped.min(now).saturating_duration_since(self.start);
            for phase in &mut self.measured.phases {
                phase.lasted = phase.lasted.min(elapsed.saturating_sub(phase.began));
            }
            self.measured.phases.retain(|phase| phase.began <= elapsed);
        }
        self.measured
    }

    fn second(&mut self, delta: SecondDelta) {
        let place = delta.second;
        if place >= self.measured.seconds.len() {
            self.measured.seconds.resize_with(place + 1, Second::default);
        }
        let row = &mut self.measured.seconds[place];
        row.due += delta.due;
        row.failed += delta.failed;
        row.ended += delta.ended;
        row.waiting += delta.waiting;
        let (Some(latency), Some(place)) = (delta.latency, place.checked_sub(self.first)) else {
            return;
        };
        if place >= self.open.len() {
            self.open.resize_with(place + 1, Histogram::new);
        }
        self.open[place].merge(&latency);
    }

    /// Lets go of the latencies of seconds that no thread adds to any more.
    fn freeze(&mut self) {
        let closed = self
            .threads
            .iter()
            .map(|thread| thread.closed)
            .min()
            .unwrap_or_default();
        while self.first < closed {
            if let Some(latency) = self.open.pop_front() {
                work_out(&latency, self.measured.seconds.get_mut(self.first));
            }
            self.first += 1;
        }
    }

    fn work_out_rows(&mut self) {
        for (place, latency) in self.open.iter().enumerate() {
            work_out(latency, self.measured.seconds.get_mut(self.first + place));
        }
    }
}

/// The percentiles of a second.
fn work_out(latency: &Histogram, row: Option<&mut Second>) {
    let Some(row) = row else { return };
    let micros =
        |duration: Option<Duration>| u64::try_from(duration.unwrap_or_default().as_micros()).unwrap_or(u64::MAX);
    row.p50 = micros(latency.quantile(0.5));
    row.p90 = micros(latency.quantile(0.9));
    row.p99 = micros(latency.quantile(0.99));
    row.max = micros(latency.max());
}
