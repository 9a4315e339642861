//! A comparison as a page.

use std::fmt::Display;

use super::{Row, Sides};
use crate::compare::{Change, Compared, Comparison};
use crate::report::chart::shift::{Forest, percent, percentile, shift};
use crate::report::escape::Markup;
use crate::report::html::{page, put, sections};
use crate::report::overview::sentence;

/// The page.
pub(super) fn write(comparison: &Comparison, sides: Sides<'_>) -> String {
    let mut body = String::with_capacity(16 << 10);
    put(
        &mut body,
        format_args!(
            "<header><p class=\"about\">{head_runs} runs compared with {base_runs} runs</p>\
             <h1>{head} <span class=\"about\">compared with</span> {base}</h1>\n\
             <p class=\"verdict {class}\"><strong>{sign}</strong> <span>{sentence}</span></p></header>\n<main>\n",
            head_runs = comparison.head_runs,
            base_runs = comparison.base_runs,
            head = Markup(sides.head),
            base = Markup(sides.base),
            class = class(comparison.verdict),
            sign = sign(comparison.verdict).to_uppercase(),
            sentence = Markup(&sentence(&comparison.sentence)),
        ),
    );
    notes(&mut body, comparison);
    section(&mut body, "What decides", &comparison.primary);
    shifts(&mut body, comparison);
    section(&mut body, "Where to look", &comparison.exploratory);
    body.push_str(
        "<p class=\"about\">Runs are compared with runs, not requests with requests, because requests of one run share its luck. The \
         line is the interval in which the change lies with 95 %, the dot its estimate; what lies in the shaded part doesn’t matter. A \
         probability (p) is how likely runs that don’t differ look at least as different, with all that decides taken into account. \
         That nothing was found doesn’t show that nothing is there.</p>\n</main>\n",
    );
    page(&format!("{} compared with {}", sides.head, sides.base), &body)
}

fn notes(body: &mut String, comparison: &Comparison) {
    let remarks = || comparison.differences.iter().chain(&comparison.caveats);
    if remarks().next().is_some() {
        body.push_str("<section class=\"warning\"><h2>To bear in mind</h2><ul>\n");
        for remark in remarks() {
            put(body, format_args!("<li>{}</li>\n", Markup(remark)));
        }
        body.push_str("</ul></section>\n");
    }
}

fn section(body: &mut String, name: &str, all: &[Compared]) {
    if all.is_empty() {
        return;
    }
    put(body, format_args!("<section><h2>{name}</h2>\n"));
    let forest = Forest::over(all);
    let columns = [
        ("Metric", ""),
        ("Base", "number"),
        ("Head", "number"),
        ("Change", "number"),
        ("p", "number"),
        ("", ""),
        ("", "drawn"),
    ];
    sections::table(body, &columns, |body| {
        for compared in all {
            let row = Row::of(compared);
            let change = format!("{} <small>{}</small>", row.change, row.interval);
            let verdict = sign(compared.change);
            let class = format!("{} word", class(compared.change));
            let cells: [(&str, &dyn Display); 7] = [
                ("name", &Markup(&row.name)),
                ("number", &row.base),
                ("number", &row.head),
                ("number stacked", &change),
                ("number", &Markup(&row.chance)),
                (&class, &verdict),
                ("drawn", &forest.row(compared)),
            ];
            sections::row(body, &cells);
        }
    });
    body.push_str("</section>\n");
}

/// The chart of the shift function, and its numbers.
fn shifts(body: &mut String, comparison: &Comparison) {
    let min_effect = comparison.primary.first().map_or(0.05, |compared| compared.min_effect);
    let Some(chart) = shift(&comparison.shift, min_effect) else {
        return;
    };
    body.push_str("<section><h2>Where latency changed</h2>\n");
    let about = "from the fastest tenth of the requests to the tail, each with its interval";
    sections::figure(body, "Change of latency by percentile", about, &chart);
    body.push_str("<details><summary>Numbers</summary>\n");
    let columns = [
        ("Percentile", ""),
        ("Base", "number"),
        ("Head", "number"),
        ("Change", "number"),
        ("Interval", "number"),
    ];
    sections::table(body, &columns, |body| {
        for shifted in &comparison.shift {
            let shown = |seconds: f64| crate::compare::Metric::P50.shown(seconds);
            sections::row(
                body,
                &[
                    ("", &percentile(shifted.share)),
                    ("number", &shown(shifted.base)),
                    ("number", &shown(shifted.head)),
                    ("number", &percent(shifted.ratio)),
                    (
                        "number",
                        &format!("{} to {}", percent(shifted.low), percent(shifted.high)),
                    ),
                ],
            );
        }
    });
    body.push_str("</details></section>\n");
}

/// The colour of a change.
fn class(change: Change) -> &'static str {
    match change {
        Change::Better => "pass",
        Change::Worse => "fail",
        Change::Same => "about",
        Change::Inconclusive => "invalid",
    }
}

/// A change in a word, with a sign for those who don't see its colour.
fn sign(change: Change) -> &'static str {
    match change {
        Change::Better => "✓ better",
        Change::Worse => "✗ worse",
        Change::Same => "= same",
        Change::Inconclusive => "? inconclusive",
    }
}
