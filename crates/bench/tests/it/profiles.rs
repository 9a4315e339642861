//! Profiles on the engine itself, where it isn't their truths that matter but that they begin, end and tell.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use portcullis_bench::engine::{Progress, Watch};
use portcullis_bench::profile::replay::{Replay, script};
use portcullis_bench::profile::smoke::Smoke;
use portcullis_bench::profile::steady::Steady;
use portcullis_bench::profile::stress::Stress;
use portcullis_bench::profile::{Profile, found};
use portcullis_bench::report::Verdict;
use portcullis_bench::run::set_up;
use portcullis_bench::stand_in::{Behaviour, Capacity, Failures, Fault, Which};

use super::targets::{plan, run, server};

#[test]
fn a_smoke_test_asks_one_after_another() {
    let server = server(Behaviour::default());
    let began = Instant::now();
    let report = run(&server, Profile::Smoke(Smoke { repeats: 20 }), &[])
        .run(&mut ())
        .unwrap();
    assert_eq!((report.verdict, server.requests()), (Verdict::Pass, 20));
    assert_eq!(report.measured.phases[0].due, 20);
    // It doesn't wait between them: each would be a quarter of a second by the rhythm of who looks on.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn a_smoke_test_fails_with_one_request() {
    let server = server(Behaviour {
        failures: Some(Failures {
            which: Which::Every(3),
            fault: Fault::Status(500),
        }),
        ..Behaviour::default()
    });
    let report = run(&server, Profile::Smoke(Smoke::default()), &["p99 < 1us"])
        .run(&mut ())
        .unwrap();
    assert_eq!(report.verdict, Verdict::Fail);
    let shown: Vec<_> = report
        .objectives
        .iter()
        .map(|judged| judged.measured.as_str())
        .collect();
    assert_eq!(shown, ["1 of 3 requests failed"]);
}

#[test]
fn a_set_up_that_fails_says_with_what() {
    let server = server(Behaviour::default());
    assert_eq!(set_up(plan(&server)), Ok(()));
    server
        .change(Behaviour {
            failures: Some(Failures {
                which: Which::Every(1),
                fault: Fault::Status(401),
            }),
            ..Behaviour::default()
        })
        .unwrap();
    let fault = set_up(plan(&server)).unwrap_err().0;
    assert!(fault.starts_with("`/` of the set-up failed (status)"), "{fault}");
}

#[test]
fn a_replay_keeps_its_times_and_ends_with_them() {
    let server = server(Behaviour::default());
    let times = [0, 3000, 3100, 6000].map(|millis| (Duration::from_millis(millis), 0));
    let arrivals = script(times, 3.0).unwrap();
    let report = run(&server, Profile::Replay(Replay { arrivals }), &[])
        .run(&mut ())
        .unwrap();
    let due: Vec<u64> = report.measured.seconds.iter().map(|second| second.due).collect();
    assert_eq!(due, [1, 2, 1]);
    assert_eq!(server.requests(), 4);
}

/// Has seen enough after a while.
struct Enough(Duration);

impl Watch for Enough {
    fn look(&mut self, progress: &Progress<'_>) -> ControlFlow<()> {
        match progress.elapsed < self.0 {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }
}

#[test]
fn an_interrupted_run_is_a_report_of_what_was_until_then() {
    let server = server(Behaviour::default());
    let steady = Steady {
        warm_up: Duration::ZERO,
        ..Steady::at(100.0)
    };
    let began = Instant::now();
    let report = run(&server, Profile::Load(steady), &[])
        .run(&mut Enough(Duration::from_secs(1)))
        .unwrap();
    assert!(began.elapsed() < Duration::from_secs(20), "it would have been 30 s");
    assert!(report.interrupted && report.verdict == Verdict::Invalid);
    assert!(
        report.invalid[0].starts_with("it was interrupted after"),
        "{:?}",
        report.invalid
    );
    assert!(report.measured.counted().0.ended >= 50);
}

#[test]
fn who_is_refused_each_time_has_not_passed() {
    let server = server(Behaviour {
        failures: Some(Failures {
            which: Which::Every(1),
            fault: Fault::Status(404),
        }),
        ..Behaviour::default()
    });
    let steady = Steady {
        warm_up: Duration::ZERO,
        duration: Duration::from_secs(1),
        ..Steady::at(50.0)
    };
    let judged = |objectives: &[&str]| {
        let report = run(&server, Profile::Load(steady.clone()), objectives)
            .run(&mut ())
            .unwrap();
        let judged = report.objectives.into_iter();
        judged.map(|judged| (judged.objective, judged.met)).collect::<Vec<_>>()
    };
    assert_eq!(judged(&[]), [("errors < 1%".to_owned(), false)]);
    assert_eq!(judged(&["status 404 > 99%"]), [("status 404 > 99%".to_owned(), true)]);
}

#[test]
fn stress_ends_where_it_breaks() {
    let server = server(Behaviour {
        capacity: Some(Capacity {
            rate: 100.0,
            // What waits for longer than 100 ms is refused, at once and for certain.
            queue: Some(10),
        }),
        ..Behaviour::default()
    });
    let stress = Stress {
        growth: 4.0,
        each: Duration::from_secs(1),
        warm_up: Duration::ZERO,
        ..Stress::from(50.0)
    };
    let report = run(&server, Profile::Stress(stress), &[]).run(&mut ()).unwrap();
    assert_eq!(report.found.get(found::LAST_GOOD), Some(&50.0), "{:?}", report.remarks);
    assert_eq!(report.found.get(found::FIRST_BAD), Some(&200.0), "{:?}", report.remarks);
    assert!(
        report.remarks[0].contains("of the requests failed"),
        "{:?}",
        report.remarks
    );
    assert!(server.refused() > 0);
}
