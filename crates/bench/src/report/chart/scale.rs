//! From values to places.

/// How values of an axis lie on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scale {
    /// Evenly.
    Linear(f64, f64),
    /// Each factor of the same size is as far.
    Logarithmic(f64, f64),
    /// Times, evenly: ticks are seconds, minutes and hours that people count by.
    Time(f64, f64),
    /// By how rare what lies beyond is, from all to one in 10 to the power of this: 2 is the 99th percentile.
    Nines(f64),
}

/// Steps between ticks of time, in seconds.
const STEPS_OF_TIME: [f64; 18] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0,
    86_400.0,
];

impl Scale {
    /// An even scale. Without any width it gets some, so that there is a place for its only value.
    pub(crate) fn linear(low: f64, high: f64) -> Scale {
        Scale::Linear(low, if high > low { high } else { low + 1.0 })
    }

    /// An even scale from zero to a tick that no value exceeds.
    pub(crate) fn up_to(highest: f64) -> Scale {
        let highest = if highest > 0.0 { highest } else { 1.0 };
        let step = nice_step(highest / 5.0);
        Scale::linear(0.0, (highest / step).ceil() * step)
    }

    /// An even scale that holds zero, from a tick to a tick.
    pub(crate) fn around(lowest: f64, highest: f64) -> Scale {
        let (lowest, highest) = (lowest.min(0.0), highest.max(0.0));
        let step = nice_step(((highest - lowest) / 5.0).max(1e-9));
        Scale::linear((lowest / step).floor() * step, (highest / step).ceil() * step)
    }

    /// An even scale of time from zero, in seconds.
    pub(crate) fn time(seconds: f64) -> Scale {
        Scale::Time(0.0, if seconds > 0.0 { seconds } else { 1.0 })
    }

    /// A scale between positive values, widened to ticks.
    pub(crate) fn logarithmic(low: f64, high: f64) -> Scale {
        let low = low.max(1e-9);
        let low = *steps_of_decades(low, low).last().unwrap_or(&low);
        let high = high.max(low * 2.0);
        let above = steps_of_decades(high, high * 10.0)
            .into_iter()
            .find(|step| *step >= high * 0.9999);
        Scale::Logarithmic(low, above.unwrap_or(high))
    }

    /// How far along a value is, 0 to 1. What is beyond an end is at the end.
    pub(crate) fn part(&self, value: f64) -> f64 {
        let part = match *self {
            Scale::Linear(low, high) | Scale::Time(low, high) => (value - low) / (high - low),
            Scale::Logarithmic(low, high) => (value.max(low) / low).ln() / (high / low).ln(),
            Scale::Nines(most) => value / most,
        };
        if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Values to mark, `most` at most, or a few more.
    pub(crate) fn ticks(&self, most: usize) -> Vec<f64> {
        match *self {
            Scale::Linear(low, high) => multiples(nice_step((high - low) / most as f64), low, high),
            Scale::Time(low, high) => {
                let fits = |step: &&f64| (high - low) / **step <= most as f64;
                let days = ((high - low) / 86_400.0 / most as f64).ceil() * 86_400.0;
                multiples(STEPS_OF_TIME.iter().find(fits).copied().unwrap_or(days), low, high)
            }
            Scale::Nines(most) => {
                let mut ticks = multiples(1.0, 0.0, most);
                // Half of all is a place that people look for, between all and a tenth.
                ticks.insert(1, 2_f64.log10());
                ticks
            }
            Scale::Logarithmic(low, high) => {
                let all = steps_of_decades(low, high);
                let within = |steps: Vec<f64>| {
                    steps
                        .into_iter()
                        .filter(|step| *step >= low * 0.999 && *step <= high * 1.001)
                };
                let all: Vec<f64> = within(all).collect();
                if all.len() <= most {
                    return all;
                }
                let tens: Vec<f64> = all
                    .iter()
                    .copied()
                    .filter(|step| step.log10().fract().abs() < 1e-6)
                    .collect();
                if tens.len() < 2 { all } else { tens }
            }
        }
    }
}

/// A step of 1, 2 or 5 times a power of ten that is at least this.
fn nice_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().find(|step| step * power >= least * 0.9999);
    step.unwrap_or(10.0) * power
}

fn multiples(step: f64, low: f64, high: f64) -> Vec<f64> {
    let first = (low / step - 1e-6).ceil();
    let mut ticks = Vec::new();
    let mut at = 0.0;
    while (first + at) * step <= high * 1.000_001 && ticks.len() < 50 {
        ticks.push((first + at) * step);
        at += 1.0;
    }
    ticks
}

/// 1, 2 and 5 times each power of ten, from the last that isn't above `low` to the last that isn't above `high`.
fn steps_of_decades(low: f64, high: f64) -> Vec<f64> {
    let mut power = 10_f64.powf(low.log10().floor());
    let mut steps = Vec::new();
    while power <= high && steps.len() < 100 {
        steps.extend(
            [1.0, 2.0, 5.0]
                .map(|step| step * power)
                .into_iter()
                .filter(|step| *step <= high * 1.0001),
        );
        power *= 10.0;
    }
    let below = steps.iter().filter(|step| **step <= low * 1.0001).count();
    steps.drain(..below.saturating_sub(1));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_numbers_that_people_like() {
        assert_eq!(
            Scale::up_to(4998.0).ticks(5),
            [0.0, 1000.0, 2000.0, 3000.0, 4000.0, 5000.0]
        );
        assert_eq!(
            Scale::time(70.0).ticks(9),
            [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0]
        );
        assert_eq!(
            Scale::time(5400.0).ticks(9),
            [
                0.0, 600.0, 1200.0, 1800.0, 2400.0, 3000.0, 3600.0, 4200.0, 4800.0, 5400.0
            ]
        );
        assert_eq!(
            Scale::logarithmic(900.0, 480_000.0).ticks(5),
            [1000.0, 10_000.0, 100_000.0]
        );
        assert_eq!(
            Scale::logarithmic(900.0, 4100.0).ticks(5),
            [500.0, 1000.0, 2000.0, 5000.0]
        );
    }

    #[test]
    fn values_lie_between_the_ends() {
        let scale = Scale::logarithmic(1.0, 1000.0);
        for (value, part) in [
            (1.0, 0.0),
            (10.0, 1.0 / 3.0),
            (1000.0, 1.0),
            (0.0, 0.0),
            (1e9, 1.0),
            (f64::NAN, 0.0),
        ] {
            assert!(
                (scale.part(value) - part).abs() < 1e-9,
                "{value}: {}",
                scale.part(value)
            );
        }
        assert_eq!(Scale::linear(3.0, 3.0).part(3.0), 0.0);
    }

    #[test]
    fn no_range_has_too_many_ticks() {
        for high in [1e-6, 0.3, 1.0, 7.0, 999.0, 1e6, 1e12] {
            for scale in [
                Scale::up_to(high),
                Scale::time(high),
                Scale::logarithmic(high / 3.0, high),
                Scale::logarithmic(1e-3, high),
            ] {
                let ticks = scale.ticks(5).len();
                assert!(ticks <= 16, "{scale:?}: {ticks}");
            }
        }
    }
}
