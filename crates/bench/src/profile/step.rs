//! One rate held for a while, and whether the target kept what was demanded of it: what `stress` and `capacity` are made of.

use std::time::Duration;

use super::found;
use super::session::Session;
use super::steady::constant;
use crate::engine::Fault;
use crate::histogram::Histogram;
use crate::load::Phase;
use crate::measured::{Measured, PhaseMeasured, Second};
use crate::objective::Objective;
use crate::rate;
use crate::statistics::{Slope, theil_sen};
use crate::verdict::{self, Model};

/// The longest that a step is made for the sake of a percentile.
const LONGEST: Duration = Duration::from_secs(300);

/// A target that takes longer by more than this with each second of constant load doesn't keep up: its queue grows by half a per cent
/// of what arrives. Below that, a step of usual length can't tell it from chance.
const FALLS_BEHIND: f64 = 0.005;

/// Falling behind by so much, or so large a share of failures, is no accident of a moment.
const CLEARLY: f64 = 0.05;

/// The share of requests that may fail where no objective says anything of failures.
const MOST_FAILURES: f64 = 0.01;

/// How many times the generator's lag latency must grow in a step for lag not to be the reason.
const LAG_TIMES: f64 = 4.0;

/// How often a step is repeated that may have failed by what else was going on. Other work on a machine makes latencies worse, never
/// better, so one good step outweighs several bad ones.
const REPEATS: usize = 2;

/// A rate, and what came of it.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) rate: f64,
    pub(super) kept: Kept,
    behind: Behind,
    measured: Measured,
}

/// By how many seconds latency grew with each second of a step: what arrives too much, as a share of what the target can do.
#[derive(Clone, Copy, Debug, Default)]
struct Behind {
    growth: f64,
    /// What it is at least. Where something stood still once, latency jumps and goes back: that has a slope, too, but no certain one.
    certainly: f64,
}

impl Behind {
    /// Whether latency grew by far more than the generator's being late could add to it.
    fn exceeds_lag(&self, measured: &Measured) -> bool {
        let lasted = measured.counted().1.as_secs_f64();
        let lag = measured.generator.lag.quantile(0.99).unwrap_or_default();
        self.growth > FALLS_BEHIND && self.growth * lasted > LAG_TIMES * lag.as_secs_f64()
    }
}

/// Whether what is demanded was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Yes,
    /// It wasn't, and why.
    No(String),
    /// The load generator had troubles of its own, and which.
    Unknown(String),
}

/// Holds a rate for at least so long, and longer where the objectives' percentiles need more requests.
pub(super) fn take(session: &mut Session<'_>, rate: f64, least: Duration) -> Result<Step, Fault> {
    let mut step = once(session, rate, least)?;
    for _ in 0..REPEATS {
        if session.interrupted() || step.is_certain() {
            break;
        }
        step = once(session, rate, least)?;
    }
    Ok(step)
}

fn once(session: &mut Session<'_>, rate: f64, least: Duration) -> Result<Step, Fault> {
    let phase = Phase {
        name: format!("step {}", shown(rate)),
        duration: length(session, rate, least),
        load: constant(rate),
        counts: true,
    };
    let measured = session.run(&[phase])?;
    let behind = behind(&measured);
    let kept = judge(session, &measured, behind);
    Ok(Step {
        rate,
        kept,
        behind,
        measured,
    })
}

/// How long a step has to be: twice the requests that make the most demanding percentile known at all.
fn length(session: &Session<'_>, rate: f64, least: Duration) -> Duration {
    let needed = 2.0 * samples(session) as f64 / rate;
    let longest = LONGEST.max(least);
    Duration::try_from_secs_f64(needed).map_or(longest, |needed| needed.clamp(least, longest))
}

/// How many requests make the most demanding percentile known at all.
pub(super) fn samples(session: &Session<'_>) -> u64 {
    let objectives = session.setting.objectives.iter();
    objectives.map(|objective| objective.samples()).max().unwrap_or(1)
}

fn judge(session: &Session<'_>, measured: &Measured, behind: Behind) -> Kept {
    let objectives = session.setting.objectives;
    let mut missed: Vec<String> = objectives
        .iter()
        // Of a search for the highest rate, the rate is the answer.
        .filter(|objective| !objective.is_rate())
        .filter_map(|objective| {
            let judged = objective.judge(measured);
            (!judged.met).then(|| format!("`{objective}` was missed: {}", judged.measured))
        })
        .collect();
    let failures = failures(measured);
    if !objectives.iter().any(|objective| objective.bounds_failures()) && failures > MOST_FAILURES {
        missed.push(format!("{:.1} % of the requests failed", failures * 100.0));
    }
    if behind.growth > FALLS_BEHIND {
        let share = behind.growth / (1.0 + behind.growth);
        missed.push(format!("it fell behind, by {:.1} % of what arrived", share * 100.0));
    }
    let fails = failures > MOST_FAILURES || objectives.iter().any(|objective| fails(objective, measured));
    let troubles = verdict::invalid(measured, Model::Open);
    match (missed.is_empty(), troubles.is_empty()) {
        // Being late makes latencies longer, so what was good in spite of that is good. What was never asked isn't.
        (true, _) if measured.generator.missed == 0 => Kept::Yes,
        (false, true) => Kept::No(missed.join("; ")),
        (false, false) if (fails || behind.exceeds_lag(measured)) && was_only_late(measured) => {
            Kept::No(missed.join("; "))
        }
        _ => Kept::Unknown(troubles.join("; ")),
    }
}

fn fails(objective: &Objective, measured: &Measured) -> bool {
    objective.bounds_failures() && !objective.judge(measured).met
}

/// Whether the generator had no troubles but that it was late, which makes latencies longer, but neither lets them grow nor lets
/// requests fail.
fn was_only_late(measured: &Measured) -> bool {
    let mut punctual = measured.clone();
    punctual.generator.lag.clear();
    verdict::invalid(&punctual, Model::Open).is_empty()
}

fn failures(measured: &Measured) -> f64 {
    let (total, _) = measured.counted();
    total.failed() as f64 / total.ended.max(1) as f64
}

/// By how many seconds the median latency grew with each second: nothing at a target that keeps up, `r / c - 1` at one that is asked
/// `r` times a second and serves `c`. The medians of seconds and the median of their slopes let pass what is out of the ordinary
/// for a moment.
fn behind(measured: &Measured) -> Behind {
    let Some(phase) = measured.phases.first() else {
        return Behind::default();
    };
    let points: Vec<(f64, f64)> = rows(measured, phase)
        .iter()
        .enumerate()
        .filter(|(_, row)| row.due > 0)
        .map(|(second, row)| (second as f64, row.p50 as f64 / 1e6))
        .collect();
    let slope = theil_sen(&points).or_else(|| of_few(&points));
    slope.map_or(Behind::default(), |slope| Behind {
        growth: slope.estimate.max(0.0),
        certainly: slope.low.max(0.0),
    })
}

/// The slope of the few points of a short step, and the least and the most from one to the next.
fn of_few(points: &[(f64, f64)]) -> Option<Slope> {
    let (first, last) = (points.first()?, points.last()?);
    let slope = |from: &(f64, f64), to: &(f64, f64)| (to.1 - from.1) / (to.0 - from.0);
    let each = points.windows(2).map(|pair| slope(&pair[0], &pair[1]));
    (last.0 > first.0).then(|| Slope {
        estimate: slope(first, last),
        low: each.clone().fold(f64::INFINITY, f64::min),
        high: each.fold(f64::NEG_INFINITY, f64::max),
    })
}

/// The seconds that lie in a phase as a whole.
pub(super) fn rows<'m>(measured: &'m Measured, phase: &PhaseMeasured) -> &'m [Second] {
    &measured.seconds[rate::whole_seconds(phase, measured.seconds.len())]
}

impl Step {
    /// Whether it needs no repetition.
    fn is_certain(&self) -> bool {
        match self.kept {
            Kept::Yes => true,
            Kept::No(_) => self.behind.certainly > CLEARLY || failures(&self.measured) > CLEARLY,
            Kept::Unknown(_) => false,
        }
    }

    /// The rate that the target served, by how much it fell behind; nothing where it kept up.
    pub(super) fn served(&self) -> Option<f64> {
        (self.behind.growth > FALLS_BEHIND).then(|| self.rate / (1.0 + self.behind.growth))
    }

    /// Whether requests waited for us more than for the target, which was hardly slower than at another rate.
    pub(super) fn starved(&self, lower: &Step) -> bool {
        let (own, other) = (self.measured.counted().0, lower.measured.counted().0);
        let median = |latencies: &Histogram| latencies.quantile(0.5);
        match (median(&own.latency), median(&own.service), median(&other.service)) {
            (Some(latency), Some(service), Some(before)) => latency > service * 2 && service < before * 3 / 2,
            _ => false,
        }
    }

    /// How much of its processor the busiest thread of the generator used.
    pub(super) fn busiest(&self) -> f64 {
        self.measured.generator.busiest
    }

    fn p99(&self) -> Option<Duration> {
        self.measured.counted().0.latency.quantile(0.99)
    }
}

/// Makes all steps part of the outcome, in the order in which they were taken. Objectives are judged by one of them: the highest
/// rate that was good, or the lowest where none was. Merging good and bad ones would say nothing about any rate.
pub(super) fn keep(session: &mut Session<'_>, steps: Vec<Step>) {
    if let Some(knee) = knee(&steps) {
        session.find(found::KNEE, knee);
    }
    let by_rate = |one: &&Step, other: &&Step| one.rate.total_cmp(&other.rate);
    let good = steps.iter().filter(|step| step.kept == Kept::Yes).max_by(by_rate);
    let counting = good.or_else(|| steps.iter().min_by(by_rate)).map(|step| step.rate);
    for mut step in steps {
        for phase in &mut step.measured.phases {
            phase.counts = Some(step.rate) == counting;
        }
        session.keep(step.measured);
    }
}

/// The highest rate up to which the p99 was at most twice what it was at the lowest rate.
fn knee(steps: &[Step]) -> Option<f64> {
    let mut known: Vec<(f64, Duration)> = steps
        .iter()
        .filter(|step| !matches!(step.kept, Kept::Unknown(_)))
        .filter_map(|step| Some((step.rate, step.p99()?)))
        .collect();
    known.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (_, lowest) = *known.first()?;
    let flat = known.iter().take_while(|(_, p99)| *p99 <= lowest * 2);
    flat.last().map(|(rate, _)| *rate)
}

/// A rate, as it is written: `400/s`.
pub(super) fn shown(rate: f64) -> String {
    match rate {
        100.0.. => format!("{rate:.0}/s"),
        _ => format!("{}/s", (rate * 10.0).round() / 10.0),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::profile::simulated::{Simulated, setting};

    fn step(system: &mut Simulated, rate: f64, objectives: &[&str]) -> Step {
        let objectives: Vec<Objective> = objectives.iter().map(|text| text.parse().unwrap()).collect();
        let mut nobody = ();
        let mut session = Session::new(setting(&objectives), system, &mut nobody);
        take(&mut session, rate, Duration::from_secs(10)).unwrap()
    }

    #[test]
    fn what_falls_behind_says_by_how_much() {
        let served = |rate| step(&mut Simulated::of(500.0), rate, &[]).served();
        assert_eq!(served(495.0), None);
        for rate in [505.0, 550.0, 900.0] {
            let served = served(rate).unwrap();
            assert!((495.0..505.0).contains(&served), "{served} at {rate}");
        }
    }

    #[test]
    fn what_is_missed_is_said() {
        let check =
            |rate, objectives: &[&str], why: Option<&str>| match step(&mut Simulated::of(500.0), rate, objectives).kept
            {
                Kept::Yes => assert_eq!(why, None),
                Kept::No(missed) => assert!(why.is_some_and(|why| missed.contains(why)), "{missed}"),
                Kept::Unknown(trouble) => panic!("{trouble}"),
            };
        check(400.0, &["p99 < 50ms", "rate >= 450/s"], None);
        check(400.0, &["p99 < 5ms"], Some("`p99 < 5ms` was missed"));
        check(600.0, &[], Some("fell behind, by 16.7 %"));
    }

    #[test]
    fn failures_are_bounded_where_nobody_says_so() {
        let mut failing = Simulated::of(500.0);
        failing.fails_every = Some(50);
        assert_eq!(
            step(&mut failing, 100.0, &[]).kept,
            Kept::No("2.0 % of the requests failed".to_owned())
        );
        assert_eq!(step(&mut failing, 100.0, &["errors < 3%"]).kept, Kept::Yes);
    }

    #[test]
    fn a_disturbed_step_is_repeated() {
        let mut system = Simulated::of(500.0);
        system.disturbed = vec![0, 1];
        assert_eq!(step(&mut system, 450.0, &["p99 < 50ms"]).kept, Kept::Yes);
        assert_eq!(system.rates.len(), 3);
    }

    #[test]
    fn what_is_clear_is_not_repeated() {
        let mut system = Simulated::of(500.0);
        step(&mut system, 600.0, &[]);
        assert_eq!(system.rates.len(), 1);
    }

    #[test]
    fn a_limit_of_the_generator_is_not_one_of_the_target() {
        let mut system = Simulated::of(500.0);
        system.generator_most = 300.0;
        assert!(matches!(
            step(&mut system, 400.0, &["p99 < 50ms"]).kept,
            Kept::Unknown(_)
        ));
        assert_eq!(step(&mut system, 400.0, &["p99 < 5s"]).kept, Kept::Yes);
    }

    #[test]
    fn a_generator_that_is_a_little_late_excuses_little() {
        let mut system = Simulated::of(500.0);
        system.lag = Duration::from_millis(20);
        let is_bad = |step: Step| matches!(step.kept, Kept::No(_));
        // In ten seconds latency grows by 0.2 s, and by nothing.
        assert!(is_bad(step(&mut system, 510.0, &[])));
        assert!(!is_bad(step(&mut system, 400.0, &["p99 < 5ms"])));
        system.fails_every = Some(10);
        assert!(is_bad(step(&mut system, 400.0, &["errors < 1%"])));
    }

    #[test]
    fn a_percentile_makes_a_step_longer() {
        let objectives: Vec<Objective> = vec!["p99 < 50ms".parse().unwrap()];
        let (mut system, mut nobody) = (Simulated::of(500.0), ());
        let session = Session::new(setting(&objectives), &mut system, &mut nobody);
        let length = |rate| length(&session, rate, Duration::from_secs(10)).as_secs();
        assert_eq!((length(1000.0), length(100.0), length(0.1)), (10, 20, 300));
    }
}
