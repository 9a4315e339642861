//! Comparisons as tables of Markdown.

use std::process::Command;

use super::cases::{Case, Variant};
use super::compare::{Field, Sample, Score};
use super::options::Options;
use crate::process;

/// When, where, and how: `each` says what a round is.
pub(super) fn print_heading(options: &Options, each: &str) {
    let date = process::output(Command::new("date").arg("+%F")).unwrap_or_default();
    println!(
        "{}, {}; medians of {} rounds{each}{}",
        date.trim(),
        super::machine(),
        options.rounds,
        if options.debug {
            ". UNOPTIMISED: the figures mean nothing"
        } else {
            ""
        }
    );
}

/// The table of one variant.
pub(super) fn print_scores(case: &Case, variant: &Variant, scores: &[Score]) {
    let unit = case.unit;
    let title = [case.name, variant.name].join(": ");
    println!(
        "\n| {} | CPU µs per {unit} | its user part | least | to the best peer (by least) | in a second | busy | others there | |\n\
         |---|---|---|---|---|---|---|---|---|",
        title.trim_end_matches(": ")
    );
    let peers = || scores[1..].iter().filter_map(|score| score.samples.as_ref().ok());
    let best = least(peers().map(|samples| median(samples, |sample| sample.cost)));
    let best_least = least(peers().map(|samples| lowest(samples)));
    for score in scores {
        let samples = match &score.samples {
            Ok(samples) => samples,
            Err(reason) => {
                println!("| {} | | | | | | | | {} |", score.name, in_one_line(reason));
                continue;
            }
        };
        let cost = median(samples, |sample| sample.cost);
        println!(
            "| {} | {cost:.1} | {:.1} | {:.1} | {} | {:.0} | {:.0} % | {:.0} % | {} |",
            score.name,
            median(samples, |sample| sample.user),
            lowest(samples),
            best.zip(best_least).map_or_else(
                || "no peer".to_owned(),
                |(best, least)| format!("{:.2} ({:.2})", cost / best, lowest(samples) / least)
            ),
            median(samples, |sample| sample.rate),
            median(samples, |sample| sample.busy) * 100.0,
            median(samples, |sample| sample.others) * 100.0,
            samples.first().map_or("", |sample| &sample.note),
        );
    }
}

/// Who didn't take part.
pub(super) fn print_absent(field: &Field) {
    for reason in &field.absent {
        println!("\nNot compared: {reason}.");
    }
}

fn lowest(samples: &[Sample]) -> f64 {
    least(samples.iter().map(|sample| sample.cost)).unwrap_or(f64::NAN)
}

pub(super) fn least(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.min_by(f64::total_cmp)
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    middle(samples.iter().map(of).collect())
}

/// The median of values, of which there is one at least.
pub(super) fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[half - 1], values[half])
    } else {
        values[half]
    }
}

/// A cell ends with its line.
pub(super) fn in_one_line(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert!((middle(vec![4.0, 1.0, 9.0]) - 4.0).abs() < 1e-9);
        assert!((middle(vec![4.0, 1.0, 9.0, 5.0]) - 4.5).abs() < 1e-9);
    }
}
