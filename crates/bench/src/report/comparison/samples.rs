//! Comparisons for tests.

use crate::compare::{Change, Compared, Comparison, Metric, Shifted};

/// The tail got worse.
pub(crate) fn worse() -> Comparison {
    Comparison {
        verdict: Change::Worse,
        sentence: "The p99 got worse.".to_owned(),
        primary: vec![
            compared(Metric::P50, None, 0.0012, 1.0, Change::Same),
            compared(Metric::P99, None, 0.041, 1.2, Change::Worse),
            compared(Metric::Throughput, None, 4998.0, 0.98, Change::Inconclusive),
        ],
        exploratory: vec![compared(Metric::P50, Some("GET /orders"), 0.0012, 1.1, Change::Worse)],
        shift: [(0.1, 1.0), (0.5, 1.0), (0.9, 1.05), (0.99, 1.2)]
            .map(|(share, ratio)| Shifted {
                share,
                base: 0.001,
                head: 0.001 * ratio,
                ratio,
                low: ratio - 0.05,
                high: ratio + 0.05,
            })
            .to_vec(),
        differences: Vec::new(),
        caveats: vec!["Runs were made on a machine that others use, too.".to_owned()],
        base_runs: 7,
        head_runs: 7,
    }
}

fn compared(metric: Metric, route: Option<&str>, base: f64, ratio: f64, change: Change) -> Compared {
    Compared {
        metric,
        route: route.map(str::to_owned),
        base: Some(base),
        head: Some(base * ratio),
        ratio: Some(ratio),
        low: Some(ratio - 0.05),
        high: Some(ratio + 0.05),
        p: Some(0.0006),
        adjusted: Some(0.0018),
        min_effect: 0.05,
        change,
        sentence: format!("The {metric} is {}.", change.word()),
    }
}
