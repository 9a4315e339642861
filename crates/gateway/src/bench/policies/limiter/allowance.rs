//! How many requests limits let through, computed from their settings.

use std::fmt;
use std::time::Duration;

use portcullis_config::File;
use portcullis_config::policy::rate_limit::{RateLimit, RateLimitCost, RateLimitHeaders, RateLimitKey};
use portcullis_config::units::Quota;

use super::super::asked::Asked;
use super::super::isolation::sets;

/// A spike lasts two periods, but not longer than this, and not less than what one can measure by.
const LONGEST: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_secs(2);

/// How many times as much comes as may pass.
const TIMES: f64 = 3.0;

/// The most requests a second of a spike: the limit is what is tested, and not this machine.
const MOST: f64 = 6_000.0;

/// The share of what should pass that has to.
const AT_LEAST: f64 = 0.95;

/// One quota of a limit, for requests that all cost the same and count together.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    quota: Quota,
    burst: u32,
    cost: u32,
}

/// All quotas that a request of a route has to pass.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Allowance {
    /// Lists of limits, one behind the other. A request that one quota of a list refuses takes nothing from the others of that
    /// list, but it was counted by the lists before.
    lists: Vec<Vec<Bucket>>,
    /// What answers tell of the limits; nothing where some tell one thing and others another.
    pub(super) headers: Option<RateLimitHeaders>,
}

/// How a limit is tested.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Volume {
    pub(super) duration: Duration,
    /// Requests a second.
    pub(super) rate: f64,
}

impl Allowance {
    /// That of a route; nothing where it has no limit.
    ///
    /// # Errors
    /// Why what may pass can't be computed.
    pub(in super::super) fn of(file: &File, asked: &Asked<'_>) -> Option<Result<Allowance, String>> {
        let sets = sets(file, asked.route);
        let lists = sets.iter().filter_map(|set| set.rate_limit.as_deref());
        let lists: Vec<&[RateLimit]> = lists.filter(|list| !list.is_empty()).collect();
        (!lists.is_empty()).then(|| Allowance::of_lists(&lists))
    }

    fn of_lists(written: &[&[RateLimit]]) -> Result<Allowance, String> {
        // What asks who the client is stands behind what finds that out.
        let (mut lists, mut behind) = (Vec::new(), Vec::new());
        for list in written {
            let mut parted = [Vec::new(), Vec::new()];
            for limit in *list {
                parted[usize::from(asks_who(limit))].extend(buckets(limit)?);
            }
            let [first, second] = parted;
            lists.push(first);
            behind.push(second);
        }
        lists.append(&mut behind);
        lists.retain(|list| !list.is_empty());
        let mut headers = written.iter().copied().flatten().map(|limit| limit.headers);
        let first = headers.next();
        Ok(Allowance {
            lists,
            headers: first.filter(|first| headers.all(|other| other == *first)),
        })
    }

    fn buckets(&self) -> impl Iterator<Item = &Bucket> {
        self.lists.iter().flatten()
    }

    /// How many requests may pass in so long, the first and the last at its ends: each quota lets its burst through, and then
    /// what comes again.
    pub(super) fn passes_in(&self, time: Duration) -> f64 {
        let each = self.buckets().map(|bucket| bucket.passes_in(time));
        each.fold(f64::INFINITY, f64::min)
    }

    /// How many pass of those that come evenly at a rate, for so long.
    fn passes_evenly(&self, rate: f64, time: Duration) -> f64 {
        let full = |bucket: Bucket| (bucket, f64::from(bucket.burst));
        let mut lists: Vec<Vec<(Bucket, f64)>> = Vec::new();
        for list in &self.lists {
            lists.push(list.iter().copied().map(full).collect());
        }
        let pause = 1.0 / rate;
        let (mut passed, mut at) = (0.0, 0.0);
        while at <= time.as_secs_f64() {
            passed += f64::from(u8::from(lists.iter_mut().all(|list| take(list))));
            for (bucket, units) in lists.iter_mut().flatten() {
                *units = (*units + bucket.units_per_second() * pause).min(f64::from(bucket.burst));
            }
            at += pause;
        }
        passed
    }

    /// How many must pass at least. A bucket that is full for a moment takes nothing in, which matters for those that hold one
    /// request only: then what comes just before it may pass has to come again.
    pub(super) fn passes_at_least(&self, volume: Volume, late: Duration) -> f64 {
        let pause = Duration::from_secs_f64(1.0 / volume.rate);
        let time = volume.duration.saturating_sub(pause + late);
        let small = self
            .buckets()
            .filter(|bucket| bucket.burst < bucket.cost.saturating_mul(2));
        let small = small.map(|bucket| 1.0 + time.as_secs_f64() / (1.0 / bucket.per_second() + pause.as_secs_f64()));
        let passes = small.fold(self.passes_evenly(volume.rate, time), f64::min);
        (passes * AT_LEAST - 1.0).floor().max(0.0)
    }

    /// How long how much has to come to see the limit at work.
    ///
    /// # Errors
    /// When that is more than a test asks for.
    pub(super) fn volume(&self) -> Result<Volume, String> {
        let longest = self.buckets().map(|bucket| bucket.quota.per).max().unwrap_or_default();
        let duration = (longest * 2).clamp(SHORTEST, LONGEST);
        let rate = (TIMES * self.passes_in(duration) / duration.as_secs_f64()).max(1.0);
        match rate <= MOST {
            true => Ok(Volume { duration, rate }),
            false => Err(format!(
                "it takes {rate:.0} requests a second to reach it, and a test asks for {MOST} at most"
            )),
        }
    }

    /// What of the limit a spike of that length doesn't show.
    pub(super) fn not_shown(&self, duration: Duration) -> Vec<String> {
        let long = self.buckets().filter(|bucket| bucket.quota.per * 2 > duration);
        let told = long.map(|bucket| {
            let seconds = duration.as_secs();
            match bucket.per_second() * duration.as_secs_f64() < 1.0 {
                true => format!(
                    "{} gives nothing back within {seconds} s: its burst alone is tested.",
                    bucket.quota
                ),
                false => format!(
                    "{} is tested for {seconds} s, which is less than two of its periods.",
                    bucket.quota
                ),
            }
        });
        told.collect()
    }
}

impl Bucket {
    fn passes_in(self, time: Duration) -> f64 {
        let units = f64::from(self.burst) + (self.units_per_second() * time.as_secs_f64() + ROUNDING).floor();
        match self.cost > self.burst {
            true => 0.0,
            false => (units / f64::from(self.cost)).floor(),
        }
    }

    /// What comes again in a second.
    fn units_per_second(self) -> f64 {
        f64::from(self.quota.limit) / self.quota.per.as_secs_f64()
    }

    /// Requests that pass in a second in the long run.
    fn per_second(self) -> f64 {
        self.units_per_second() / f64::from(self.cost)
    }
}

/// By how much a sum of fractions may be less than what it stands for.
const ROUNDING: f64 = 1e-6;

/// Takes a request's cost from every bucket of a list, or from none.
fn take(list: &mut [(Bucket, f64)]) -> bool {
    let passes = list
        .iter()
        .all(|(bucket, units)| units + ROUNDING >= f64::from(bucket.cost));
    for (bucket, units) in list.iter_mut().filter(|_| passes) {
        *units -= f64::from(bucket.cost);
    }
    passes
}

fn asks_who(limit: &RateLimit) -> bool {
    let asks = |key: &RateLimitKey| matches!(key, RateLimitKey::Consumer | RateLimitKey::Claim(_));
    limit.by.iter().any(asks)
}

/// The quotas of a limit.
fn buckets(limit: &RateLimit) -> Result<Vec<Bucket>, String> {
    if limit.when.is_some() {
        return Err("`when` decides by an expression which of its requests are counted".to_owned());
    }
    let RateLimitCost::Number(cost) = limit.cost else {
        return Err("an expression says what its requests cost".to_owned());
    };
    let buckets = limit.quota.iter().enumerate().map(|(nth, quota)| Bucket {
        quota: *quota,
        burst: limit.burst.get(nth).copied().unwrap_or(quota.limit),
        cost,
    });
    Ok(buckets.collect())
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, bucket) in self.buckets().enumerate() {
            let comma = if nth == 0 { "" } else { ", " };
            write!(f, "{comma}{} and {} at once", bucket.quota, bucket.burst)?;
            if bucket.cost != 1 {
                write!(f, " at a cost of {}", bucket.cost)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
pub(super) mod tests {
    use super::*;

    /// One list of quotas, each with its burst and what a request costs.
    pub(in super::super) fn allowance(buckets: &[(&str, u32, u32)]) -> Allowance {
        let buckets = buckets.iter().map(|(quota, burst, cost)| Bucket {
            quota: quota.parse().unwrap(),
            burst: *burst,
            cost: *cost,
        });
        Allowance {
            lists: vec![buckets.collect()],
            headers: Some(RateLimitHeaders::Off),
        }
    }

    fn passes(buckets: &[(&str, u32, u32)], seconds: u64) -> f64 {
        allowance(buckets).passes_in(Duration::from_secs(seconds))
    }

    #[test]
    fn what_may_pass_is_the_burst_and_what_comes_again() {
        assert_eq!(passes(&[("10/1s", 10, 1)], 2), 30.0);
        assert_eq!(passes(&[("100/1m", 20, 1)], 6), 30.0);
        assert_eq!(passes(&[("10/1s", 10, 4)], 2), 7.0, "what costs more passes less often");
        assert_eq!(
            passes(&[("10/1s", 3, 4)], 2),
            0.0,
            "what costs more than the burst never does"
        );
        assert_eq!(
            passes(&[("10/1s", 10, 1), ("1000/1h", 15, 1)], 10),
            17.0,
            "the least of all counts"
        );
    }

    #[test]
    fn three_times_as_much_comes() {
        let volume = |buckets: &[(&str, u32, u32)]| allowance(buckets).volume();
        let usual = volume(&[("10/1s", 10, 1)]).unwrap();
        assert_eq!((usual.duration.as_secs(), usual.rate), (2, 45.0));
        let long = volume(&[("100/1m", 100, 1)]).unwrap();
        assert_eq!((long.duration.as_secs(), long.rate.round()), (10, 35.0));
        assert!(volume(&[("10000/1s", 10_000, 1)]).is_err());
    }

    #[test]
    fn what_a_short_spike_does_not_show_is_told() {
        let told = |quota: &str, burst| {
            allowance(&[(quota, burst, 1)])
                .not_shown(Duration::from_secs(10))
                .join(" ")
        };
        assert_eq!(told("10/1s", 10), "");
        assert!(told("100/1m", 100).contains("less than two of its periods"));
        assert!(told("100/1d", 100).contains("its burst alone"));
    }

    #[test]
    fn a_bucket_of_one_may_lose_a_part_of_a_turn() {
        let one = allowance(&[("10/1s", 1, 1)]);
        let volume = one.volume().unwrap();
        assert_eq!(one.passes_in(volume.duration), 21.0);
        let least = one.passes_at_least(volume, Duration::from_millis(1));
        assert!((12.0..18.0).contains(&least), "{least}");
    }

    #[test]
    fn what_a_later_list_refuses_was_counted_by_the_earlier_one() {
        let time = Duration::from_secs(10);
        let together = allowance(&[("1000/1h", 60, 1), ("10/1s", 10, 2)]);
        assert_eq!(together.passes_evenly(16.0, time), 55.0);
        let mut apart = together.clone();
        apart.lists = together.buckets().map(|bucket| vec![*bucket]).collect();
        assert_eq!(apart.passes_in(time), 55.0, "no more pass");
        let passes = apart.passes_evenly(16.0, time);
        assert!((20.0..=27.0).contains(&passes), "{passes}");
    }
}
