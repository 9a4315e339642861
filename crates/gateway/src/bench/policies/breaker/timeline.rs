//! When a circuit was open, by when nothing came to the service behind it.

use std::time::Duration;

use super::super::spike::Sample;
use super::Course;

/// What a circuit did. Times are from the start of the load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Timeline {
    /// When the last request came before the circuit opened for the first time.
    pub(super) opened: Option<Duration>,
    /// What came between two pauses after that: what was let through to see how the service is.
    pub(super) probes: Vec<Burst>,
    /// When requests began to come again that went on to the end.
    pub(super) closed: Option<Duration>,
}

/// Requests between two pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Burst {
    /// When the first came.
    pub(super) at: Duration,
    /// When the last came.
    pub(super) until: Duration,
    /// How many came.
    pub(super) requests: u64,
}

impl Timeline {
    /// What follows from what came to a service, to which `before` requests had come earlier.
    pub(super) fn of(samples: &[Sample], before: u64, course: &Course) -> Timeline {
        // A closed circuit lets something through every few milliseconds.
        let pause = course.open / 3;
        let mut bursts = bursts(samples, before, pause).into_iter();
        let Some(first) = bursts.next() else {
            return Timeline::default();
        };
        let mut probes: Vec<Burst> = bursts.collect();
        if probes.is_empty() && first.until + pause > course.end {
            return Timeline::default();
        }
        // What goes on until the load ends is no probe, and as long as it fails a service gets nothing but probes.
        let goes_on = |last: &mut Burst| last.at >= course.fails && last.until + pause > course.end;
        let closed = probes.pop_if(goes_on).map(|last| last.at);
        Timeline {
            opened: Some(first.until),
            probes,
            closed,
        }
    }

    /// How long nothing came each time after the circuit had opened.
    pub(super) fn pauses(&self) -> impl Iterator<Item = Duration> + '_ {
        let ends = self
            .opened
            .into_iter()
            .chain(self.probes.iter().map(|probe| probe.until));
        let begins = self.probes.iter().map(|probe| probe.at).chain(self.closed);
        ends.zip(begins).map(|(end, begin)| begin.saturating_sub(end))
    }

    /// All of it in words.
    pub(super) fn told(&self, course: &Course) -> String {
        let mut events = vec![
            (course.fails, "the service fails".to_owned()),
            (course.recovers, "the service is well again".to_owned()),
        ];
        events.extend(self.opened.map(|at| (at, "the circuit opens".to_owned())));
        events.extend(
            self.probes
                .iter()
                .map(|probe| (probe.at, format!("{} let through", probe.requests))),
        );
        events.extend(self.closed.map(|at| (at, "the circuit closes".to_owned())));
        events.sort_by_key(|(at, _)| *at);
        let events: Vec<String> = events
            .into_iter()
            .map(|(at, what)| format!("at {} {what}", seconds(at)))
            .collect();
        events.join(", ")
    }
}

/// A time to two digits after the point.
pub(super) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Requests that came without such a pause between them.
fn bursts(samples: &[Sample], before: u64, pause: Duration) -> Vec<Burst> {
    let mut bursts: Vec<Burst> = Vec::new();
    let mut known = before;
    for sample in samples.iter().filter(|sample| sample.requests > before) {
        let more = sample.requests.saturating_sub(known);
        known = sample.requests;
        match bursts.last_mut().filter(|last| sample.at < last.until + pause) {
            _ if more == 0 => {}
            Some(last) => (last.until, last.requests) = (sample.at, last.requests + more),
            None => bursts.push(Burst {
                at: sample.at,
                until: sample.at,
                requests: more,
            }),
        }
    }
    bursts
}
