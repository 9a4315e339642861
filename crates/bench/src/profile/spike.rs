//! `spike`: a sudden crowd, and how long until all is as before.

mod recovery;

use std::time::Duration;

use self::recovery::{Bounds, recovery};
use super::session::Session;
use super::steady::constant;
use super::step::{rows, shown};
use super::{found, positive, warm_up};
use crate::engine::Fault;
use crate::load::{Load, Phase};
use crate::measured::{Measured, PhaseMeasured};
use crate::rate;
use crate::report::Judged;
use crate::verdict::Model;

/// The names of the phases before, during and after the crowd.
const BASE: &str = "base";
const PEAK: &str = "peak";
const AFTER: &str = "after";

/// A base rate, a sudden peak, and the base rate again.
///
/// All of it but the warm-up counts for objectives. The target has recovered when latency and failures of whole seconds are within
/// bounds made of the base's, and stay so; it has to by the end of `after`.
#[derive(Clone, Debug)]
pub struct Spike {
    /// The rate before and after.
    pub base: f64,
    /// The rate of the crowd.
    pub peak: f64,
    /// How long the base is held before the peak. 10 s: enough to know what is usual.
    pub before: Duration,
    /// How long it takes to the peak. No time: crowds come by a link that everybody gets at once.
    pub rise: Duration,
    /// How long the peak is held.
    pub hold: Duration,
    /// How long it takes back to the base.
    pub fall: Duration,
    /// How long the base is held then, and so the longest recovery that is seen.
    pub after: Duration,
    /// By which factor the p99 of a second may exceed the base's in a target that has recovered. 2: a p99 of a single second
    /// varies, and what is half a minute behind exceeds it by far.
    pub within: f64,
    /// How long the base rate goes on before all that.
    pub warm_up: Duration,
}

impl Spike {
    /// From a base to a peak, all else as it is by default.
    pub fn of(base: f64, peak: f64) -> Spike {
        Spike {
            base,
            peak,
            before: Duration::from_secs(10),
            rise: Duration::ZERO,
            hold: Duration::from_secs(10),
            fall: Duration::ZERO,
            after: Duration::from_secs(30),
            within: 2.0,
            warm_up: Duration::from_secs(5),
        }
    }

    /// The phases of it. A rise or fall that takes no time is none.
    pub fn phases(&self) -> Vec<Phase> {
        let stretches = [
            (BASE, self.before, constant(self.base)),
            (
                "rise",
                self.rise,
                Load::Rate {
                    from: self.base,
                    to: self.peak,
                },
            ),
            (PEAK, self.hold, constant(self.peak)),
            (
                "fall",
                self.fall,
                Load::Rate {
                    from: self.peak,
                    to: self.base,
                },
            ),
            (AFTER, self.after, constant(self.base)),
        ];
        let stretches = stretches.into_iter().filter(|(_, duration, _)| !duration.is_zero());
        let counting = stretches.map(|(name, duration, load)| Phase {
            name: name.to_owned(),
            duration,
            load,
            counts: true,
        });
        warm_up(self.warm_up, constant(self.base))
            .into_iter()
            .chain(counting)
            .collect()
    }

    pub(super) fn conduct(&self, session: &mut Session<'_>) -> Result<(), Fault> {
        self.check()?;
        let measured = session.run(&self.phases())?;
        if !session.interrupted() {
            self.tell(session, &measured);
        }
        session.keep_valid(measured, Model::Open);
        Ok(())
    }

    fn check(&self) -> Result<(), Fault> {
        positive("base", self.base)?;
        positive("peak", self.peak)?;
        let shortest = Duration::from_secs(2);
        for (name, length) in [("before", self.before), ("after", self.after)] {
            if length < shortest {
                return Err(Fault(format!(
                    "`{name}` must last 2 s at least: what is usual is seen in whole seconds"
                )));
            }
        }
        if self.hold.is_zero() {
            return Err(Fault("`hold` must be longer than no time".to_owned()));
        }
        match self.within.is_finite() && self.within >= 1.0 {
            true => Ok(()),
            false => Err(Fault(format!(
                "`within` must be a factor of 1 or more, and is {}",
                self.within
            ))),
        }
    }

    /// Says what the peak did and how long it was felt.
    fn tell(&self, session: &mut Session<'_>, measured: &Measured) {
        let phase = |name: &str| measured.phases.iter().find(|phase| phase.name == name);
        let (Some(base), Some(peak), Some(after)) = (phase(BASE), phase(PEAK), phase(AFTER)) else {
            return;
        };
        let p99 = |phase: &PhaseMeasured| phase.total().latency.quantile(0.99);
        let (Some(base_p99), Some(peak_p99)) = (p99(base), p99(peak)) else {
            return;
        };
        session.find(found::BASE_P99, base_p99.as_secs_f64());
        session.find(found::PEAK_P99, peak_p99.as_secs_f64());
        let bounds = Bounds::of(base_p99, rows(measured, base), self.within);
        let seconds = rate::whole_seconds(after, measured.seconds.len());
        let first = Duration::from_secs(seconds.start as u64).saturating_sub(after.began);
        let recovery = recovery(&measured.seconds[seconds], &bounds, first);
        let length = self.after.as_secs_f64();
        session.outcome.judged.push(Judged {
            objective: format!("recovers within {length} s"),
            route: None,
            measured: match recovery {
                Some(recovery) => format!("{} s", recovery.as_secs()),
                None => "not recovered".to_owned(),
            },
            met: recovery.is_some(),
        });
        if let Some(recovery) = recovery {
            session.find(found::RECOVERY, recovery.as_secs_f64());
        }
        let peak_rate = shown(self.peak);
        session.remark(match recovery {
            Some(Duration::ZERO) => format!("When the peak of {peak_rate} was over, all was at once as before."),
            Some(recovery) => format!(
                "After the peak of {peak_rate} it took {} s until latency and failures were as before: {bounds}.",
                recovery.as_secs()
            ),
            None => format!("{length} s after the peak of {peak_rate} the target hadn't recovered: {bounds} is usual."),
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::profile::session::Outcome;
    use crate::profile::simulated::{Simulated, setting};

    fn outcome(spike: &Spike, mut system: Simulated) -> Outcome {
        let mut nobody = ();
        let mut session = Session::new(setting(&[]), &mut system, &mut nobody);
        spike.conduct(&mut session).unwrap();
        session.finish()
    }

    /// What a queue that is served at `capacity` is behind after the peak, divided by what is free to catch up.
    fn truth(spike: &Spike, capacity: f64) -> f64 {
        (spike.peak - capacity) * spike.hold.as_secs_f64() / (capacity - spike.base)
    }

    #[test]
    fn the_time_that_a_queue_takes_to_drain_is_the_recovery() {
        for (base, peak, capacity) in [(100.0, 400.0, 200.0), (50.0, 1000.0, 500.0), (300.0, 800.0, 700.0)] {
            let spike = Spike {
                hold: Duration::from_secs(4),
                ..Spike::of(base, peak)
            };
            let recovery = outcome(&spike, Simulated::of(capacity)).found[found::RECOVERY];
            let truth = truth(&spike, capacity);
            assert!((recovery - truth).abs() <= 1.0, "{recovery} s for {truth} s");
        }
    }

    #[test]
    fn what_does_not_recover_is_told() {
        let spike = Spike {
            hold: Duration::from_secs(20),
            ..Spike::of(100.0, 400.0)
        };
        let outcome = outcome(&spike, Simulated::of(150.0));
        assert_eq!(outcome.found.get(found::RECOVERY), None);
        assert!(!outcome.judged[0].met);
        assert_eq!(outcome.judged[0].measured, "not recovered");
        assert!(outcome.remarks[0].contains("hadn't recovered"), "{:?}", outcome.remarks);
    }

    #[test]
    fn what_bears_the_peak_has_nothing_to_recover_from() {
        let outcome = outcome(&Spike::of(100.0, 400.0), Simulated::of(1000.0));
        assert_eq!(outcome.found[found::RECOVERY], 0.0);
        assert!(outcome.judged[0].met);
    }

    #[test]
    fn a_slow_fall_is_no_recovery() {
        let fall = Duration::from_secs(5);
        let outcome = outcome(
            &Spike {
                fall,
                ..Spike::of(100.0, 400.0)
            },
            Simulated::of(1000.0),
        );
        assert_eq!(outcome.found[found::RECOVERY], 0.0);
    }

    #[test]
    fn phases_have_the_lengths_and_rates_that_were_said() {
        let second = Duration::from_secs(1);
        let spike = Spike {
            rise: second,
            fall: second,
            ..Spike::of(10.0, 90.0)
        };
        let phases = spike.phases();
        let names: Vec<_> = phases.iter().map(|phase| phase.name.as_str()).collect();
        assert_eq!(names, ["warm-up", "base", "rise", "peak", "fall", "after"]);
        assert!(!phases[0].counts && phases[1..].iter().all(|phase| phase.counts));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |spike: Spike| {
            let (mut system, mut nobody) = (Simulated::of(500.0), ());
            let mut session = Session::new(setting(&[]), &mut system, &mut nobody);
            spike.conduct(&mut session).unwrap_err().0
        };
        assert!(refused(Spike::of(0.0, 1.0)).contains("`base`"));
        assert!(
            refused(Spike {
                before: Duration::ZERO,
                ..Spike::of(1.0, 2.0)
            })
            .contains("`before`")
        );
        assert!(
            refused(Spike {
                hold: Duration::ZERO,
                ..Spike::of(1.0, 2.0)
            })
            .contains("`hold`")
        );
        assert!(
            refused(Spike {
                within: 0.5,
                ..Spike::of(1.0, 2.0)
            })
            .contains("`within`")
        );
    }
}
