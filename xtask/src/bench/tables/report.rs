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
             CPU with the database's | content |\n|---|---|---|---|---|---|---|---|---|",
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
        by_hand.map_or_else(String::new, |theirs| format!("{:.2}", ratio(samples, theirs, value)))
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
        ratio(Sample::whole),
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
        let mut require = |kind: Kind, allowed: Option<f64>| {
            if let Some(theirs) = of(scores, kind, case) {
                let ours = of(scores, Kind::Portcullis, case);
                lines.push(compared(engine, case, ours, (kind, theirs), allowed));
            }
        };
        require(Kind::ByHand, Some(BY_HAND));
        for kind in Kind::PEERS {
            // PocketBase acknowledges what a loss of power would take back; the others wait for the disk.
            let unequal = kind == Kind::PocketBase && case == Case::Insert;
            require(kind, (!unequal).then_some(PEERS));
        }
    }
    lines
}

/// Where nothing could be measured of ours, nothing holds.
fn compared(
    engine: Engine,
    case: Case,
    ours: Option<&[Sample]>,
    (kind, theirs): (Kind, &[Sample]),
    allowed: Option<f64>,
) -> Line {
    let what = format!("{}: {} to {}", engine.name(), case.name(), kind.name());
    let bound = allowed.map_or_else(String::new, |least| format!("≥ {least} ×"));
    let Some(ours) = ours else {
        return Line::new(what, "nothing", bound, false);
    };
    let (rate, cost) = (
        ratio(ours, theirs, |sample| sample.rate),
        ratio(ours, theirs, Sample::whole),
    );
    // What else runs on the machine takes more of a processor from one thread than from five, so that processor time tells
    // more than requests in a second do. But for inserts, most of whose time is the disk's.
    let times = if case == Case::Insert { rate } else { 1.0 / cost };
    let measured = format!("{times:.2} × ({rate:.2} × in a second, {cost:.2} × the CPU)");
    Line::new(what, measured, bound, allowed.is_none_or(|least| times >= least))
}

/// The median of what rounds say: in each the two were measured right after one another.
fn ratio(ours: &[Sample], theirs: &[Sample], value: impl Fn(&Sample) -> f64) -> f64 {
    let rounds = ours.iter().zip(theirs);
    middle(rounds.map(|(ours, theirs)| value(ours) / value(theirs)).collect())
}

fn of(scores: &[Score], kind: Kind, case: Case) -> Option<&[Sample]> {
    let score = scores.iter().find(|score| score.kind == kind)?;
    score.cases.get(&case)?.as_deref().ok()
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    middle(samples.iter().map(of).collect())
}
