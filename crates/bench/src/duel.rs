//! Two targets, or one before and after a change, measured in turn so that they can be compared.

use crate::compare::{Change, Comparison, Refused, Terms, compare};
use crate::engine::{Fault, Watch};
use crate::report::Report;
use crate::run::Run;
use crate::summary::Summary;

/// Pairs of runs where nobody says how many: with 5 and 5 a difference can be significant for three metrics at once.
pub const PAIRS: usize = 5;

/// The most pairs.
const MOST_PAIRS: usize = 100;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is compared with.
    Base,
    /// What is compared.
    Head,
}

/// Two runs that are made several times each, in the order base, head, head, base and so on: what changes on the machine meanwhile,
/// such as its temperature or its neighbours, changes both alike.
#[derive(Clone, Debug)]
pub struct Duel {
    /// What is compared with.
    pub base: Run,
    /// What is compared.
    pub head: Run,
    /// How often each is run.
    pub pairs: usize,
}

/// The reports of both sides, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub struct Fought {
    /// Those of the base.
    pub base: Vec<Report>,
    /// Those of the head.
    pub head: Vec<Report>,
    /// Whether it was ended before all runs were made.
    pub interrupted: bool,
}

/// Who looks on, and is told which run it is.
pub trait Spectator: Watch {
    /// A run begins: of which side, and which of all runs of the duel, from 1.
    fn begins(&mut self, _side: Side, _run: usize, _of: usize) {}
}

impl Spectator for () {}

impl Duel {
    /// Makes all runs. Each has connections of its own: which of the target's threads gets which is chance, and belongs to what makes
    /// runs differ.
    ///
    /// # Errors
    /// Those of [`Run::run`], and where the number of pairs is none or too large.
    pub fn fight(&self, spectator: &mut dyn Spectator) -> Result<Fought, Fault> {
        if !(1..=MOST_PAIRS).contains(&self.pairs) {
            return Err(Fault(format!(
                "a duel has 1 to {MOST_PAIRS} pairs of runs, not {}",
                self.pairs
            )));
        }
        let mut fought = Fought::default();
        let runs = 2 * self.pairs;
        for (number, side) in order(self.pairs).enumerate() {
            spectator.begins(side, number + 1, runs);
            let mut run = match side {
                Side::Base => self.base.clone(),
                Side::Head => self.head.clone(),
            };
            // Both of a pair get the same arrivals, and each pair others.
            run.plan.seed = run.plan.seed.wrapping_add(number as u64 / 2);
            let report = run.run(spectator)?;
            fought.interrupted = report.interrupted;
            if fought.interrupted {
                break;
            }
            match side {
                Side::Base => fought.base.push(report),
                Side::Head => fought.head.push(report),
            }
        }
        Ok(fought)
    }
}

impl Fought {
    /// What can be said of the difference.
    ///
    /// # Errors
    /// When the runs can't be compared.
    pub fn compare(&self, terms: &Terms) -> Result<Comparison, Refused> {
        let summaries = |reports: &[Report]| reports.iter().map(Summary::of).collect::<Vec<_>>();
        compare(&summaries(&self.base), &summaries(&self.head), terms)
    }
}

/// What came of comparing something with itself again and again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarms {
    /// Comparisons that were made.
    pub comparisons: usize,
    /// Of these, the ones that took it for worse.
    pub worse: usize,
    /// The ones that took it for better.
    pub better: usize,
    /// The ones that couldn't tell.
    pub inconclusive: usize,
}

/// Compares a target with itself, so many times, by so many pairs of runs each: how often is a change seen that isn't there? What the
/// statistics promise is a share of 5 % at most. With runs of a second, 100 comparisons by 5 pairs take 20 minutes.
///
/// # Errors
/// Those of [`Duel::fight`], and when runs of the same can't be compared.
pub fn false_alarms(
    run: &Run,
    comparisons: usize,
    pairs: usize,
    terms: &Terms,
    spectator: &mut dyn Spectator,
) -> Result<Alarms, Fault> {
    let duel = Duel {
        base: run.clone(),
        head: run.clone(),
        pairs,
    };
    let mut alarms = Alarms::default();
    while alarms.comparisons < comparisons {
        let fought = duel.fight(spectator)?;
        if fought.interrupted {
            break;
        }
        let comparison = fought.compare(terms).map_err(|refused| Fault(refused.to_string()))?;
        alarms.comparisons += 1;
        match comparison.verdict {
            Change::Worse => alarms.worse += 1,
            Change::Better => alarms.better += 1,
            Change::Inconclusive => alarms.inconclusive += 1,
            Change::Same => {}
        }
    }
    Ok(alarms)
}

/// Whose turn it is: base, head, head, base, and again.
fn order(pairs: usize) -> impl Iterator<Item = Side> {
    (0..pairs).flat_map(|pair| match pair % 2 {
        0 => [Side::Base, Side::Head],
        _ => [Side::Head, Side::Base],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_taken_so_that_a_trend_favours_nobody() {
        let sides: Vec<Side> = order(4).collect();
        let places = |wanted: Side| (0..8).filter(|at| sides[*at] == wanted).sum::<usize>();
        assert_eq!((places(Side::Base), places(Side::Head)), (14, 14));
        assert_eq!(sides[..4], [Side::Base, Side::Head, Side::Head, Side::Base]);
    }
}
