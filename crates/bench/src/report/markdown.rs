//! A report for a pull request.

use std::fmt::Write as _;

use super::escape::Code;
use super::overview::{self, Overview};
use super::{Report, Verdict, figures, findings};

/// The report in Markdown, with tables as GitHub and others know them.
pub fn write(report: &Report) -> String {
    let overview = Overview::of(report);
    let mut text = format!(
        "### {} {}: {}\n\n",
        sign(report.verdict),
        overview::word(report.verdict),
        Code(&report.name)
    );
    put(
        &mut text,
        format_args!("{}\n\n", prose(&overview::sentence(&overview.conclusion()))),
    );
    put(
        &mut text,
        format_args!(
            "Profile {} against {}, {}: {} in {}, {} due, {} answered, {} failed.\n\n",
            Code(&report.profile),
            Code(&report.target),
            figures::moment(report.began),
            figures::requests(overview.total.ended),
            figures::length(overview.lasted),
            overview.asked(),
            overview.answered(),
            Overview::failed(&overview.total)
        ),
    );
    objectives(&mut text, report);
    latencies(&mut text, &overview);
    if let Some(hidden) = overview.hidden() {
        put(&mut text, format_args!("{hidden}\n\n"));
    }
    failures(&mut text, &overview);
    for remark in &report.remarks {
        put(&mut text, format_args!("- {}\n", prose(remark)));
    }
    for finding in findings::of(report) {
        put(
            &mut text,
            format_args!("- {}: {}\n", prose(finding.name), finding.value),
        );
    }
    for reason in &report.invalid {
        put(&mut text, format_args!("- Invalid: {}\n", prose(reason)));
    }
    if let Some(process) = overview.process() {
        put(&mut text, format_args!("- {}\n", prose(&process)));
    }
    put(
        &mut text,
        format_args!("\n<sub>Generator: {}.</sub>\n", overview.generator()),
    );
    text
}

fn objectives(text: &mut String, report: &Report) {
    if report.objectives.is_empty() {
        return;
    }
    text.push_str("| | objective | route | measured |\n|---|---|---|---:|\n");
    for judged in &report.objectives {
        put(
            text,
            format_args!(
                "| {} | {} | {} | {} |\n",
                if judged.met { "✅ met" } else { "❌ missed" },
                Code(&judged.objective),
                judged
                    .route
                    .as_deref()
                    .map(|route| Code(route).to_string())
                    .unwrap_or_default(),
                prose(&judged.measured)
            ),
        );
    }
    text.push('\n');
}

fn latencies(text: &mut String, overview: &Overview<'_>) {
    text.push_str(
        "| route | requests | failed | p50 | p90 | p99 | p99.9 | max |\n|---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let single = overview.routes.len() == 1;
    for (name, route) in &overview.routes {
        let percentiles = Overview::percentiles(&route.latency).join(" | ");
        let (ended, failed) = (figures::count(route.ended), Overview::failed(route));
        put(
            text,
            format_args!("| {} | {ended} | {failed} | {percentiles} |\n", Code(name)),
        );
    }
    let total = &overview.total;
    let (ended, failed) = (figures::count(total.ended), Overview::failed(total));
    if !single {
        let percentiles = Overview::percentiles(&total.latency).join(" | ");
        put(text, format_args!("| **all** | {ended} | {failed} | {percentiles} |\n"));
    }
    let percentiles = Overview::percentiles(&total.service).join(" | ");
    put(
        text,
        format_args!("| *service time* | {ended} | {failed} | {percentiles} |\n\n"),
    );
}

fn failures(text: &mut String, overview: &Overview<'_>) {
    let failures = overview.failures();
    if failures.is_empty() {
        return;
    }
    text.push_str("| failure | cause | requests |\n|---|---|---:|\n");
    for (kind, cause, count) in failures {
        put(
            text,
            format_args!("| {kind} | {} | {} |\n", Code(cause), figures::count(count)),
        );
    }
    text.push('\n');
}

/// A sentence that may hold a name from outside: text without code's looks, and as harmless.
pub(super) fn prose(text: &str) -> String {
    let code = Code(text).to_string();
    code.trim_start_matches("<code>").trim_end_matches("</code>").to_owned()
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✅",
        Verdict::Fail => "❌",
        Verdict::Invalid => "⚠️",
    }
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn verdict_comes_first_and_tables_are_whole() {
        let text = write(&samples::load());
        assert!(
            text.starts_with("### ✅ PASS: <code>shop</code>\n\nAll 3 objectives were met.\n"),
            "{text}"
        );
        assert!(
            text.contains("| ✅ met | <code>p99 &#60; 50ms</code> |  | 48.2ms |\n"),
            "{text}"
        );
        assert!(text.contains("| **all** | 30,000 | 10 (0.033 %) |"), "{text}");
        whole_tables(&text);
    }

    #[test]
    fn no_name_breaks_a_table_or_becomes_markup() {
        let text = write(&samples::hostile());
        assert!(
            !text.contains("<script") && !text.contains('\u{1b}') && !text.contains('`'),
            "{text}"
        );
        whole_tables(&text);
    }

    /// Each row has as many cells as its table's head.
    fn whole_tables(text: &str) {
        let bars = |line: &str| line.matches('|').count();
        let mut above = 0;
        for line in text.lines() {
            if line.starts_with('|') {
                assert!(above == 0 || bars(line) == above, "{line}");
                above = bars(line);
            } else {
                above = 0;
            }
        }
    }
}
