#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::report::Verdict;
use crate::summary::samples::runs;

const FIVE: [f64; 5] = [10.0, 10.1, 9.9, 10.05, 9.95];

fn times(factor: f64) -> Vec<Summary> {
    runs(&FIVE.map(|milliseconds| milliseconds * factor))
}

fn compared(base: &[Summary], head: &[Summary]) -> Comparison {
    compare(base, head, &Terms::default()).unwrap()
}

fn row(comparison: &Comparison, metric: Metric) -> &Compared {
    let rows = comparison.primary.iter().chain(&comparison.exploratory);
    rows.filter(|row| row.route.is_none())
        .find(|row| row.metric == metric)
        .unwrap()
}

#[test]
fn what_is_slower_by_more_than_matters_is_worse() {
    let comparison = compared(&times(1.0), &times(1.1));
    assert_eq!(comparison.verdict, Change::Worse, "{}", comparison.sentence);
    let p50 = row(&comparison, Metric::P50);
    assert!((p50.ratio.unwrap() - 1.1).abs() < 0.005, "{p50:?}");
    // Five above five are one of 252 ways, to either side; of three questions each counts thrice.
    assert!((p50.p.unwrap() - 2.0 / 252.0).abs() < 1e-9 && (p50.adjusted.unwrap() - 6.0 / 252.0).abs() < 1e-9);
    assert_eq!(
        p50.sentence,
        "p50: 10.01 ms became 11.01 ms, which is +8.4 % to +11.6 % (p = 0.024)."
    );
    assert_eq!(row(&comparison, Metric::Throughput).change, Change::Same);
    assert_eq!(compared(&times(1.1), &times(1.0)).verdict, Change::Better);
}

#[test]
fn the_same_is_said_only_where_the_whole_interval_does_not_matter() {
    let comparison = compared(&times(1.0), &times(1.01));
    assert_eq!(comparison.verdict, Change::Same, "{:#?}", comparison.primary);
    // Scatter as wide as the effect that matters leaves it open.
    let scattered = runs(&[9.0, 9.5, 10.0, 10.5, 11.0]);
    let comparison = compared(&scattered, &scattered);
    assert_eq!(comparison.verdict, Change::Inconclusive, "{:#?}", comparison.primary);
    assert!(
        comparison.sentence.contains("may or may not be 5 % or more"),
        "{}",
        comparison.sentence
    );
}

#[test]
fn a_smaller_effect_may_matter() {
    let strict = Terms {
        min_effect: 0.02,
        ..Terms::default()
    };
    let slower = times(1.04);
    assert_eq!(compared(&times(1.0), &slower).verdict, Change::Inconclusive);
    assert_eq!(compare(&times(1.0), &slower, &strict).unwrap().verdict, Change::Worse);
    let only_the_tail = Terms {
        min_effects: BTreeMap::from([(Metric::P99, 0.02)]),
        ..Terms::default()
    };
    let comparison = compare(&times(1.0), &slower, &only_the_tail).unwrap();
    assert_eq!(row(&comparison, Metric::P99).change, Change::Worse);
    assert_eq!(row(&comparison, Metric::P50).change, Change::Inconclusive);
}

#[test]
fn too_few_runs_are_inconclusive_and_never_the_same() {
    for count in [1, 3, 4] {
        let few = &times(1.0)[..count];
        let comparison = compared(few, few);
        assert_eq!(comparison.verdict, Change::Inconclusive);
        let expected = format!("Of p50 there are {count} and {count} runs; it takes 5 and 5 to tell.");
        assert_eq!(row(&comparison, Metric::P50).sentence, expected);
        assert_eq!(compared(few, &times(2.0)[..count]).verdict, Change::Inconclusive);
    }
    // Alone, a metric takes one run fewer.
    let alone = Terms {
        primary: vec![Metric::P50],
        ..Terms::default()
    };
    let four = compare(&times(1.0)[..4], &times(2.0)[..4], &alone).unwrap();
    assert_eq!(four.verdict, Change::Worse);
}

#[test]
fn failures_count_where_there_are_any() {
    let (base, mut head) = (times(1.0), times(1.0));
    assert!(
        compared(&base, &head)
            .primary
            .iter()
            .all(|row| row.metric != Metric::Failures)
    );
    for run in &mut head {
        run.failed = 10;
    }
    let comparison = compared(&base, &head);
    let failures = row(&comparison, Metric::Failures);
    assert_eq!((comparison.verdict, failures.change), (Change::Worse, Change::Worse));
    assert_eq!(
        (failures.base, failures.head, failures.ratio),
        (Some(0.0), Some(0.005), None)
    );
    assert!(
        failures
            .sentence
            .contains("0.000 % became 0.500 %, which is +0.50 to +0.50 percentage points"),
        "{}",
        failures.sentence
    );
    for run in &mut head {
        run.failed = 1;
    }
    assert_eq!(row(&compared(&base, &head), Metric::Failures).change, Change::Same);
}

#[test]
fn runs_that_are_unlike_are_refused_unless_forced() {
    let base = times(1.0);
    let unlike = |change: &dyn Fn(&mut Summary)| {
        let mut head = times(1.0);
        head.iter_mut().for_each(change);
        head
    };
    let kernel = unlike(&|run| {
        run.environment.insert("cpu".to_owned(), "Abacus 9001".to_owned());
    });
    let refused = compare(&base, &kernel, &Terms::default()).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("The kind of processor isn't the same: `Abacus 9000` and `Abacus 9001`."),
        "{refused}"
    );
    let forced = Terms {
        forced: true,
        ..Terms::default()
    };
    assert_eq!(compare(&base, &kernel, &forced).unwrap().differences.len(), 1);
    for changed in [
        unlike(&|run| run.profile = "soak".to_owned()),
        unlike(&|run| run.name = "other".to_owned()),
        unlike(&|run| run.target = "http://other".to_owned()),
        unlike(&|run| {
            run.environment.insert("scenario".to_owned(), "1234".to_owned());
        }),
    ] {
        assert!(matches!(
            compare(&base, &changed, &Terms::default()),
            Err(Refused::Unlike(_))
        ));
    }
    let duel = Terms {
        targets_may_differ: true,
        ..Terms::default()
    };
    let target = unlike(&|run| run.target = "http://other".to_owned());
    assert_eq!(compare(&base, &target, &duel).unwrap().verdict, Change::Same);
    let commit = unlike(&|run| {
        run.environment.insert("commit".to_owned(), "b".to_owned());
    });
    let comparison = compared(&base, &commit);
    assert!(comparison.differences.is_empty());
    assert_eq!(comparison.caveats, ["The commit is known of one of them only: `b`."]);
}

#[test]
fn nothing_is_compared_with_nothing() {
    assert_eq!(
        compare(&[], &times(1.0), &Terms::default()),
        Err(Refused::NoRuns("baseline"))
    );
    assert_eq!(
        compare(&times(1.0), &[], &Terms::default()),
        Err(Refused::NoRuns("new"))
    );
    let many = Terms {
        primary: Metric::ALL.to_vec(),
        ..Terms::default()
    };
    assert_eq!(
        compare(&times(1.0), &times(1.0), &many),
        Err(Refused::TooManyMetrics(10))
    );
}

#[test]
fn runs_that_say_nothing_are_left_out() {
    let mut head = times(1.0);
    head[0].verdict = Verdict::Invalid;
    head[1].interrupted = true;
    let comparison = compared(&times(1.0), &head);
    assert_eq!((comparison.verdict, comparison.head_runs), (Change::Inconclusive, 3));
    assert_eq!(
        comparison.caveats,
        ["2 new runs were left out: they were invalid or interrupted."]
    );
    for run in &mut head {
        run.interrupted = true;
    }
    assert_eq!(compared(&times(1.0), &head).verdict, Change::Inconclusive);
}

#[test]
fn runs_one_after_the_other_are_told_of() {
    let mut head = times(1.0);
    for run in &mut head {
        run.began += 1;
    }
    assert!(compared(&times(1.0), &head).caveats[0].starts_with("All baseline runs were made before"));
}

#[test]
fn a_slower_tail_is_seen_in_the_shift() {
    let base = times(1.0);
    let mut head = base.clone();
    for run in &mut head {
        run.latency.record_many(std::time::Duration::from_millis(80), 60);
    }
    let comparison = compared(&base, &head);
    let at = |share: f64| comparison.shift.iter().find(|shifted| shifted.share == share).unwrap();
    assert!((at(0.5).ratio - 1.0).abs() < 1e-9);
    assert!(at(0.99).ratio > 1.4, "{:?}", at(0.99));
    assert!(
        comparison.shift.iter().all(|shifted| shifted.share < 0.995),
        "too few requests for more"
    );
}

#[test]
fn routes_and_other_metrics_are_explored() {
    let comparison = compared(&times(1.0), &times(1.1));
    let explored: Vec<_> = comparison
        .exploratory
        .iter()
        .map(|row| (row.metric, row.route.as_deref(), row.change))
        .collect();
    let expected = [
        (Metric::P90, None, Change::Worse),
        (Metric::Failures, None, Change::Same),
        (Metric::P50, Some("/"), Change::Worse),
        (Metric::P99, Some("/"), Change::Worse),
    ];
    assert_eq!(explored, expected);
    assert!(comparison.exploratory.iter().all(|row| row.adjusted.is_none()));
}

#[test]
fn the_capacity_of_a_target_is_compared_by_itself() {
    let with = |capacity: [f64; 5]| {
        let mut runs = times(1.0);
        for (run, capacity) in runs.iter_mut().zip(capacity) {
            run.profile = "capacity".to_owned();
            run.found.insert("capacity".to_owned(), capacity);
        }
        runs
    };
    let base = with([1000.0, 1010.0, 990.0, 1005.0, 995.0]);
    let head = with([900.0, 910.0, 890.0, 905.0, 895.0]);
    let comparison = compared(&base, &head);
    assert_eq!((comparison.verdict, comparison.primary.len()), (Change::Worse, 1));
}

#[test]
fn alike_runs_are_hardly_ever_said_to_differ() {
    let mut random = fastrand::Rng::with_seed(11);
    // About normal: the sum of twelve even ones. A scatter of 4 % is that of a noisy machine.
    let mut scattered = |mean: f64| -> Vec<Summary> {
        let normal = |_| mean * (1.0 + 0.04 * ((0..12).map(|_| random.f64()).sum::<f64>() - 6.0));
        runs(&[0; 5].map(normal))
    };
    let metrics = [Metric::P50, Metric::P99, Metric::Throughput];
    let mut verdict = |head: f64| {
        let (base, head) = (scattered(10.0), scattered(head));
        let (base, head): (Vec<_>, Vec<_>) = (base.iter().collect(), head.iter().collect());
        concluded(&primary(&metrics, &base, &head, &Terms::default())).0
    };
    let alarms = (0..100).filter(|_| matches!(verdict(10.0), Change::Better | Change::Worse));
    let alarms = alarms.count();
    assert!(alarms <= 5, "{alarms} of 100");
    let found = (0..20).filter(|_| verdict(12.0) == Change::Worse).count();
    assert!(found >= 18, "{found} of 20");
}

/// The documentation has a table of this: 73 % of a thousand.
#[test]
fn five_runs_find_five_per_cent_as_often_as_is_said() {
    let mut random = fastrand::Rng::with_seed(12);
    let mut scattered = |mean: f64| -> Vec<Summary> {
        let normal = |_| mean * (1.0 + 0.02 * ((0..12).map(|_| random.f64()).sum::<f64>() - 6.0));
        runs(&[0; 5].map(normal))
    };
    let terms = Terms {
        min_effect: 0.02,
        ..Terms::default()
    };
    let found = (0..200).filter(|_| {
        let (base, head) = (scattered(10.0), scattered(10.5));
        let (base, head): (Vec<_>, Vec<_>) = (base.iter().collect(), head.iter().collect());
        let asked = row::Asked::of(Metric::P50, &base, &head);
        asked.answer(&terms, Some((asked.p() * 3.0, 3))).change == Change::Worse
    });
    let found = found.count();
    assert!((130..=162).contains(&found), "{found} of 200");
}

#[test]
fn words_are_read_back() {
    for metric in Metric::ALL {
        assert_eq!(metric.word().parse(), Ok(metric));
        assert_eq!(
            serde_json::to_string(&metric).unwrap(),
            format!("\"{}\"", metric.word())
        );
    }
    assert!("speed".parse::<Metric>().unwrap_err().contains("`throughput`"));
    let comparison = compared(&times(1.0), &times(1.1));
    let text = serde_json::to_string(&comparison).unwrap();
    assert_eq!(serde_json::from_str::<Comparison>(&text).unwrap(), comparison);
}
