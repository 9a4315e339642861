//! The parts of a report's page, in the order in which they stand there.

use std::fmt::Display;

use super::super::chart::over_time::Course;
use super::super::chart::{percentiles, process, spread::Spread};
use super::super::escape::Markup;
use super::super::overview::{Overview, QUANTILES};
use super::super::{Report, figures, findings};
use super::put;

/// The few numbers that people look for first.
pub(super) fn tiles(body: &mut String, overview: &Overview<'_>) {
    let total = &overview.total;
    let [p50, _, p99, _, max] = Overview::percentiles(&total.latency);
    let failed = total.failed();
    body.push_str("<dl class=\"tiles\">\n");
    let served = |share| figures::known_latency(total.service.quantile(share));
    for (name, value, more) in [
        ("Answered", overview.answered(), format!("{} due", overview.asked())),
        ("Median", p50, format!("{} from sending", served(0.5))),
        ("p99", p99, format!("{} from sending", served(0.99))),
        ("Longest", max, format!("of {}", figures::requests(total.ended))),
        ("Failed", figures::share(failed, total.ended), figures::requests(failed)),
    ] {
        put(
            body,
            format_args!("<div><dt>{name}</dt><dd>{value} <small>{more}</small></dd></div>\n"),
        );
    }
    body.push_str("</dl>\n");
}

/// Why a run is invalid, and what its profile says of it.
pub(super) fn notes(body: &mut String, report: &Report) {
    // A single reason stands in the verdict already.
    if report.invalid.len() > 1 {
        body.push_str("<section class=\"warning\"><h2>Why it says nothing about the target</h2><ul>\n");
        for reason in &report.invalid {
            put(body, format_args!("<li>{}</li>\n", Markup(reason)));
        }
        body.push_str("</ul></section>\n");
    }
    let mut findings = findings::of(report).peekable();
    if findings.peek().is_none() && report.remarks.is_empty() {
        return;
    }
    body.push_str("<section><h2>What was found</h2>\n");
    if findings.peek().is_some() {
        body.push_str("<dl class=\"tiles small\">\n");
        for finding in findings {
            put(
                body,
                format_args!(
                    "<div><dt>{}</dt><dd>{}</dd></div>\n",
                    Markup(finding.name),
                    Markup(&finding.value)
                ),
            );
        }
        body.push_str("</dl>\n");
    }
    for remark in &report.remarks {
        put(body, format_args!("<p>{}</p>\n", Markup(remark)));
    }
    body.push_str("</section>\n");
}

/// Each objective and whether it was met.
pub(super) fn objectives(body: &mut String, report: &Report) {
    if report.objectives.is_empty() {
        return;
    }
    body.push_str("<section><h2>Objectives</h2>\n");
    table(
        body,
        &[("Objective", ""), ("Route", ""), ("Measured", "number"), ("", "")],
        |body| {
            for judged in &report.objectives {
                let (class, word) = if judged.met {
                    ("met", "✓ met")
                } else {
                    ("missed", "✗ missed")
                };
                row(
                    body,
                    &[
                        ("", &Markup(&judged.objective)),
                        ("", &Markup(judged.route.as_deref().unwrap_or("all"))),
                        ("number", &Markup(&judged.measured)),
                        (class, &word),
                    ],
                );
            }
        },
    );
    body.push_str("</section>\n");
}

/// Latency over time, and beside service time.
pub(super) fn latency(body: &mut String, overview: &Overview<'_>) {
    let total = &overview.total;
    if total.latency.is_empty() {
        return;
    }
    body.push_str("<section><h2>Latency</h2>\n");
    if let Some(hidden) = overview.hidden() {
        put(body, format_args!("<p>{}</p>\n", Markup(&hidden)));
    }
    if let Some(course) = Course::of(overview.report) {
        let each = match course.together {
            1 => "the second in which requests were due".to_owned(),
            several => format!("the worst of each {several} seconds in which requests were due"),
        };
        figure(
            body,
            "Latency over time",
            &format!("from when a request was due, by {each}"),
            &course.latency(),
        );
    }
    let mut columns = vec![("", "")];
    columns.extend(QUANTILES.map(|(name, _)| (name, "number")));
    columns.push(("max", "number"));
    table(body, &columns, |body| {
        for (name, times) in [
            ("Latency, from when a request was due", &total.latency),
            ("Service time, from when it was sent", &total.service),
        ] {
            let percentiles = Overview::percentiles(times);
            let mut cells: Vec<(&str, &dyn Display)> = vec![("name", &name)];
            cells.extend(percentiles.iter().map(|text| ("number", text as &dyn Display)));
            row(body, &cells);
        }
    });
    body.push_str("</section>\n");
}

/// Requests, failures and waiting over time.
pub(super) fn throughput(body: &mut String, report: &Report) {
    let Some(course) = Course::of(report) else { return };
    body.push_str("<section><h2>Requests</h2>\n");
    let failed = "due and ended by the second; bars are those that failed";
    figure(body, "Requests over time", failed, &course.throughput());
    if let Some(waiting) = course.waiting() {
        figure(
            body,
            "Arrivals that wait",
            "for a connection, at the end of each second",
            &waiting,
        );
    }
    body.push_str("</section>\n");
}

/// How latencies are distributed.
pub(super) fn distribution(body: &mut String, overview: &Overview<'_>) {
    let total = &overview.total;
    let (Some(histogram), Some(curve)) = (percentiles::histogram(total), percentiles::curve(total)) else {
        return;
    };
    body.push_str("<section><h2>Distribution</h2>\n");
    figure(
        body,
        "How many took how long",
        "share of requests by latency",
        &histogram,
    );
    let about = "how long all but the slowest took; each mark is ten times as rare as the one before";
    figure(body, "Latency by percentile", about, &curve);
    body.push_str("</section>\n");
}

/// Routes beside each other.
pub(super) fn routes(body: &mut String, overview: &Overview<'_>) {
    if overview.routes.is_empty() {
        return;
    }
    let spread = Spread::over(overview.routes.values().map(|route| &route.latency));
    body.push_str(
        "<section><h2>Routes</h2><p class=\"about\">The line goes from p50 (the dot) over p90 (where it gets thin) to p99, on an axis that \
         all have in common; each factor is as long.</p>\n",
    );
    let columns = [
        ("Route", ""),
        ("Requests", "number"),
        ("Failed", "number"),
        ("p50", "number"),
        ("p90", "number"),
        ("p99", "number"),
        ("max", "number"),
        ("", "drawn"),
    ];
    table(body, &columns, |body| {
        for (name, route) in &overview.routes {
            let [p50, p90, p99, _, max] = Overview::percentiles(&route.latency);
            row(
                body,
                &[
                    ("name", &Markup(name)),
                    ("number", &figures::count(route.ended)),
                    ("number", &Overview::failed(route)),
                    ("number", &p50),
                    ("number", &p90),
                    ("number", &p99),
                    ("number", &max),
                    ("drawn", &spread.row(&route.latency)),
                ],
            );
        }
    });
    body.push_str("</section>\n");
}

/// Failures by kind and cause, and statuses.
pub(super) fn failures(body: &mut String, overview: &Overview<'_>) {
    let total = &overview.total;
    if total.failed() > 0 {
        let failures = overview.failures();
        let most = failures.first().map_or(1, |(_, _, count)| *count).max(1);
        body.push_str("<section><h2>Failures</h2>\n");
        let columns = [
            ("Kind", ""),
            ("Cause", ""),
            ("Requests", "number"),
            ("Share", "number"),
            ("", "drawn"),
        ];
        table(body, &columns, |body| {
            for (kind, cause, count) in &failures {
                row(
                    body,
                    &[
                        ("", kind),
                        ("name", &Markup(cause)),
                        ("number", &figures::count(*count)),
                        ("number", &figures::share(*count, total.ended)),
                        ("drawn", &bar(*count as f64 / most as f64)),
                    ],
                );
            }
        });
        body.push_str("</section>\n");
    }
    if !total.statuses.is_empty() {
        let answers: u64 = total.statuses.values().sum();
        body.push_str("<section><h2>Statuses</h2>\n");
        table(
            body,
            &[
                ("Status", ""),
                ("Answers", "number"),
                ("Share", "number"),
                ("", "drawn"),
            ],
            |body| {
                for (status, count) in &total.statuses {
                    row(
                        body,
                        &[
                            ("", status),
                            ("number", &figures::count(*count)),
                            ("number", &figures::share(*count, answers)),
                            ("drawn", &bar(*count as f64 / answers.max(1) as f64)),
                        ],
                    );
                }
            },
        );
        body.push_str("</section>\n");
    }
}

/// What a watched process took.
pub(super) fn resources(body: &mut String, report: &Report) {
    let Some(resources) = &report.resources else { return };
    put(
        body,
        format_args!(
            "<section><h2>Process {} ({})</h2>\n",
            Markup(&resources.name),
            resources.pid
        ),
    );
    if resources.ended {
        body.push_str("<p>It ended while it was watched.</p>\n");
    }
    for (name, about, svg) in process::charts(resources) {
        figure(body, name, about, &svg);
    }
    body.push_str("</section>\n");
}

/// Each phase by itself.
pub(super) fn phases(body: &mut String, report: &Report) {
    body.push_str("<section><h2>Phases</h2>\n");
    let columns = [
        ("", "number"),
        ("Phase", ""),
        ("From", "number"),
        ("Length", "number"),
        ("Due", "number"),
        ("Failed", "number"),
        ("p50", "number"),
        ("p99", "number"),
        ("max", "number"),
        ("", ""),
    ];
    table(body, &columns, |body| {
        for (at, phase) in report.measured.phases.iter().enumerate() {
            let total = phase.total();
            let [p50, _, p99, _, max] = Overview::percentiles(&total.latency);
            let rate = match phase.lasted.as_secs_f64() {
                0.0 => figures::count(phase.due),
                seconds => figures::rate(phase.due as f64 / seconds),
            };
            row(
                body,
                &[
                    ("number", &(at + 1)),
                    ("name", &Markup(&phase.name)),
                    ("number", &figures::length(phase.began)),
                    ("number", &figures::length(phase.lasted)),
                    ("number", &rate),
                    ("number", &Overview::failed(&total)),
                    ("number", &p50),
                    ("number", &p99),
                    ("number", &max),
                    ("", &if phase.counts { "counts" } else { "doesn’t count" }),
                ],
            );
        }
    });
    body.push_str("</section>\n");
}

/// What it was measured with, and how the generator was doing.
pub(super) fn circumstances(body: &mut String, overview: &Overview<'_>) {
    let report = overview.report;
    put(
        body,
        format_args!(
            "<section><h2>Circumstances</h2>\n<p>The generator {}.</p>\n",
            Markup(&overview.generator())
        ),
    );
    if !report.environment.is_empty() {
        table(body, &[("Environment", ""), ("", "")], |body| {
            for (name, value) in &report.environment {
                row(body, &[("name", &Markup(name)), ("name", &Markup(value))]);
            }
        });
    }
    body.push_str(
        "<p class=\"about\">Times of arrivals are fixed before a run, and latency counts from there, whatever became of earlier requests. \
         Failures are in the distribution with the time they took. Percentiles are taken of all requests together and never averaged.</p>\
         </section>\n",
    );
}

/// A chart with its name.
pub(in crate::report) fn figure(body: &mut String, name: &str, about: &str, svg: &str) {
    put(
        body,
        format_args!("<figure><figcaption><strong>{name}</strong> {about}</figcaption>\n{svg}</figure>\n"),
    );
}

/// A table that scrolls by itself where it is wider than the page.
pub(in crate::report) fn table(body: &mut String, columns: &[(&str, &str)], rows: impl FnOnce(&mut String)) {
    body.push_str("<div class=\"scrolled\" tabindex=\"0\"><table><thead><tr>");
    for (name, class) in columns {
        match name.is_empty() {
            true => put(body, format_args!("<td class=\"{class}\"></td>")),
            false => put(body, format_args!("<th scope=\"col\" class=\"{class}\">{name}</th>")),
        }
    }
    body.push_str("</tr></thead><tbody>\n");
    rows(body);
    body.push_str("</tbody></table></div>\n");
}

/// A row of cells, each with its class.
pub(in crate::report) fn row(body: &mut String, cells: &[(&str, &dyn Display)]) {
    body.push_str("<tr>");
    for (class, text) in cells {
        match class.is_empty() {
            true => put(body, format_args!("<td>{text}</td>")),
            false => put(body, format_args!("<td class=\"{class}\">{text}</td>")),
        }
    }
    body.push_str("</tr>\n");
}

/// A bar as long as its part of the longest. Its number stands beside it.
fn bar(part: f64) -> String {
    let width = part.clamp(0.0, 1.0) * 100.0;
    format!(
        "<svg class=\"share\" width=\"100%\" height=\"10\" aria-hidden=\"true\"><rect class=\"failed\" width=\"{width:.1}%\" height=\"10\"/></svg>"
    )
}
