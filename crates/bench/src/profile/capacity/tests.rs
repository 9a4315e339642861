#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::objective::Objective;
use crate::profile::session::Outcome;
use crate::profile::simulated::{Simulated, setting};

fn outcome(capacity: &Capacity, mut system: Simulated, objectives: &[&str]) -> Outcome {
    let objectives: Vec<Objective> = objectives.iter().map(|text| text.parse().unwrap()).collect();
    let mut nobody = ();
    let mut session = Session::new(setting(&objectives), &mut system, &mut nobody);
    capacity.conduct(&mut session).unwrap();
    session.finish()
}

#[test]
fn a_capacity_is_found_with_and_without_objectives() {
    for objectives in [&["p99 < 50ms"][..], &[]] {
        for truth in [37.0, 500.0, 4321.0] {
            let outcome = outcome(&Capacity::default(), Simulated::of(truth), objectives);
            let found = outcome.found[found::CAPACITY];
            assert!(
                (found / truth - 1.0).abs() < 0.03,
                "{found} for {truth} with {objectives:?}"
            );
            assert!(outcome.found[found::CAPACITY_FAILED] > found);
            assert!(outcome.invalid.is_empty(), "{:?}", outcome.invalid);
        }
    }
}

#[test]
fn the_step_that_kept_the_objectives_is_what_they_are_judged_by() {
    let outcome = outcome(&Capacity::default(), Simulated::of(500.0), &["p99 < 50ms"]);
    let counting: Vec<_> = outcome.measured.phases.iter().filter(|phase| phase.counts).collect();
    assert_eq!(counting.len(), 1);
    assert_eq!(
        counting[0].name,
        format!("step {}", shown(outcome.found[found::CAPACITY]))
    );
    assert_eq!(outcome.measured.phases[0].name, "warm-up");
}

#[test]
fn a_target_that_refuses_has_a_capacity_too() {
    let mut shedding = Simulated::of(500.0);
    shedding.sheds_beyond = Some(Duration::from_millis(30));
    let outcome = outcome(&Capacity::default(), shedding, &["errors < 0.1%"]);
    let found = outcome.found[found::CAPACITY];
    assert!((485.0..=515.0).contains(&found), "{found}");
}

#[test]
fn where_to_begin_may_be_said_and_may_be_far_off() {
    for from in [1.0, 5000.0] {
        let capacity = Capacity {
            from: Some(from),
            ..Capacity::default()
        };
        let found = outcome(&capacity, Simulated::of(500.0), &[]).found[found::CAPACITY];
        assert!((485.0..=515.0).contains(&found), "{found} from {from}");
    }
}

#[test]
fn it_begins_where_percentiles_make_no_step_longer() {
    let mut system = Simulated::of(500.0);
    let (objectives, mut nobody) = (["p99 < 50ms".parse().unwrap()], ());
    let mut session = Session::new(setting(&objectives), &mut system, &mut nobody);
    let begin = Capacity::default().begin(&mut session).unwrap();
    assert!(
        (245.0..255.0).contains(&begin),
        "half of what the closed model gets: {begin}"
    );
    let mut system = Simulated::of(100.0);
    let mut session = Session::new(setting(&objectives), &mut system, &mut nobody);
    let begin = Capacity::default().begin(&mut session).unwrap();
    assert!(
        (98.0..102.0).contains(&begin),
        "200/s would be better, but isn't there: {begin}"
    );
}

#[test]
fn a_disturbance_does_not_change_what_is_found() {
    for disturbed in 0..12 {
        let mut system = Simulated::of(500.0);
        system.disturbed = vec![disturbed];
        let found = outcome(&Capacity::default(), system, &["p99 < 50ms"]).found[found::CAPACITY];
        assert!(
            (485.0..=515.0).contains(&found),
            "{found} with run {disturbed} disturbed"
        );
    }
}

#[test]
fn a_limit_of_the_generator_is_not_taken_for_the_targets() {
    let mut system = Simulated::of(500.0);
    system.generator_most = 300.0;
    let outcome = outcome(&Capacity::default(), system, &["p99 < 50ms"]);
    assert_eq!(outcome.found.get(found::CAPACITY), None);
    let at_least = outcome.found[found::CAPACITY_AT_LEAST];
    assert!((290.0..=300.0).contains(&at_least), "{at_least}");
    assert!(
        outcome.invalid[0].contains("load generator was at its limit"),
        "{:?}",
        outcome.invalid
    );
}

#[test]
fn a_limit_that_is_near_that_of_the_generator_is_not_the_targets_for_certain() {
    let mut system = Simulated::of(500.0);
    system.busy = 0.86;
    let outcome = outcome(&Capacity::default(), system, &["p99 < 50ms"]);
    assert_eq!(outcome.found.get(found::CAPACITY), None, "{:?}", outcome.remarks);
    let at_least = outcome.found[found::CAPACITY_AT_LEAST];
    assert!((485.0..=500.0).contains(&at_least), "{at_least}");
    assert!(outcome.invalid[0].contains("its own limit"), "{:?}", outcome.invalid);
}

#[test]
fn headroom_is_counted_from_what_is_expected() {
    let judged = |expected| {
        let capacity = Capacity {
            expected: Some(expected),
            ..Capacity::default()
        };
        let outcome = outcome(&capacity, Simulated::of(500.0), &[]);
        (outcome.found[found::HEADROOM], outcome.judged[0].met)
    };
    let (headroom, met) = judged(250.0);
    assert!((headroom - 1.0).abs() < 0.06 && met, "{headroom}");
    let (headroom, met) = judged(1000.0);
    assert!((headroom + 0.5).abs() < 0.03 && !met, "{headroom}");
}

#[test]
fn no_rate_may_be_good() {
    let outcome = outcome(&Capacity::default(), Simulated::of(500.0), &["p50 < 1ms"]);
    assert_eq!(outcome.found[found::CAPACITY], 0.0);
    assert!(
        outcome.remarks[0].starts_with("No rate was good"),
        "{:?}",
        outcome.remarks
    );
    assert!(!outcome.judged[0].met);
}

#[test]
fn a_knee_is_where_latency_begins_to_rise() {
    let outcome = outcome(&Capacity::default(), Simulated::of(500.0), &["p99 < 5s"]);
    let knee = outcome.found[found::KNEE];
    assert!((300.0..=515.0).contains(&knee), "{knee}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |capacity: Capacity| {
        let (mut system, mut nobody) = (Simulated::of(500.0), ());
        let mut session = Session::new(setting(&[]), &mut system, &mut nobody);
        capacity.conduct(&mut session).unwrap_err().0
    };
    let plain = Capacity::default;
    let each = Duration::ZERO;
    assert!(refused(Capacity { each, ..plain() }).contains("`each`"));
    assert!(
        refused(Capacity {
            from: Some(-1.0),
            ..plain()
        })
        .contains("`from`")
    );
    assert!(refused(Capacity { most: 0.0, ..plain() }).contains("`most`"));
    assert!(
        refused(Capacity {
            expected: Some(f64::NAN),
            ..plain()
        })
        .contains("`expected`")
    );
    assert!(
        refused(Capacity {
            precision: 0.0,
            ..plain()
        })
        .contains("`precision`")
    );
}
