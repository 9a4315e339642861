//! Storms as tables of Markdown.

use super::{Contender, Down, RATE, Round, allowed};
use crate::bench::options::Options;
use crate::bench::steady::report::{float, milliseconds};
use crate::bench::table::{self, in_one_line, middle};

pub(super) fn print_heading(options: &Options) {
    table::print_heading(
        options,
        &format!(
            "; {} requests in a second, down for {} s",
            options.rate.unwrap_or(RATE),
            options.seconds
        ),
    );
}

pub(super) fn print(options: &Options, down: Down, contenders: &[&Contender], scores: &[Result<Vec<Round>, String>]) {
    println!(
        "\n| {} | requests meanwhile | attempts at the targets | by its own count, retries | of a budget of 20 % and 10 in a second | \
         served again after | served before | p99, ms | load late by (p99), ms |\n|---|---|---|---|---|---|---|---|---|",
        down.title()
    );
    for (contender, score) in contenders.iter().zip(scores) {
        let rounds = match score {
            Ok(rounds) => rounds,
            Err(reason) => {
                println!("| {} | {} | | | | | | | |", contender.name, in_one_line(reason));
                continue;
            }
        };
        let median = |of: &dyn Fn(&Round) -> f64| middle(rounds.iter().map(of).collect());
        let retries = |round: &Round| round.retries.unwrap_or(f64::NAN);
        // The slowest of all rounds, where every round got there.
        let recovered: Option<Vec<_>> = rounds.iter().map(|round| round.recovered).collect();
        let recovered = recovered.and_then(|times| times.into_iter().max());
        println!(
            "| {} | {:.0} | {:.0} ({:.2} ×) | {} | {} | {} | {:.1} % | {} | {} |",
            contender.name,
            median(&|round| round.requests),
            median(&|round| round.attempts),
            median(&|round| round.attempts / round.requests),
            or_dash(median(&retries), ""),
            or_dash(median(&|round| retries(round) / allowed(round, options) * 100.0), " %"),
            recovered.map_or_else(
                || "not in 5 s".to_owned(),
                |time| format!("{:.1} s", time.as_secs_f64())
            ),
            median(&|round| round.served_before * 100.0),
            milliseconds(median(&|round| round.p99.map_or(f64::NAN, float))),
            milliseconds(median(&|round| round.late.map_or(f64::NAN, float))),
        );
    }
}

fn or_dash(value: f64, unit: &str) -> String {
    if value.is_finite() {
        format!("{value:.0}{unit}")
    } else {
        "–".to_owned()
    }
}
