//! Circuit breakers: a service is well, fails, and is well again.

mod timeline;

use std::time::Duration;

use portcullis_bench::load::Phase;
use portcullis_bench::measured::Measured;
use portcullis_bench::stand_in::{Behaviour, Failures, Fault, Which};
use portcullis_config::service::CircuitBreaker;

use self::timeline::{Timeline, seconds};
use super::asked::{Asked, good_or_refused};
use super::finding::{Finding, good, lacking, of_phases, others, with_status};
use super::spike::{Directed, Spike, steady};
use super::{Bench, Tested};

/// The status of a stand-in that fails. It counts as a failure, and isn't the gate's own for an open circuit.
const FAILS: u16 = 502;

/// The status of the gate's answer while a circuit is open.
const OPEN: u16 = 503;

/// How long the service is well before it fails.
const WELL: Duration = Duration::from_secs(1);

/// What the machine may add to any time.
const SLACK: Duration = Duration::from_millis(500);

/// What a time may fall short of, for it is looked at every few milliseconds.
const SHORT: Duration = Duration::from_millis(50);

/// The longest time of an open circuit, and of its window, that is waited for.
const LONGEST: Duration = Duration::from_secs(30);

/// The shortest time that can be told from a pause.
const SHORTEST: Duration = Duration::from_millis(200);

/// Requests a second, at least and at most.
const LEAST_RATE: f64 = 100.0;
const MOST_RATE: f64 = 2_000.0;

/// Connections.
const CONNECTIONS: usize = 32;

/// What a circuit should do, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Course {
    rate: f64,
    /// It opens within that time after the service began to fail.
    opens_within: Duration,
    open: Duration,
    probes: u32,
    /// When the service begins to fail, and when it is well again, from the start.
    fails: Duration,
    recovers: Duration,
    /// When the circuit is closed for certain, and the end.
    closed: Duration,
    end: Duration,
}

impl Course {
    /// That of a circuit breaker.
    ///
    /// # Errors
    /// When it takes too long, or too much.
    fn of(breaker: &CircuitBreaker) -> Result<Course, String> {
        // The window is a second at least.
        let window = breaker.window.0.max(Duration::from_secs(1));
        let open = breaker.open.0;
        if open < SHORTEST {
            return Err("its circuit is open for less than 200 ms, which can't be told from a pause".to_owned());
        }
        if open > LONGEST || window > LONGEST {
            return Err("its `window` or `open` is longer than 30 s, which is not waited for".to_owned());
        }
        let enough = f64::from(breaker.min_requests);
        // Enough within half of the window, so that it doesn't matter where a tick of it begins.
        let rate = (2.0 * enough / window.as_secs_f64().min(2.0)).max(LEAST_RATE);
        if rate > MOST_RATE {
            return Err(format!(
                "`min_requests: {}` takes {rate:.0} requests a second, and a test asks for {MOST_RATE} at most",
                breaker.min_requests
            ));
        }
        // Failures have to be so large a share of all, until those from before have left the window.
        let errors = breaker.errors.ratio();
        let outweighed = match errors < 1.0 {
            true => WELL.mul_f64(errors / (1.0 - errors)).min(window),
            false => window,
        };
        let opens_within = outweighed.max(Duration::from_secs_f64(enough / rate)) + SLACK;
        // The failing service is probed once at least, and found to be failing.
        let recovers = WELL + opens_within + open + SLACK;
        let closed = recovers + open + SLACK;
        Ok(Course {
            rate,
            opens_within,
            open,
            probes: breaker.probes,
            fails: WELL,
            recovers,
            closed,
            end: closed + WELL,
        })
    }

    fn phases(&self, service: &str) -> [Phase; 4] {
        let phase =
            |what: &str, from: Duration, to: Duration| steady(format!("{service} {what}"), to - from, self.rate);
        [
            phase("is well", Duration::ZERO, self.fails),
            phase("fails", self.fails, self.recovers),
            phase("comes back", self.recovers, self.closed),
            phase("is well again", self.closed, self.end),
        ]
    }
}

/// Tests the breaker of the service that a route leads to.
///
/// # Errors
/// Why it can't be tested; that is told, and others are.
pub(super) fn test(
    bench: &mut Bench<'_>,
    asked: &Asked<'_>,
    service: &str,
    breaker: &CircuitBreaker,
) -> Result<Tested, String> {
    let course = Course::of(breaker)?;
    let gate = bench.gate()?;
    let flow = {
        let mut expect = good_or_refused(OPEN, "circuit_open");
        expect.statuses.push(FAILS..=FAILS);
        asked.flow(0, 1.0, &gate.address().to_string(), expect)?
    };
    let spike = Spike::on(&gate, vec![flow], vec![asked.name.clone()], CONNECTIONS);
    let stand_in = bench.stand_in(service)?;
    let before = stand_in.requests();
    let failing = Behaviour {
        failures: Some(Failures {
            which: Which::Every(1),
            fault: Fault::Status(FAILS),
        }),
        ..Behaviour::default()
    };
    let changes = vec![(course.fails, failing), (course.recovers, Behaviour::default())];
    let phases = course.phases(service);
    let directed = Directed {
        stand_in: &stand_in,
        changes,
    };
    let (measured, samples) = spike.direct(&phases, directed, bench.watch)?;
    let timeline = Timeline::of(&samples, before, &course);
    let findings = judge(&course, &timeline, &phases, service, &asked.name, &measured);
    Ok(Tested {
        measured,
        findings,
        remarks: vec![format!("Circuit of {service}: {}.", timeline.told(&course))],
    })
}

fn judge(
    course: &Course,
    timeline: &Timeline,
    phases: &[Phase; 4],
    service: &str,
    route: &str,
    measured: &Measured,
) -> Vec<Finding> {
    let mut findings = timeline.judge(course, service);
    let [well, fails, back, again] = phases.each_ref().map(|phase| &*phase.name);
    let refused = of_phases(measured, &[fails, back], route);
    let count = with_status(&refused, OPEN);
    let wrong = others(&refused, &[FAILS, OPEN]).or_else(|| lacking(&refused));
    let met = wrong.is_none() && count > 0;
    findings.push(Finding::certain(
        Some(service),
        "while open 503 has `circuit_open` and Retry-After",
        wrong.unwrap_or_else(|| format!("{count} times")),
        met,
    ));
    for (name, phase) in [("is well", well), ("is well again", again)] {
        let all = of_phases(measured, &[phase], route);
        let passed = good(&all);
        findings.push(
            Finding::certain(
                Some(service),
                format!("every request passes while the service {name}"),
                format!("{passed} of {}", all.ended),
                passed == all.ended && passed > 0,
            )
            .by_generator(),
        );
    }
    findings
}

impl Timeline {
    /// What the circuit did, from what came to the service.
    fn judge(&self, course: &Course, service: &str) -> Vec<Finding> {
        let finding =
            |objective: String, measured: String, met| Finding::certain(Some(service), objective, measured, met);
        let opened = self.opened.map(|at| at.saturating_sub(course.fails));
        let mut findings = vec![finding(
            format!("it opens within {} of the first failure", seconds(course.opens_within)),
            opened.map_or_else(|| "never".to_owned(), seconds),
            opened.is_some_and(|after| after <= course.opens_within),
        )];
        let pauses: Vec<Duration> = self.pauses().collect();
        let least = course.open.saturating_sub(SHORT.max(course.open / 50));
        let right = |pause: &Duration| (least..=course.open + SLACK).contains(pause);
        findings.push(finding(
            format!("it stays open for {}", seconds(course.open)),
            match pauses.is_empty() {
                true => "it was never tried again".to_owned(),
                false => list(pauses.iter().map(|pause| seconds(*pause))),
            },
            !pauses.is_empty() && pauses.iter().all(right),
        ));
        let in_failure: Vec<u64> = self
            .probes
            .iter()
            .filter(|probe| probe.at < course.recovers)
            .map(|probe| probe.requests)
            .collect();
        findings.push(finding(
            format!("at most {} at a time while the service fails", probes(course.probes)),
            match in_failure.is_empty() {
                true => "none".to_owned(),
                false => list(in_failure.iter().map(u64::to_string)),
            },
            !in_failure.is_empty() && in_failure.iter().all(|count| *count <= u64::from(course.probes)),
        ));
        let closes_within = course.closed - course.recovers;
        let closed = self.closed.map(|at| at.saturating_sub(course.recovers));
        findings.push(finding(
            format!("it closes within {} of the recovery", seconds(closes_within)),
            closed.map_or_else(|| "never".to_owned(), seconds),
            closed.is_some_and(|after| after <= closes_within),
        ));
        findings
    }
}

fn probes(count: u32) -> String {
    match count {
        1 => "1 probe".to_owned(),
        count => format!("{count} probes"),
    }
}

fn list(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use portcullis_config::units;

    use super::super::spike::Sample;
    use super::*;

    fn breaker(window: u64, open_millis: u64, min_requests: u32) -> CircuitBreaker {
        CircuitBreaker {
            window: units::Duration(Duration::from_secs(window)),
            open: units::Duration(Duration::from_millis(open_millis)),
            min_requests,
            ..CircuitBreaker::default()
        }
    }

    #[test]
    fn how_long_it_takes_follows_from_the_settings() {
        let course = Course::of(&breaker(10, 1000, 20)).unwrap();
        // Half of all have failed as soon as it fails as long as it was well.
        assert_eq!((course.rate, course.opens_within), (100.0, WELL + SLACK));
        let strict = CircuitBreaker {
            errors: units::Percent::whole(100),
            ..breaker(5, 1000, 20)
        };
        assert_eq!(
            Course::of(&strict).unwrap().opens_within,
            Duration::from_secs(5) + SLACK
        );
        assert!(Course::of(&breaker(10, 31_000, 20)).is_err());
        assert!(Course::of(&breaker(10, 100, 20)).is_err());
        assert!(Course::of(&breaker(1, 1000, 100_000)).is_err());
    }

    /// What comes to a service in those spans, given in milliseconds, each with how many requests.
    fn came(spans: &[(u64, u64, u64)]) -> Vec<Sample> {
        let mut requests = 0;
        let mut samples = vec![Sample {
            at: Duration::ZERO,
            requests,
        }];
        for (from, to, count) in spans {
            for nth in 0..*count {
                requests += 1;
                let at = Duration::from_millis(from + (to - from) * nth / count);
                samples.push(Sample { at, requests });
            }
        }
        samples
    }

    fn met(spans: &[(u64, u64, u64)]) -> Vec<bool> {
        let course = Course::of(&breaker(10, 1000, 20)).unwrap();
        assert_eq!((course.fails.as_millis(), course.recovers.as_millis()), (1000, 4000));
        let timeline = Timeline::of(&came(spans), 0, &course);
        timeline
            .judge(&course, "up")
            .iter()
            .map(|finding| finding.judged.met)
            .collect()
    }

    #[test]
    fn a_circuit_does_what_its_settings_say() {
        assert_eq!(met(&[(0, 2000, 200), (3000, 3001, 1), (4010, 6500, 249)]), [true; 4]);
        assert_eq!(
            met(&[(0, 2000, 200), (3000, 3001, 3), (4010, 4015, 2), (4050, 6500, 240)]),
            [true; 4]
        );
    }

    #[test]
    fn what_it_does_otherwise_is_seen() {
        let never_opens = [(0, 6500, 650)];
        assert_eq!(met(&never_opens), [false; 4]);
        let opens_late = [(0, 2700, 270), (3700, 3701, 1), (4710, 6500, 179)];
        assert_eq!(met(&opens_late), [false, true, true, true]);
        let too_short = [
            (0, 2000, 200),
            (2500, 2501, 1),
            (3010, 3011, 1),
            (3520, 3521, 1),
            (4030, 6500, 247),
        ];
        assert_eq!(met(&too_short), [true, false, true, true]);
        let one_probe_too_many = [(0, 2000, 200), (3000, 3020, 4), (4020, 6500, 248)];
        assert_eq!(met(&one_probe_too_many), [true, true, false, true]);
        let never_closes = [(0, 2000, 200), (3000, 3001, 1), (4001, 4002, 1), (5002, 5003, 1)];
        assert_eq!(met(&never_closes), [true, true, true, false]);
        let never_tried_again = [(0, 2000, 200)];
        assert_eq!(met(&never_tried_again), [true, false, false, false]);
    }
}
