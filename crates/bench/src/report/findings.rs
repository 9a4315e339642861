//! What a profile has found, in words.

use std::time::Duration;

use super::{Report, figures};
use crate::profile::found;

/// A finding with its name and unit.
pub(crate) struct Finding<'r> {
    /// `Capacity`.
    pub(crate) name: &'r str,
    /// `4,120/s`.
    pub(crate) value: String,
}

/// What was found. What this program knows no name for keeps its own, with a number as it is.
pub(crate) fn of(report: &Report) -> impl Iterator<Item = Finding<'_>> {
    report.found.iter().map(|(name, value)| {
        let (name, unit): (&str, fn(f64) -> String) = match name.as_str() {
            found::CAPACITY => ("Capacity", figures::rate),
            found::CAPACITY_AT_LEAST => ("Capacity, at least", figures::rate),
            found::CAPACITY_FAILED => ("Too much", figures::rate),
            found::KNEE => ("Slower from", figures::rate),
            found::HEADROOM => ("Headroom", percent),
            found::LAST_GOOD => ("Last good step", figures::rate),
            found::FIRST_BAD => ("First bad step", figures::rate),
            found::RECOVERY => ("Recovered after", seconds),
            found::BASE_P99 => ("p99 before the peak", latency),
            found::PEAK_P99 => ("p99 during the peak", latency),
            found::DRIFT_P50 => ("Drift of p50", percent),
            found::DRIFT_P99 => ("Drift of p99", percent),
            other => (other, figures::number),
        };
        Finding {
            name,
            value: unit(*value),
        }
    })
}

fn percent(share: f64) -> String {
    format!("{} %", figures::number(share * 100.0))
}

fn seconds(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or_else(|_| figures::NOTHING.to_owned(), figures::length)
}

fn latency(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or_else(|_| figures::NOTHING.to_owned(), figures::latency)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::samples;
    use super::*;

    #[test]
    fn findings_have_their_units() {
        let mut report = samples::small();
        let values = [
            (found::CAPACITY, 4120.4),
            (found::HEADROOM, 0.25),
            (found::RECOVERY, 4.2),
            (found::BASE_P99, 0.0021),
            (found::PEAK_P99, -1.0),
            ("cost", 0.5),
        ];
        report.found = BTreeMap::from(values.map(|(name, value)| (name.to_owned(), value)));
        let mut found: Vec<String> = of(&report)
            .map(|finding| format!("{}: {}", finding.name, finding.value))
            .collect();
        found.sort();
        assert_eq!(
            found,
            [
                "Capacity: 4,120/s",
                "Headroom: 25 %",
                "Recovered after: 4.20 s",
                "cost: 0.50",
                "p99 before the peak: 2.10 ms",
                "p99 during the peak: –"
            ]
        );
    }
}
