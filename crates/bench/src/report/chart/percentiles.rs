//! How latencies are distributed: how many took how long, and how long the slowest took.

use super::Chart;
use super::over_time::micros;
use super::scale::Scale;
use crate::histogram::Histogram;
use crate::measured::RouteMeasured;
use crate::report::figures;
use crate::report::overview::{QUANTILES, known_quantile};

/// Bars for each factor of ten.
const BARS_PER_DECADE: f64 = 16.0;
/// Points of a curve.
const POINTS: u32 = 160;

/// How many requests took how long. The axis of latency is logarithmic, because a tail is many times as long as its head.
pub(crate) fn histogram(measured: &RouteMeasured) -> Option<String> {
    let times = &measured.latency;
    let (low, high) = (times.min()?.as_micros() as f64, times.max()?.as_micros() as f64);
    let bars = bars(times, low.max(1.0));
    let most = bars.iter().map(|bar| bar.2).max().unwrap_or(0);
    let share = |count: u64| count as f64 * 100.0 / times.count() as f64;
    let x = Scale::logarithmic(low.max(1.0), high * 1.05);
    let mut chart = Chart::new(
        "histogram",
        "How many took how long",
        220.0,
        x,
        Scale::up_to(share(most)),
    );
    let named = QUANTILES.map(|(name, at)| (name, known_quantile(times, at)));
    let words: Vec<String> = named
        .iter()
        .filter_map(|(name, time)| Some(format!("{name} {}", figures::latency((*time)?))))
        .collect();
    chart.description = format!(
        "Bars for the share of requests by latency, between {} and {}. {}.",
        micros(low),
        micros(high),
        words.join(", ")
    );
    chart.rows(&|value| format!("{} %", figures::number(value)));
    chart.columns(&micros);
    for (from, to, count) in bars {
        let title = format!(
            "{} to {}: {} ({})",
            micros(from),
            micros(to),
            figures::count(count),
            figures::share(count, times.count())
        );
        chart.bar("requests", from, to, share(count), &title);
    }
    for (step, (name, time)) in (0..).zip(named) {
        if let Some(time) = time {
            chart.upright(
                "quantile",
                time.as_micros() as f64,
                &format!("{name} {}", figures::latency(time)),
                step,
            );
        }
    }
    Some(chart.svg())
}

/// Counts between steps of equal factors: from, to, how many.
fn bars(times: &Histogram, low: f64) -> Vec<(f64, f64, u64)> {
    let edge = |number: f64| low * 10_f64.powf(number / BARS_PER_DECADE);
    let mut bars: Vec<(f64, f64, u64)> = Vec::new();
    for (value, count) in times.values() {
        let number = ((value.max(1) as f64 / low).log10() * BARS_PER_DECADE).floor().max(0.0);
        match bars.last_mut() {
            Some(bar) if bar.1 > edge(number) * 1.000_001 => bar.2 += count,
            _ => bars.push((edge(number), edge(number + 1.0), count)),
        }
    }
    bars
}

/// Latency and service time by the share of requests that took no longer, stretched towards the slowest: each mark is ten times as
/// rare as the one before. What lies between both lines is what a closed model hides.
pub(crate) fn curve(measured: &RouteMeasured) -> Option<String> {
    let (latency, service) = (&measured.latency, &measured.service);
    let rarest = rarest(latency.count())?;
    let highest = latency.max()?.max(service.max()?).as_micros() as f64;
    let lowest = latency.min()?.min(service.min()?).as_micros().max(1) as f64;
    let y = match highest / lowest > 20.0 {
        true => Scale::logarithmic(lowest, highest),
        false => Scale::up_to(highest),
    };
    let mut chart = Chart::new("percentiles", "Latency by percentile", 260.0, Scale::Nines(rarest), y);
    let [p50, p99] = [0.5, 0.99].map(|share| figures::known_latency(latency.quantile(share)));
    let served = figures::known_latency(service.quantile(0.99));
    chart.description = format!(
        "Two lines over the share of requests: latency from when they were due ({p50} at p50, {p99} at p99), and service time from when \
         they were sent ({served} at p99)."
    );
    chart.rows(&micros);
    chart.columns(&percentile);
    for (class, name, times) in [("service", "service", service), ("p99", "latency", latency)] {
        let points: Vec<_> = (0..=POINTS)
            .map(|at| {
                let nines = rarest * f64::from(at) / f64::from(POINTS);
                let time = times.quantile(1.0 - 10_f64.powf(-nines));
                (nines, time.map(|time| time.as_micros().max(1) as f64))
            })
            .collect();
        chart.line(class, name, &points);
    }
    Some(chart.svg())
}

/// How many nines the rarest latencies have that so many requests tell of.
fn rarest(count: u64) -> Option<f64> {
    (count > 0).then(|| (count as f64).log10().clamp(1.0, 7.0))
}

/// The percentile with so many nines: 0 is `0 %`, 2 is `99 %`, 3 is `99.9 %`.
fn percentile(nines: f64) -> String {
    let percent = 100.0 - 100.0 * 10_f64.powf(-nines);
    let text = format!("{percent:.5}");
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::overview::Overview;
    use crate::report::samples;

    #[test]
    fn bars_hold_every_request() {
        let report = samples::load();
        let total = Overview::of(&report).total;
        let bars = bars(&total.latency, 900.0);
        assert_eq!(bars.iter().map(|bar| bar.2).sum::<u64>(), total.latency.count());
        assert!(
            bars.windows(2).all(|pair| pair[0].1 <= pair[1].0 * 1.000_01),
            "{bars:?}"
        );
        assert!(bars.len() < 64);
    }

    #[test]
    fn nines_are_percentiles() {
        assert_eq!(
            [0.0, 2_f64.log10(), 2.0, 3.0, 5.0].map(percentile),
            ["0 %", "50 %", "99 %", "99.9 %", "99.999 %"]
        );
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert!(histogram(&RouteMeasured::default()).is_none());
        assert!(curve(&RouteMeasured::default()).is_none());
    }

    #[test]
    fn a_single_request_has_charts() {
        let mut route = RouteMeasured::default();
        route.latency.record(std::time::Duration::from_millis(3));
        route.service.record(std::time::Duration::from_millis(3));
        assert!(histogram(&route).is_some_and(|svg| svg.contains("100 %") && !svg.contains("NaN")));
        assert!(curve(&route).is_some_and(|svg| !svg.contains("NaN")));
    }
}
