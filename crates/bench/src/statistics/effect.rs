//! By how much two sets differ (Hodges and Lehmann 1963).

use serde::{Deserialize, Serialize};

use super::middle;
use super::ranks::outside_95;

/// How often the sets are drawn anew.
const RESAMPLES: usize = 1000;

/// By how much the second of two sets is larger, and the interval that holds the truth in 95 % of all cases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// By how much.
    pub estimate: f64,
    /// The least that it may be.
    pub low: f64,
    /// The most that it may be.
    pub high: f64,
}

/// By what factor `head` is larger, 1.05 being 5 % more: the median of all ratios between a value of it and one of `base`. Nothing
/// where a set is empty, or a value isn't positive.
///
/// The interval is that of a bootstrap, with chance from `seed`, made wider where the ranks allow for more (Moses 1965): of five
/// values, a bootstrap takes too much for certain.
pub fn ratio(base: &[f64], head: &[f64], seed: u64) -> Option<Effect> {
    let positive = |value: &f64| value.is_finite() && *value > 0.0;
    if !base.iter().chain(head).all(positive) {
        return None;
    }
    let logarithms = |values: &[f64]| -> Vec<f64> { values.iter().map(|value| value.ln()).collect() };
    let effect = difference(&logarithms(base), &logarithms(head), seed)?;
    Some(Effect {
        estimate: effect.estimate.exp(),
        low: effect.low.exp(),
        high: effect.high.exp(),
    })
}

/// How much larger `head` is: the median of all differences between a value of it and one of `base`, with an interval as that of
/// [`ratio`]. Nothing where a set is empty, or a value isn't finite.
pub fn difference(base: &[f64], head: &[f64], seed: u64) -> Option<Effect> {
    if base.is_empty() || head.is_empty() || !base.iter().chain(head).all(|value| value.is_finite()) {
        return None;
    }
    let mut differences = differences(base, head);
    let estimate = middle(&mut differences);
    differences.sort_by(f64::total_cmp);
    let (low, high) = resampled(base, head, seed);
    // Sets that are too small for ranks to say anything are between their extremes at best.
    let outside = outside_95(base.len(), head.len()).unwrap_or(0);
    Some(Effect {
        estimate,
        low: low.min(differences[outside]),
        high: high.max(differences[differences.len() - 1 - outside]),
    })
}

fn differences(base: &[f64], head: &[f64]) -> Vec<f64> {
    let of = |head: &f64| -> Vec<f64> { base.iter().map(|base| head - base).collect() };
    head.iter().flat_map(of).collect()
}

/// Between which values 95 % of the estimates lie when both sets are drawn anew from themselves.
fn resampled(base: &[f64], head: &[f64], seed: u64) -> (f64, f64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut drawn = Vec::with_capacity(base.len());
    let mut differences = Vec::with_capacity(base.len() * head.len());
    let mut estimates: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            drawn.clear();
            drawn.extend(base.iter().map(|_| base[random.usize(..base.len())]));
            differences.clear();
            for _ in head {
                let head = head[random.usize(..head.len())];
                differences.extend(drawn.iter().map(|base| head - base));
            }
            middle(&mut differences)
        })
        .collect();
    estimates.sort_by(f64::total_cmp);
    let outside = RESAMPLES / 40;
    (estimates[outside], estimates[RESAMPLES - 1 - outside])
}
