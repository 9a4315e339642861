//! Whether a process takes more and more of something.

use serde::{Deserialize, Serialize};

use super::Sample;
use crate::statistics::{Slope, median, theil_sen};

/// Fewer samples say nothing about where it goes.
const FEWEST_SAMPLES: usize = 20;

/// Growth that is never held against a process: allocators keep some, and caches fill.
const FORGIVEN_MEMORY: f64 = 4.0 * 1024.0 * 1024.0;
/// The same for descriptors: pools come and go.
const FORGIVEN_DESCRIPTORS: f64 = 10.0;
/// The same as a part of what it had.
const FORGIVEN_PART: f64 = 0.05;

/// What grew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grown {
    /// Memory, in bytes.
    Memory,
    /// Open descriptors.
    Descriptors,
}

/// Something that a process takes more and more of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leak {
    /// What.
    pub what: Grown,
    /// How much more each hour.
    pub hourly: Slope,
    /// How much more it became while it was watched.
    pub growth: f64,
    /// All that as a sentence.
    pub sentence: String,
}

/// Finds what grows without an end: from after the first fifth, in which a process warms up, and still in the second half of the
/// rest, so that what fills a cache and comes to rest is none.
pub(super) fn find(samples: &[Sample]) -> Vec<Leak> {
    let warm = &samples[samples.len() / 5..];
    if warm.len() < FEWEST_SAMPLES {
        return Vec::new();
    }
    let memory: Vec<_> = warm
        .iter()
        .map(|sample| (hours(sample), sample.memory as f64))
        .collect();
    let descriptors: Option<Vec<_>> = warm
        .iter()
        .map(|sample| Some((hours(sample), sample.descriptors? as f64)))
        .collect();
    let memory = leak(Grown::Memory, &memory, FORGIVEN_MEMORY);
    let descriptors = descriptors.and_then(|points| leak(Grown::Descriptors, &points, FORGIVEN_DESCRIPTORS));
    memory.into_iter().chain(descriptors).collect()
}

fn hours(sample: &Sample) -> f64 {
    sample.at.as_secs_f64() / 3600.0
}

fn leak(what: Grown, points: &[(f64, f64)], forgiven: f64) -> Option<Leak> {
    let rises = |points: &[(f64, f64)]| theil_sen(points).filter(|slope| slope.low > 0.0);
    let hourly = rises(points)?;
    rises(&points[points.len() / 2..])?;
    let (first, last) = (points.first()?, points.last()?);
    let growth = hourly.estimate * (last.0 - first.0);
    let values: Vec<f64> = points.iter().map(|point| point.1).collect();
    if growth < forgiven.max(median(&values)? * FORGIVEN_PART) {
        return None;
    }
    let sentence = match what {
        Grown::Memory => format!(
            "Memory grows by {:.1} MiB an hour, and by at least {:.1}.",
            hourly.estimate / 1_048_576.0,
            hourly.low / 1_048_576.0
        ),
        Grown::Descriptors => format!(
            "Open descriptors grow by {:.0} an hour, and by at least {:.0}.",
            hourly.estimate, hourly.low
        ),
    };
    Some(Leak {
        what,
        hourly,
        growth,
        sentence,
    })
}
