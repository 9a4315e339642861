//! What was measured, as tables of Markdown, and what of it is required.

use super::engine::Engine;
use super::measure::Sample;
use super::requests::Case;
use super::subject::Kind;
use super::{Line, Score};
use crate::bench::table::{in_one_line, least, middle};

/// What a second of a processor of the gate must do.
const POINT_READS: f64 = 30_000.0;

/// How much of what the service by hand does.
const BY_HAND: f64 = 0.9;

/// How many times what others do who serve tables.
const PEERS: f64 = 3.0;

/// A table for each case.
pub(super) fn print(engine: Engine, scores: &[Score]) {
    for case in Case::ALL {
        println!(
            "\n| {}: {} | in a second | CPU µs each | least | of the database | in a second of its CPU | to by-hand: in a second | \
             CPU | content |\n|---|---|---|---|---|---|---|---|---|",
            engine.name(),
            case.name()
        );
        let by_hand = of(scores, Kind::ByHand, case);
        for score in scores {
            match score.cases.get(&case) {
                None => println!("| {} | can't | | | | | | | |", score.kind.name()),
                Some(Err(reason)) => println!("| {} | | | | | | | | {} |", score.kind.name(), in_one_line(reason)),
                Some(Ok(samples)) => print_samples(score.kind, samples, by_hand),
            }
        }
    }
}

fn print_samples(kind: Kind, samples: &[Sample], by_hand: Option<&[Sample]>) {
    let ratio = |value: fn(&Sample) -> f64| {
        by_hand.map_or_else(String::new, |theirs| {
            format!("{:.2}", median(samples, value) / median(theirs, value))
        })
    };
    let cost = median(samples, |sample| sample.service);
    println!(
        "| {} | {:.0} | {cost:.1} | {:.1} | {:.1} | {:.0} | {} | {} | {} |",
        kind.name(),
        median(samples, |sample| sample.rate),
        least(samples.iter().map(|sample| sample.service)).unwrap_or(f64::NAN),
        median(samples, |sample| sample.database),
        1e6 / cost,
        ratio(|sample| sample.rate),
        ratio(|sample| sample.service),
        samples.first().map_or("", |sample| &sample.note)
    );
}

/// What must hold on an engine.
pub(super) fn requirements(engine: Engine, scores: &[Score]) -> Vec<Line> {
    let mut lines = Vec::new();
    if engine == Engine::Sqlite {
        let point = of(scores, Kind::Portcullis, Case::Point);
        let reads = point.map_or(0.0, |samples| 1e6 / median(samples, |sample| sample.service));
        lines.push(Line::new(
            "sqlite: point reads in a second of the gate's CPU",
            format!("{reads:.0}"),
            format!("≥ {POINT_READS}"),
            reads >= POINT_READS,
        ));
    }
    for case in Case::ALL {
        let what = |name: &str| format!("{}: {} to {name}", engine.name(), case.name());
        let rate = |samples: &[Sample]| median(samples, |sample| sample.rate);
        let ours = of(scores, Kind::Portcullis, case).map_or(0.0, rate);
        let mut require = |name: &str, theirs: f64, least: Option<f64>| {
            let ratio = ours / theirs;
            let allowed = least.map_or_else(String::new, |least| format!("≥ {least} ×"));
            let holds = least.is_none_or(|least| ratio >= least);
            lines.push(Line::new(what(name), format!("{ratio:.2} ×"), allowed, holds));
        };
        if let Some(theirs) = of(scores, Kind::ByHand, case) {
            require("the service by hand", rate(theirs), Some(BY_HAND));
        }
        for kind in Kind::PEERS {
            if let Some(theirs) = of(scores, kind, case) {
                // It acknowledges what a loss of power would take back, which the others wait for.
                let unequal = kind == Kind::PocketBase && case == Case::Insert;
                require(kind.name(), rate(theirs), (!unequal).then_some(PEERS));
            }
        }
    }
    lines
}

fn of(scores: &[Score], kind: Kind, case: Case) -> Option<&[Sample]> {
    let score = scores.iter().find(|score| score.kind == kind)?;
    score.cases.get(&case)?.as_deref().ok()
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    middle(samples.iter().map(of).collect())
}
