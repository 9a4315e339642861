//! Percentiles of latency that forget: how long most answers take, lately.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::Moment;

/// How a histogram forgets, and from when on it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// After this long an observation counts half, after twice as long a quarter.
    pub half_life: Duration,
    /// With fewer observations than this it says nothing.
    pub minimum: u32,
}

/// How long answers took, counted in buckets, each about 6 % wide; what it says is right within 5 %. It knows times from 4 µs to 67 s,
/// and takes longer ones for that.
///
/// Each worker writes to a part of its own, of 1.4 KiB, so that an observation costs a few nanoseconds and waits for nobody.
#[derive(Debug)]
pub struct Histogram {
    settings: Settings,
    shards: Box<[Shard]>,
}

/// A percentile that is worked out anew now and then only, for those who want it at each request.
#[derive(Debug)]
pub struct Remembered {
    per_mille: u32,
    /// When somebody works it out again, in microseconds.
    due: AtomicU64,
    /// In microseconds; zero where it isn't known.
    micros: AtomicU64,
}

/// What one worker has observed.
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    /// When everything will be halved next, in microseconds.
    halved_at: AtomicU64,
    buckets: [AtomicU32; BUCKETS],
}

/// Buckets for each doubling of the time.
const STEPS: u64 = 16;

/// Times are counted in units of four microseconds: two bits less than microseconds have.
const UNIT_BITS: u32 = 2;

/// The longest time has 24 bits, in units; those of fewer than five have a bucket each, the others share one with their likes.
const LONGEST: u64 = (1 << 24) - 1;

const BUCKETS: usize = 336;

/// What an observation counts, so that one alone is not forgotten at once when it is halved.
const WEIGHT: u32 = 16;

/// For how long a remembered percentile stands.
const REMEMBERED: Duration = Duration::from_millis(100);

impl Histogram {
    /// An empty one, for so many workers.
    pub fn new(settings: Settings, shards: usize) -> Histogram {
        Histogram {
            settings,
            shards: (0..shards.max(1)).map(|_| Shard::new()).collect(),
        }
    }

    /// Takes in how long an answer took. `shard` is the number of the worker. Two threads with one number may lose an
    /// observation to each other.
    pub fn observe(&self, shard: usize, took: Duration, now: Moment) {
        let shard = &self.shards[shard % self.shards.len()];
        if now.micros() >= shard.halved_at.load(Ordering::Relaxed) {
            shard.halve(now, self.settings.half_life);
        }
        let bucket = &shard.buckets[bucket_of(took)];
        let count = bucket.load(Ordering::Relaxed).saturating_add(WEIGHT);
        bucket.store(count, Ordering::Relaxed);
    }

    /// The time within which so many thousandths of the answers came: 950 for the 95th percentile. `None` where too few
    /// were observed lately. This reads all buckets of all workers and takes microseconds; see [`Remembered`].
    pub fn percentile(&self, per_mille: u32, now: Moment) -> Option<Duration> {
        let mut counts = [0u64; BUCKETS];
        for shard in &self.shards {
            let halvings = shard.halvings(now, self.settings.half_life);
            for (sum, bucket) in counts.iter_mut().zip(&shard.buckets) {
                *sum += u64::from(shifted(bucket.load(Ordering::Relaxed), halvings));
            }
        }
        let total: u64 = counts.iter().sum();
        if total == 0 || total < u64::from(self.settings.minimum) * u64::from(WEIGHT) {
            return None;
        }
        let wanted = (total * u64::from(per_mille.min(1000))).div_ceil(1000).max(1);
        let mut below = 0;
        for (bucket, &count) in counts.iter().enumerate() {
            if below + count >= wanted {
                return Some(within(bucket, wanted - below, count));
            }
            below += count;
        }
        None
    }
}

impl Remembered {
    /// That percentile, not yet known.
    pub fn new(per_mille: u32) -> Remembered {
        Remembered {
            per_mille,
            due: AtomicU64::new(0),
            micros: AtomicU64::new(0),
        }
    }

    /// The percentile as it was a tenth of a second ago, or is.
    pub fn get(&self, histogram: &Histogram, now: Moment) -> Option<Duration> {
        let due = self.due.load(Ordering::Relaxed);
        let next = (now + REMEMBERED).micros();
        // Who sets the next time is the one who works it out, and the others go on with what is there.
        let mine = now.micros() >= due
            && self
                .due
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            let found = histogram.percentile(self.per_mille, now);
            let micros = found.map_or(0, |found| u64::try_from(found.as_micros()).unwrap_or(u64::MAX));
            self.micros.store(micros, Ordering::Relaxed);
        }
        match self.micros.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }
}

impl Shard {
    fn new() -> Shard {
        Shard {
            halved_at: AtomicU64::new(0),
            buckets: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }

    /// How often it should have been halved by now and wasn't.
    fn halvings(&self, now: Moment, half_life: Duration) -> u32 {
        let due = self.halved_at.load(Ordering::Relaxed);
        if now.micros() < due {
            return 0;
        }
        let late = now.since(Moment::from_micros(due)).as_micros();
        u32::try_from(late / half_life.as_micros().max(1)).map_or(u32::MAX, |more| more.saturating_add(1))
    }

    fn halve(&self, now: Moment, half_life: Duration) {
        let halvings = self.halvings(now, half_life);
        for bucket in &self.buckets {
            bucket.store(shifted(bucket.load(Ordering::Relaxed), halvings), Ordering::Relaxed);
        }
        self.halved_at.store((now + half_life).micros(), Ordering::Relaxed);
    }
}

fn shifted(count: u32, halvings: u32) -> u32 {
    count.checked_shr(halvings).unwrap_or(0)
}

/// The bucket of a time. A time is cut to its first five bits, so that each doubling has sixteen buckets.
fn bucket_of(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let units = (micros >> UNIT_BITS).min(LONGEST);
    let bucket = if units < STEPS {
        units
    } else {
        let doublings = u64::from(units.ilog2() - STEPS.ilog2());
        doublings * STEPS + (units >> doublings)
    };
    usize::try_from(bucket).map_or(BUCKETS - 1, |bucket| bucket.min(BUCKETS - 1))
}

/// Where in a bucket the observation of that rank lies, if its observations are spread evenly.
fn within(bucket: usize, rank: u64, count: u64) -> Duration {
    let from = start_of(bucket);
    let width = start_of(bucket + 1) - from;
    Duration::from_micros(from + (width * rank / count.max(1)).max(1))
}

/// The first microsecond of a bucket.
fn start_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let units = if bucket < STEPS {
        bucket
    } else {
        let doublings = bucket / STEPS - 1;
        (STEPS + bucket % STEPS) << doublings
    };
    units << UNIT_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        half_life: Duration::from_secs(10),
        minimum: 20,
    };

    const fn at(millis: u64) -> Moment {
        Moment::from_micros(1_000_000 + millis * 1000)
    }

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn buckets_follow_one_another_without_a_gap() {
        for bucket in 0..BUCKETS {
            let (first, next) = (start_of(bucket), start_of(bucket + 1));
            assert_eq!(bucket_of(Duration::from_micros(first)), bucket);
            assert_eq!(bucket_of(Duration::from_micros(next - 1)), bucket);
            assert!(first < 64 || (next - first) * 16 <= first, "bucket {bucket} is wide");
        }
        assert_eq!(bucket_of(Duration::MAX), BUCKETS - 1);
        assert_eq!(start_of(BUCKETS), (LONGEST + 1) << UNIT_BITS);
    }

    #[test]
    fn it_says_within_five_per_cent_what_sorting_says() {
        let mut random = fastrand::Rng::with_seed(1);
        let shapes: [&dyn Fn(&mut fastrand::Rng) -> f64; 3] = [
            &|random| 1000.0 + random.f64() * 9000.0,
            // A long tail.
            &|random| 500.0 * (random.f64() * 8.0).exp(),
            // Two kinds of answers.
            &|random| {
                if random.u32(0..10) == 0 {
                    300_000.0
                } else {
                    2000.0 + random.f64() * 100.0
                }
            },
        ];
        for shape in shapes {
            let histogram = Histogram::new(SETTINGS, 3);
            let mut all: Vec<Duration> = (0..20_000)
                .map(|_| Duration::from_secs_f64(shape(&mut random) / 1e6))
                .collect();
            for (turn, took) in all.iter().enumerate() {
                histogram.observe(turn, *took, at(0));
            }
            all.sort_unstable();
            for per_mille in [100, 500, 850, 950, 990, 999] {
                let exact = all[all.len() * per_mille / 1000].as_secs_f64();
                let said = histogram.percentile(u32::try_from(per_mille).expect("it is small"), at(1));
                let said = said.expect("there are enough").as_secs_f64();
                assert!((said / exact - 1.0).abs() < 0.05, "{per_mille}: {said} for {exact}");
            }
        }
    }

    #[test]
    fn it_says_nothing_of_too_few() {
        let histogram = Histogram::new(SETTINGS, 2);
        assert_eq!(histogram.percentile(950, at(0)), None);
        for turn in 0..19 {
            histogram.observe(turn, millis(5), at(0));
        }
        assert_eq!(histogram.percentile(950, at(0)), None);
        histogram.observe(0, millis(5), at(0));
        assert!(histogram.percentile(950, at(0)).is_some());
        // They are forgotten, whether somebody comes or not.
        assert_eq!(histogram.percentile(950, at(100_000)), None);
        assert_eq!(histogram.percentile(950, at(100_000_000_000)), None);
    }

    #[test]
    fn what_was_long_ago_yields_to_what_is() {
        let histogram = Histogram::new(SETTINGS, 1);
        for request in 0..10_000 {
            histogram.observe(0, millis(10), at(request));
        }
        for request in 0..40_000 {
            histogram.observe(0, millis(100), at(10_000 + request));
        }
        let low = histogram.percentile(100, at(50_000)).expect("there are enough");
        assert!(low > millis(94), "{low:?}");
    }

    #[test]
    fn a_rare_slow_answer_is_not_forgotten_before_the_quick_ones() {
        let histogram = Histogram::new(SETTINGS, 1);
        for request in 0..100_u64 {
            histogram.observe(
                0,
                millis(if request % 10 == 0 { 100 + request * 10 } else { 10 }),
                at(0),
            );
        }
        let slow = histogram
            .percentile(950, at(29_000))
            .expect("its quarter is still enough");
        assert!(slow > millis(400), "{slow:?}");
    }

    #[test]
    fn a_remembered_percentile_is_worked_out_now_and_then() {
        let (histogram, remembered) = (Histogram::new(SETTINGS, 1), Remembered::new(500));
        assert_eq!(remembered.get(&histogram, at(0)), None);
        for _ in 0..100 {
            histogram.observe(0, millis(10), at(1));
        }
        assert_eq!(remembered.get(&histogram, at(99)), None);
        let median = remembered.get(&histogram, at(100)).expect("it is known now");
        assert!(median.abs_diff(millis(10)) < Duration::from_micros(500), "{median:?}");
    }
}
