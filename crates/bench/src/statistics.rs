//! What can be concluded from few numbers: whether two sets differ, by how much, whether a series rises or breaks.
//!
//! All of it asks little of the numbers: ranks, medians and permutations hold whatever their distribution is, and latencies have
//! long tails. Where chance is needed it comes from a seed, so that the same numbers always get the same answer.

mod breaks;
mod effect;
mod permutation;
mod ranks;
mod slope;

use std::f64::consts::SQRT_2;

pub use breaks::{ChangePoint, change_points};
pub use effect::{Effect, difference, ratio};
pub use permutation::permutation;
pub use ranks::{mann_whitney, smallest_p};
pub use slope::{Slope, theil_sen};

/// How many standard deviations around the middle hold 95 % of a normal distribution.
const NORMAL_95: f64 = 1.959_964;

/// The middle value, or the mean of the two in the middle; nothing of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    (!values.is_empty()).then(|| middle(&mut values))
}

/// Probabilities as they count when several questions were asked at once, so that all of them together mislead no more often than
/// one would (Holm 1979). In the order in which they were given.
pub fn holm(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
    let mut adjusted = vec![0.0; probabilities.len()];
    let mut least: f64 = 0.0;
    for (place, index) in order.iter().enumerate() {
        let questions = (probabilities.len() - place) as f64;
        least = least.max((probabilities[*index] * questions).min(1.0));
        adjusted[*index] = least;
    }
    adjusted
}

/// How much each value resembles the one before it, from -1 to 1. Above 0.2 they aren't independent enough to be counted as
/// separate measurements. Nothing for fewer than three values, or for those that are all the same.
pub fn autocorrelation(values: &[f64]) -> Option<f64> {
    if values.len() < 3 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let spread: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let together: f64 = values.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    (spread > 0.0 && spread.is_finite()).then(|| together / spread)
}

/// The middle of values that may be put into another order; there must be some.
fn middle(values: &mut [f64]) -> f64 {
    let half = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let upper = *upper;
    match below.iter().copied().max_by(f64::total_cmp) {
        Some(lower) if even => lower + (upper - lower) / 2.0,
        _ => upper,
    }
}

/// How likely a value at least so far from the middle is under a normal distribution, to either side. Exact to 3·10⁻⁷
/// (Abramowitz and Stegun, formula 7.1.26).
fn normal_two_sided(deviations: f64) -> f64 {
    const FACTORS: [f64; 5] = [
        0.254_829_592,
        -0.284_496_736,
        1.421_413_741,
        -1.453_152_027,
        1.061_405_429,
    ];
    let x = deviations.abs() / SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let sum = FACTORS.iter().rev().fold(0.0, |sum, factor| (sum + factor) * t);
    (sum * (-x * x).exp()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests;
