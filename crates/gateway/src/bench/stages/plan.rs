//! How much load, and for how long: from a log where there is one.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::bench::scenario_file;
use crate::bench::sources::log::{Log, Popularity};

/// What is asked a second where nobody knows better.
const UNKNOWN: f64 = 100.0;

/// A profile by its key, with its settings.
pub(crate) type Profile = (&'static str, Value);

/// How much load is planned for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Volume {
    /// The rate that is usual.
    pub(crate) usual: f64,
    /// The most that comes at a time.
    pub(crate) peak: f64,
}

impl Volume {
    /// What was told goes before what a log says, and that before a guess.
    #[allow(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    pub(crate) fn of(rate: Option<f64>, log: Option<&Popularity>) -> Volume {
        let usual = rate.or(log.map(|log| log.rate)).unwrap_or(UNKNOWN).max(1.0);
        let peak = log.map_or(usual * 5.0, |log| {
            log.peak as f64 * usual / log.rate.max(f64::MIN_POSITIVE)
        });
        Volume {
            usual,
            // A peak that is none would be no spike.
            peak: peak.max(usual * 2.0),
        }
    }

    /// How many requests a percentile needs, and how long that takes.
    fn time_for(self, requests: f64) -> String {
        let seconds = (requests / self.usual).ceil();
        match seconds {
            _ if seconds < 120.0 => format!("{seconds} s"),
            _ if seconds < 7200.0 => format!("{} min", (seconds / 60.0).ceil()),
            _ => format!("{} h", (seconds / 3600.0).ceil()),
        }
    }
}

/// The profiles of a test of that volume.
pub(crate) fn profiles(volume: Volume, log: Option<&Path>) -> Vec<Profile> {
    let rate = |per_second: f64| format!("{}/s", rounded(per_second));
    let Volume { usual, peak } = volume;
    // Long enough for a p99 that is known to a fifth of a percent of ranks, and no shorter than a minute.
    let lasts = (samples(0.99, 0.002) / usual).ceil().clamp(60.0, 600.0);
    let mut profiles = vec![
        ("smoke", json!({})),
        ("load", json!({"rate": rate(usual), "duration": format!("{lasts}s")})),
        ("stress", json!({"from": rate(usual)})),
        ("spike", json!({"base": rate(usual), "peak": rate(peak)})),
        ("soak", json!({"rate": rate(usual), "duration": "1h"})),
        ("capacity", json!({"expected": rate(peak)})),
    ];
    if let Some(log) = log {
        profiles.push(("replay", json!({"log": log.display().to_string().replace('$', "$$")})));
    }
    profiles
}

/// Two digits are more than anybody knows of tomorrow's load.
fn rounded(per_second: f64) -> f64 {
    let scale = 10_f64.powf(per_second.log10().floor() - 1.0);
    let digits = (per_second / scale).ceil();
    if scale >= 1.0 {
        digits * scale
    } else {
        (digits * scale * 100.0).round() / 100.0
    }
}

/// How many requests it takes until the value that is found for a percentile is, in 19 of 20 cases, one of the percentiles
/// within `width` of it: the normal approximation of the binomial distribution of ranks.
fn samples(share: f64, width: f64) -> f64 {
    (1.96 / width).powi(2) * share * (1.0 - share)
}

/// The section of `bench.yaml`, with what it is based on.
pub(crate) fn section(volume: Volume, popularity: Option<&Popularity>, profiles: &[Profile]) -> String {
    let mut out = String::new();
    if let Some(log) = popularity {
        let _ = writeln!(
            out,
            "# The log: {:.1} requests a second on average, {} in the busiest second.",
            log.rate, log.peak
        );
        if let Some(burstiness) = log.burstiness {
            let meaning = if burstiness > 2.0 {
                "in bursts"
            } else {
                "by chance, as those of many clients do"
            };
            let _ = writeln!(
                out,
                "# They come {meaning} (variance by mean of a second: {burstiness:.1})."
            );
        }
        if let Some(exponent) = log.exponent {
            let _ = writeln!(
                out,
                "# Popularity of requests falls as rank to the power of -{exponent:.2} (Zipf's law)."
            );
        }
    }
    let _ = writeln!(
        out,
        "# How long: a p99 takes {} requests to be judged at all, {} at this rate; {} to be known to a fifth of a\n\
         # percent of ranks, {}. A p99.9 takes ten times as many.",
        1_000,
        volume.time_for(1_000.0),
        samples(0.99, 0.002).round(),
        volume.time_for(samples(0.99, 0.002)),
    );
    out.push_str("# How many runs: 5 of each are the fewest with which a change is told from chance (`--runs 5`).\n");
    out.push_str(&scenario_file::profiles(profiles));
    out
}

/// What a log says, in the section before the profiles.
pub(crate) fn popularity(log: Option<&Log>) -> Option<Popularity> {
    log.filter(|log| !log.arrivals.is_empty()).map(Popularity::of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_two_digits() {
        for (rate, expected) in [
            (1.0, 1.0),
            (12.3, 13.0),
            (123.0, 130.0),
            (1.23, 1.3),
            (99.5, 100.0),
            (45_100.0, 46_000.0),
        ] {
            assert!((rounded(rate) - expected).abs() < 1e-6, "{rate}: {}", rounded(rate));
        }
    }

    #[test]
    fn what_is_told_goes_before_the_log() {
        let log = Popularity {
            rate: 10.0,
            peak: 40,
            burstiness: None,
            exponent: None,
        };
        let both = Volume::of(Some(20.0), Some(&log));
        assert!(
            (both.usual - 20.0).abs() < 1e-9 && (both.peak - 80.0).abs() < 1e-9,
            "{both:?}"
        );
        let told = Volume::of(None, Some(&log));
        assert!(
            (told.usual - 10.0).abs() < 1e-9 && (told.peak - 40.0).abs() < 1e-9,
            "{told:?}"
        );
        assert!((Volume::of(None, None).usual - UNKNOWN).abs() < 1e-9);
    }

    #[test]
    fn samples_are_those_of_the_textbook() {
        // A share of a half known to 5 % takes the 384 of every survey.
        assert!((samples(0.5, 0.05) - 384.16).abs() < 0.01);
        assert!((samples(0.99, 0.002) - 9508.0).abs() < 1.0);
    }
}
