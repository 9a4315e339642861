//! What is common to the conduct of all profiles: running phases one after another, and gathering what comes of them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::engine::{Engine, Fault, Progress, Watch};
use crate::load::Phase;
use crate::measured::Measured;
use crate::objective::Objective;
use crate::report::Judged;
use crate::verdict::{self, Model};

/// Something that phases can be run on: the engine, or a system whose behaviour is computed.
pub trait Runs {
    /// As [`Engine::run`].
    ///
    /// # Errors
    /// When it can't go on.
    fn run(&mut self, phases: &[Phase], watch: &mut dyn Watch) -> Result<Measured, Fault>;
}

impl Runs for Engine {
    fn run(&mut self, phases: &[Phase], watch: &mut dyn Watch) -> Result<Measured, Fault> {
        Engine::run(self, phases, watch)
    }
}

/// What a profile has to do with.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'s> {
    /// What must hold.
    pub objectives: &'s [Objective],
    /// How many flows the plan has.
    pub flows: usize,
    /// How many requests may be in progress at a time.
    pub lanes: usize,
}

/// What came of a profile.
#[derive(Debug, Default)]
pub struct Outcome {
    /// All that was measured and kept.
    pub measured: Measured,
    /// What was found, by the names of [`super::found`].
    pub found: BTreeMap<String, f64>,
    /// What is to be said of it.
    pub remarks: Vec<String>,
    /// What the profile itself demands, beside the objectives.
    pub judged: Vec<Judged>,
    /// Why it says nothing about the target.
    pub invalid: Vec<String>,
    /// Whether it was ended by who looked on.
    pub interrupted: bool,
}

/// One conduct of a profile.
pub struct Session<'s> {
    pub(super) setting: Setting<'s>,
    pub(super) outcome: Outcome,
    runs: &'s mut dyn Runs,
    watch: &'s mut dyn Watch,
    elapsed: Duration,
}

impl<'s> Session<'s> {
    /// One that has run nothing yet.
    pub fn new(setting: Setting<'s>, runs: &'s mut dyn Runs, watch: &'s mut dyn Watch) -> Session<'s> {
        Session {
            setting,
            outcome: Outcome::default(),
            runs,
            watch,
            elapsed: Duration::ZERO,
        }
    }

    /// What came of it.
    pub fn finish(mut self) -> Outcome {
        if self.outcome.interrupted {
            let after = self.elapsed.as_secs_f64();
            self.outcome
                .invalid
                .insert(0, format!("it was interrupted after {after:.1} s"));
        }
        self.outcome
    }

    /// Runs phases. What is measured isn't part of the outcome before it is kept.
    pub(super) fn run(&mut self, phases: &[Phase]) -> Result<Measured, Fault> {
        let mut onlooker = Onlooker {
            watch: self.watch,
            elapsed: Duration::ZERO,
            broke: false,
        };
        let measured = self.runs.run(phases, &mut onlooker)?;
        self.outcome.interrupted |= onlooker.broke;
        self.elapsed += match onlooker.broke {
            true => onlooker.elapsed,
            false => phases.iter().map(|phase| phase.duration).sum(),
        };
        Ok(measured)
    }

    /// Whether who looks on has had enough. Nothing more is to be run then.
    pub(super) fn interrupted(&self) -> bool {
        self.outcome.interrupted
    }

    /// Makes what was measured part of the outcome, behind what is there.
    pub(super) fn keep(&mut self, measured: Measured) {
        join(&mut self.outcome.measured, measured);
    }

    /// The same, with what is to be said against it.
    pub(super) fn keep_valid(&mut self, measured: Measured, model: Model) {
        self.outcome.invalid.extend(verdict::invalid(&measured, model));
        self.keep(measured);
    }

    pub(super) fn find(&mut self, name: &str, value: f64) {
        self.outcome.found.insert(name.to_owned(), value);
    }

    pub(super) fn remark(&mut self, sentence: impl Into<String>) {
        self.outcome.remarks.push(sentence.into());
    }
}

/// Passes on how it is going, and remembers whether it was ended.
struct Onlooker<'w> {
    watch: &'w mut dyn Watch,
    elapsed: Duration,
    broke: bool,
}

impl Watch for Onlooker<'_> {
    fn look(&mut self, progress: &Progress<'_>) -> ControlFlow<()> {
        self.elapsed = progress.elapsed;
        let onward = self.watch.look(progress);
        self.broke |= onward.is_break();
        onward
    }
}

/// Puts a run behind another, as if it had begun with the second after the other's last one. The pause between them is left out.
pub fn join(whole: &mut Measured, later: Measured) {
    let shift = Duration::from_secs(whole.seconds.len() as u64);
    whole.phases.extend(later.phases.into_iter().map(|mut phase| {
        phase.began += shift;
        phase
    }));
    whole.seconds.extend(later.seconds);
    let (all, own) = (&mut whole.generator, &later.generator);
    all.lag.merge(&own.lag);
    all.busiest = all.busiest.max(own.busiest);
    all.processor_time += own.processor_time;
    all.missed += own.missed;
    all.connections = all.connections.max(own.connections);
    all.connected += own.connected;
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::measured::{PhaseMeasured, Second};

    fn run(seconds: usize, busiest: f64) -> Measured {
        let mut measured = Measured {
            phases: vec![PhaseMeasured::default()],
            seconds: vec![Second::default(); seconds],
            ..Measured::default()
        };
        measured.generator.busiest = busiest;
        measured.generator.connected = 2;
        measured
    }

    #[test]
    fn runs_are_put_behind_each_other() {
        let mut whole = run(3, 0.5);
        join(&mut whole, run(2, 0.3));
        join(&mut whole, run(1, 0.7));
        let began: Vec<_> = whole.phases.iter().map(|phase| phase.began.as_secs()).collect();
        assert_eq!((began, whole.seconds.len()), (vec![0, 3, 5], 6));
        assert_eq!((whole.generator.busiest, whole.generator.connected), (0.7, 6));
    }

    /// Runs for ever, until who looks on has had enough.
    struct Endless;

    impl Runs for Endless {
        fn run(&mut self, phases: &[Phase], watch: &mut dyn Watch) -> Result<Measured, Fault> {
            let measured = Measured::default();
            let mut progress = Progress {
                phases,
                phase: 0,
                elapsed: Duration::ZERO,
                in_progress: 0,
                waiting: 0,
                seconds: &[],
                so_far: &measured,
            };
            while watch.look(&progress).is_continue() {
                progress.elapsed += Duration::from_millis(250);
            }
            Ok(measured)
        }
    }

    struct Impatient;

    impl Watch for Impatient {
        fn look(&mut self, progress: &Progress<'_>) -> ControlFlow<()> {
            match progress.elapsed < Duration::from_secs(2) {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        }
    }

    #[test]
    fn an_interrupted_run_says_so() {
        let setting = Setting {
            objectives: &[],
            flows: 1,
            lanes: 1,
        };
        let (mut endless, mut impatient) = (Endless, Impatient);
        let mut session = Session::new(setting, &mut endless, &mut impatient);
        session.run(&[]).unwrap();
        assert!(session.interrupted());
        assert_eq!(session.finish().invalid, ["it was interrupted after 2.0 s"]);
    }
}
