//! Whether a series rises, whatever single values do (Theil 1950, Sen 1968).

use serde::{Deserialize, Serialize};

use super::{NORMAL_95, autocorrelation, middle};

/// A series of more points is made shorter: the work grows with the square of their number.
const MOST_POINTS: usize = 400;

/// Of fewer points no slope has an interval of 95 %.
const FEWEST_POINTS: usize = 5;

/// Values that follow each other this closely are as good as one.
const MOST_ALIKE: f64 = 0.95;

/// How much a series rises for each unit of its first coordinate, and the interval that holds it in 95 % of all cases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slope {
    /// The median of the slopes between all pairs of points.
    pub estimate: f64,
    /// The least that it may be. Above zero: the series rises.
    pub low: f64,
    /// The most that it may be.
    pub high: f64,
}

/// The slope of a series, given in order. Nothing for fewer than five points, or those at one place.
///
/// Of long series, medians of neighbours stand for these. Values that depend on those before them, as memory in use does, are
/// worth fewer than they are many; the interval is wider for it (after Yue and Wang 2004).
pub fn theil_sen(points: &[(f64, f64)]) -> Option<Slope> {
    let points = shortened(points);
    if points.len() < FEWEST_POINTS {
        return None;
    }
    let mut slopes = Vec::with_capacity(points.len() * (points.len() - 1) / 2);
    for (index, (x, y)) in points.iter().enumerate() {
        let later = points[index + 1..].iter().filter(|later| later.0 != *x);
        slopes.extend(later.map(|later| (later.1 - y) / (later.0 - x)));
    }
    if slopes.is_empty() {
        return None;
    }
    let estimate = middle(&mut slopes);
    let rest: Vec<f64> = points.iter().map(|(x, y)| y - estimate * x).collect();
    let alike = autocorrelation(&rest).unwrap_or(0.0).clamp(0.0, MOST_ALIKE);
    let within = NORMAL_95 * (variance(&points) * (1.0 + alike) / (1.0 - alike)).sqrt();
    slopes.sort_by(f64::total_cmp);
    let all = slopes.len() as f64;
    Some(Slope {
        estimate,
        low: slopes[place((all - within) / 2.0 - 1.0, slopes.len())],
        high: slopes[place((all + within) / 2.0, slopes.len())],
    })
}

#[expect(clippy::cast_possible_truncation, reason = "it is clamped to the places there are")]
fn place(at: f64, places: usize) -> usize {
    at.round().clamp(0.0, (places - 1) as f64) as usize
}

/// The variance of how many pairs rise more than fall in a series without a slope, values that are the same taken into account.
fn variance(points: &[(f64, f64)]) -> f64 {
    let pairs = |count: f64| count * (count - 1.0) * (2.0 * count + 5.0) / 18.0;
    let mut values: Vec<f64> = points.iter().map(|point| point.1).collect();
    values.sort_by(f64::total_cmp);
    let same = values.chunk_by(|a, b| a == b).map(|same| pairs(same.len() as f64));
    pairs(points.len() as f64) - same.sum::<f64>()
}

fn shortened(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let neighbours = points.len().div_ceil(MOST_POINTS).max(1);
    let medians = points.chunks(neighbours).map(|chunk| {
        let mut of_x: Vec<f64> = chunk.iter().map(|point| point.0).collect();
        let mut of_y: Vec<f64> = chunk.iter().map(|point| point.1).collect();
        (middle(&mut of_x), middle(&mut of_y))
    });
    medians.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
}
