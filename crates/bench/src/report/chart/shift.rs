//! How runs differ from others: by how much, and how sure that is.

use super::scale::Scale;
use super::{Chart, put};
use crate::compare::{Change, Compared, Shifted};
use crate::report::figures;

/// In pixels.
const ROW: u32 = 18;

/// An axis of changes that is the same for all rows of a table. No change is in its middle.
pub(crate) struct Forest {
    /// The largest change that has a place, as the logarithm of a factor: half as much is as far away as twice as much.
    most: f64,
}

impl Forest {
    /// An axis that all of these fit on.
    pub(crate) fn over(all: &[Compared]) -> Forest {
        let ends = all.iter().flat_map(|compared| [compared.low, compared.high]).flatten();
        let most = ends
            .filter(|end| *end > 0.0)
            .map(|end| end.ln().abs())
            .fold(0.02, f64::max);
        // More than four times as much is far enough.
        Forest {
            most: most.min(4_f64.ln()) * 1.05,
        }
    }

    /// The interval of a change, with its estimate, and beside what doesn't matter.
    pub(crate) fn row(&self, compared: &Compared) -> String {
        let place = |factor: f64| (0.5 + factor.max(1e-9).ln() / self.most / 2.0).clamp(0.0, 1.0) * 100.0;
        let (Some(ratio), Some(low), Some(high)) = (compared.ratio, compared.low, compared.high) else {
            return String::new();
        };
        let middle = ROW / 2;
        let (least, most) = (place(1.0 - compared.min_effect), place(1.0 + compared.min_effect));
        let class = class(compared.change);
        let mut svg = format!("<svg class=\"forest\" width=\"100%\" height=\"{ROW}\" aria-hidden=\"true\">");
        put(
            &mut svg,
            format_args!(
                "<rect class=\"same\" x=\"{least:.1}%\" width=\"{:.1}%\" height=\"{ROW}\"/>\
                 <line class=\"none\" x1=\"50%\" x2=\"50%\" y1=\"0\" y2=\"{ROW}\"/>\
                 <line class=\"interval {class}\" x1=\"{:.1}%\" x2=\"{:.1}%\" y1=\"{middle}\" y2=\"{middle}\"/>\
                 <circle class=\"{class}\" cx=\"{:.1}%\" cy=\"{middle}\" r=\"4\"/></svg>",
                most - least,
                place(low),
                place(high),
                place(ratio)
            ),
        );
        svg
    }
}

/// The shift function: by how much latency changed at each tenth of the requests and in the tail, with intervals. Nothing where
/// too few requests tell.
pub(crate) fn shift(all: &[Shifted], min_effect: f64) -> Option<String> {
    let change = |factor: f64| (factor - 1.0) * 100.0;
    let ends = || {
        all.iter()
            .flat_map(|shifted| [change(shifted.low), change(shifted.high)])
    };
    let least = ends().fold(-1.5 * min_effect * 100.0, f64::min);
    let most = ends().fold(1.5 * min_effect * 100.0, f64::max).min(400.0);
    if all.is_empty() {
        return None;
    }
    let y = Scale::around(least, most);
    let x = Scale::linear(0.0, all.len() as f64);
    let mut chart = Chart::new("shift", "Change of latency by percentile", 240.0, x, y);
    let words: Vec<String> = all
        .iter()
        .map(|shifted| format!("{} {}", percentile(shifted.share), percent(shifted.ratio)))
        .collect();
    chart.description = format!(
        "For each percentile by how much latency changed, with its interval: {}.",
        words.join(", ")
    );
    chart.across("same", -min_effect * 100.0, min_effect * 100.0, "doesn’t matter");
    chart.rows(&|value| signed(value));
    chart.across("none", 0.0, 0.0, "");
    for (at, shifted) in all.iter().enumerate() {
        let place = at as f64 + 0.5;
        let class = match (shifted.low > 1.0 + min_effect, shifted.high < 1.0 - min_effect) {
            (true, _) => class(Change::Worse),
            (_, true) => class(Change::Better),
            _ => class(Change::Inconclusive),
        };
        chart.interval(
            class,
            place,
            change(shifted.low),
            change(shifted.ratio),
            change(shifted.high),
        );
        // A phone has room for every second one.
        chart.named(place, &percentile(shifted.share), at % 2 == 1);
    }
    Some(chart.svg())
}

/// A factor as a change: `+5.2 %`.
pub(crate) fn percent(factor: f64) -> String {
    signed((factor - 1.0) * 100.0)
}

/// A change in percent with its sign.
fn signed(percent: f64) -> String {
    let sign = match percent {
        0.0 => "",
        above if above > 0.0 => "+",
        _ => "−",
    };
    format!("{sign}{} %", figures::number(percent.abs()))
}

/// The name of a percentile: `p99.9`.
pub(crate) fn percentile(share: f64) -> String {
    let text = format!("{:.3}", share * 100.0);
    format!("p{}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// The looks of a change. Words and places say the same.
fn class(change: Change) -> &'static str {
    match change {
        Change::Better => "better",
        Change::Worse => "worse",
        Change::Same | Change::Inconclusive => "open",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::comparison::samples;

    #[test]
    fn no_change_is_in_the_middle() {
        let comparison = samples::worse();
        let forest = Forest::over(&comparison.primary);
        let row = forest.row(&comparison.primary[1]);
        let at = |attribute: &str| -> f64 {
            let rest = row.split(attribute).nth(1).unwrap_or_default();
            rest.split('%')
                .next()
                .and_then(|number| number.parse().ok())
                .unwrap_or(f64::NAN)
        };
        assert!(at("cx=\"") > 50.0 && at("cx=\"") < 100.0, "{row}");
        let without = Compared {
            ratio: None,
            ..comparison.primary[1].clone()
        };
        assert!(forest.row(&without).is_empty());
    }

    #[test]
    fn each_percentile_has_its_interval() {
        let svg = shift(&samples::worse().shift, 0.05).unwrap_or_default();
        assert_eq!(svg.matches("<circle").count(), 4);
        assert_eq!(svg.matches("<circle class=\"worse\"").count(), 1);
        assert!(svg.contains("p99 +20 %"), "{svg}");
        assert!(shift(&[], 0.05).is_none());
    }

    #[test]
    fn changes_have_signs() {
        assert_eq!([1.052, 0.9, 1.0].map(percent), ["+5.20 %", "−10 %", "0 %"]);
        assert_eq!([0.5, 0.999].map(percentile), ["p50", "p99.9"]);
    }
}
