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
        row.bad += delta.bad;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::dialer::Connections;
    use crate::engine::tally::Delta;
    use crate::load::Load;
    use crate::measured::RouteMeasured;

    fn collecting(start: Instant) -> Collecting {
        let phase = |name: &str| Phase {
            name: name.to_owned(),
            duration: Duration::from_secs(2),
            load: Load::Users(1),
            counts: true,
        };
        Collecting::new(&[phase("one"), phase("two")], &["a".to_owned()], 2, start)
    }

    /// What a thread tells of one request of second `second` that took so many milliseconds.
    fn report(thread: usize, second: usize, millis: u64, closed: usize, done: bool) -> Report {
        let mut latency = Histogram::new();
        latency.record(Duration::from_millis(millis));
        let route = RouteMeasured {
            ended: 1,
            latency: latency.clone(),
            ..RouteMeasured::default()
        };
        Report {
            thread,
            delta: Delta {
                phases: vec![(0, 1, vec![(0, Box::new(route))])],
                seconds: vec![SecondDelta {
                    second,
                    due: 1,
                    failed: 0,
                    ended: 1,
                    bad: 0,
                    latency: Some(latency),
                    waiting: 3,
                }],
                closed,
                lag: Histogram::new(),
                missed: 1,
            },
            in_progress: 2,
            waiting: 4,
            connections: Connections { most: 5, made: 5 },
            busy: 0.25 * (thread + 1) as f64,
            used: Duration::from_millis(100),
            done,
        }
    }

    #[test]
    fn threads_are_one() {
        let start = Instant::now();
        let mut collecting = collecting(start);
        collecting.take(report(0, 0, 10, 1, true));
        assert_eq!((collecting.first, collecting.is_done()), (0, false));
        collecting.take(report(1, 0, 30, 1, true));
        assert_eq!(
            (collecting.first, collecting.open.len(), collecting.is_done()),
            (1, 0, true)
        );
        let progress = collecting.progress(start + Duration::from_millis(2500));
        assert_eq!((progress.phase, progress.in_progress, progress.waiting), (1, 4, 8));
        let row = progress.seconds[0];
        assert_eq!((row.due, row.ended, row.waiting), (2, 2, 6));
        assert!(
            (10_000..10_100).contains(&row.p50) && (30_000..30_100).contains(&row.max),
            "{row:?}"
        );
        let measured = collecting.finish(start + Duration::from_secs(9));
        assert_eq!((measured.phases.len(), measured.phases[0].due), (2, 2));
        assert_eq!(measured.phases[0].routes["a"].latency.count(), 2);
        let generator = measured.generator;
        assert_eq!(
            (generator.missed, generator.connections, generator.connected),
            (2, 10, 10)
        );
        assert_eq!((generator.busiest, generator.processor_time.as_millis()), (0.5, 200));
    }

    #[test]
    fn a_run_that_is_ended_early_is_as_long_as_it_was() {
        let start = Instant::now();
        let mut collecting = collecting(start);
        collecting.stop(start + Duration::from_millis(500));
        let measured = collecting.finish(start + Duration::from_secs(1));
        assert_eq!(measured.phases.len(), 1);
        assert_eq!(measured.phases[0].lasted, Duration::from_millis(500));
    }
}
