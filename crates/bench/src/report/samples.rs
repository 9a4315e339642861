//! Reports for tests: what a run might have measured.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Judged, Report, Verdict};
use crate::histogram::Histogram;
use crate::measured::{Generator, Measured, PhaseMeasured, RouteMeasured, Second};
use crate::outcome::Failure;

/// Arrivals a second of [`load`].
pub(crate) const RATE: u64 = 500;

/// A minute of load after ten seconds of warming up, with a stall of half a second in its middle that some requests didn't survive.
pub(crate) fn load() -> Report {
    let mut chance = fastrand::Rng::with_seed(7);
    let mut phases = vec![phase("warm-up", false, 0, 10), phase("load", true, 10, 60)];
    let mut seconds = Vec::new();
    for second in 0..70 {
        let phase = &mut phases[usize::from(second >= 10)];
        phase.due += RATE;
        let mut times = Histogram::new();
        for request in 0..RATE {
            let service = Duration::from_micros(900 + chance.u64(0..600) + if chance.u8(..) == 0 { 4000 } else { 0 });
            let stalled = second == 40 && request >= RATE / 2;
            let latency = match stalled {
                true => service + Duration::from_micros((RATE - request) * 2000),
                false => service,
            };
            times.record(latency);
            let name = if request % 5 == 0 {
                "POST /orders"
            } else {
                "GET /orders"
            };
            count(
                phase.routes.entry(name.to_owned()).or_default(),
                latency,
                service,
                stalled && request % 25 == 0,
            );
        }
        seconds.push(second_of(&times, if second == 40 { 10 } else { 0 }));
    }
    let mut lag = Histogram::new();
    lag.record_many(Duration::from_micros(60), 70 * RATE);
    Report {
        name: "shop".to_owned(),
        profile: "load".to_owned(),
        measured: Measured {
            phases,
            seconds,
            generator: Generator {
                lag,
                busiest: 0.43,
                processor_time: Duration::from_secs(12),
                connections: 50,
                connected: 52,
                ..Generator::default()
            },
        },
        objectives: vec![
            judged("p99 < 50ms", None, "48.2ms"),
            judged("errors < 0.1%", None, "0.03%"),
            judged("p50 < 2ms", Some("GET /orders"), "1.2ms"),
        ],
        ..small()
    }
}

/// A report with next to nothing in it.
pub(crate) fn small() -> Report {
    Report {
        version: super::json::VERSION,
        name: "small".to_owned(),
        target: "http://127.0.0.1:8080".to_owned(),
        profile: "smoke".to_owned(),
        began: 1_795_396_500_000,
        environment: BTreeMap::from([("kernel".to_owned(), "6.12.0".to_owned())]),
        measured: Measured {
            phases: vec![phase("smoke", true, 0, 1)],
            ..Measured::default()
        },
        found: BTreeMap::new(),
        remarks: Vec::new(),
        objectives: Vec::new(),
        verdict: Verdict::Pass,
        invalid: Vec::new(),
        interrupted: false,
        resources: None,
    }
}

/// A name that would be markup, a command to a terminal, or a row of its own, wherever it isn't taken for text.
pub(crate) const HOSTILE: &str = "GET /<script>document.title='owned'</script>\"'|`]]>&\u{1b}[2J\n\u{202e}";

/// [`load`] with [`HOSTILE`] in the place of everything that comes from outside.
pub(crate) fn hostile() -> Report {
    let mut report = load();
    let hostile = || HOSTILE.to_owned();
    for text in [&mut report.name, &mut report.target, &mut report.profile] {
        *text = hostile();
    }
    report.environment = BTreeMap::from([(hostile(), hostile())]);
    report.found = BTreeMap::from([(hostile(), 1.0)]);
    report.remarks = vec![hostile()];
    report.invalid = vec![hostile()];
    for judged in &mut report.objectives {
        *judged = Judged {
            objective: hostile(),
            route: Some(hostile()),
            measured: hostile(),
            met: false,
        };
    }
    for phase in &mut report.measured.phases {
        phase.name = hostile();
        let mut routes = std::mem::take(&mut phase.routes).into_values();
        let mut route = routes.next().unwrap_or_default();
        route.failures = BTreeMap::from([(Failure::Check, BTreeMap::from([(hostile(), 3)]))]);
        phase.routes.insert(hostile(), route);
    }
    report.verdict = Verdict::Fail;
    report
}

fn phase(name: &str, counts: bool, began: u64, lasted: u64) -> PhaseMeasured {
    PhaseMeasured {
        name: name.to_owned(),
        counts,
        began: Duration::from_secs(began),
        lasted: Duration::from_secs(lasted),
        ..PhaseMeasured::default()
    }
}

fn count(route: &mut RouteMeasured, latency: Duration, service: Duration, failed: bool) {
    route.latency.record(latency);
    route.service.record(service);
    route.ended += 1;
    route.bytes += 1200;
    if failed {
        let causes = route.failures.entry(Failure::Timeout).or_default();
        *causes.entry("no answer within 10s".to_owned()).or_default() += 1;
    } else {
        *route.statuses.entry(200).or_default() += 1;
    }
}

fn second_of(times: &Histogram, failed: u64) -> Second {
    let micros = |share| {
        times
            .quantile(share)
            .map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(0))
    };
    Second {
        due: times.count(),
        failed,
        ended: times.count(),
        bad: failed,
        p50: micros(0.5),
        p90: micros(0.9),
        p99: micros(0.99),
        max: micros(1.0),
        waiting: failed,
    }
}

fn judged(objective: &str, route: Option<&str>, measured: &str) -> Judged {
    Judged {
        objective: objective.to_owned(),
        route: route.map(str::to_owned),
        measured: measured.to_owned(),
        met: true,
    }
}
