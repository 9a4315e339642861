#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::measured::{PhaseMeasured, Second};

fn objective(text: &str) -> Objective {
    text.parse().unwrap()
}

/// So many requests of a millisecond, and one more of a second in a phase that doesn't count.
fn run(requests: u64) -> Measured {
    let mut route = RouteMeasured {
        ended: requests,
        ..RouteMeasured::default()
    };
    route.latency.record_many(Duration::from_millis(1), requests);
    route.statuses.insert(200, requests.saturating_sub(2));
    route.statuses.insert(503, 2.min(requests));
    let causes = BTreeMap::from([("503".to_owned(), 2.min(requests))]);
    route.failures.insert(Failure::Status, causes);
    let mut slow = RouteMeasured {
        ended: 1,
        ..RouteMeasured::default()
    };
    slow.latency.record(Duration::from_secs(1));
    let phase = |counts, began, route| PhaseMeasured {
        counts,
        began: Duration::from_secs(began),
        lasted: Duration::from_secs(1),
        routes: BTreeMap::from([("/orders".to_owned(), route)]),
        ..PhaseMeasured::default()
    };
    let second = |ended, bad| Second {
        ended,
        bad,
        ..Second::default()
    };
    Measured {
        phases: vec![phase(false, 0, slow), phase(true, 1, route)],
        seconds: vec![second(1, 0), second(requests, 2.min(requests))],
        ..Measured::default()
    }
}

#[test]
fn what_is_written_is_read_and_written_again() {
    let check = |text: &str, again: &str| assert_eq!(objective(text).to_string(), again);
    check("p99 < 50ms", "p99 < 50ms");
    check("  p50<=2ms ", "p50 <= 2ms");
    check("p99.9 < 1s", "p99.9 < 1s");
    check("p99.90 < 1000ms", "p99.9 < 1s");
    check("max < 2 s", "max < 2s");
    check("mean ≤ 0.25ms", "mean <= 250us");
    check("mean < 1.5µs", "mean < 1.5us");
    check("max < 1m", "max < 60s");
    check("errors < 0.1%", "errors < 0.1%");
    check("errors < 1", "errors < 1");
    check("rate >= 4000/s", "rate >= 4000/s");
    check("rate ≥ 4.5k", "rate >= 4500/s");
    check("status 5xx < 0.01%", "status 5xx < 0.01%");
    check("status 429 > 10", "status 429 > 10");
    check("failures.timeout < 1", "failures.timeout < 1");
    check("/orders: p99 < 20ms", "/orders: p99 < 20ms");
    check("http://a:80/: p99 < 20ms", "http://a:80/: p99 < 20ms");
}

#[test]
fn what_is_wrong_is_said() {
    let check = |text: &str, part: &str| {
        let said = text.parse::<Objective>().unwrap_err().to_string();
        assert!(said.contains(part), "`{text}`: {said}");
    };
    check("", "doesn't compare anything");
    check("p99 = 50ms", "doesn't compare anything");
    check("p99 < 50", "`50` is no time");
    check("p99 < -1ms", "`-1ms` is no time");
    check("p99 < 1e3ms", "is no time");
    check("p99 < 11m", "up to ten minutes");
    check("p99 < ms", "is no time");
    check("p0 < 1ms", "`p0` is nothing that is measured");
    check("p100 < 1ms", "written `max`");
    check("p99.9999 < 1ms", "is nothing that is measured");
    check("latency < 1ms", "`latency` is nothing that is measured");
    check("errors < 101%", "no part of all requests");
    check("errors < 0.5", "no part of all requests");
    check("rate > fast", "no rate");
    check("status 6xx < 1", "from 100 to 599");
    check("status < 1", "is nothing that is measured");
    check("failures.gremlin < 1", "`timeout`");
    check(": p99 < 1ms", "names no route");
    check("/orders p99 < 1ms", "`/orders p99` is nothing");
    check(&"x".repeat(501), "more than 500 bytes");
}

#[test]
fn phases_that_count_are_judged() {
    let check = |text: &str, met: bool, shown: &str| {
        let judged = objective(text).judge(&run(2000));
        assert_eq!((judged.met, judged.measured.as_str()), (met, shown), "{text}");
    };
    check("p99 < 2ms", true, "1ms");
    check("p99 < 1ms", false, "1ms");
    check("p99 <= 1ms", true, "1ms");
    check("max < 2ms", true, "1ms");
    check("mean < 2ms", true, "1ms");
    check("errors < 0.1%", false, "0.1%");
    check("errors <= 0.1%", true, "0.1%");
    check("errors < 3", true, "2");
    check("status 5xx < 2", false, "2");
    check("status 503 > 1", true, "2");
    check("status 404 < 1", true, "0");
    check("failures.status < 1%", true, "0.1%");
    check("failures.timeout < 1", true, "0");
    check("rate >= 1998/s", true, "1998/s");
    check("rate > 2k/s", false, "1998/s");
    check("/orders: p99 < 2ms", true, "1ms");
    check("/nowhere: p99 < 2ms", false, "no requests");
}

#[test]
fn a_percentile_needs_requests_above_it() {
    let judged = |text: &str, requests| objective(text).judge(&run(requests));
    assert!(judged("p99 < 1s", 1000).met);
    let few = judged("p99 < 1s", 999);
    assert!(!few.met);
    assert_eq!(few.measured, "1ms, of 999 requests; it takes 1000 to tell");
    assert!(judged("p50 < 1s", 20).met && !judged("p50 < 1s", 19).met);
    assert!(judged("p99.9 < 1s", 10_000).met && !judged("p99.9 < 1s", 9_999).met);
    assert!(judged("max < 1s", 1).met && !judged("max < 1s", 0).met);
    assert!(!judged("errors < 1%", 0).met);
}

#[test]
fn profiles_learn_what_it_is_about() {
    let about = |text: &str| {
        let objective = objective(text);
        (objective.samples(), objective.is_rate(), objective.bounds_failures())
    };
    assert_eq!(about("p99.9 < 1s"), (10_000, false, false));
    assert_eq!(about("p99.999 < 1s"), (1_000_000, false, false));
    assert_eq!(about("rate > 1/s"), (1, true, false));
    for text in ["errors < 1", "failures.tls < 1", "status 5xx < 1", "status 503 < 1"] {
        assert_eq!(about(text), (1, false, true));
    }
}

#[test]
fn it_is_a_text_in_json() {
    let orders = objective("/orders: p99 < 20ms");
    let text = serde_json::to_string(&orders).unwrap();
    assert_eq!(text, "\"/orders: p99 < 20ms\"");
    assert_eq!(serde_json::from_str::<Objective>(&text).unwrap(), orders);
    assert!(serde_json::from_str::<Objective>("\"p99\"").is_err());
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in "\\PC{0,60}") {
        let _ = text.parse::<Objective>();
    }

    #[test]
    fn what_looks_like_one_is_read_to_the_same_again(
        text in "([/a-z]{0,4}:)? ?(p[0-9]{1,3}(\\.[0-9]{1,4})?|mean|errors|rate|status [0-9x]{1,4}|failures\\.[a-z]{3,7}) ?(<|<=|>|≥) ?[0-9]{1,4}(\\.[0-9]{1,3})?(us|ms|s|m|%|/s|k/s)?"
    ) {
        if let Ok(objective) = text.parse::<Objective>() {
            let again: Objective = objective.to_string().parse().unwrap();
            prop_assert_eq!(&again, &objective);
            // Judging never panics, whatever was asked.
            let _ = objective.judge(&run(100));
            let _ = objective.judge(&Measured::default());
        }
    }
}
