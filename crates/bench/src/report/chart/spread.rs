//! How routes lie beside each other: a small chart for each row of a table, all with one axis.

use super::put;
use super::scale::Scale;
use crate::histogram::Histogram;

/// In pixels.
const HEIGHT: u32 = 18;

/// The axis that all rows have in common.
pub(crate) struct Spread(Scale);

impl Spread {
    /// An axis that all of these fit on.
    pub(crate) fn over<'h>(all: impl Iterator<Item = &'h Histogram> + Clone) -> Spread {
        let low = all.clone().filter_map(Histogram::min).min().unwrap_or_default();
        let high = all.filter_map(|times| times.quantile(0.99)).max().unwrap_or_default();
        let (low, high) = (low.as_micros().max(1) as f64, high.as_micros() as f64);
        Spread(Scale::Logarithmic(low, high.max(low * 2.0)))
    }

    /// From p50 to p90 thick, to p99 thin. The numbers stand in the table beside it.
    pub(crate) fn row(&self, times: &Histogram) -> String {
        let place = |share: f64| {
            times
                .quantile(share)
                .map(|time| self.0.part(time.as_micros() as f64) * 100.0)
        };
        let (Some(p50), Some(p90), Some(p99)) = (place(0.5), place(0.9), place(0.99)) else {
            return String::new();
        };
        let middle = HEIGHT / 2;
        let mut svg = format!("<svg class=\"spread\" width=\"100%\" height=\"{HEIGHT}\" aria-hidden=\"true\">");
        for (class, from, to) in [("track", 0.0, 100.0), ("thin", p50, p99), ("thick", p50, p90)] {
            put(
                &mut svg,
                format_args!(
                    "<line class=\"{class}\" x1=\"{from:.1}%\" x2=\"{to:.1}%\" y1=\"{middle}\" y2=\"{middle}\"/>"
                ),
            );
        }
        put(
            &mut svg,
            format_args!("<circle class=\"median\" cx=\"{p50:.1}%\" cy=\"{middle}\" r=\"4\"/>"),
        );
        put(
            &mut svg,
            format_args!(
                "<line class=\"end\" x1=\"{p99:.1}%\" x2=\"{p99:.1}%\" y1=\"{}\" y2=\"{}\"/></svg>",
                middle - 5,
                middle + 5
            ),
        );
        svg
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn slower_routes_lie_further_right() {
        let times = |millis| {
            let mut times = Histogram::new();
            times.record_many(Duration::from_millis(millis), 100);
            times
        };
        let all = [times(1), times(100)];
        let spread = Spread::over(all.iter());
        assert!(spread.row(&all[0]).contains("cx=\"0.0%\""));
        assert!(spread.row(&all[1]).contains("cx=\"100.0%\""));
        assert!(spread.row(&Histogram::new()).is_empty());
    }
}
