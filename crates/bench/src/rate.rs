//! How many requests a target answered in a second.

use std::ops::Range;
use std::time::Duration;

use crate::measured::{Measured, PhaseMeasured, RouteMeasured};

/// Good answers a second during the phases that count; nothing where none lasted a second or nothing was asked.
///
/// What is answered after a phase isn't put down to it: a target that gets twice as much as it can do answers the rest while
/// the run waits for the end, and dividing by the length of the phase would make it look twice as fast. So the whole seconds
/// within the phases are counted, each by what was answered well in it; what fails after them says nothing of them either.
pub fn answered(measured: &Measured) -> Option<f64> {
    let (total, lasted) = measured.counted();
    let share = share_of_good(&total)?;
    let (mut good, mut seconds) = (0, 0);
    for phase in measured.phases.iter().filter(|phase| phase.counts) {
        for second in &measured.seconds[whole_seconds(phase, measured.seconds.len())] {
            good += second.ended.saturating_sub(second.bad);
            seconds += 1;
        }
    }
    match seconds {
        // Short phases have no whole second of their own; then what was asked in them has to do.
        0 => (!lasted.is_zero()).then(|| total.ended as f64 * share / lasted.as_secs_f64()),
        seconds => Some(good as f64 / f64::from(seconds)),
    }
}

/// Good answers a second of one route: its part in [`answered`].
pub fn answered_of(measured: &Measured, route: &RouteMeasured) -> Option<f64> {
    let (total, _) = measured.counted();
    let all = total.ended.saturating_sub(total.failed());
    let own = route.ended.saturating_sub(route.failed());
    match all {
        0 => (route.ended > 0).then_some(0.0),
        all => Some(answered(measured)? * own as f64 / all as f64),
    }
}

/// Of the seconds that there are, those that lie within a phase from their begin to their end.
pub(crate) fn whole_seconds(phase: &PhaseMeasured, there_are: usize) -> Range<usize> {
    let end = phase.began.saturating_add(phase.lasted).as_secs();
    let end = usize::try_from(end).unwrap_or(usize::MAX).min(there_are);
    seconds_up(phase.began).min(end)..end
}

fn seconds_up(time: Duration) -> usize {
    let whole = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    usize::try_from(whole).unwrap_or(usize::MAX)
}

fn share_of_good(total: &RouteMeasured) -> Option<f64> {
    (total.ended > 0).then(|| 1.0 - (total.failed() as f64 / total.ended as f64).min(1.0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::measured::Second;
    use crate::outcome::Failure;

    fn measured(lasted: Duration, per_second: &[u64], ended: u64, failed: u64) -> Measured {
        let mut route = RouteMeasured {
            ended,
            ..RouteMeasured::default()
        };
        if failed > 0 {
            let causes = BTreeMap::from([("500".to_owned(), failed)]);
            route.failures.insert(Failure::Status, causes);
        }
        Measured {
            phases: vec![PhaseMeasured {
                counts: true,
                lasted,
                routes: BTreeMap::from([("/".to_owned(), route)]),
                ..PhaseMeasured::default()
            }],
            seconds: per_second
                .iter()
                .map(|ended| Second {
                    ended: *ended,
                    ..Second::default()
                })
                .collect(),
            ..Measured::default()
        }
    }

    #[test]
    fn what_is_answered_after_the_phase_is_not_its_rate() {
        let overloaded = measured(Duration::from_secs(2), &[100, 100, 100, 100], 400, 0);
        assert_eq!(answered(&overloaded), Some(100.0));
    }

    #[test]
    fn what_fails_after_the_phase_takes_nothing_from_its_rate() {
        let mut overloaded = measured(Duration::from_secs(2), &[100, 100, 100, 100], 400, 200);
        overloaded.seconds[2].bad = 100;
        overloaded.seconds[3].bad = 100;
        assert_eq!(answered(&overloaded), Some(100.0));
    }

    #[test]
    fn failures_are_no_answers() {
        let mut failing = measured(Duration::from_secs(2), &[100, 100], 200, 50);
        failing.seconds[0].bad = 50;
        assert_eq!(answered(&failing), Some(75.0));
        let (total, _) = failing.counted();
        assert_eq!(answered_of(&failing, &total), Some(75.0));
    }

    #[test]
    fn a_short_phase_has_a_rate_too_and_an_empty_one_has_none() {
        assert_eq!(
            answered(&measured(Duration::from_millis(500), &[50], 50, 0)),
            Some(100.0)
        );
        assert_eq!(answered(&measured(Duration::from_secs(2), &[0, 0], 0, 0)), None);
        assert_eq!(answered(&Measured::default()), None);
        assert_eq!(answered(&measured(Duration::MAX, &[7], 7, 0)), Some(7.0));
    }
}
