//! What one thread has to start, and when.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::load::{Load, Phase, Spacing};
use crate::pace::Arrivals;

/// One thread's part of all phases.
pub(super) struct Schedule {
    start: Instant,
    phases: Arc<[Phase]>,
    share: Share,
    spacing: Spacing,
    seed: u64,
    at: usize,
    /// When the phase begins and ends, from the start.
    began: Duration,
    ends: Duration,
    source: Source,
    /// The next arrival of the phase: when, with which number, of which flow where that is given.
    next: Option<(Instant, u64, Option<usize>)>,
    /// Arrivals of earlier phases, so that numbers go on.
    before: u64,
    announced: bool,
}

/// Which part of all arrivals and users belongs to a thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// The thread's number.
    pub(super) number: usize,
    /// How many threads there are.
    pub(super) of: usize,
}

impl Share {
    /// How many of so many things are its own, when they are dealt in turn.
    pub(super) fn of_many(self, count: usize) -> usize {
        count / self.of + usize::from(self.number < count % self.of)
    }
}

enum Source {
    Rate(Arrivals),
    Script,
    Nothing,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A phase begins, with so many users on this thread.
    Phase { number: usize, users: usize, at: Instant },
    /// A flow is to start.
    Arrival(Arrival),
    /// The last phase is over.
    Over,
}

/// The start of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// When it was due.
    pub(super) due: Instant,
    /// In which phase.
    pub(super) phase: usize,
    /// Its place among all arrivals of the run.
    pub(super) number: u64,
    /// Which flow; by chance where none is given.
    pub(super) flow: Option<usize>,
}

impl Schedule {
    /// A thread's part of phases that begin at `start`.
    pub(super) fn new(start: Instant, phases: Arc<[Phase]>, share: Share, spacing: Spacing, seed: u64) -> Schedule {
        let mut schedule = Schedule {
            start,
            phases,
            share,
            spacing,
            seed,
            at: 0,
            began: Duration::ZERO,
            ends: Duration::ZERO,
            source: Source::Nothing,
            next: None,
            before: 0,
            announced: false,
        };
        schedule.enter();
        schedule
    }

    /// The next moment at which something will be due; none when all is over.
    pub(super) fn next_at(&self) -> Option<Instant> {
        if self.is_over() {
            return None;
        }
        if !self.announced {
            return Some(self.start + self.began);
        }
        Some(self.next.map_or(self.start + self.ends, |(due, ..)| due))
    }

    /// Whether the last phase has ended, and that was said.
    pub(super) fn is_over(&self) -> bool {
        self.at > self.phases.len()
    }

    /// The first thing that is due by now and wasn't taken yet.
    pub(super) fn take(&mut self, now: Instant) -> Option<Due> {
        if self.next_at()? > now {
            return None;
        }
        let Some(phase) = self.phases.get(self.at) else {
            self.at += 1;
            return Some(Due::Over);
        };
        if !self.announced {
            self.announced = true;
            let users = match phase.load {
                Load::Users(count) => self.share.of_many(count),
                Load::Rate { .. } | Load::Script(_) => 0,
            };
            return Some(Due::Phase {
                number: self.at,
                users,
                at: self.start + self.began,
            });
        }
        if let Some((due, number, flow)) = self.next {
            self.find(number + self.share.of as u64);
            return Some(Due::Arrival(Arrival {
                due,
                phase: self.at,
                number: self.before + number,
                flow,
            }));
        }
        self.leave();
        self.take(now)
    }

    /// Ends it at once: nothing more is due.
    pub(super) fn stop(&mut self) {
        self.at = self.phases.len() + 1;
        self.next = None;
    }

    /// Begins with the phase whose turn it is.
    fn enter(&mut self) {
        self.began = self.ends;
        self.next = None;
        self.source = Source::Nothing;
        let Some(phase) = self.phases.get(self.at) else {
            // The end is announced at once.
            self.announced = true;
            return;
        };
        self.announced = false;
        self.ends += phase.duration;
        self.source = match phase.load {
            Load::Rate { from, to } => {
                // Phases of equal rates must not be alike.
                let seed = self.seed.wrapping_add(self.at as u64);
                Source::Rate(Arrivals::new(from, to, phase.duration, self.spacing, seed))
            }
            Load::Script(_) => Source::Script,
            Load::Users(_) => Source::Nothing,
        };
        self.find(self.share.number as u64);
    }

    fn leave(&mut self) {
        if let Some(phase) = self.phases.get(self.at) {
            self.before += match (&self.source, &phase.load) {
                (Source::Rate(arrivals), _) => arrivals.count_all(),
                (_, Load::Script(script)) => script.len() as u64,
                _ => 0,
            };
        }
        self.at += 1;
        self.enter();
    }

    /// Looks up the arrival with a number, counted from the phase's beginning.
    fn find(&mut self, number: u64) {
        let found = match &mut self.source {
            Source::Rate(arrivals) => arrivals.pass_to(number).map(|(number, after)| (after, number, None)),
            Source::Script => match self.phases.get(self.at) {
                Some(Phase {
                    load: Load::Script(script),
                    duration,
                    ..
                }) => usize::try_from(number)
                    .ok()
                    .and_then(|place| script.get(place))
                    .filter(|planned| planned.after <= *duration)
                    .map(|planned| (planned.after, number, Some(planned.flow as usize))),
                _ => None,
            },
            Source::Nothing => None,
        };
        let began = self.start + self.began;
        self.next = found.map(|(after, number, flow)| (began + after, number, flow));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Planned;

    fn phase(millis: u64, load: Load) -> Phase {
        Phase {
            name: String::new(),
            duration: Duration::from_millis(millis),
            load,
            counts: true,
        }
    }

    /// All that is due, with its time in milliseconds.
    fn all(phases: &[Phase], share: Share) -> Vec<(u128, Due)> {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, phases.into(), share, Spacing::Uniform, 1);
        let mut found = Vec::new();
        while let Some(at) = schedule.next_at() {
            assert_eq!(
                at.checked_sub(Duration::from_nanos(1))
                    .and_then(|before| schedule.take(before)),
                None
            );
            while let Some(due) = schedule.take(at) {
                found.push(((at - start).as_millis(), due));
            }
        }
        assert!(schedule.is_over());
        found
    }

    /// Its time in milliseconds and what it is, in short.
    fn short(phases: &[Phase], share: Share) -> Vec<String> {
        all(phases, share)
            .into_iter()
            .map(|(at, due)| match due {
                Due::Phase { number, users, .. } => format!("{at} phase {number} {users}"),
                Due::Arrival(arrival) => format!("{at} #{} {:?}", arrival.number, arrival.flow),
                Due::Over => format!("{at} over"),
            })
            .collect()
    }

    const ALONE: Share = Share { number: 0, of: 1 };

    #[test]
    fn phases_follow_each_other() {
        let script = [(0, 2), (5, 1), (7, 0), (8, 0)].map(|(after, flow)| Planned {
            after: Duration::from_millis(after),
            flow,
        });
        let phases = [
            phase(20, Load::Rate { from: 100.0, to: 100.0 }),
            phase(7, Load::Script(script.into())),
            phase(3, Load::Users(5)),
        ];
        assert_eq!(
            short(&phases, ALONE),
            [
                "0 phase 0 0",
                "0 #0 None",
                "10 #1 None",
                "20 phase 1 0",
                "20 #2 Some(2)",
                "25 #3 Some(1)",
                "27 #4 Some(0)",
                "27 phase 2 5",
                "30 over",
            ]
        );
        assert_eq!(
            short(&phases, Share { number: 1, of: 2 }),
            [
                "0 phase 0 0",
                "10 #1 None",
                "20 phase 1 0",
                "25 #3 Some(1)",
                "27 phase 2 2",
                "30 over"
            ]
        );
    }

    #[test]
    fn a_script_may_take_no_time() {
        let script = [Planned {
            after: Duration::ZERO,
            flow: 0,
        }];
        assert_eq!(
            short(&[phase(0, Load::Script(script.into()))], ALONE),
            ["0 phase 0 0", "0 #0 Some(0)", "0 over"]
        );
        assert_eq!(short(&[], ALONE), ["0 over"]);
    }

    #[test]
    fn users_are_dealt_in_turn() {
        let shares = |count| [0, 1, 2].map(|number| Share { number, of: 3 }.of_many(count));
        assert_eq!((shares(7), shares(2), shares(3)), ([3, 2, 2], [1, 1, 0], [1, 1, 1]));
    }
}
