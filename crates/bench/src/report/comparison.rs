//! How runs compare with others, in the forms that a run has: for terminals, pull requests, pipelines and browsers.

use std::fmt::Write as _;

use super::chart::shift::percent;
use super::escape::{Code, Markup, plain};
use super::figures;
use super::markdown::prose;
use crate::compare::{Change, Compared, Comparison};

mod page;
#[cfg(test)]
pub(crate) mod samples;

/// What the two sides are called.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'n> {
    /// What is compared with: a baseline's name, a file, a target.
    pub base: &'n str,
    /// What is compared.
    pub head: &'n str,
}

/// What stands of a metric in each form.
struct Row {
    /// `p99`, or `p99 of GET /orders`.
    name: String,
    base: String,
    head: String,
    /// `+5.2 %`.
    change: String,
    /// `+3.1 % to +7.4 %`.
    interval: String,
    /// `0.008`.
    chance: String,
}

impl Row {
    fn of(compared: &Compared) -> Row {
        let shown = |value: Option<f64>| value.map_or_else(nothing, |value| compared.metric.shown(value));
        Row {
            name: match &compared.route {
                Some(route) => format!("{} of {route}", compared.metric.word()),
                None => compared.metric.word().to_owned(),
            },
            base: shown(compared.base),
            head: shown(compared.head),
            change: compared.ratio.map_or_else(nothing, percent),
            interval: match (compared.low, compared.high) {
                (Some(low), Some(high)) if compared.ratio.is_some() => format!("{} to {}", percent(low), percent(high)),
                _ => nothing(),
            },
            chance: match compared.adjusted.or(compared.p) {
                None => nothing(),
                Some(p) if p < 0.001 => "< 0.001".to_owned(),
                Some(p) => format!("{p:.3}"),
            },
        }
    }
}

fn nothing() -> String {
    figures::NOTHING.to_owned()
}

/// The comparison as one line of JSON.
pub fn json(comparison: &Comparison) -> String {
    serde_json::to_string(comparison).expect("a comparison has nothing that JSON has no form for")
}

/// The comparison on a terminal. Its last line is what came of it.
pub fn text(comparison: &Comparison, sides: Sides<'_>) -> String {
    let mut text = format!(
        "{} ({} runs) compared with {} ({} runs)\n\n",
        plain(sides.head),
        comparison.head_runs,
        plain(sides.base),
        comparison.base_runs
    );
    for compared in &comparison.primary {
        let row = Row::of(compared);
        put(
            &mut text,
            format_args!(
                "  {:<12} {:>11} → {:>11}  {:>8} ({}), p = {}: {}\n",
                plain(&row.name),
                row.base,
                row.head,
                row.change,
                row.interval,
                row.chance,
                compared.change.word()
            ),
        );
    }
    for compared in &comparison.primary {
        put(&mut text, format_args!("  {}\n", plain(&compared.sentence)));
    }
    let changed = |compared: &&Compared| matches!(compared.change, Change::Better | Change::Worse);
    if comparison.exploratory.iter().any(|compared| changed(&compared)) {
        text.push_str("\n  Where to look (these decide nothing):\n");
        for compared in comparison.exploratory.iter().filter(changed) {
            let row = Row::of(compared);
            put(
                &mut text,
                format_args!(
                    "    {}: {} → {}, {} ({})\n",
                    plain(&row.name),
                    row.base,
                    row.head,
                    row.change,
                    compared.change.word()
                ),
            );
        }
    }
    for remark in comparison.differences.iter().chain(&comparison.caveats) {
        put(&mut text, format_args!("  {}\n", plain(remark)));
    }
    put(
        &mut text,
        format_args!(
            "\n{}: {}\n",
            comparison.verdict.word().to_uppercase(),
            plain(&comparison.sentence)
        ),
    );
    text
}

/// The comparison for a pull request.
pub fn markdown(comparison: &Comparison, sides: Sides<'_>) -> String {
    let mut text = format!(
        "### {} {}\n\n{}\n\n{} ({} runs) compared with {} ({} runs).\n\n",
        sign(comparison.verdict),
        comparison.verdict.word(),
        prose(&comparison.sentence),
        Code(sides.head),
        comparison.head_runs,
        Code(sides.base),
        comparison.base_runs
    );
    rows(&mut text, &comparison.primary);
    if !comparison.exploratory.is_empty() {
        text.push_str("<details><summary>Where to look: these decide nothing</summary>\n\n");
        rows(&mut text, &comparison.exploratory);
        text.push_str("</details>\n\n");
    }
    for remark in comparison.differences.iter().chain(&comparison.caveats) {
        put(&mut text, format_args!("- {}\n", prose(remark)));
    }
    text
}

fn rows(text: &mut String, all: &[Compared]) {
    text.push_str("| | base | head | change | 95 % interval | p | |\n|---|---:|---:|---:|---:|---:|---|\n");
    for compared in all {
        let row = Row::of(compared);
        put(
            text,
            format_args!(
                "| {} | {} | {} | {} | {} | {} | {} {} |\n",
                Code(&row.name),
                row.base,
                row.head,
                row.change,
                row.interval,
                row.chance.replace('<', "&lt;"),
                sign(compared.change),
                compared.change.word()
            ),
        );
    }
    text.push('\n');
}

/// The comparison as a suite of tests: what got worse has failed, and what can't be decided is an error.
pub fn junit(comparison: &Comparison, sides: Sides<'_>) -> String {
    let count = |change: Change| {
        comparison
            .primary
            .iter()
            .filter(|compared| compared.change == change)
            .count()
    };
    let (failures, errors) = (count(Change::Worse), count(Change::Inconclusive));
    let counts = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\"",
        comparison.primary.len()
    );
    let name = format!("{} compared with {}", sides.head, sides.base);
    let name = Markup(&name);
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{name}\" {counts} time=\"0\">\n\
         <testsuite name=\"{name}\" {counts} skipped=\"0\" time=\"0\">\n"
    );
    for compared in &comparison.primary {
        let row = Row::of(compared);
        put(
            &mut xml,
            format_args!(
                "<testcase classname=\"{name}\" name=\"{}\" time=\"0\">",
                Markup(&row.name)
            ),
        );
        let sentence = Markup(&compared.sentence);
        match compared.change {
            Change::Worse => put(
                &mut xml,
                format_args!("<failure type=\"worse\" message=\"{sentence}\"/>"),
            ),
            Change::Inconclusive => put(
                &mut xml,
                format_args!("<error type=\"inconclusive\" message=\"{sentence}\"/>"),
            ),
            Change::Better | Change::Same => {}
        }
        xml.push_str("</testcase>\n");
    }
    put(
        &mut xml,
        format_args!(
            "<system-out>{}</system-out>\n</testsuite>\n</testsuites>\n",
            Markup(&comparison.sentence)
        ),
    );
    xml
}

/// The comparison as a page, like that of a run.
pub fn html(comparison: &Comparison, sides: Sides<'_>) -> String {
    page::write(comparison, sides)
}

/// A change's sign, for those who don't see its colour.
fn sign(change: Change) -> &'static str {
    match change {
        Change::Better => "✅",
        Change::Worse => "❌",
        Change::Same => "🟰",
        Change::Inconclusive => "❔",
    }
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::HOSTILE;

    const SIDES: Sides<'_> = Sides {
        base: "main",
        head: "branch",
    };

    #[test]
    fn the_terminal_is_told_the_verdict_last() {
        let text = text(&samples::worse(), SIDES);
        assert!(
            text.starts_with("branch (7 runs) compared with main (7 runs)\n"),
            "{text}"
        );
        assert!(text.contains("+20 % (+15 % to +25 %), p = 0.002: worse"), "{text}");
        assert!(text.contains("p50 of GET /orders"), "{text}");
        assert!(text.ends_with("\nWORSE: The p99 got worse.\n"), "{text}");
    }

    #[test]
    fn a_pull_request_gets_a_table() {
        let text = markdown(&samples::worse(), SIDES);
        assert!(text.starts_with("### ❌ worse\n\nThe p99 got worse.\n"), "{text}");
        assert!(
            text.contains("| <code>p99</code> | 41.00 ms | 49.20 ms | +20 % | +15 % to +25 % | 0.002 | ❌ worse |"),
            "{text}"
        );
    }

    #[test]
    fn what_got_worse_fails_and_what_is_unknown_is_an_error() {
        let xml = junit(&samples::worse(), SIDES);
        assert!(xml.contains("tests=\"3\" failures=\"1\" errors=\"1\""), "{xml}");
        assert_eq!(
            (xml.matches("<failure ").count(), xml.matches("<error ").count()),
            (1, 1)
        );
    }

    #[test]
    fn names_remain_text_in_every_form() {
        let mut comparison = samples::worse();
        comparison.sentence = HOSTILE.to_owned();
        comparison.caveats = vec![HOSTILE.to_owned()];
        for compared in comparison.primary.iter_mut().chain(&mut comparison.exploratory) {
            compared.route = Some(HOSTILE.to_owned());
            compared.sentence = HOSTILE.to_owned();
        }
        let sides = Sides {
            base: HOSTILE,
            head: HOSTILE,
        };
        for form in [markdown, junit, html] {
            let text = form(&comparison, sides);
            assert!(!text.contains("<script") && !text.contains('\u{1b}'), "{text}");
        }
        assert!(!text(&comparison, sides).contains('\u{1b}'));
    }

    #[test]
    fn the_page_shows_intervals_and_the_shift() {
        let html = html(&samples::worse(), SIDES);
        assert_eq!(
            html.matches("<svg class=\"forest\"").count(),
            4,
            "three that decide and one that doesn't"
        );
        assert!(html.contains("aria-labelledby=\"shift-title shift-text\""));
        assert!(html.contains("✗ worse") && html.contains("? inconclusive"));
    }
}
