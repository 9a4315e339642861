//! `capacity`: the highest rate at which all is well.

mod search;

use std::time::Duration;

use self::search::{Known, Search};
use super::session::Session;
use super::steady::constant;
use super::step::{Kept, Step, keep, samples, shown, take};
use super::{found, positive, warm_up};
use crate::engine::Fault;
use crate::load::Load;
use crate::measured::PhaseMeasured;
use crate::report::Judged;
use crate::verdict::BUSIEST;

/// The most steps of a search. A usual one takes ten.
const MOST_STEPS: usize = 60;

/// Users of the closed model that tell where to begin.
const PROBING_USERS: usize = 50;

/// Where to begin in proportion to what the closed model got: low enough that the first step is good, which is also what later ones
/// are compared with.
const BEGIN: f64 = 0.5;

/// A search for the highest rate that keeps the objectives: first up until one doesn't, then between the two.
///
/// A rate is good where every objective holds, but those for the rate itself, no more than 1 % of the requests fail (where no
/// objective says otherwise), and the target keeps up with what arrives. Between two steps all that waits is answered.
#[derive(Clone, Debug)]
pub struct Capacity {
    /// Where to begin. Without it, a short run of the closed model tells.
    pub from: Option<f64>,
    /// The rate that isn't exceeded.
    pub most: f64,
    /// How long each step is at least. 10 s: a queue that grows by 1 % of what arrives adds 100 ms of waiting then.
    pub each: Duration,
    /// By which share the lowest bad rate may exceed the highest good one at the end. 0.02: below that, two runs differ.
    pub precision: f64,
    /// The rate that is expected in production, which the capacity must not be below of, and which headroom is counted from.
    pub expected: Option<f64>,
    /// How long there is some load before the search.
    pub warm_up: Duration,
}

impl Default for Capacity {
    fn default() -> Capacity {
        Capacity {
            from: None,
            most: 1e6,
            each: Duration::from_secs(10),
            precision: 0.02,
            expected: None,
            warm_up: Duration::from_secs(3),
        }
    }
}

impl Capacity {
    pub(super) fn conduct(&self, session: &mut Session<'_>) -> Result<(), Fault> {
        self.check()?;
        let begin = self.begin(session)?.min(self.most);
        let mut search = Search::new(begin, self.most, self.precision);
        let mut steps: Vec<Step> = Vec::new();
        while let Some(rate) = search.next() {
            if session.interrupted() || steps.len() == MOST_STEPS {
                break;
            }
            let step = take(session, rate, self.each)?;
            match &step.kept {
                Kept::Yes => search.good(rate),
                Kept::No(_) => search.bad(rate, step.served()),
                Kept::Unknown(_) => search.unknown(rate),
            }
            steps.push(step);
        }
        if !session.interrupted() {
            self.tell(session, &search.known(), &steps);
        }
        keep(session, steps);
        Ok(())
    }

    fn check(&self) -> Result<(), Fault> {
        positive("most", self.most)?;
        if self.each.is_zero() {
            return Err(Fault("`each` must be longer than no time".to_owned()));
        }
        for (name, rate) in [("from", self.from), ("expected", self.expected)] {
            if let Some(rate) = rate {
                positive(name, rate)?;
            }
        }
        match (0.001..=1.0).contains(&self.precision) {
            true => Ok(()),
            false => Err(Fault(format!(
                "`precision` must be from 0.1 % to 100 %, and is {} %",
                self.precision * 100.0
            ))),
        }
    }

    /// Warms up, and says where to begin.
    fn begin(&self, session: &mut Session<'_>) -> Result<f64, Fault> {
        if let Some(from) = self.from {
            if let Some(phase) = warm_up(self.warm_up, constant(from.min(self.most))) {
                let measured = session.run(&[phase])?;
                session.keep(measured);
            }
            return Ok(from);
        }
        let users = session.setting.lanes.clamp(1, PROBING_USERS);
        let length = self.warm_up.max(Duration::from_secs(1));
        let measured = session.run(&Vec::from_iter(warm_up(length, Load::Users(users))))?;
        // What failed at once says nothing of what can be done.
        let answered: u64 = measured
            .phases
            .iter()
            .map(PhaseMeasured::total)
            .map(|total| total.ended.saturating_sub(total.failed()))
            .sum();
        session.keep(measured);
        let rate = answered as f64 / length.as_secs_f64();
        // Below this, percentiles make steps longer than they have to be.
        let brief = 2.0 * samples(session) as f64 / self.each.as_secs_f64();
        Ok((rate * BEGIN).max(brief.min(rate)).max(1.0))
    }

    /// Says what was found.
    fn tell(&self, session: &mut Session<'_>, known: &Known, steps: &[Step]) {
        let reason = |rate: f64| {
            let step = steps.iter().rfind(|step| step.rate == rate);
            match step.map(|step| &step.kept) {
                Some(Kept::No(why) | Kept::Unknown(why)) => why.clone(),
                Some(Kept::Yes) | None => String::new(),
            }
        };
        match *known {
            Known::Between { good, bad } if busiest(steps, good) > BUSIEST => {
                session.find(found::CAPACITY_AT_LEAST, good);
                session.outcome.invalid.push(format!(
                    "at {} the busiest thread of the load generator used {:.0} % of its processor already, so that what was too much \
                     at {} may be its own limit",
                    shown(good),
                    busiest(steps, good) * 100.0,
                    shown(bad)
                ));
            }
            Known::Between { good, bad } => {
                session.find(found::CAPACITY, good);
                session.find(found::CAPACITY_FAILED, bad);
                session.remark(format!(
                    "All was well up to {}. At {}: {}.",
                    shown(good),
                    shown(bad),
                    reason(bad)
                ));
                self.tell_of_connections(session, steps, bad);
            }
            Known::AtLeast { good } => {
                session.find(found::CAPACITY_AT_LEAST, good);
                session.remark(format!(
                    "All was well up to {}, the highest rate that was asked for.",
                    shown(good)
                ));
            }
            Known::BelowGenerator { good, unknown } => {
                if let Some(good) = good {
                    session.find(found::CAPACITY_AT_LEAST, good);
                }
                session.outcome.invalid.push(format!(
                    "at {} the load generator was at its limit before the target was: {}",
                    shown(unknown),
                    reason(unknown)
                ));
            }
            Known::None { bad } => {
                session.find(found::CAPACITY, 0.0);
                session.find(found::CAPACITY_FAILED, bad);
                session.remark(format!("No rate was good. At {}: {}.", shown(bad), reason(bad)));
            }
            Known::Nothing => {}
        }
        self.compare_with_expected(session, known);
    }

    fn compare_with_expected(&self, session: &mut Session<'_>, known: &Known) {
        let capacity = match known {
            Known::Between { good, .. } | Known::AtLeast { good } => *good,
            Known::None { .. } => 0.0,
            Known::BelowGenerator { .. } | Known::Nothing => return,
        };
        let demanded = self.expected.unwrap_or(0.0);
        session.outcome.judged.push(Judged {
            objective: match self.expected {
                Some(expected) => format!("capacity >= {}", shown(expected)),
                None => "capacity > 0/s".to_owned(),
            },
            route: None,
            measured: shown(capacity),
            met: capacity > 0.0 && capacity >= demanded,
        });
        if let Some(expected) = self.expected {
            session.find(found::HEADROOM, capacity / expected - 1.0);
        }
    }

    /// Where requests waited for connections while the target itself was as fast as ever, the limit may be ours.
    fn tell_of_connections(&self, session: &mut Session<'_>, steps: &[Step], bad: f64) {
        let by_rate = |one: &&Step, other: &&Step| one.rate.total_cmp(&other.rate);
        let lowest = steps.iter().min_by(by_rate);
        let failed = steps.iter().rfind(|step| step.rate == bad);
        if let (Some(lowest), Some(failed)) = (lowest, failed)
            && failed.starved(lowest)
        {
            session.remark(format!(
                "At {} requests waited for one of {} connections or streams while answers took no longer than at {}: with more of \
                 them the capacity may be higher.",
                shown(bad),
                session.setting.lanes,
                shown(lowest.rate)
            ));
        }
    }
}

/// How busy the generator was with a rate that was good.
fn busiest(steps: &[Step], rate: f64) -> f64 {
    let step = steps.iter().rfind(|step| step.rate == rate);
    step.map_or(0.0, Step::busiest)
}

#[cfg(test)]
mod tests;
