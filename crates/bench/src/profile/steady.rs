//! `load`: the rate that is expected, held for a while.

use std::time::Duration;

use super::session::Session;
use super::{positive, warm_up};
use crate::engine::Fault;
use crate::load::{Load, Phase};
use crate::verdict::Model;

/// A constant rate, perhaps with a ramp before and after it.
#[derive(Clone, Debug)]
pub struct Steady {
    /// Flows a second.
    pub rate: f64,
    /// How long this rate is held. 30 s: enough for a p99 at 40 flows a second.
    pub duration: Duration,
    /// How long the rate grows from nothing to there; it doesn't count. No time: a system that can't take the expected load at
    /// once should be tested for that, too.
    pub rise: Duration,
    /// How long it goes back to nothing; it doesn't count.
    pub fall: Duration,
    /// How long the same rate goes on before it counts.
    pub warm_up: Duration,
}

impl Steady {
    /// At a rate, all else as it is by default.
    pub fn at(rate: f64) -> Steady {
        Steady {
            rate,
            duration: Duration::from_secs(30),
            rise: Duration::ZERO,
            fall: Duration::ZERO,
            warm_up: Duration::from_secs(5),
        }
    }

    /// The phases of it.
    pub fn phases(&self) -> Vec<Phase> {
        let ramp = |name: &str, duration, from, to| Phase {
            name: name.to_owned(),
            duration,
            load: Load::Rate { from, to },
            counts: false,
        };
        let mut phases = Vec::new();
        if !self.rise.is_zero() {
            phases.push(ramp("rise", self.rise, 0.0, self.rate));
        }
        phases.extend(warm_up(self.warm_up, constant(self.rate)));
        phases.push(Phase {
            name: "load".to_owned(),
            duration: self.duration,
            load: constant(self.rate),
            counts: true,
        });
        if !self.fall.is_zero() {
            phases.push(ramp("fall", self.fall, self.rate, 0.0));
        }
        phases
    }

    pub(super) fn conduct(&self, session: &mut Session<'_>) -> Result<(), Fault> {
        positive("rate", self.rate)?;
        let measured = session.run(&self.phases())?;
        session.keep_valid(measured, Model::Open);
        Ok(())
    }
}

pub(super) fn constant(rate: f64) -> Load {
    Load::Rate { from: rate, to: rate }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_held_rate_counts() {
        let second = Duration::from_secs(1);
        let steady = Steady {
            rise: second,
            fall: second,
            ..Steady::at(100.0)
        };
        let phases = steady.phases();
        let names: Vec<_> = phases.iter().map(|phase| (phase.name.as_str(), phase.counts)).collect();
        assert_eq!(
            names,
            [("rise", false), ("warm-up", false), ("load", true), ("fall", false)]
        );
    }

    #[test]
    fn what_takes_no_time_is_no_phase() {
        let steady = Steady {
            warm_up: Duration::ZERO,
            ..Steady::at(100.0)
        };
        assert_eq!(steady.phases().len(), 1);
    }
}
