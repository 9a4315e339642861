//! A report on a terminal, after a run.

use super::escape::plain;
use super::overview::{self, Overview};
use super::{Report, Verdict, figures, findings};

/// A column of a table: what stands in its cells, from the top.
struct Column {
    cells: Vec<String>,
    /// Whether its numbers end at the same place.
    number: bool,
}

/// The report in lines of text, without colours.
pub fn write(report: &Report) -> String {
    let overview = Overview::of(report);
    let mut text = format!(
        "{}, {}, {}\n\n",
        plain(&subject(report)),
        plain(&report.profile),
        figures::moment(report.began)
    );
    amounts(&mut text, &overview);
    latencies(&mut text, &overview);
    routes(&mut text, &overview);
    failures(&mut text, &overview);
    found(&mut text, report);
    objectives(&mut text, report);
    apart(&mut text);
    paragraph(&mut text, &format!("Generator: {}.", overview.generator()));
    if let Some(process) = overview.process() {
        paragraph(&mut text, &plain(&process));
    }
    for reason in &report.invalid {
        paragraph(&mut text, &format!("Invalid: {}.", plain(reason).trim_end_matches('.')));
    }
    text.push('\n');
    match report.verdict {
        // Its reasons have just been told.
        Verdict::Invalid => text.push_str("INVALID: it says nothing about the target.\n"),
        Verdict::Pass | Verdict::Fail => text.extend([verdict(report).as_str(), "\n"]),
    }
    text
}

/// What was loaded: the name with the target, unless the name is a URL of it.
fn subject(report: &Report) -> String {
    match report.name.starts_with(&report.target) {
        true => report.name.clone(),
        false => format!("{} at {}", report.name, report.target),
    }
}

/// What came of a run, in one line.
pub fn verdict(report: &Report) -> String {
    let conclusion = Overview::of(report).conclusion();
    format!(
        "{}: {}.",
        overview::word(report.verdict),
        plain(&conclusion).trim_end_matches('.')
    )
}

fn amounts(text: &mut String, overview: &Overview<'_>) {
    let total = &overview.total;
    paragraph(
        text,
        &format!(
            "{} in {} ({} due, {} answered), {} failed, {} received",
            figures::requests(total.ended),
            figures::length(overview.lasted),
            overview.asked(),
            overview.answered(),
            Overview::failed(total),
            figures::bytes(total.bytes)
        ),
    );
    if overview.none_counts {
        paragraph(text, "No phase that counts was reached; these are the others.");
    }
}

fn latencies(text: &mut String, overview: &Overview<'_>) {
    let total = &overview.total;
    if total.latency.is_empty() {
        return;
    }
    let (latency, service) = (
        Overview::percentiles(&total.latency),
        Overview::percentiles(&total.service),
    );
    let mut columns = vec![column(["", "latency", "service time"], false)];
    let names = overview::QUANTILES.map(|(name, _)| name).into_iter().chain(["max"]);
    for ((name, latency), service) in names.zip(latency).zip(service) {
        columns.push(column([name.to_owned(), latency, service], true));
    }
    columns.push(column(
        ["", "from when a request was due", "from when it was sent"],
        false,
    ));
    table(text, &columns);
    if let Some(hidden) = overview.hidden() {
        paragraph(text, &hidden);
    }
}

fn routes(text: &mut String, overview: &Overview<'_>) {
    if overview.routes.len() < 2 {
        return;
    }
    let percentiles: Vec<[String; 5]> = overview
        .routes
        .values()
        .map(|route| Overview::percentiles(&route.latency))
        .collect();
    let with = |head: &str, cell: &dyn Fn(usize) -> String| -> Vec<String> {
        std::iter::once(head.to_owned())
            .chain((0..percentiles.len()).map(cell))
            .collect()
    };
    let names: Vec<String> = overview.routes.keys().map(|name| plain(name)).collect();
    let measured: Vec<_> = overview.routes.values().collect();
    table(
        text,
        &[
            column(with("route", &|at| names[at].clone()), false),
            column(with("requests", &|at| figures::count(measured[at].ended)), true),
            column(with("failed", &|at| Overview::failed(measured[at])), true),
            column(with("p50", &|at| percentiles[at][0].clone()), true),
            column(with("p99", &|at| percentiles[at][2].clone()), true),
            column(with("max", &|at| percentiles[at][4].clone()), true),
        ],
    );
}

fn failures(text: &mut String, overview: &Overview<'_>) {
    let failures = overview.failures();
    if !failures.is_empty() {
        let with =
            |head: &str, cells: Vec<String>| -> Vec<String> { std::iter::once(head.to_owned()).chain(cells).collect() };
        let kinds = failures.iter().map(|(kind, _, _)| (*kind).to_owned()).collect();
        let causes = failures.iter().map(|(_, cause, _)| plain(cause)).collect();
        let counts = failures.iter().map(|(_, _, count)| figures::count(*count)).collect();
        table(
            text,
            &[
                column(with("failure", kinds), false),
                column(with("cause", causes), false),
                column(with("requests", counts), true),
            ],
        );
    }
    let statuses = overview.total.statuses.iter();
    let statuses: Vec<String> = statuses
        .map(|(status, count)| format!("{status}: {}", figures::count(*count)))
        .collect();
    if !statuses.is_empty() {
        paragraph(text, &format!("Statuses: {}", statuses.join(", ")));
    }
}

fn found(text: &mut String, report: &Report) {
    for remark in &report.remarks {
        paragraph(text, &plain(remark));
    }
    let found: Vec<String> = findings::of(report)
        .map(|finding| format!("{} {}", plain(finding.name), finding.value))
        .collect();
    if !found.is_empty() {
        paragraph(text, &format!("Found: {}.", found.join(", ")));
    }
}

fn objectives(text: &mut String, report: &Report) {
    if report.objectives.is_empty() {
        return;
    }
    let cells = |cell: fn(&super::Judged) -> String| report.objectives.iter().map(cell);
    table(
        text,
        &[
            column(
                cells(|judged| if judged.met { "met" } else { "MISSED" }.to_owned()),
                false,
            ),
            column(cells(|judged| plain(&judged.objective)), false),
            column(cells(|judged| plain(&judged.measured)), true),
            column(
                cells(|judged| judged.route.as_deref().map(plain).unwrap_or_default()),
                false,
            ),
        ],
    );
}

fn column<T: Into<String>>(cells: impl IntoIterator<Item = T>, number: bool) -> Column {
    Column {
        cells: cells.into_iter().map(Into::into).collect(),
        number,
    }
}

/// Columns beside each other, as wide as their widest cell.
fn table(text: &mut String, columns: &[Column]) {
    apart(text);
    let widths: Vec<usize> = columns
        .iter()
        .map(|column| column.cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let rows = columns.iter().map(|column| column.cells.len()).max().unwrap_or(0);
    for row in 0..rows {
        let mut line = String::from(" ");
        for (column, width) in columns.iter().zip(&widths) {
            let cell = column.cells.get(row).map_or("", String::as_str);
            let room = " ".repeat(width - cell.chars().count());
            line.push(' ');
            match column.number {
                true => line.extend([" ", &room, cell]),
                false => line.extend([cell, &room, " "]),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push('\n');
}

/// An empty line, unless there is one.
fn apart(text: &mut String) {
    if !text.ends_with("\n\n") {
        text.push('\n');
    }
}

/// A sentence in lines that fit a terminal of eighty columns.
fn paragraph(text: &mut String, words: &str) {
    const WIDTH: usize = 78;
    let mut length = 0;
    for word in unbroken(words) {
        let characters = word.chars().count();
        if length > 0 && length + 1 + characters > WIDTH {
            text.push('\n');
            length = 0;
        }
        text.push_str(if length == 0 { "  " } else { " " });
        text.push_str(word);
        length += characters + if length == 0 { 2 } else { 1 };
    }
    text.push('\n');
}

/// Words, and numbers together with their units.
fn unbroken(words: &str) -> Vec<&str> {
    const UNITS: [&str; 9] = ["%", "µs", "ms", "s", "min", "h", "B", "KiB", "MiB"];
    let mut pieces = Vec::new();
    let mut from = 0;
    for (space, _) in words.match_indices(' ') {
        let (before, after) = (&words[from..space], &words[space + 1..]);
        let next = after.split(' ').next().unwrap_or_default();
        let unit = UNITS.contains(&next.trim_end_matches(['.', ',', ';', ')']));
        if !(unit && before.ends_with(|end: char| end.is_ascii_digit())) {
            pieces.push(before);
            from = space + 1;
        }
    }
    pieces.push(&words[from..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn it_tells_everything_of_a_run() {
        let text = write(&samples::load());
        for expected in [
            "shop at http://127.0.0.1:8080, load, 2026-11-23 01:15 UTC",
            "30,000 requests in 1 min (500/s due, 500/s answered), 10 (0.033 %) failed",
            "latency",
            "service time",
            "would have told of",
            "POST /orders",
            "no answer within 10s",
            "Statuses: 200: 29,990",
            "met      p99 < 50ms",
            "started 60 µs later than due at p99, busiest thread 43 % busy",
        ] {
            let unbroken = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let expected = expected.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(unbroken.contains(&expected), "no {expected:?} in\n{text}");
        }
        assert!(text.ends_with("PASS: all 3 objectives were met.\n"), "{text}");
    }

    #[test]
    fn lines_are_as_narrow_as_a_terminal() {
        for line in write(&samples::load()).lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }

    #[test]
    fn numbers_stay_with_their_units() {
        assert_eq!(
            unbroken("a p99 of 1.5 ms, 7 KiB received"),
            ["a", "p99", "of", "1.5 ms,", "7 KiB", "received"]
        );
    }

    #[test]
    fn a_url_is_no_name_beside_its_target() {
        let mut report = samples::small();
        report.name = format!("{}/orders", report.target);
        assert!(write(&report).starts_with("http://127.0.0.1:8080/orders, smoke, "));
    }

    #[test]
    fn an_invalid_run_says_why() {
        let mut report = samples::small();
        report.verdict = Verdict::Invalid;
        report.invalid = vec!["the generator was too busy.".to_owned()];
        let text = write(&report);
        assert!(text.contains("Invalid: the generator was too busy.\n"), "{text}");
        assert!(
            text.ends_with("\n\nINVALID: it says nothing about the target.\n"),
            "{text}"
        );
        assert_eq!(
            verdict(&report),
            "INVALID: it says nothing about the target: the generator was too busy."
        );
    }

    #[test]
    fn no_name_commands_the_terminal() {
        let text = write(&samples::hostile());
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
        assert!(text.contains("\\u{1b}[2J"));
    }
}
