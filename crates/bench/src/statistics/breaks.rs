//! Where a series changes for good, as the history of a project's runs does when something got slower.
//!
//! The way is that of E-divisive (Matteson and James 2014): find the place that splits a series into the most different halves, ask
//! how often chance alone would find one as good, and go on with each half.

use std::iter;
use std::ops::Range;

use super::median;

/// Only so many of the latest values are looked at: the work grows with the square of their number.
const MOST_VALUES: usize = 400;

/// The fewest values between two changes. Fewer may be a bad day.
const FEWEST_BETWEEN: usize = 4;

/// How often the values are shuffled to see what chance alone would find.
const SHUFFLES: u32 = 299;

/// How often a series without a change may seem to have one.
const LEVEL: f64 = 0.01;

/// A place where a series changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// The place of the first value after the change.
    pub at: usize,
    /// How likely chance alone makes a change like this one.
    pub p: f64,
    /// The median between the change before and this one.
    pub before: f64,
    /// The median from here to the next change.
    pub after: f64,
}

/// The changes of a series, in order. Of a series of more than 400 values, those among the last 400; values that aren't finite
/// make it one without changes. `seed` is where chance begins.
pub fn change_points(series: &[f64], seed: u64) -> Vec<ChangePoint> {
    if !series.iter().all(|value| value.is_finite()) {
        return Vec::new();
    }
    let begin = series.len().saturating_sub(MOST_VALUES);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut found = Vec::new();
    let mut parts: Vec<Range<usize>> = iter::once(begin..series.len()).collect();
    while let Some(part) = parts.pop() {
        let Some((split, difference)) = best_split(&series[part.clone()]) else {
            continue;
        };
        let mut shuffled = series[part.clone()].to_vec();
        let as_good = (0..SHUFFLES).filter(|_| {
            random.shuffle(&mut shuffled);
            best_split(&shuffled).is_some_and(|(_, by_chance)| by_chance >= difference)
        });
        let p = f64::from(u32::try_from(as_good.count()).unwrap_or(SHUFFLES) + 1) / f64::from(SHUFFLES + 1);
        if p <= LEVEL {
            let at = part.start + split;
            found.push((at, p));
            parts.push(part.start..at);
            parts.push(at..part.end);
        }
    }
    found.sort_unstable_by_key(|(at, _)| *at);
    described(series, begin, &found)
}

fn described(series: &[f64], begin: usize, found: &[(usize, f64)]) -> Vec<ChangePoint> {
    let place = |index: usize| found.get(index).map_or(series.len(), |(at, _)| *at);
    let level = |from: usize, to: usize| median(&series[from..to]).unwrap_or_default();
    let describe = |(index, (at, p)): (usize, &(usize, f64))| {
        let before = if index == 0 { begin } else { place(index - 1) };
        ChangePoint {
            at: *at,
            p: *p,
            before: level(before, *at),
            after: level(*at, place(index + 1)),
        }
    };
    found.iter().enumerate().map(describe).collect()
}

/// Where the values before and after differ most, and by how much: the energy distance of both parts (Székely and Rizzo 2005),
/// weighted by their sizes. Nothing where all are the same, or too few.
fn best_split(values: &[f64]) -> Option<(usize, f64)> {
    let distances = |to: f64, among: &[f64]| among.iter().map(|value| (value - to).abs()).sum::<f64>();
    let (mut within_left, mut between) = (0.0, 0.0);
    let mut within_right: f64 = (0..values.len())
        .map(|index| distances(values[index], &values[index + 1..]))
        .sum();
    let mut best: Option<(usize, f64)> = None;
    for (index, value) in values.iter().enumerate() {
        // The value goes over from the right part to the left one.
        let (to_left, to_right) = (
            distances(*value, &values[..index]),
            distances(*value, &values[index + 1..]),
        );
        within_left += to_left;
        within_right -= to_right;
        between += to_right - to_left;
        let (left, right) = (index + 1, values.len() - index - 1);
        if left < FEWEST_BETWEEN || right < FEWEST_BETWEEN {
            continue;
        }
        let (n, m) = (left as f64, right as f64);
        let energy =
            2.0 * between / (n * m) - 2.0 * within_left / (n * (n - 1.0)) - 2.0 * within_right / (m * (m - 1.0));
        let difference = energy * n * m / (n + m);
        if difference > 1e-12 * between && best.is_none_or(|(_, other)| difference > other) {
            best = Some((left, difference));
        }
    }
    best
}
