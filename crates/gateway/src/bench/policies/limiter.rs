//! Limits of how often clients may ask: three times as much comes as may pass.

use std::fmt;
use std::time::Duration;

use portcullis_bench::flow::Expect;
use portcullis_bench::flow::expect::Check;
use portcullis_bench::flow::scope::Scope;
use portcullis_bench::measured::RouteMeasured;
use portcullis_config::File;
use portcullis_config::policy::rate_limit::{RateLimit, RateLimitCost, RateLimitHeaders};
use portcullis_config::units::Quota;

use super::asked::{Asked, good_or_refused};
use super::finding::{Finding, Refusals, good, lacking, of_answered, others, with_status};
use super::isolation::named_sets;
use super::spike::{Spike, steady};
use super::{Bench, Tested};

/// The status of a refusal.
const REFUSED: u16 = 429;

/// A spike lasts two periods, but not longer than this, and not less than what one can measure by.
const LONGEST: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_secs(2);

/// How many times as much comes as may pass.
const TIMES: f64 = 3.0;

/// The most requests a second of a spike: the limit is what is tested, and not this machine.
const MOST: f64 = 6_000.0;

/// What clocks and chance may add to what may pass.
const TOLERANCE: f64 = 0.02;

/// The share of what may pass that has to.
const AT_LEAST: f64 = 0.95;

/// Connections of a spike.
const CONNECTIONS: usize = 32;

/// One quota of a limit, for requests that all cost the same and count together.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    quota: Quota,
    burst: u32,
    cost: u32,
}

/// All quotas that a request of a route has to pass.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Allowance {
    buckets: Vec<Bucket>,
    /// What answers tell of the limits; nothing where some tell one thing and others another.
    headers: Option<RateLimitHeaders>,
}

/// How a limit is tested.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Volume {
    duration: Duration,
    rate: f64,
}

impl Allowance {
    /// That of a route; nothing where it has no limit.
    ///
    /// # Errors
    /// Why what may pass can't be computed.
    pub(super) fn of(file: &File, asked: &Asked<'_>) -> Option<Result<Allowance, String>> {
        let sets = named_sets(file, asked.route, &asked.name);
        let limits: Vec<&RateLimit> = sets
            .iter()
            .flat_map(|(_, set)| set.rate_limit.iter().flatten())
            .collect();
        (!limits.is_empty()).then(|| Allowance::of_limits(&limits))
    }

    fn of_limits(limits: &[&RateLimit]) -> Result<Allowance, String> {
        let mut buckets = Vec::new();
        for limit in limits {
            if limit.when.is_some() {
                return Err("`when` decides by an expression which of its requests are counted".to_owned());
            }
            let RateLimitCost::Number(cost) = limit.cost else {
                return Err("an expression says what its requests cost".to_owned());
            };
            buckets.extend(limit.quota.iter().enumerate().map(|(nth, quota)| Bucket {
                quota: *quota,
                burst: limit.burst.get(nth).copied().unwrap_or(quota.limit),
                cost,
            }));
        }
        let first = limits[0].headers;
        let same = limits.iter().all(|limit| limit.headers == first);
        Ok(Allowance {
            buckets,
            headers: same.then_some(first),
        })
    }

    /// How many requests may pass in so long, the first and the last at its ends: each quota lets its burst through, and then
    /// what comes again.
    fn passes_in(&self, time: Duration) -> f64 {
        let each = self.buckets.iter().map(|bucket| bucket.passes_in(time));
        each.fold(f64::INFINITY, f64::min)
    }

    /// How many must pass at least when they come at that rate. A bucket that is full for a moment takes nothing in, which
    /// matters for those that hold one request only: then what comes just before it may pass has to come again.
    fn passes_at_least(&self, volume: Volume, late: Duration) -> f64 {
        let pause = Duration::from_secs_f64(1.0 / volume.rate);
        let time = volume.duration.saturating_sub(pause + late);
        let small = self.buckets.iter().filter(|bucket| bucket.burst < 2 * bucket.cost);
        let small = small.map(|bucket| 1.0 + time.as_secs_f64() / (1.0 / bucket.per_second() + pause.as_secs_f64()));
        let passes = small.fold(self.passes_in(time), f64::min);
        (passes * AT_LEAST - 1.0).floor().max(0.0)
    }

    /// How long how much has to come to see the limit at work.
    ///
    /// # Errors
    /// When that is more than a test asks for.
    fn volume(&self) -> Result<Volume, String> {
        let longest = self
            .buckets
            .iter()
            .map(|bucket| bucket.quota.per)
            .max()
            .unwrap_or_default();
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
    fn not_shown(&self, duration: Duration) -> Vec<String> {
        let long = self.buckets.iter().filter(|bucket| bucket.quota.per * 2 > duration);
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

    fn expect(&self) -> Expect {
        let mut expect = good_or_refused(REFUSED, "rate_limited");
        let promised: &[&str] = match self.headers {
            Some(RateLimitHeaders::Ietf11) => &["RateLimit", "RateLimit-Policy"],
            Some(RateLimitHeaders::Legacy) => &["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"],
            Some(RateLimitHeaders::Off) | None => &[],
        };
        let promised = promised.iter().map(|name| Check::header(name, "*", &Scope::default()));
        expect.checks.extend(promised.flatten());
        expect
    }
}

impl Bucket {
    fn passes_in(self, time: Duration) -> f64 {
        let units = f64::from(self.burst) + self.units_in(time);
        match self.cost > self.burst {
            true => 0.0,
            false => (units / f64::from(self.cost)).floor(),
        }
    }

    fn units_in(self, time: Duration) -> f64 {
        (f64::from(self.quota.limit) * time.as_secs_f64() / self.quota.per.as_secs_f64()).floor()
    }

    /// Requests that pass in a second in the long run.
    fn per_second(self) -> f64 {
        f64::from(self.quota.limit) / self.quota.per.as_secs_f64() / f64::from(self.cost)
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, bucket) in self.buckets.iter().enumerate() {
            let comma = if nth == 0 { "" } else { ", " };
            write!(f, "{comma}{} and {} at once", bucket.quota, bucket.burst)?;
            if bucket.cost != 1 {
                write!(f, " at a cost of {}", bucket.cost)?;
            }
        }
        Ok(())
    }
}

/// Tests the limit of a route.
///
/// # Errors
/// Why it can't be tested; that is told, and others are.
pub(super) fn test(bench: &mut Bench<'_>, asked: &Asked<'_>, allowance: &Allowance) -> Result<Tested, String> {
    let volume = allowance.volume()?;
    let gate = bench.gate()?;
    let flow = asked.flow(0, 1.0, &gate.address().to_string(), allowance.expect())?;
    let spike = Spike::on(&gate, vec![flow], vec![asked.name.clone()], CONNECTIONS);
    let phase = steady(format!("limit of {}", asked.name), volume.duration, volume.rate);
    let measured = spike.run(&[phase], bench.watch)?;
    let total = measured.phases.first().map(|phase| phase.total()).unwrap_or_default();
    let mut findings = judge(allowance, volume, &asked.name, &total);
    let refusals = Refusals {
        status: REFUSED,
        own: Duration::ZERO,
        when: "within the limit",
    };
    findings.extend(of_answered(&asked.objectives(), &asked.name, &total, &refusals));
    let mut remarks = vec![format!(
        "{}: its limit is {allowance}; {:.0} requests a second came for {} s.",
        asked.name,
        volume.rate,
        volume.duration.as_secs()
    )];
    remarks.extend(
        allowance
            .not_shown(volume.duration)
            .into_iter()
            .map(|what| format!("{}: {what}", asked.name)),
    );
    Ok(Tested {
        measured,
        findings,
        remarks,
    })
}

/// What a limit should have done with what came.
fn judge(allowance: &Allowance, volume: Volume, name: &str, all: &RouteMeasured) -> Vec<Finding> {
    let late = all.latency.max().unwrap_or_default();
    let most = (allowance.passes_in(volume.duration + late) * (1.0 + TOLERANCE)).floor();
    let least = allowance.passes_at_least(volume, late);
    let (admitted, refused) = (good(all), with_status(all, REFUSED));
    let route = Some(name);
    let mut findings = vec![
        Finding::certain(
            route,
            format!("at most {most} pass the limit"),
            format!("{admitted} of {}", all.ended),
            admitted as f64 <= most,
        ),
        Finding::certain(
            route,
            format!("at least {least} pass the limit"),
            format!("{admitted} of {}", all.ended),
            admitted as f64 >= least,
        )
        .by_generator(),
    ];
    let others = others(all, &[REFUSED]);
    let met = others.is_none() && admitted + refused == all.ended;
    let told = others.unwrap_or_else(|| format!("{admitted} and {refused}"));
    findings.push(Finding::certain(route, "answers are good, or 429", told, met));
    let promised = match allowance.headers {
        None | Some(RateLimitHeaders::Off) => "429 says `rate_limited` and when to come again",
        Some(_) => "429 says `rate_limited` and when to come again, and every answer tells of the limit",
    };
    let lacking = lacking(all);
    let met = lacking.is_none() && refused > 0;
    let told = lacking.unwrap_or_else(|| match refused {
        0 => "nothing was refused".to_owned(),
        refused => format!("all of {refused}"),
    });
    findings.push(Finding::certain(route, promised, told, met));
    findings
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use portcullis_bench::outcome::Failure;

    use super::*;

    fn allowance(buckets: &[(&str, u32, u32)]) -> Allowance {
        let buckets = buckets.iter().map(|(quota, burst, cost)| Bucket {
            quota: quota.parse().unwrap(),
            burst: *burst,
            cost: *cost,
        });
        Allowance {
            buckets: buckets.collect(),
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

    /// What came of a spike of 45 a second for 2 seconds on `10/1s`, which lets 30 pass.
    fn judged(admitted: u64, refused: u64, odd: u64) -> Vec<bool> {
        let allowance = allowance(&[("10/1s", 10, 1)]);
        let mut all = RouteMeasured {
            ended: admitted + refused + odd,
            statuses: [(200, admitted), (429, refused), (500, odd)].into(),
            ..RouteMeasured::default()
        };
        all.statuses.retain(|_, count| *count > 0);
        all.latency.record_many(Duration::from_millis(1), all.ended);
        if odd > 0 {
            all.fail(Failure::Status, "500", odd);
        }
        let findings = judge(&allowance, allowance.volume().unwrap(), "/a", &all);
        findings.iter().map(|finding| finding.judged.met).collect()
    }

    #[test]
    fn one_too_many_is_too_many() {
        assert_eq!(judged(30, 60, 0), [true; 4]);
        assert_eq!(judged(31, 59, 0), [false, true, true, true]);
        assert_eq!(judged(26, 64, 0), [true, true, true, true]);
        assert_eq!(
            judged(20, 70, 0),
            [true, false, true, true],
            "a limit that is too strict"
        );
        assert_eq!(judged(29, 60, 1), [true, true, false, true]);
        assert_eq!(judged(90, 0, 0), [false, true, true, false], "no limit at all");
    }

    #[test]
    fn a_refusal_has_to_say_when_to_come_again() {
        let allowance = allowance(&[("10/1s", 10, 1)]);
        let mut all = RouteMeasured {
            ended: 90,
            statuses: [(200, 30), (429, 60)].into(),
            ..RouteMeasured::default()
        };
        all.latency.record_many(Duration::from_millis(1), 90);
        all.fail(Failure::Check, "field Retry-After is there", 2);
        let findings = judge(&allowance, allowance.volume().unwrap(), "/a", &all);
        let last = &findings.last().unwrap().judged;
        assert!(!last.met && last.measured.contains("Retry-After"), "{last:?}");
    }

    #[test]
    fn a_bucket_of_one_may_lose_a_part_of_a_turn() {
        let one = allowance(&[("10/1s", 1, 1)]);
        let volume = one.volume().unwrap();
        assert_eq!(one.passes_in(volume.duration), 21.0);
        let least = one.passes_at_least(volume, Duration::from_millis(1));
        assert!((12.0..18.0).contains(&least), "{least}");
    }
}
