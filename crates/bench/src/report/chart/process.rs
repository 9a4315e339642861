//! What a watched process took over time.

use std::time::Duration;

use super::Chart;
use super::over_time::clock;
use super::scale::Scale;
use crate::process::{Resources, Sample};
use crate::report::figures;

/// In pixels; several of these stand below each other.
const HEIGHT: f64 = 100.0;

/// A chart for each thing that was taken, with its name and what it shows.
pub(crate) fn charts(resources: &Resources) -> Vec<(&'static str, &'static str, String)> {
    let samples = &resources.samples;
    let Some(end) = samples
        .last()
        .map(|sample| sample.at.as_secs_f64())
        .filter(|end| *end > 0.0)
    else {
        return Vec::new();
    };
    let memory: Vec<_> = samples
        .iter()
        .map(|sample| (at(sample), Some(sample.memory as f64 / 1_048_576.0)))
        .collect();
    let descriptors: Vec<_> = samples
        .iter()
        .map(|sample| (at(sample), sample.descriptors.map(|count| count as f64)))
        .collect();
    let mut charts = vec![
        (
            "Processors",
            "busy by its threads",
            drawn(
                "processors",
                "Processors that it kept busy",
                end,
                &busy(samples),
                &figures::number,
            ),
        ),
        (
            "Memory",
            "that it held",
            drawn("memory", "Memory that it held", end, &memory, &mebibytes),
        ),
    ];
    if descriptors.iter().any(|(_, count)| count.is_some()) {
        let svg = drawn(
            "descriptors",
            "Descriptors that it had open",
            end,
            &descriptors,
            &figures::number,
        );
        charts.push(("Descriptors", "open", svg));
    }
    charts
}

fn at(sample: &Sample) -> f64 {
    sample.at.as_secs_f64()
}

/// Processors that were busy between each sample and the one before.
fn busy(samples: &[Sample]) -> Vec<(f64, Option<f64>)> {
    let between = |pair: &[Sample]| {
        let elapsed = pair[1].at.saturating_sub(pair[0].at);
        let used = pair[1].processor_time.saturating_sub(pair[0].processor_time);
        (elapsed > Duration::ZERO).then(|| used.as_secs_f64() / elapsed.as_secs_f64())
    };
    samples.windows(2).map(|pair| (at(&pair[1]), between(pair))).collect()
}

fn drawn(
    name: &'static str,
    title: &'static str,
    end: f64,
    points: &[(f64, Option<f64>)],
    text: &dyn Fn(f64) -> String,
) -> String {
    let values = || points.iter().filter_map(|(_, value)| *value);
    let most = values().fold(0.0, f64::max);
    let mut chart = Chart::new(name, title, HEIGHT, Scale::time(end), Scale::up_to(most));
    chart.description = format!(
        "{title}, over time: {} at first, {} at last, {} at most.",
        values().next().map_or_else(|| figures::NOTHING.to_owned(), text),
        values().next_back().map_or_else(|| figures::NOTHING.to_owned(), text),
        text(most)
    );
    chart.rows(text);
    chart.columns(&clock);
    chart.line("p90", "", points);
    chart.svg()
}

/// Memory on an axis, whose ticks are even numbers of this unit.
fn mebibytes(value: f64) -> String {
    format!("{} MiB", figures::number(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(seconds: u64) -> Resources {
        let sample = |second| Sample {
            at: Duration::from_secs(second),
            processor_time: Duration::from_millis(second * 500),
            memory: 64 << 20,
            descriptors: Some(20),
            threads: 4,
        };
        Resources {
            pid: 1,
            name: "shop".to_owned(),
            samples: (0..seconds).map(sample).collect(),
            ended: false,
        }
    }

    #[test]
    fn each_thing_has_its_chart() {
        let charts = charts(&samples(20));
        assert_eq!(
            charts.iter().map(|chart| chart.0).collect::<Vec<_>>(),
            ["Processors", "Memory", "Descriptors"]
        );
        assert!(charts[0].2.contains("0.50 at first, 0.50 at last"), "{}", charts[0].2);
        assert!(charts[1].2.contains("64 MiB at most"), "{}", charts[1].2);
    }

    #[test]
    fn a_single_look_is_no_course() {
        assert!(charts(&samples(1)).is_empty() && charts(&samples(0)).is_empty());
    }
}
