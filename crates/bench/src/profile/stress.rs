//! `stress`: more and more, until it breaks.

use std::time::Duration;

use super::session::Session;
use super::steady::constant;
use super::step::{Kept, Step, keep, shown, take};
use super::{found, positive, warm_up};
use crate::engine::Fault;

/// The most steps, so that a small growth ends, too.
const MOST_STEPS: usize = 200;

/// Steps up until the objectives are missed or the target falls behind.
#[derive(Clone, Debug)]
pub struct Stress {
    /// The first rate.
    pub from: f64,
    /// By which factor a rate exceeds the one before. 1.25: ten times the load in ten steps.
    pub growth: f64,
    /// The rate that isn't exceeded, whatever happens.
    pub most: f64,
    /// How long each step is at least. 10 s: a queue that grows by 1 % of what arrives adds 100 ms of waiting then.
    pub each: Duration,
    /// How long the first rate goes on before it counts.
    pub warm_up: Duration,
}

impl Stress {
    /// From a rate up, all else as it is by default.
    pub fn from(rate: f64) -> Stress {
        Stress {
            from: rate,
            growth: 1.25,
            most: 1e6,
            each: Duration::from_secs(10),
            warm_up: Duration::from_secs(5),
        }
    }

    pub(super) fn conduct(&self, session: &mut Session<'_>) -> Result<(), Fault> {
        positive("from", self.from)?;
        positive("most", self.most)?;
        if self.each.is_zero() {
            return Err(Fault("`each` must be longer than no time".to_owned()));
        }
        if !(self.growth.is_finite() && self.growth > 1.0) {
            return Err(Fault(format!(
                "`growth` must be a factor above 1, and is {}",
                self.growth
            )));
        }
        if let Some(phase) = warm_up(self.warm_up, constant(self.from)) {
            let measured = session.run(&[phase])?;
            session.keep(measured);
        }
        let mut steps: Vec<Step> = Vec::new();
        let mut rate = self.from.min(self.most);
        while !session.interrupted() && steps.len() < MOST_STEPS {
            let step = take(session, rate, self.each)?;
            let goes_on = step.kept == Kept::Yes && rate < self.most;
            steps.push(step);
            if !goes_on {
                break;
            }
            rate = (rate * self.growth).min(self.most);
        }
        if !session.interrupted() {
            tell(session, &steps);
        }
        keep(session, steps);
        Ok(())
    }
}

/// Says where it broke, and what did.
fn tell(session: &mut Session<'_>, steps: &[Step]) {
    let good = steps.iter().rfind(|step| step.kept == Kept::Yes).map(|step| step.rate);
    if let Some(good) = good {
        session.find(found::LAST_GOOD, good);
    }
    let Some(last) = steps.last() else {
        return;
    };
    let rate = shown(last.rate);
    match &last.kept {
        Kept::Yes => session.remark(format!(
            "It didn't break: at {rate}, the highest rate that was asked for, all was well."
        )),
        Kept::No(why) => {
            session.find(found::FIRST_BAD, last.rate);
            let before = match good {
                Some(good) => format!("The last rate at which all was well is {}.", shown(good)),
                None => "It was the lowest that was asked for.".to_owned(),
            };
            session.remark(format!("It broke at {rate}: {why}. {before}"));
        }
        Kept::Unknown(why) => {
            let reason = format!("at {rate} the load generator was at its limit before the target broke: {why}");
            session.outcome.invalid.push(reason);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::objective::Objective;
    use crate::profile::session::Outcome;
    use crate::profile::simulated::{Simulated, setting};

    fn outcome(stress: &Stress, mut system: Simulated, objectives: &[&str]) -> Outcome {
        let objectives: Vec<Objective> = objectives.iter().map(|text| text.parse().unwrap()).collect();
        let mut nobody = ();
        let mut session = Session::new(setting(&objectives), &mut system, &mut nobody);
        stress.conduct(&mut session).unwrap();
        session.finish()
    }

    #[test]
    fn the_last_good_and_the_first_bad_step_are_told() {
        let outcome = outcome(&Stress::from(300.0), Simulated::of(500.0), &["p99 < 50ms"]);
        assert_eq!(outcome.found[found::LAST_GOOD], 468.75);
        assert_eq!(outcome.found[found::FIRST_BAD], 468.75 * 1.25);
        assert!(
            outcome.remarks[0].starts_with("It broke at 586/s: `p99 < 50ms` was missed"),
            "{:?}",
            outcome.remarks
        );
        let counting: Vec<_> = outcome.measured.phases.iter().filter(|phase| phase.counts).collect();
        assert_eq!((counting.len(), counting[0].name.as_str()), (1, "step 469/s"));
    }

    #[test]
    fn failures_break_it_too() {
        let mut shedding = Simulated::of(500.0);
        shedding.sheds_beyond = Some(Duration::from_millis(30));
        let outcome = outcome(&Stress::from(400.0), shedding, &[]);
        assert_eq!(outcome.found[found::FIRST_BAD], 625.0);
        assert!(
            outcome.remarks[0].contains("of the requests failed"),
            "{:?}",
            outcome.remarks
        );
    }

    #[test]
    fn what_does_not_break_says_so() {
        let stress = Stress {
            most: 450.0,
            ..Stress::from(300.0)
        };
        let outcome = outcome(&stress, Simulated::of(500.0), &[]);
        assert_eq!(outcome.found.get(found::FIRST_BAD), None);
        assert_eq!(outcome.found[found::LAST_GOOD], 450.0);
        assert!(
            outcome.remarks[0].starts_with("It didn't break: at 450/s"),
            "{:?}",
            outcome.remarks
        );
    }

    #[test]
    fn the_generators_limit_is_told_apart() {
        let mut system = Simulated::of(500.0);
        system.generator_most = 400.0;
        let outcome = outcome(&Stress::from(380.0), system, &["p99 < 5ms"]);
        assert!(
            outcome.found.contains_key(found::FIRST_BAD),
            "380/s is the target's own fault"
        );
        let mut system = Simulated::of(500.0);
        system.generator_most = 300.0;
        let outcome = self::outcome(&Stress::from(380.0), system, &["p99 < 5ms"]);
        assert!(
            outcome.invalid[0].contains("load generator was at its limit"),
            "{:?}",
            outcome.invalid
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |stress: Stress| {
            let (mut system, mut nobody) = (Simulated::of(500.0), ());
            let mut session = Session::new(setting(&[]), &mut system, &mut nobody);
            stress.conduct(&mut session).unwrap_err().0
        };
        assert!(refused(Stress::from(0.0)).contains("`from`"));
        assert!(
            refused(Stress {
                growth: 1.0,
                ..Stress::from(1.0)
            })
            .contains("`growth`")
        );
        assert!(
            refused(Stress {
                most: f64::NAN,
                ..Stress::from(1.0)
            })
            .contains("`most`")
        );
    }
}
