//! What is asserted of policies, and whether it held.

use std::time::Duration;

use portcullis_bench::Histogram;
use portcullis_bench::measured::{Measured, PhaseMeasured, RouteMeasured};
use portcullis_bench::objective::Objective;
use portcullis_bench::outcome::Failure;
use portcullis_bench::report::Judged;

/// An assertion, and whether a load generator in trouble could be why it doesn't hold.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) judged: Judged,
    pub(super) needs_generator: bool,
}

impl Finding {
    /// One that holds or doesn't, however the generator was doing.
    pub(super) fn certain(
        route: Option<&str>,
        objective: impl Into<String>,
        measured: impl Into<String>,
        met: bool,
    ) -> Finding {
        Finding {
            judged: Judged {
                objective: objective.into(),
                route: route.map(str::to_owned),
                measured: measured.into(),
                met,
            },
            needs_generator: false,
        }
    }

    /// One that a late generator could keep from holding.
    pub(super) fn by_generator(self) -> Finding {
        Finding {
            needs_generator: true,
            ..self
        }
    }
}

/// What is refused while answers are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusals {
    /// The status of refusals.
    pub(super) status: u16,
    /// What each stand-in takes on purpose.
    pub(super) own: Duration,
    /// When that is, in words.
    pub(super) when: &'static str,
}

/// Judges objectives by the requests of a route that were answered, in the place of all: refusals are quick, and would make
/// answers look quicker than they are. Which of the latencies are those of answers isn't known, so the slowest are taken for
/// them; what holds of these holds of the answers.
///
/// What each stand-in takes on purpose isn't the gate's. Where there are fewer answers than an objective needs
/// to say something about a larger number, it is judged by those that there are: a policy lets so many through and no more.
pub(super) fn of_answered(objectives: &[Objective], name: &str, all: &RouteMeasured, by: &Refusals) -> Vec<Finding> {
    let answered = answered(all, by.status, by.own);
    let judge = |objective: &Objective| {
        let has = answered.ended;
        let times = match has {
            0 => 1,
            has => objective.samples().div_ceil(has),
        };
        let mut judged = objective.judge(&alone(name, repeated(&answered, times)));
        judged.objective.push_str(&format!(" of those answered {}", by.when));
        if times > 1 {
            judged.measured.push_str(&format!(" of {has}"));
        }
        Finding {
            judged,
            needs_generator: true,
        }
    };
    objectives.iter().map(judge).collect()
}

/// What of a route's requests wasn't refused with that status.
fn answered(all: &RouteMeasured, refusal: u16, own: Duration) -> RouteMeasured {
    let refused = all.statuses.get(&refusal).copied().unwrap_or(0);
    let mut answered = RouteMeasured {
        ended: all.ended.saturating_sub(refused),
        statuses: all.statuses.clone(),
        failures: all.failures.clone(),
        ..RouteMeasured::default()
    };
    answered.statuses.remove(&refusal);
    // What a refusal lacks has an assertion of its own.
    answered.failures.remove(&Failure::Check);
    let mut fastest = refused;
    for (micros, count) in all.latency.values() {
        let passed_over = fastest.min(count);
        fastest -= passed_over;
        let time = Duration::from_micros(micros).saturating_sub(own);
        answered.latency.record_many(time, count - passed_over);
    }
    answered
}

fn repeated(one: &RouteMeasured, times: u64) -> RouteMeasured {
    let mut latency = Histogram::new();
    for (micros, count) in one.latency.values() {
        latency.record_many(Duration::from_micros(micros), count.saturating_mul(times));
    }
    let mut repeated = RouteMeasured {
        latency,
        ended: one.ended.saturating_mul(times),
        statuses: one.statuses.clone(),
        failures: one.failures.clone(),
        ..RouteMeasured::default()
    };
    let of_statuses = repeated.statuses.values_mut();
    let of_failures = repeated.failures.values_mut().flat_map(|causes| causes.values_mut());
    of_statuses
        .chain(of_failures)
        .for_each(|count| *count = count.saturating_mul(times));
    repeated
}

fn alone(name: &str, route: RouteMeasured) -> Measured {
    Measured {
        phases: vec![PhaseMeasured {
            counts: true,
            routes: [(name.to_owned(), route)].into(),
            ..PhaseMeasured::default()
        }],
        ..Measured::default()
    }
}

/// The requests of a route in the phases of those names.
pub(super) fn of_phases(measured: &Measured, phases: &[&str], route: &str) -> RouteMeasured {
    let mut sum = RouteMeasured::default();
    for phase in measured.phases.iter().filter(|phase| phases.contains(&&*phase.name)) {
        if let Some(one) = phase.routes.get(route) {
            sum.merge(one);
        }
    }
    sum
}

/// Answers with a good status.
pub(super) fn good(route: &RouteMeasured) -> u64 {
    route.statuses.range(200..=299).map(|(_, count)| count).sum()
}

/// Answers with a status.
pub(super) fn with_status(route: &RouteMeasured, status: u16) -> u64 {
    route.statuses.get(&status).copied().unwrap_or(0)
}

/// How requests ended that were answered with none of these statuses, in words; nothing where there are none.
pub(super) fn others(route: &RouteMeasured, allowed: &[u16]) -> Option<String> {
    let odd = |status: u16| !(200..=299).contains(&status) && !allowed.contains(&status);
    let answered = route.statuses.iter().filter(|(status, _)| odd(**status));
    let mut words: Vec<String> = answered
        .map(|(status, count)| format!("{count} with {status}"))
        .collect();
    let unanswered = route
        .failures
        .iter()
        .filter(|(kind, _)| !matches!(kind, Failure::Status | Failure::Check));
    words.extend(
        unanswered
            .map(|(kind, causes)| format!("{} without an answer ({})", causes.values().sum::<u64>(), kind.word())),
    );
    (!words.is_empty()).then(|| words.join(", "))
}

/// What refusals lack, in words; nothing where they lack nothing.
pub(super) fn lacking(route: &RouteMeasured) -> Option<String> {
    let causes = route.failures.get(&Failure::Check)?;
    let words: Vec<String> = causes
        .iter()
        .map(|(check, count)| format!("not of {count}: {check}"))
        .collect();
    Some(words.join(", "))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// So many answers of 40 ms, and refusals of 1 ms.
    fn measured(answers: u64, refusals: u64) -> RouteMeasured {
        let mut route = RouteMeasured {
            ended: answers + refusals,
            statuses: [(200, answers), (429, refusals)].into(),
            ..RouteMeasured::default()
        };
        route.latency.record_many(Duration::from_millis(40), answers);
        route.latency.record_many(Duration::from_millis(1), refusals);
        route
    }

    fn met(objective: &str, route: &RouteMeasured, own: u64) -> bool {
        let objective: Objective = objective.parse().unwrap();
        let by = Refusals {
            status: 429,
            own: Duration::from_millis(own),
            when: "then",
        };
        let findings = of_answered(&[objective.of_route("/a")], "/a", route, &by);
        findings[0].judged.met
    }

    #[test]
    fn refusals_do_not_make_answers_look_quick() {
        let route = measured(50, 950);
        assert!(met("p50 < 41ms", &route, 0) && !met("p50 < 39ms", &route, 0));
        assert!(met("p50 < 5ms", &route, 36), "what a stand-in takes is not the gate's");
    }

    #[test]
    fn a_few_answers_are_judged_by_what_they_are() {
        assert!(met("p99 < 41ms", &measured(3, 100), 0));
        assert!(!met("p99 < 39ms", &measured(3, 100), 0));
        assert!(!met("p99 < 39ms", &measured(0, 100), 0), "nothing is no success");
    }

    #[test]
    fn failures_are_failures_of_the_answered() {
        let mut route = measured(99, 900);
        route.ended += 1;
        route.latency.record(Duration::from_secs(10));
        route.fail(Failure::Timeout, "no answer in time", 1);
        assert!(met("errors <= 1%", &route, 0) && !met("errors < 1%", &route, 0));
        assert_eq!(others(&route, &[429]).unwrap(), "1 without an answer (timeout)");
        assert_eq!(
            others(&route, &[]).unwrap(),
            "900 with 429, 1 without an answer (timeout)"
        );
        route.fail(Failure::Check, "field Retry-After is there", 3);
        assert_eq!(lacking(&route).unwrap(), "not of 3: field Retry-After is there");
    }
}
