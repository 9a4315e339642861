//! What was counted of two versions: requests, failures, and how long answers took.

use std::time::Duration;

/// Something of both versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair<T> {
    /// Of the version that is replaced.
    pub old: T,
    /// Of the one that replaces it.
    pub new: T,
}

/// What a version has answered since somebody began to count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Requests that failed.
    pub errors: u64,
    /// How long the others took.
    pub latencies: Latencies,
}

/// How many answers took how long, in buckets that are an eighth of a doubling wide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latencies([u64; Latencies::BUCKETS]);

/// What a version answered in a time, in a few numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Requests.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// The time within which 95 of 100 of the others were answered; zero where there were none.
    pub p95: Duration,
}

impl<T> Pair<T> {
    /// The same of both, made into something else.
    pub fn map<U>(&self, make: impl Fn(&T) -> U) -> Pair<U> {
        Pair {
            old: make(&self.old),
            new: make(&self.new),
        }
    }
}

impl Pair<Seen> {
    /// What was counted since `earlier`.
    pub fn since(&self, earlier: &Pair<Seen>) -> Pair<Seen> {
        Pair {
            old: self.old.since(&earlier.old),
            new: self.new.since(&earlier.new),
        }
    }
}

impl Seen {
    /// How many requests there were.
    pub fn requests(&self) -> u64 {
        self.errors + self.latencies.count()
    }

    /// Which share of them failed; zero where there were none.
    pub fn error_rate(&self) -> f64 {
        ratio(self.errors, self.requests())
    }

    /// What was counted since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Seen) -> Seen {
        let mut latencies = self.latencies.clone();
        for (count, earlier) in latencies.0.iter_mut().zip(earlier.latencies.0) {
            *count = count.saturating_sub(earlier);
        }
        Seen {
            errors: self.errors.saturating_sub(earlier.errors),
            latencies,
        }
    }

    /// This and more of the same version.
    #[must_use]
    pub fn and(mut self, more: &Seen) -> Seen {
        self.errors += more.errors;
        for (count, more) in self.latencies.0.iter_mut().zip(more.latencies.0) {
            *count += more;
        }
        self
    }

    /// The same in a few numbers.
    pub fn share(&self) -> Share {
        Share {
            requests: self.requests(),
            errors: self.errors,
            p95: self.latencies.percentile(0.95).unwrap_or_default(),
        }
    }
}

impl Latencies {
    /// How many buckets there are. The last one takes all that is longer than a minute.
    pub const BUCKETS: usize = 200;

    /// The bucket of a latency. Those below eight microseconds have one each.
    #[allow(clippy::cast_possible_truncation, reason = "it is below the number of buckets")]
    pub fn bucket_of(latency: Duration) -> usize {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        if micros < 8 {
            return micros as usize;
        }
        let doubling = micros.ilog2();
        let eighth = (micros >> (doubling - 3)) & 7;
        let bucket = u64::from(doubling - 2) * 8 + eighth;
        (bucket as usize).min(Latencies::BUCKETS - 1)
    }

    /// Counts `more` answers of a bucket.
    ///
    /// # Panics
    /// When there is no such bucket.
    pub fn add(&mut self, bucket: usize, more: u64) {
        self.0[bucket] += more;
    }

    /// How many answers were counted.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// How many of them certainly took as long as `limit`.
    pub fn slower_than(&self, limit: Duration) -> u64 {
        let counts = self.0.iter().enumerate();
        counts
            .filter(|(bucket, _)| shortest(*bucket) >= limit)
            .map(|(_, count)| count)
            .sum()
    }

    /// The time within which that share of the answers came, to the end of its bucket. `None` where there are none.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are far below 2^52"
    )]
    pub fn percentile(&self, share: f64) -> Option<Duration> {
        let wanted = ((self.count() as f64 * share).ceil() as u64).max(1);
        let mut within = 0;
        for (bucket, count) in self.0.iter().enumerate() {
            within += count;
            if within >= wanted {
                return Some(shortest(bucket + 1));
            }
        }
        None
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Latencies([0; Latencies::BUCKETS])
    }
}

/// The shortest latency of a bucket.
fn shortest(bucket: usize) -> Duration {
    let bucket = bucket as u64;
    let micros = match bucket {
        0..8 => bucket,
        _ => (8 + bucket % 8) << (bucket / 8 - 1),
    };
    Duration::from_micros(micros)
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        let mut last = 0;
        for micros in (0..5_000).chain([1 << 20, 60_000_000, 90_000_000, u64::MAX / 2]) {
            let latency = Duration::from_micros(micros);
            let bucket = Latencies::bucket_of(latency);
            assert!(bucket >= last && bucket < Latencies::BUCKETS, "{micros}");
            if bucket < Latencies::BUCKETS - 1 {
                assert!(
                    shortest(bucket) <= latency && latency < shortest(bucket + 1),
                    "{micros}"
                );
            }
            last = bucket;
        }
        assert_eq!(last, Latencies::BUCKETS - 1);
    }

    #[test]
    fn percentiles_and_slow_answers() {
        let mut seen = Seen::default();
        for millis in 1..=100 {
            seen.latencies
                .add(Latencies::bucket_of(Duration::from_millis(millis)), 1);
        }
        let p95 = seen.share().p95.as_secs_f64();
        assert!((0.095..0.106).contains(&p95), "{p95}");
        assert_eq!(seen.latencies.slower_than(Duration::from_secs(1)), 0);
        assert!((45..=50).contains(&seen.latencies.slower_than(Duration::from_millis(50))));
        assert_eq!(Latencies::default().percentile(0.95), None);
    }

    #[test]
    fn what_was_counted_since_is_a_difference() {
        let mut seen = Seen {
            errors: 3,
            ..Seen::default()
        };
        let earlier = seen.clone();
        seen.errors = 5;
        seen.latencies.add(7, 2);
        let since = seen.since(&earlier);
        assert_eq!((since.requests(), since.errors), (4, 2));
        assert!((since.error_rate() - 0.5).abs() < 1e-9);
        assert_eq!(earlier.and(&since), seen);
    }
}
