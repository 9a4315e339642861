//! Many durations in little memory, to three digits.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest duration that is told from longer ones, in microseconds: ten minutes.
const LONGEST: u64 = 600_000_000;

/// Durations from a microsecond to ten minutes, each kept to three digits (the HDR histogram of Gil Tene). Merging loses nothing.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: hdrhistogram::Histogram<u64>,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram::new()
    }
}

impl Histogram {
    /// One without values.
    pub fn new() -> Histogram {
        let mut counts = hdrhistogram::Histogram::new(3).expect("three digits are allowed");
        counts.auto(true);
        Histogram { counts }
    }

    /// Counts a duration. What is longer than the longest counts as that.
    pub fn record(&mut self, duration: Duration) {
        self.record_many(duration, 1);
    }

    /// Counts the same duration several times.
    pub fn record_many(&mut self, duration: Duration, count: u64) {
        let micros = Histogram::micros(duration);
        self.counts.record_n(micros, count).expect("it grows to hold any value");
    }

    /// Counts a duration that is known in microseconds, as [`Histogram::micros`] has them.
    pub fn record_micros(&mut self, micros: u64) {
        let micros = micros.clamp(1, LONGEST);
        self.counts.record(micros).expect("it grows to hold any value");
    }

    /// A duration in microseconds, as it is counted.
    pub fn micros(duration: Duration) -> u64 {
        let whole = duration.as_secs().saturating_mul(1_000_000);
        whole.saturating_add(duration.subsec_micros().into()).clamp(1, LONGEST)
    }

    /// Adds all values of another one.
    pub fn merge(&mut self, other: &Histogram) {
        self.counts.add(&other.counts).expect("it grows to hold any value");
    }

    /// Forgets all values, and keeps the room.
    pub fn clear(&mut self) {
        self.counts.clear();
    }

    /// How many values it has.
    pub fn count(&self) -> u64 {
        self.counts.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The smallest value that so large a share (0 to 1) of all don't exceed; nothing without values.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_micros(self.counts.value_at_quantile(share)))
    }

    /// The largest value.
    pub fn max(&self) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_micros(self.counts.max()))
    }

    /// The smallest value.
    pub fn min(&self) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_micros(self.counts.min()))
    }

    /// The mean.
    pub fn mean(&self) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_secs_f64(self.counts.mean() / 1e6))
    }

    /// Each value that occurs, in microseconds, with how often; ascending.
    pub fn values(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.counts
            .iter_recorded()
            .map(|step| (step.value_iterated_to(), step.count_at_value()))
    }
}

/// As a list of `[microseconds, count]`.
impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.values())
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Histogram, D::Error> {
        let values = Vec::<(u64, u64)>::deserialize(deserializer)?;
        let mut histogram = Histogram::new();
        for (micros, count) in values {
            histogram.record_many(Duration::from_micros(micros), count);
        }
        Ok(histogram)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut histogram = Histogram::new();
        for micros in [0, 1, 999, 54_321, 7_000_000_000] {
            histogram.record(Duration::from_micros(micros));
        }
        assert_eq!((histogram.count(), histogram.max()), (5, histogram.quantile(1.0)));
        let text = serde_json::to_string(&histogram).unwrap();
        let back: Histogram = serde_json::from_str(&text).unwrap();
        assert_eq!(
            back.values().collect::<Vec<_>>(),
            histogram.values().collect::<Vec<_>>()
        );
    }
}
