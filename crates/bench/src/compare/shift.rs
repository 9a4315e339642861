//! How latencies differ over their whole distribution: a change of the tail alone is seen here, and so is one of fast answers.

use serde::{Deserialize, Serialize};

use crate::statistics::{median, ratio};
use crate::summary::Summary;

/// Where it is looked: at each tenth, and in the tail.
const SHARES: [f64; 12] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999];

/// The latency that a share of requests doesn't exceed, before and after.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shifted {
    /// The share, 0 to 1.
    pub share: f64,
    /// The median over the runs that were compared with, in seconds.
    pub base: f64,
    /// The median over those that were compared, in seconds.
    pub head: f64,
    /// By what factor it is larger.
    pub ratio: f64,
    /// The least that the ratio may be, with 95 %.
    pub low: f64,
    /// The most that the ratio may be, with 95 %.
    pub high: f64,
}

/// The shift function (Doksum 1974; Rousselet and others 2017), each of its values over runs. Shares that a run has too few requests
/// for are left out.
pub(super) fn shift(base: &[&Summary], head: &[&Summary], seed: u64) -> Vec<Shifted> {
    let at = |share: f64| {
        let values = |runs: &[&Summary]| -> Option<Vec<f64>> {
            runs.iter()
                .map(|run| Some(run.quantile(share)?.as_secs_f64()))
                .collect()
        };
        let (base, head) = (values(base)?, values(head)?);
        let effect = ratio(&base, &head, seed)?;
        Some(Shifted {
            share,
            base: median(&base)?,
            head: median(&head)?,
            ratio: effect.estimate,
            low: effect.low,
            high: effect.high,
        })
    };
    SHARES.into_iter().filter_map(at).collect()
}
