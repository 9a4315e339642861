//! Runs for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Summary;
use crate::measured::{Measured, PhaseMeasured, RouteMeasured, Second};
use crate::report::{Report, Verdict};

/// Ten seconds with so many requests, spread around a latency in milliseconds: one in a hundred takes five times as long.
pub(crate) fn report(requests: u64, milliseconds: f64) -> Report {
    let mut route = RouteMeasured {
        ended: requests,
        ..RouteMeasured::default()
    };
    let times = |factor: f64| Duration::from_secs_f64(milliseconds * factor / 1000.0);
    let slow = requests / 50;
    route.latency.record_many(times(5.0), slow);
    route.latency.record_many(times(0.8), (requests - slow) / 4);
    route
        .latency
        .record_many(times(1.0), requests - slow - (requests - slow) / 4);
    let second = Second {
        ended: requests / 10,
        ..Second::default()
    };
    Report {
        version: 1,
        name: "shop".to_owned(),
        target: "http://127.0.0.1:8080".to_owned(),
        profile: "load".to_owned(),
        began: 1_700_000_000_000,
        environment: BTreeMap::from([("cpu".to_owned(), "Abacus 9000".to_owned())]),
        measured: Measured {
            phases: vec![PhaseMeasured {
                name: "load".to_owned(),
                counts: true,
                lasted: Duration::from_secs(10),
                due: requests,
                routes: BTreeMap::from([("/".to_owned(), route)]),
                ..PhaseMeasured::default()
            }],
            seconds: vec![second; 10],
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

/// A run for each latency, in milliseconds, with 2,000 requests.
pub(crate) fn runs(milliseconds: &[f64]) -> Vec<Summary> {
    let run = |milliseconds: &f64| Summary::of(&report(2_000, *milliseconds));
    milliseconds.iter().map(run).collect()
}
