//! Many durations in little memory, to three digits.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest duration that is told from longer ones, in microseconds: ten minutes.
const LONGEST: u64 = 600_000_000;

/// How many different values are kept as they are. A route that is asked seldom has no more of them in a phase, and its histogram
/// takes some kilobytes instead of some ten.
const FEW: usize = 256;

/// Durations from a microsecond to ten minutes, each kept to three digits (the HDR histogram of Gil Tene, once there are
/// many). Merging loses nothing.
#[derive(Clone, Debug)]
pub struct Histogram {
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    /// Each value in microseconds, with how often it occurs; ascending. A value stands for all that are told from others no better than by
    /// three digits, as the largest of them, so that nothing changes when few become many.
    Few(Vec<(u64, u64)>),
    Many(hdrhistogram::Histogram<u64>),
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram::new()
    }
}

impl Histogram {
    /// One without values.
    pub const fn new() -> Histogram {
        Histogram {
            values: Values::Few(Vec::new()),
        }
    }

    /// Counts a duration. What is longer than the longest counts as that.
    pub fn record(&mut self, duration: Duration) {
        self.record_many(duration, 1);
    }

    /// Counts the same duration several times.
    pub fn record_many(&mut self, duration: Duration, count: u64) {
        self.add(Histogram::micros(duration), count);
    }

    /// Counts a duration that is known in microseconds, as [`Histogram::micros`] has them.
    pub fn record_micros(&mut self, micros: u64) {
        self.add(micros.clamp(1, LONGEST), 1);
    }

    /// A duration in microseconds, as it is counted.
    pub fn micros(duration: Duration) -> u64 {
        let whole = duration.as_secs().saturating_mul(1_000_000);
        whole.saturating_add(duration.subsec_micros().into()).clamp(1, LONGEST)
    }

    /// Adds all values of another one.
    pub fn merge(&mut self, other: &Histogram) {
        match &other.values {
            Values::Few(values) => values.iter().for_each(|(micros, count)| self.add(*micros, *count)),
            Values::Many(counts) => self.many().add(counts).expect("it grows to hold any value"),
        }
    }

    /// Forgets all values.
    pub fn clear(&mut self) {
        self.values = Values::Few(Vec::new());
    }

    /// How many values it has.
    pub fn count(&self) -> u64 {
        match &self.values {
            Values::Few(values) => values.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count)),
            Values::Many(counts) => counts.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The smallest value that so large a share (0 to 1) of all don't exceed; nothing without values.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let micros = match &self.values {
            Values::Few(values) => {
                #[allow(
                    clippy::cast_possible_truncation,
                    reason = "casting saturates, and no count is that large"
                )]
                #[allow(clippy::cast_sign_loss, reason = "it is not negative")]
                let needed = (share.clamp(0.0, 1.0) * self.count() as f64).ceil().max(1.0) as u64;
                let mut passed = 0u64;
                let reaches = |(_, count): &&(u64, u64)| {
                    passed = passed.saturating_add(*count);
                    passed >= needed
                };
                let micros = values.iter().find(reaches).or(values.last())?.0;
                if share > 0.0 { micros } else { smallest(micros) }
            }
            Values::Many(counts) => counts.value_at_quantile(share),
        };
        Some(Duration::from_micros(micros))
    }

    /// The largest value.
    pub fn max(&self) -> Option<Duration> {
        let micros = match &self.values {
            Values::Few(values) => values.last()?.0,
            Values::Many(counts) => counts.max(),
        };
        Some(Duration::from_micros(micros))
    }

    /// The smallest value.
    pub fn min(&self) -> Option<Duration> {
        let micros = match &self.values {
            Values::Few(values) => smallest(values.first()?.0),
            Values::Many(counts) => counts.min(),
        };
        Some(Duration::from_micros(micros))
    }

    /// The mean.
    pub fn mean(&self) -> Option<Duration> {
        let micros = match &self.values {
            Values::Few(values) => {
                let sum: f64 = values
                    .iter()
                    .map(|(micros, count)| *micros as f64 * *count as f64)
                    .sum();
                sum / self.count().max(1) as f64
            }
            Values::Many(counts) => counts.mean(),
        };
        (!self.is_empty()).then(|| Duration::from_secs_f64(micros / 1e6))
    }

    /// Each value that occurs, in microseconds, with how often; ascending.
    pub fn values(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let (few, many) = match &self.values {
            Values::Few(values) => (Some(values), None),
            Values::Many(counts) => (None, Some(counts)),
        };
        let few = few.into_iter().flatten().copied();
        few.chain(many.into_iter().flat_map(|counts| {
            counts
                .iter_recorded()
                .map(|step| (step.value_iterated_to(), step.count_at_value()))
        }))
    }

    fn add(&mut self, micros: u64, count: u64) {
        if let Values::Few(values) = &mut self.values {
            let micros = largest(micros);
            match values.binary_search_by_key(&micros, |(micros, _)| *micros) {
                Ok(place) => values[place].1 = values[place].1.saturating_add(count),
                Err(_) if count == 0 => {}
                Err(place) if values.len() < FEW => values.insert(place, (micros, count)),
                Err(_) => add_to(self.many(), micros, count),
            }
            return;
        }
        add_to(self.many(), micros, count);
    }

    /// The counts, which are made of the values where there were few so far.
    fn many(&mut self) -> &mut hdrhistogram::Histogram<u64> {
        if let Values::Few(values) = &self.values {
            let mut counts = hdrhistogram::Histogram::new(3).expect("three digits are allowed");
            counts.auto(true);
            for (micros, count) in values {
                add_to(&mut counts, *micros, *count);
            }
            self.values = Values::Many(counts);
        }
        match &mut self.values {
            Values::Many(counts) => counts,
            Values::Few(_) => unreachable!("they were just made many"),
        }
    }
}

/// The largest value that is not told from this one: of 2048 and more there are 1024 to each power of two.
fn largest(micros: u64) -> u64 {
    micros | unit(micros)
}

/// The smallest value that is not told from this one.
fn smallest(micros: u64) -> u64 {
    micros & !unit(micros)
}

/// The bits that are not told apart.
fn unit(micros: u64) -> u64 {
    let power = micros.checked_ilog2().unwrap_or_default();
    (1 << power.saturating_sub(10)) - 1
}

fn add_to(counts: &mut hdrhistogram::Histogram<u64>, micros: u64, count: u64) {
    counts.record_n(micros, count).expect("it grows to hold any value");
}

/// As a list of `[microseconds, count]`.
impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.values())
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Histogram, D::Error> {
        let mut values = Vec::<(u64, u64)>::deserialize(deserializer)?;
        values.retain(|(_, count)| *count > 0);
        for (micros, _) in &mut values {
            *micros = largest((*micros).clamp(1, LONGEST));
        }
        values.sort_unstable();
        values.dedup_by(|(micros, count), (kept, sum)| {
            let same = micros == kept;
            *sum = if same { sum.saturating_add(*count) } else { *sum };
            same
        });
        // However many there are, they take no more than the file that they come from.
        Ok(Histogram {
            values: Values::Few(values),
        })
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

    #[test]
    fn few_values_say_what_many_say() {
        let mut few = Histogram::new();
        let mut many = Histogram::new();
        many.many();
        let mut chance = fastrand::Rng::with_seed(4);
        for _ in 0..5_000 {
            let micros = chance.u64(1..FEW as u64).pow(3);
            few.record_micros(micros);
            many.record_micros(micros);
        }
        assert!(matches!((&few.values, &many.values), (Values::Few(_), Values::Many(_))));
        for share in [0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0] {
            assert_eq!(few.quantile(share), many.quantile(share), "{share}");
        }
        let all = |histogram: &Histogram| (histogram.count(), histogram.min(), histogram.max());
        assert_eq!(all(&few), all(&many));
        assert!(few.values().eq(many.values()));
        let ratio = few.mean().unwrap().as_secs_f64() / many.mean().unwrap().as_secs_f64();
        assert!((ratio - 1.0).abs() < 0.001, "{ratio}");
        for other in [&few.clone(), &many.clone()] {
            few.merge(other);
            many.merge(other);
        }
        few.record_micros(1_000_000);
        many.record_micros(1_000_000);
        assert!(few.values().eq(many.values()) && few.count() == 15_001);
    }

    #[test]
    fn what_is_read_takes_as_much_as_it_has() {
        let text: Vec<(u64, u64)> = (0..2_000).rev().map(|at| (1_000 + at * 40, 1 + at % 3)).collect();
        let text = serde_json::to_string(&text).unwrap();
        let mut read: Histogram = serde_json::from_str(&text).unwrap();
        let mut recorded = Histogram::new();
        for at in 0..2_000 {
            recorded.record_many(Duration::from_micros(1_000 + at * 40), 1 + at % 3);
        }
        assert!(matches!(
            (&read.values, &recorded.values),
            (Values::Few(_), Values::Many(_))
        ));
        assert!(read.values().eq(recorded.values()));
        for share in [0.0, 0.5, 0.99, 1.0] {
            assert_eq!(read.quantile(share), recorded.quantile(share), "{share}");
        }
        read.record_micros(7);
        recorded.record_micros(7);
        assert!(read.values().eq(recorded.values()));
        let none: Histogram = serde_json::from_str("[[5,0],[0,3],[99999999999,1]]").unwrap();
        assert_eq!((none.count(), none.min()), (4, Some(Duration::from_micros(1))));
    }

    #[test]
    fn nothing_has_no_quantile() {
        let mut histogram = Histogram::new();
        histogram.record_many(Duration::from_secs(1), 0);
        assert_eq!(
            (histogram.count(), histogram.quantile(0.5), histogram.max()),
            (0, None, None)
        );
        assert_eq!((histogram.min(), histogram.mean()), (None, None));
    }
}
