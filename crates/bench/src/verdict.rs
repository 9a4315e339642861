//! What came of a run: whether it can be trusted, whether it was good enough, and what a pipeline is told.

use std::time::Duration;

use crate::compare::Change;
use crate::measured::Measured;
use crate::report::{Judged, Verdict};

/// The code of a command that ends well: objectives were met, or nothing got worse.
pub const PASSED: u8 = 0;
/// The code of a command that could not do what it was asked: a wrong file, a target that nobody answers at. (2 is that of a wrong
/// command line.)
pub const COULD_NOT_RUN: u8 = 1;
/// The code of a command that found something: an objective that wasn't met, a change for the worse.
pub const FAILED: u8 = 3;
/// The code of a command that can't tell: the generator was in trouble, or the runs were too few or too different.
pub const UNDECIDED: u8 = 4;

/// Lag that is never held against a run, however short its latencies are. Timers of a busy system are late by that much.
const LAG: Duration = Duration::from_millis(1);
/// Lag that is never held against a run, as a part of the p99 that it measured.
const LAG_OF_P99: f64 = 0.05;
/// How busy the busiest thread may be. Beyond that, what is due queues in the generator itself.
pub(crate) const BUSIEST: f64 = 0.85;

/// Which model a run used, as far as its generator's troubles are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Requests had times to start at.
    Open,
    /// Each request waited for the one before.
    Closed {
        /// Whether the target is known to have been at its limit, because its process was watched. A generator that is just as
        /// busy then has held nothing up; otherwise it may be what was measured.
        target_at_limit: bool,
    },
}

/// Why a run says nothing about its target, in sentences; none where it does.
///
/// A target that is slow makes arrivals wait for connections, and may make them miss; that is what is to be measured, and no
/// reason.
pub fn invalid(measured: &Measured, model: Model) -> Vec<String> {
    let (total, _) = measured.counted();
    if total.ended == 0 {
        return vec!["No request was made in a phase that counts.".to_owned()];
    }
    let generator = &measured.generator;
    let mut reasons = Vec::new();
    if let (Some(lag), Some(p99)) = (generator.lag.quantile(0.99), total.latency.quantile(0.99))
        && lag > LAG.max(p99.mul_f64(LAG_OF_P99))
    {
        reasons.push(format!(
            "The generator was late: 1 % of the arrivals were taken up more than {lag:.1?} after they were due, with a measured \
             p99 of {p99:.1?}; give it more threads or processors, or ask for less."
        ));
    }
    let held_up = match model {
        Model::Open => true,
        Model::Closed { target_at_limit } => !target_at_limit,
    };
    if held_up && generator.busiest > BUSIEST {
        reasons.push(format!(
            "The generator was at its limit: its busiest thread used {:.0} % of its processor, and beyond {:.0} % it measures \
             itself; give it more threads, or ask for less.",
            generator.busiest * 100.0,
            BUSIEST * 100.0
        ));
    }
    if generator.missed > 0 {
        reasons.push(format!(
            "The generator missed {} {} that it could have begun.",
            generator.missed,
            if generator.missed == 1 { "arrival" } else { "arrivals" }
        ));
    }
    reasons
}

/// What comes of reasons against a run and of its objectives. Where there are no objectives, a run that is valid passes.
pub fn of(invalid: &[String], objectives: &[Judged]) -> Verdict {
    if !invalid.is_empty() {
        return Verdict::Invalid;
    }
    match objectives.iter().all(|judged| judged.met) {
        true => Verdict::Pass,
        false => Verdict::Fail,
    }
}

/// The code with which a command ends that made a run.
pub fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => PASSED,
        Verdict::Fail => FAILED,
        Verdict::Invalid => UNDECIDED,
    }
}

/// The code with which a command ends that compared runs.
pub fn exit_code_of_change(change: Change) -> u8 {
    match change {
        Change::Better | Change::Same => PASSED,
        Change::Worse => FAILED,
        Change::Inconclusive => UNDECIDED,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::measured::{Generator, PhaseMeasured, RouteMeasured};
    use crate::outcome::Failure;

    fn run(latency: Duration, generator: Generator) -> Measured {
        let mut route = RouteMeasured {
            ended: 1000,
            ..RouteMeasured::default()
        };
        route.latency.record_many(latency, 1000);
        Measured {
            phases: vec![PhaseMeasured {
                counts: true,
                routes: BTreeMap::from([("/".to_owned(), route)]),
                ..PhaseMeasured::default()
            }],
            generator,
            ..Measured::default()
        }
    }

    fn late(lag: Duration) -> Generator {
        let mut generator = Generator::default();
        generator.lag.record_many(Duration::from_micros(10), 980);
        generator.lag.record_many(lag, 20);
        generator
    }

    fn busy(busiest: f64) -> Generator {
        Generator {
            busiest,
            ..Generator::default()
        }
    }

    #[test]
    fn lag_must_exceed_a_millisecond_and_a_part_of_the_p99() {
        let reasons = |latency, lag| {
            let latency = Duration::from_micros(latency);
            invalid(&run(latency, late(Duration::from_micros(lag))), Model::Open).len()
        };
        assert_eq!(reasons(200, 900), 0, "a millisecond is forgiven");
        assert_eq!(reasons(200, 1_100), 1);
        assert_eq!(reasons(100_000, 4_900), 0, "and so is a twentieth of the p99");
        assert_eq!(reasons(100_000, 5_500), 1);
    }

    #[test]
    fn a_busy_generator_is_forgiven_only_behind_a_target_at_its_limit() {
        let reasons = |busiest, model| invalid(&run(Duration::from_millis(1), busy(busiest)), model).len();
        let closed = |target_at_limit| Model::Closed { target_at_limit };
        assert_eq!(reasons(0.85, Model::Open), 0);
        assert_eq!(reasons(0.86, Model::Open), 1);
        assert_eq!(reasons(0.86, closed(false)), 1);
        assert_eq!(reasons(0.99, closed(true)), 0);
    }

    #[test]
    fn only_what_the_generator_missed_by_itself_counts_against_it() {
        let mut measured = run(Duration::from_millis(1), Generator::default());
        let causes = BTreeMap::from([("the backlog was full".to_owned(), 5)]);
        let route = measured.phases[0].routes.get_mut("/").expect("it is there");
        route.failures.insert(Failure::Missed, causes);
        assert!(invalid(&measured, Model::Open).is_empty());
        measured.generator.missed = 1;
        let reasons = invalid(&measured, Model::Open);
        assert_eq!(reasons, ["The generator missed 1 arrival that it could have begun."]);
    }

    #[test]
    fn a_run_without_requests_says_nothing() {
        assert_eq!(invalid(&Measured::default(), Model::Open).len(), 1);
        let mut warm_up_only = run(Duration::from_millis(1), Generator::default());
        warm_up_only.phases[0].counts = false;
        assert_eq!(invalid(&warm_up_only, Model::Open).len(), 1);
    }

    #[test]
    fn invalid_is_neither_passed_nor_failed() {
        let judged = |met| Judged {
            objective: "p99 < 1ms".to_owned(),
            route: None,
            measured: "1ms".to_owned(),
            met,
        };
        assert_eq!(of(&[], &[]), Verdict::Pass);
        assert_eq!(of(&[], &[judged(true), judged(false)]), Verdict::Fail);
        assert_eq!(of(&["late".to_owned()], &[judged(false)]), Verdict::Invalid);
        assert_eq!(
            [Verdict::Pass, Verdict::Fail, Verdict::Invalid].map(exit_code),
            [0, 3, 4]
        );
        assert_eq!(
            [Change::Better, Change::Same, Change::Worse, Change::Inconclusive].map(exit_code_of_change),
            [0, 0, 3, 4]
        );
    }
}
