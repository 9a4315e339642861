//! `soak`: for hours, to see what wears out.

use std::time::Duration;

use super::session::Session;
use super::steady::constant;
use super::step::rows;
use super::{found, positive, warm_up};
use crate::engine::Fault;
use crate::load::Phase;
use crate::measured::{Measured, Second};
use crate::statistics::{Slope, theil_sen};
use crate::verdict::Model;

/// The most periods: each has its histograms, and memory must not grow with the hours.
const MOST_PERIODS: u32 = 48;

/// Periods where nobody says how long one is.
const USUAL_PERIODS: u32 = 12;

/// A trend that changes latency by less over the whole run isn't worth a word.
const WORTH_A_WORD: f64 = 0.1;

/// A constant rate for long, told in periods. A trend of latency is told too, and where a process is watched, what it leaks is a
/// failure.
#[derive(Clone, Debug)]
pub struct Soak {
    /// Flows a second.
    pub rate: f64,
    /// How long. An hour: leaks and caches that fill show by then.
    pub duration: Duration,
    /// How long a period is; a twelfth of the whole where nothing is said. There are at most 48.
    pub period: Option<Duration>,
    /// How long the same rate goes on before that.
    pub warm_up: Duration,
}

impl Soak {
    /// At a rate, all else as it is by default.
    pub fn at(rate: f64) -> Soak {
        Soak {
            rate,
            duration: Duration::from_secs(3600),
            period: None,
            warm_up: Duration::from_secs(30),
        }
    }

    /// The phases of it: a warm-up and the periods, the last of which may be shorter. They are named by when they begin.
    pub fn phases(&self) -> Vec<Phase> {
        let least = self.duration / MOST_PERIODS;
        let period = self.period.unwrap_or(self.duration / USUAL_PERIODS).max(least);
        let mut phases = Vec::from_iter(warm_up(self.warm_up, constant(self.rate)));
        let mut begins = Duration::ZERO;
        while begins < self.duration {
            // What is left at the end by rounding isn't worth a period.
            let left = self.duration - begins;
            let rounding = Duration::from_micros(1);
            let duration = if left <= period + rounding { left } else { period };
            phases.push(Phase {
                name: clock(begins),
                duration,
                load: constant(self.rate),
                counts: true,
            });
            begins += duration;
        }
        phases
    }

    pub(super) fn conduct(&self, session: &mut Session<'_>) -> Result<(), Fault> {
        positive("rate", self.rate)?;
        let measured = session.run(&self.phases())?;
        tell(session, &measured);
        session.keep_valid(measured, Model::Open);
        Ok(())
    }
}

/// What of a second is looked at.
type Of = fn(&Second) -> u64;

/// Says whether latency has a trend.
fn tell(session: &mut Session<'_>, measured: &Measured) {
    let periods = measured.phases.iter().filter(|phase| phase.counts);
    let seconds: Vec<Second> = periods.flat_map(|phase| rows(measured, phase)).copied().collect();
    let trends: [(&str, &str, Of); 2] = [
        ("median", found::DRIFT_P50, |second| second.p50),
        ("p99", found::DRIFT_P99, |second| second.p99),
    ];
    for (name, key, of) in trends {
        let Some((drift, is_certain)) = drift(&seconds, of) else {
            continue;
        };
        session.find(key, drift);
        if is_certain && drift.abs() > WORTH_A_WORD {
            let (way, share) = (if drift > 0.0 { "up" } else { "down" }, drift.abs() * 100.0);
            session.remark(format!(
                "The {name} latency went {way} by {share:.0} % in the course of the run, steadily."
            ));
        }
    }
}

/// By which share of where it began a latency grew until the end, by its trend; and whether there certainly is one.
fn drift(seconds: &[Second], of: Of) -> Option<(f64, bool)> {
    let known = seconds.iter().enumerate().filter(|(_, second)| second.due > 0);
    let points: Vec<(f64, f64)> = known.map(|(at, second)| (at as f64, of(second) as f64)).collect();
    let Slope { estimate, low, high } = theil_sen(&points)?;
    let length = seconds.len() as f64;
    let mut levels: Vec<f64> = points.iter().map(|(at, value)| value - estimate * at).collect();
    levels.sort_by(f64::total_cmp);
    let began = levels.get(levels.len() / 2).copied().filter(|began| *began > 0.0)?;
    Some((estimate * length / began, low > 0.0 || high < 0.0))
}

/// A time from the start of a run: `1:05:00`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::profile::session::Outcome;
    use crate::profile::simulated::{Simulated, setting};

    #[test]
    fn periods_make_up_the_whole() {
        let check = |period: Option<u64>, names: &[&str], count: usize| {
            let soak = Soak {
                period: period.map(Duration::from_secs),
                ..Soak::at(10.0)
            };
            let phases = soak.phases();
            assert_eq!(phases.len() - 1, count);
            let shown: Vec<_> = phases[1..]
                .iter()
                .take(names.len())
                .map(|phase| phase.name.as_str())
                .collect();
            assert_eq!(shown, names);
            let whole: Duration = phases[1..].iter().map(|phase| phase.duration).sum();
            assert_eq!(whole, soak.duration);
        };
        check(None, &["0:00:00", "0:05:00"], 12);
        check(Some(1500), &["0:00:00", "0:25:00", "0:50:00"], 3);
        check(Some(1), &["0:00:00", "0:01:15"], 48);
        check(Some(9000), &["0:00:00"], 1);
    }

    fn outcome(system: Simulated) -> Outcome {
        let soak = Soak {
            duration: Duration::from_secs(600),
            ..Soak::at(50.0)
        };
        let (mut system, mut nobody) = (system, ());
        let mut session = Session::new(setting(&[]), &mut system, &mut nobody);
        soak.conduct(&mut session).unwrap();
        session.finish()
    }

    #[test]
    fn a_trend_is_found() {
        let mut system = Simulated::of(500.0);
        system.delay = Duration::from_millis(50);
        system.drift = Duration::from_micros(50);
        let outcome = outcome(system);
        // 50 ms and 2 ms of service and 1.5 ms of the warm-up, and 30 ms more at the end.
        let truth = 30.0 / 53.5;
        let drift = outcome.found[found::DRIFT_P50];
        assert!((drift - truth).abs() < 0.03, "{drift} for {truth}");
        assert!(
            outcome.remarks[0].starts_with("The median latency went up by 5"),
            "{:?}",
            outcome.remarks
        );
    }

    #[test]
    fn what_stays_as_it_is_has_none() {
        let outcome = outcome(Simulated::of(500.0));
        assert!(outcome.found[found::DRIFT_P50].abs() < 0.01);
        assert!(outcome.remarks.is_empty(), "{:?}", outcome.remarks);
    }
}
