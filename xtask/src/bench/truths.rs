//! Whether the load tester finds what is known: servers that stand still, that serve so many in a second, that are slower by so
//! much or not at all; and what it takes for itself meanwhile.

mod session;

use serde_json::Value;

use self::session::{Session, StandIn};
use super::{Line, machine};
use crate::process;

/// How much may be asked of it, and for how long.
struct Options {
    /// Comparisons of a server with itself.
    comparisons: u32,
    /// Comparisons with one that is slower.
    slower: u32,
    /// Minutes at a constant rate.
    minutes: u32,
}

/// # Errors
/// When an option isn't understood, something doesn't run, or a truth isn't found.
pub(super) fn run(words: &[&str]) -> Result<(), String> {
    let options = Options::parse(words)?;
    let program = match std::env::var_os("PORTCULLIS") {
        Some(path) => path.into(),
        None => process::portcullis(true)?,
    };
    let session = Session::new(program)?;
    let mut lines = stalls(&session)?;
    lines.push(capacity(&session)?);
    lines.extend(slower(&session, options.slower)?);
    lines.extend(alike(&session, options.comparisons)?);
    lines.extend(connections(&session)?);
    if options.minutes > 0 {
        lines.extend(long(&session, options.minutes)?);
    }
    println!("{}, {}\n", session::today()?, machine());
    super::print_lines("truths", &lines)
}

impl Options {
    fn parse(words: &[&str]) -> Result<Options, String> {
        let mut options = Options {
            comparisons: 100,
            slower: 20,
            minutes: 10,
        };
        for pair in words.chunks(2) {
            let [word, value] = pair else {
                return Err(format!("`{}` has no number", pair.concat()));
            };
            let value = value.parse().map_err(|_| format!("`{value}` is no number"))?;
            match *word {
                "--comparisons" => options.comparisons = value,
                "--slower" => options.slower = value,
                "--minutes" => options.minutes = value,
                _ => return Err(format!("`{word}` isn't understood")),
            }
        }
        Ok(options)
    }
}

/// A server stands still for 200 ms of each second. Of arrivals that are spread evenly, a fifth meets that, and waits for what is left of
/// it: a hundredth of all waits 190 ms or longer, a tenth 100 ms or longer.
fn stalls(session: &Session) -> Result<Vec<Line>, String> {
    let server = StandIn::start(session, &["--stall-every", "1s", "--stall-for", "200ms"])?;
    let open = session.measure(
        &server,
        &["--rate", "1k", "--for", "20s", "--warm-up", "0s", "-c", "500"],
    )?;
    let closed = session.measure(
        &server,
        &["--users", "50", "--for", "5s", "--warm-up", "0s", "-c", "50"],
    )?;
    let mut lines = Vec::new();
    for (share, truth) in [(0.99, 190.0), (0.9, 100.0)] {
        let found = session::quantile(&open, share)?;
        lines.push(Line::new(
            format!("stalls: p{:.0} in the open model", share * 100.0),
            format!("{found:.1} ms"),
            format!("{truth:.1} ms ± 5 %"),
            (found / truth - 1.0).abs() <= 0.05,
        ));
    }
    let hidden = session::quantile(&closed, 0.99)?;
    lines.push(Line::new(
        "the same, p99 in the closed model",
        format!("{hidden:.2} ms"),
        "off by far (below 19 ms)",
        hidden < 19.0,
    ));
    Ok(lines)
}

fn capacity(session: &Session) -> Result<Line, String> {
    const TRUTH: f64 = 2000.0;
    let server = StandIn::start(session, &["--capacity", "2000"])?;
    let report = session.measure(
        &server,
        &["--profile", "capacity", "--for", "3s", "-O", "p99 < 50ms", "-c", "500"],
    )?;
    let found = report["found"]["capacity"]
        .as_f64()
        .ok_or_else(|| format!("no capacity was found: {}", report["found"]))?;
    Ok(Line::new(
        "a capacity of 2,000 requests a second",
        format!("{found:.0}"),
        "± 3 %",
        (found / TRUTH - 1.0).abs() <= 0.03,
    ))
}

/// What comparisons said.
#[derive(Default)]
struct Said {
    worse: u32,
    better: u32,
    open: u32,
    same: u32,
}

fn compare(session: &Session, base: &StandIn, head: &StandIn, count: u32) -> Result<Said, String> {
    let mut said = Said::default();
    for _ in 0..count {
        let comparison = session.compare(base, head)?;
        let verdict = comparison["verdict"].as_str().map(str::to_owned);
        match verdict.as_deref() {
            Some("worse") => said.worse += 1,
            Some("better") => said.better += 1,
            Some("same") => said.same += 1,
            Some("inconclusive") => said.open += 1,
            _ => return Err(format!("a comparison said {}", comparison["verdict"])),
        }
    }
    Ok(said)
}

impl Said {
    fn words(&self) -> String {
        format!(
            "{} worse, {} better, {} the same, {} open",
            self.worse, self.better, self.same, self.open
        )
    }
}

/// An answer takes 20 ms, or 5 % more.
fn slower(session: &Session, count: u32) -> Result<Option<Line>, String> {
    if count == 0 {
        return Ok(None);
    }
    let base = StandIn::start(session, &["--delay", "20ms"])?;
    let head = StandIn::start(session, &["--delay", "21ms"])?;
    let said = compare(session, &base, &head, count)?;
    Ok(Some(Line::new(
        format!("slower by 5 %, {count} comparisons of 5 runs with 5"),
        said.words(),
        "≥ 95 % worse",
        f64::from(said.worse) >= 0.95 * f64::from(count),
    )))
}

fn alike(session: &Session, count: u32) -> Result<Option<Line>, String> {
    if count == 0 {
        return Ok(None);
    }
    let server = StandIn::start(session, &["--delay", "20ms"])?;
    let said = compare(session, &server, &server, count)?;
    Ok(Some(Line::new(
        format!("with itself, {count} comparisons of 5 runs with 5"),
        said.words(),
        "≤ 5 % worse or better",
        f64::from(said.worse + said.better) <= 0.05 * f64::from(count),
    )))
}

/// As many connections as descriptors allow, or twenty thousand.
fn connections(session: &Session) -> Result<Vec<Line>, String> {
    const WANTED: u64 = 20_000;
    // What is not a connection needs some too.
    let count = WANTED.min(session::descriptors().saturating_sub(200));
    let server = StandIn::start(session, &[])?;
    let words = [
        "--rate",
        "5k",
        "--for",
        "20s",
        "--warm-up",
        "5s",
        "-c",
        &count.to_string(),
    ];
    let (report, peak) = session.measure_with_peak(&server, &words)?;
    let open = report["measured"]["generator"]["connections"].as_u64().unwrap_or(0);
    let failed = session::failures(&report);
    Ok(vec![Line::new(
        "connections at a time",
        format!("{open}, {failed} requests failed, {peak:.0} MiB"),
        if count == WANTED {
            "20,000, none".to_owned()
        } else {
            format!("20,000, none; descriptors here allow {count}")
        },
        open >= count && failed == 0,
    )])
}

fn long(session: &Session, minutes: u32) -> Result<Vec<Line>, String> {
    let server = StandIn::start(session, &[])?;
    let words = ["--rate", "10k", "--for", &format!("{minutes}m"), "-c", "200"];
    let (report, peak) = session.measure_with_peak(&server, &words)?;
    let failed = session::failures(&report);
    Ok(vec![Line::new(
        format!("memory in {minutes} minutes at 10,000 requests a second"),
        format!("{peak:.1} MiB, {failed} requests failed"),
        "≤ 100 MiB, none",
        peak <= 100.0 && failed == 0,
    )])
}

/// The phases of a report that count.
fn counted(report: &Value) -> impl Iterator<Item = &Value> {
    let phases = report["measured"]["phases"].as_array();
    phases.into_iter().flatten().filter(|phase| phase["counts"] == true)
}
