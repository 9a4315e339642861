//! When a history of runs took a turn: slow drifts and small steps, which no comparison of two sets shows.

use serde::{Deserialize, Serialize};

use crate::compare::Metric;
use crate::statistics::change_points;
use crate::summary::Summary;

/// A change of a metric that lasted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Which metric.
    pub metric: Metric,
    /// When the first run after it began, in milliseconds since 1970.
    pub began: u64,
    /// How likely chance alone makes such a change.
    pub p: f64,
    /// The median before it, in the metric's unit.
    pub before: f64,
    /// The median after it.
    pub after: f64,
    /// All that as a sentence.
    pub sentence: String,
}

/// The lasting changes of a metric in a history of sound runs, oldest first; runs without the metric are passed over.
pub fn turns(runs: &[Summary], metric: Metric, seed: u64) -> Vec<Turn> {
    let known = |run: &Summary| Some((run.began, metric.of(run)?));
    let values: Vec<(u64, f64)> = runs.iter().filter(|run| run.is_sound()).filter_map(known).collect();
    let series: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
    let changes = change_points(&series, seed).into_iter();
    let turn = |change: crate::statistics::ChangePoint| {
        let better = (change.after > change.before) == metric.more_is_better();
        Turn {
            metric,
            began: values[change.at].0,
            p: change.p,
            before: change.before,
            after: change.after,
            sentence: format!(
                "{metric} got {} for good: from {} to {}.",
                if better { "better" } else { "worse" },
                metric.shown(change.before),
                metric.shown(change.after)
            ),
        }
    };
    changes.map(turn).collect()
}
