//! The soak as tables of Markdown.

use std::collections::BTreeMap;

use super::Score;
use super::score::{Counts, Round, STREAMS};
use crate::bench::options::Options;
use crate::bench::steady::report::{Stream, float, lateness, milliseconds, over_rounds};
use crate::bench::table::{in_one_line, print_heading};

pub(super) fn print(options: &Options, scores: &[Score]) {
    print_heading(options, &format!(" of {} s", options.seconds));
    let measured: Vec<(&str, &[Round])> = scores
        .iter()
        .filter_map(|score| Some((score.name, score.rounds.as_deref().ok()?)))
        .collect();
    print_failures(&measured);
    print_latencies(&measured);
    for (name, rounds) in &measured {
        print_changes(name, rounds);
    }
    for score in scores {
        if let Err(reason) = &score.rounds {
            println!("\nNot measured: {} ({}).", score.name, in_one_line(reason));
        }
    }
}

fn print_head(title: &str, measured: &[(&str, &[Round])]) {
    let names: Vec<&str> = measured.iter().map(|(name, _)| *name).collect();
    println!("\n| {title} | {} |", names.join(" | "));
    println!("|---|{}", "---|".repeat(names.len()));
}

fn print_row(title: &str, measured: &[(&str, &[Round])], cell: impl Fn(&[Round]) -> String) {
    let cells: Vec<String> = measured.iter().map(|(_, rounds)| cell(rounds)).collect();
    println!("| {title} | {} |", cells.join(" | "));
}

fn print_failures(measured: &[(&str, &[Round])]) {
    print_head("failed", measured);
    for (name, title, counts) in STREAMS {
        let sent = measured.iter().flat_map(|(_, rounds)| of(rounds, name));
        let sent = sent.map(|stream| stream.sent).max().unwrap_or_default();
        print_row(&format!("{title}, {sent}"), measured, |rounds| {
            sum(rounds, |round| round.failed_of(name))
        });
        if counts == Counts::WithoutTarget {
            print_row(
                "the same: ended with its target, which is nobody's fault",
                measured,
                |rounds| sum(rounds, |round| round.with_target(name)),
            );
        }
    }
    print_row("**all but POST**", measured, |rounds| {
        format!("**{}**", sum(rounds, Round::failed))
    });
}

fn print_latencies(measured: &[(&str, &[Round])]) {
    print_head("p50 / p99 / max of what was answered, ms", measured);
    for (name, title, _) in STREAMS {
        print_row(title, measured, |rounds| {
            let largest = of(rounds, name).filter_map(|stream| stream.max).max();
            format!(
                "{} / {} / {}",
                milliseconds(over_rounds(of(rounds, name), |stream| stream.p50)),
                milliseconds(over_rounds(of(rounds, name), |stream| stream.p99)),
                milliseconds(largest.map_or(f64::NAN, float)),
            )
        });
    }
    print_row(
        "how late 99 of 100 requests began, by the load itself",
        measured,
        |rounds| lateness(rounds.iter().flat_map(|round| &round.report.streams)),
    );
}

/// What was done to a proxy, and what failed by it.
fn print_changes(name: &str, rounds: &[Round]) {
    let Some(first) = rounds.first() else { return };
    println!("\n{name}: {}; upgrades by {}.", first.changes, first.way);
    for (stream, title, _) in STREAMS {
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        let mut moments = Vec::new();
        for round in rounds {
            if let Some(stream) = round.report.stream(stream) {
                for (reason, count) in round.reasons(stream) {
                    *reasons.entry(reason).or_default() += count;
                }
                moments.extend(round.moments(stream));
            }
        }
        let told: Vec<String> = reasons
            .iter()
            .map(|(what, count)| format!("{count} × {what}"))
            .collect();
        if !told.is_empty() {
            println!("- {title}: {}; the first at {} s.", told.join(", "), moments.join(", "));
        }
    }
    let repeated: u64 = rounds
        .iter()
        .flat_map(|round| &round.report.streams)
        .map(|stream| stream.repeated)
        .sum();
    if repeated > 0 {
        println!(
            "- Clients of HTTP/2 sent {repeated} again that the proxy said it hadn't begun with; these don't count."
        );
    }
}

fn of<'a>(rounds: &'a [Round], name: &'a str) -> impl Iterator<Item = &'a Stream> {
    rounds.iter().filter_map(move |round| round.report.stream(name))
}

fn sum(rounds: &[Round], of: impl Fn(&Round) -> u64) -> String {
    rounds.iter().map(of).sum::<u64>().to_string()
}
