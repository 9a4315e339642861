//! When arrivals of a rate are due: fixed before the first of them, so that nothing that happens can move them.

use std::time::Duration;

use crate::load::Spacing;

/// The times of all arrivals of a stretch with an even or evenly changing rate, in their order.
///
/// Their number is that of the rate, exactly: as many as the area under it. By chance they lie as those of a Poisson process of which
/// that number is known, which are as many times drawn independently from the stretch, each moment as likely as the rate is high there.
/// It takes constant memory: each is made from the one before.
#[derive(Clone, Debug)]
pub struct Arrivals {
    ramp: Ramp,
    count: u64,
    next: u64,
    chance: Option<Ordered>,
}

/// A rate that goes evenly from one to another.
#[derive(Clone, Copy, Debug)]
struct Ramp {
    from: f64,
    to: f64,
    seconds: f64,
}

/// Draws of equal chance between 0 and 1, ascending.
#[derive(Clone, Debug)]
struct Ordered {
    chance: fastrand::Rng,
    /// The logarithm of what is left beyond the last draw.
    beyond: f64,
}

impl Arrivals {
    /// The arrivals of a rate that goes from `from` to `to` (in arrivals a second; what is no rate is 0) during a stretch.
    pub fn new(from: f64, to: f64, duration: Duration, spacing: Spacing, seed: u64) -> Arrivals {
        let tamed = |rate: f64| if rate.is_finite() { rate.max(0.0) } else { 0.0 };
        let ramp = Ramp {
            from: tamed(from),
            to: tamed(to),
            seconds: duration.as_secs_f64(),
        };
        let chance = match spacing {
            Spacing::Uniform => None,
            Spacing::Poisson => Some(Ordered {
                chance: fastrand::Rng::with_seed(seed),
                beyond: 0.0,
            }),
        };
        Arrivals {
            ramp,
            count: ramp.count(),
            next: 0,
            chance,
        }
    }

    /// How many there are.
    pub fn count_all(&self) -> u64 {
        self.count
    }

    /// The next one at or after number `number`, which is passed over to; with its number. The first one has number 0.
    pub fn pass_to(&mut self, number: u64) -> Option<(u64, Duration)> {
        if self.chance.is_some() {
            // Each draw depends on the one before.
            while self.next < number.min(self.count) {
                self.draw();
            }
        } else {
            self.next = self.next.max(number);
        }
        let number = self.next;
        self.draw().map(|after| (number, after))
    }

    fn draw(&mut self) -> Option<Duration> {
        if self.next >= self.count {
            return None;
        }
        let before = match &mut self.chance {
            None => self.next as f64,
            Some(ordered) => self.ramp.area() * ordered.draw(self.count - self.next),
        };
        self.next += 1;
        Some(Duration::from_secs_f64(self.ramp.when(before)))
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.draw()
    }
}

impl Ramp {
    /// How many arrivals fall into all of it.
    fn area(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.seconds
    }

    /// Arrival `k` is due when `k` arrivals' worth of the rate is over, the first at once; those before the end count. What binary
    /// fractions lose of a whole number must not make one more of it.
    fn count(&self) -> u64 {
        let area = self.area();
        let count = (area - area * 1e-12 - 1e-9).ceil().max(0.0);
        #[allow(
            clippy::cast_possible_truncation,
            reason = "no longer than any run: casting saturates"
        )]
        #[allow(clippy::cast_sign_loss, reason = "it is not negative")]
        let count = count as u64;
        count
    }

    /// When so many arrivals' worth of the rate is over, in seconds: the inverse of the integral of the rate. The rule for quadratic
    /// equations is turned around, so that it needs no case for an even rate.
    fn when(&self, arrivals: f64) -> f64 {
        if arrivals <= 0.0 || self.seconds <= 0.0 {
            return 0.0;
        }
        let growth = (self.to - self.from) / self.seconds;
        let root = (self.from * self.from + 2.0 * growth * arrivals).max(0.0).sqrt();
        (2.0 * arrivals / (self.from + root)).min(self.seconds)
    }
}

impl Ordered {
    /// The smallest of so many draws that lie beyond the last one.
    fn draw(&mut self, left: u64) -> f64 {
        // Above 0, so that its logarithm is a number.
        let chance = 1.0 - self.chance.f64();
        self.beyond += chance.ln() / left as f64;
        -self.beyond.exp_m1()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    fn uniform(from: f64, to: f64, millis: u64) -> Vec<Duration> {
        Arrivals::new(from, to, Duration::from_millis(millis), Spacing::Uniform, 0).collect()
    }

    #[test]
    fn an_even_rate_is_even_and_exact() {
        let millis = |list: &[u64]| list.iter().copied().map(Duration::from_millis).collect::<Vec<_>>();
        assert_eq!(uniform(4.0, 4.0, 1000), millis(&[0, 250, 500, 750]));
        assert_eq!(uniform(0.5, 0.5, 1000), millis(&[0]));
        assert!(uniform(0.0, 0.0, 1000).is_empty());
        assert!(uniform(10.0, 10.0, 0).is_empty());
        assert!(uniform(f64::NAN, f64::INFINITY, 1000).is_empty());
        for rate in [3.0, 7.0, 333.3, 1e3, 99_999.0] {
            let all = Arrivals::new(rate, rate, Duration::from_secs(3600), Spacing::Uniform, 0);
            assert_eq!(all.count_all() as f64, (rate * 3600.0).round());
        }
    }

    #[test]
    fn a_ramp_has_the_area_under_it() {
        let up = uniform(0.0, 100.0, 10_000);
        assert_eq!(up.len(), 500);
        // The area up to t is 5 t².
        assert!((up[125].as_secs_f64() - 5.0).abs() < 1e-6);
        let down = uniform(100.0, 0.0, 10_000);
        assert_eq!(down.len(), 500);
        assert!((down[375].as_secs_f64() - 5.0).abs() < 1e-6);
    }

    #[test]
    fn chance_follows_from_the_seed() {
        let draw =
            |seed| Arrivals::new(50.0, 150.0, Duration::from_secs(100), Spacing::Poisson, seed).collect::<Vec<_>>();
        let all = draw(1);
        assert_eq!((all.len(), &all), (10_000, &draw(1)));
        assert_ne!(all, draw(2));
        assert!(all.is_sorted() && all[9_999] <= Duration::from_secs(100));
        // Of a rate that triples, half is over at 61.8 %; the count up to there has a deviation of 50.
        let half = all.partition_point(|after| after.as_secs_f64() < 61.803);
        assert!((4_750..5_250).contains(&half), "{half}");
        // Gaps that don't know of each other deviate as much as they are long.
        let even: Vec<f64> = Arrivals::new(100.0, 100.0, Duration::from_secs(100), Spacing::Poisson, 3)
            .map(|after| after.as_secs_f64())
            .collect();
        let gaps: Vec<f64> = even.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let deviation = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
        assert!((deviation / mean - 1.0).abs() < 0.1, "{deviation} {mean}");
    }

    proptest! {
        #[test]
        fn shares_together_are_all(from in 0.0..500.0f64, to in 0.0..500.0f64, millis in 0..5_000u64, of in 1..5u64, poisson: bool) {
            let spacing = if poisson { Spacing::Poisson } else { Spacing::Uniform };
            let all = Arrivals::new(from, to, Duration::from_millis(millis), spacing, 7);
            let mut dealt = Vec::new();
            for share in 0..of {
                let mut mine = all.clone();
                let mut next = share;
                while let Some((number, after)) = mine.pass_to(next) {
                    prop_assert!(number == next);
                    dealt.push((number, after));
                    next += of;
                }
            }
            dealt.sort();
            let whole: Vec<_> = (0..).zip(all).collect();
            prop_assert!(dealt == whole);
            prop_assert!(whole.is_sorted_by_key(|(_, after)| *after));
            prop_assert!(whole.iter().all(|(_, after)| after.as_millis() <= u128::from(millis)));
        }
    }
}
