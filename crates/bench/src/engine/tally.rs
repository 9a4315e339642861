//! What one thread counts, until it is handed over.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::histogram::Histogram;
use crate::load::Phase;
use crate::measured::RouteMeasured;
use crate::outcome::{Failed, Failure};

/// Counts since the last time they were taken.
pub(super) struct Tally {
    start: Instant,
    /// When each phase ends, from the start.
    ends: Vec<Duration>,
    phases: Vec<InPhase>,
    /// Seconds that may still change; the first of them has the number `first`.
    windows: VecDeque<Window>,
    first: usize,
    lag: Histogram,
    missed: u64,
}

#[derive(Default)]
struct InPhase {
    due: u64,
    /// By the places of routes; what has none yet is `None`.
    routes: Vec<Option<Box<RouteMeasured>>>,
}

#[derive(Default)]
struct Window {
    due: u64,
    failed: u64,
    ended: u64,
    bad: u64,
    latency: Option<Histogram>,
    waiting: u64,
    /// Requests that were due in it and have not ended.
    open: u64,
}

/// What a thread hands over.
#[derive(Debug)]
pub(super) struct Delta {
    /// For each phase with something new: its place, arrivals, routes by their places.
    pub(super) phases: Vec<(usize, u64, RoutesDelta)>,
    /// For each second with something new.
    pub(super) seconds: Vec<SecondDelta>,
    /// Seconds before this one don't change any more.
    pub(super) closed: usize,
    /// Lags of arrivals.
    pub(super) lag: Histogram,
    /// Arrivals that were missed by the generator's own fault.
    pub(super) missed: u64,
}

/// Routes with something new, by their places.
pub(super) type RoutesDelta = Vec<(usize, Box<RouteMeasured>)>;

/// What is new of a second.
#[derive(Debug)]
pub(super) struct SecondDelta {
    /// Which second, from the start of the run.
    pub(super) second: usize,
    /// Requests that were due in it.
    pub(super) due: u64,
    /// Of these, the ones that failed.
    pub(super) failed: u64,
    /// Requests that ended in it.
    pub(super) ended: u64,
    /// Of these, the ones that failed.
    pub(super) bad: u64,
    /// Of those that were due in it.
    pub(super) latency: Option<Histogram>,
    /// Arrivals that waited at its end.
    pub(super) waiting: u64,
}

/// A request whose time has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    /// When it was due.
    pub(super) due: Instant,
    /// The phase in which it was.
    pub(super) phase: usize,
    /// The place of its route.
    pub(super) route: usize,
}

/// How a request ended.
pub(super) struct Ended<'o> {
    /// When.
    pub(super) at: Instant,
    /// When it was sent, where it was.
    pub(super) sent: Option<Instant>,
    /// The status and the bytes of content, where it was answered.
    pub(super) answer: Option<(u16, u64)>,
    /// Why it failed, where it did.
    pub(super) failed: Option<&'o Failed>,
}

impl Tally {
    /// Nothing counted yet of phases that begin at `start`.
    pub(super) fn new(start: Instant, phases: &[Phase], routes: usize) -> Tally {
        let mut end = Duration::ZERO;
        let ends = phases.iter().map(|phase| {
            end += phase.duration;
            end
        });
        Tally {
            start,
            ends: ends.collect(),
            phases: phases
                .iter()
                .map(|_| InPhase {
                    due: 0,
                    routes: (0..routes).map(|_| None).collect(),
                })
                .collect(),
            windows: VecDeque::new(),
            first: 0,
            lag: Histogram::new(),
            missed: 0,
        }
    }

    /// Counts an arrival.
    pub(super) fn arrival(&mut self, phase: usize) {
        if let Some(phase) = self.phases.get_mut(phase) {
            phase.due += 1;
        }
    }

    /// Counts how late an arrival was taken up.
    pub(super) fn lag(&mut self, lag: Duration) {
        self.lag.record(lag);
    }

    /// Counts an arrival that the generator itself could not begin.
    pub(super) fn missed(&mut self) {
        self.missed += 1;
    }

    /// A request is due; it is open until [`Tally::end`].
    pub(super) fn begin(&mut self, counted: Counted) {
        let window = self.window(self.second_of(counted.due));
        window.due += 1;
        window.open += 1;
    }

    /// A request that was due has ended.
    pub(super) fn end(&mut self, counted: Counted, ended: &Ended<'_>) {
        let latency = ended.at.saturating_duration_since(counted.due);
        self.count(counted, ended, latency);
    }

    fn count(&mut self, counted: Counted, ended: &Ended<'_>, latency: Duration) {
        let (due, at) = (self.second_of(counted.due), self.second_of(ended.at));
        let micros = Histogram::micros(latency);
        let window = self.window(due);
        window.open = window.open.saturating_sub(1);
        window.failed += u64::from(ended.failed.is_some());
        window.latency.get_or_insert_default().record_micros(micros);
        let window = self.window(at);
        window.ended += 1;
        window.bad += u64::from(ended.failed.is_some());
        let phase = self.phases.get_mut(counted.phase);
        let Some(route) = phase.and_then(|phase| phase.routes.get_mut(counted.route)) else {
            return;
        };
        let route = route.get_or_insert_default();
        route.ended += 1;
        route.latency.record_micros(micros);
        match ended.sent {
            Some(sent) if sent == counted.due => route.service.record_micros(micros),
            Some(sent) => route.service.record(ended.at.saturating_duration_since(sent)),
            None => {}
        }
        if let Some((status, bytes)) = ended.answer {
            route.bytes += bytes;
            *route.statuses.entry(status).or_default() += 1;
        }
        if let Some(failed) = ended.failed {
            route.fail(failed.kind, &failed.why, 1);
        }
    }

    /// A request that was due is given up, with nothing to be told of it.
    pub(super) fn forget(&mut self, counted: Counted) {
        let window = self.window(self.second_of(counted.due));
        window.open = window.open.saturating_sub(1);
        window.due = window.due.saturating_sub(1);
    }

    /// An arrival that can't wait any more: it counts as if it had had no answer for `after`.
    pub(super) fn miss(&mut self, counted: Counted, now: Instant, after: Duration, why: &str) {
        self.begin(counted);
        let failed = Failed::new(Failure::Missed, why);
        let ended = Ended {
            at: now,
            sent: None,
            answer: None,
            failed: Some(&failed),
        };
        self.count(counted, &ended, now.saturating_duration_since(counted.due).max(after));
    }

    /// A request that was due never began.
    pub(super) fn missed_after_all(&mut self, counted: Counted, now: Instant, why: &str) {
        let failed = Failed::new(Failure::Missed, why);
        let ended = Ended {
            at: now,
            sent: None,
            answer: None,
            failed: Some(&failed),
        };
        self.end(counted, &ended);
    }

    /// How many arrivals wait at present; remembered for the second that is over last.
    pub(super) fn waiting(&mut self, now: Instant, waiting: usize) {
        self.window(self.second_of(now)).waiting = waiting as u64;
    }

    /// Takes what was counted. All that was due by `now` has been told.
    pub(super) fn take(&mut self, now: Instant) -> Delta {
        let mut phases = Vec::new();
        for (place, phase) in self.phases.iter_mut().enumerate() {
            let routes: RoutesDelta = phase
                .routes
                .iter_mut()
                .enumerate()
                .filter_map(|(place, route)| route.take().map(|route| (place, route)))
                .collect();
            let due = std::mem::take(&mut phase.due);
            if due > 0 || !routes.is_empty() {
                phases.push((place, due, routes));
            }
        }
        let current = self.second_of(now);
        let mut seconds = Vec::new();
        for (place, window) in self.windows.iter_mut().enumerate() {
            let due = std::mem::take(&mut window.due);
            let ended = std::mem::take(&mut window.ended);
            if due > 0 || ended > 0 || window.latency.is_some() || window.waiting > 0 {
                seconds.push(SecondDelta {
                    second: self.first + place,
                    due,
                    failed: std::mem::take(&mut window.failed),
                    ended,
                    bad: std::mem::take(&mut window.bad),
                    latency: window.latency.take(),
                    waiting: if self.first + place < current {
                        std::mem::take(&mut window.waiting)
                    } else {
                        0
                    },
                });
            }
        }
        while self.first < current && self.windows.front().is_none_or(|window| window.open == 0) {
            self.windows.pop_front();
            self.first += 1;
        }
        Delta {
            phases,
            seconds,
            closed: self.first,
            lag: std::mem::take(&mut self.lag),
            missed: std::mem::take(&mut self.missed),
        }
    }

    /// The phase in which a moment lies. What is due after the last one belongs to that, and what is due at a border to the later.
    pub(super) fn phase_of(&self, due: Instant) -> usize {
        let after = due.saturating_duration_since(self.start);
        let passed = self.ends.partition_point(|end| *end <= after);
        passed.min(self.ends.len().saturating_sub(1))
    }

    fn second_of(&self, moment: Instant) -> usize {
        usize::try_from(moment.saturating_duration_since(self.start).as_secs()).unwrap_or(usize::MAX)
    }

    /// What is counted of a second. One that was closed already is not opened again.
    fn window(&mut self, second: usize) -> &mut Window {
        let place = second.saturating_sub(self.first);
        if place >= self.windows.len() {
            self.windows.resize_with(place + 1, Window::default);
        }
        &mut self.windows[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Load;

    const SECOND: Duration = Duration::from_secs(1);

    fn phase(seconds: u64) -> Phase {
        Phase {
            name: String::new(),
            duration: SECOND * u32::try_from(seconds).unwrap_or(u32::MAX),
            load: Load::Users(1),
            counts: true,
        }
    }

    fn counted(due: Instant) -> Counted {
        Counted {
            due,
            phase: 0,
            route: 0,
        }
    }

    fn well(at: Instant, sent: Instant) -> Ended<'static> {
        Ended {
            at,
            sent: Some(sent),
            answer: Some((200, 5)),
            failed: None,
        }
    }

    #[test]
    fn hours_take_no_more_room_than_seconds() {
        let start = Instant::now();
        let mut tally = Tally::new(start, &[phase(36_000)], 1);
        let (mut due, mut ended) = (0, 0);
        for second in 0..36_000 {
            let now = start + SECOND * second;
            for millis in 0..3 {
                let due = now + Duration::from_millis(100 * millis);
                tally.begin(counted(due));
                tally.end(counted(due), &well(due + SECOND, due));
            }
            let delta = tally.take(now + SECOND / 2);
            due += delta.seconds.iter().map(|second| second.due).sum::<u64>();
            ended += delta.phases.iter().map(|(_, _, routes)| routes[0].1.ended).sum::<u64>();
            assert_eq!(delta.closed, second as usize);
            assert!(tally.windows.len() <= 2, "{}", tally.windows.len());
        }
        assert_eq!((due, ended), (108_000, 108_000));
    }

    #[test]
    fn a_second_is_open_as_long_as_a_request_of_it() {
        let start = Instant::now();
        let mut tally = Tally::new(start, &[phase(10)], 1);
        tally.begin(counted(start));
        tally.begin(counted(start + SECOND));
        tally.end(counted(start + SECOND), &well(start + SECOND * 2, start + SECOND));
        assert_eq!(tally.take(start + SECOND * 5).closed, 0);
        tally.end(counted(start), &well(start + SECOND * 6, start));
        let delta = tally.take(start + SECOND * 7);
        assert_eq!(delta.closed, 7);
        let changed: Vec<_> = delta
            .seconds
            .iter()
            .map(|delta| (delta.second, delta.due, delta.ended))
            .collect();
        assert_eq!(changed, [(0, 0, 0), (6, 0, 1)]);
        let latency = delta.seconds[0].latency.as_ref().and_then(Histogram::max);
        assert!(latency.is_some_and(|latency| latency >= SECOND * 6));
    }

    #[test]
    fn what_is_missed_counts_as_if_it_had_never_been_answered() {
        let start = Instant::now();
        let mut tally = Tally::new(start, &[phase(1), phase(1)], 1);
        assert_eq!(
            [0, 999, 1000, 5000].map(|millis| tally.phase_of(start + Duration::from_millis(millis))),
            [0, 0, 1, 1]
        );
        tally.miss(counted(start), start, SECOND * 30, "too many");
        let (_, _, routes) = &tally.take(start).phases[0];
        let route = &routes[0].1;
        assert_eq!((route.ended, route.failed(), route.service.count()), (1, 1, 0));
        assert!(route.latency.min() >= Some(SECOND * 29));
    }
}
