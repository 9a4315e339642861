//! How unevenly requests come: over paths, and over time.

use super::Log;

/// Figures of a log that a plan is made by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Popularity {
    /// Arrivals a second over all of the log.
    pub(crate) rate: f64,
    /// Arrivals in its busiest second.
    pub(crate) peak: u64,
    /// The variance of arrivals a second by their mean: 1 where clients come by chance, more where they come in bursts.
    pub(crate) burstiness: Option<f64>,
    /// How steeply popularity falls from request to request: the *k*-th comes about `k^-exponent` times as often as the first
    /// (Zipf's law). Nothing where there are fewer than three.
    pub(crate) exponent: Option<f64>,
}

/// Requests beyond so many say more about the length of a log than about popularity.
const RANKED: usize = 1_000;

impl Popularity {
    /// The figures of a log.
    pub(crate) fn of(log: &Log) -> Popularity {
        let seconds = log.seconds();
        Popularity {
            rate: log.rate(),
            peak: seconds.iter().copied().max().unwrap_or(0),
            burstiness: burstiness(&seconds),
            exponent: exponent(log.counts()),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn burstiness(seconds: &[u64]) -> Option<f64> {
    // The last second isn't whole.
    let whole = &seconds[..seconds.len().saturating_sub(1)];
    if whole.len() < 10 {
        return None;
    }
    let count = whole.len() as f64;
    let mean = whole.iter().sum::<u64>() as f64 / count;
    let squares: f64 = whole.iter().map(|&each| (each as f64 - mean).powi(2)).sum();
    (mean > 0.0).then(|| squares / (count - 1.0) / mean)
}

/// The slope of the straight line through ranks and counts, both as logarithms, by least squares.
#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn exponent(mut counts: Vec<u64>) -> Option<f64> {
    counts.retain(|&count| count > 0);
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts.truncate(RANKED);
    if counts.len() < 3 {
        return None;
    }
    let points: Vec<(f64, f64)> = (1..)
        .zip(&counts)
        .map(|(rank, &count)| (f64::from(rank).ln(), (count as f64).ln()))
        .collect();
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x_mean, y_mean) = (mean(|point| point.0), mean(|point| point.1));
    let both: f64 = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    let squares: f64 = points.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
    Some(-both / squares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zipf_law_is_found_again() {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "they are positive and small"
        )]
        let counts = (1..200).map(|rank| (1e6 / f64::from(rank).powf(0.9)) as u64).collect();
        let found = exponent(counts).unwrap_or_default();
        assert!((found - 0.9).abs() < 0.01, "{found}");
        assert_eq!(exponent(vec![5, 5]), None);
        assert!(exponent(vec![7; 9]).unwrap_or(1.0).abs() < 1e-9);
    }

    #[test]
    fn an_even_rate_has_no_bursts() {
        assert_eq!(burstiness(&[5; 20]), Some(0.0));
        let bursts: Vec<u64> = (0..20).map(|second| if second % 2 == 0 { 10 } else { 0 }).collect();
        assert!(burstiness(&bursts).unwrap_or_default() > 4.0);
        assert_eq!(burstiness(&[0; 20]), None);
        assert_eq!(burstiness(&[1, 2]), None);
    }
}
