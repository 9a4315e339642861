//! A report as a page: one file, which loads nothing and runs nothing, for screens, phones and paper.

use std::fmt::{Arguments, Write as _};

pub(super) mod sections;

use super::escape::Markup;
use super::overview::{self, Overview};
use super::{Report, Verdict, figures};

const STYLE: &str = include_str!("html/page.css");

/// What the page may do: have a style. What a name from outside might bring with it stays without effect, even if it got through.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The report as a page of HTML.
pub fn write(report: &Report) -> String {
    let overview = Overview::of(report);
    let mut body = String::with_capacity(64 << 10);
    head(&mut body, &overview);
    body.push_str("<main>\n");
    sections::tiles(&mut body, &overview);
    sections::notes(&mut body, report);
    sections::objectives(&mut body, report);
    sections::latency(&mut body, &overview);
    sections::throughput(&mut body, report);
    sections::distribution(&mut body, &overview);
    sections::routes(&mut body, &overview);
    sections::failures(&mut body, &overview);
    sections::resources(&mut body, report);
    sections::phases(&mut body, report);
    sections::circumstances(&mut body, &overview);
    body.push_str("</main>\n");
    page(&format!("{}: {}", report.name, overview::word(report.verdict)), &body)
}

fn head(body: &mut String, overview: &Overview<'_>) {
    let report = overview.report;
    put(
        body,
        format_args!(
            "<header><p class=\"about\">{profile} · {target} · {moment} · {length}{interrupted}</p><h1>{name}</h1>\n\
             <p class=\"verdict {class}\"><strong>{sign} {word}</strong> <span>{conclusion}</span></p></header>\n",
            profile = Markup(&report.profile),
            target = Markup(&report.target),
            moment = figures::moment(report.began),
            length = figures::length(overview.lasted),
            interrupted = if report.interrupted { " · interrupted" } else { "" },
            name = Markup(&report.name),
            class = overview::word(report.verdict).to_ascii_lowercase(),
            sign = sign(report.verdict),
            word = overview::word(report.verdict),
            conclusion = Markup(&overview::sentence(&overview.conclusion())),
        ),
    );
}

/// A page around its content.
pub(super) fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>{}</title><style>{STYLE}</style></head><body>\n{body}</body></html>\n",
        Markup(title)
    )
}

/// A verdict's sign, for those who don't see its colour.
fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Fail => "✗",
        Verdict::Invalid => "!",
    }
}

pub(super) fn put(body: &mut String, what: Arguments<'_>) {
    body.write_fmt(what).expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn everything_is_on_the_page() {
        let html = write(&samples::load());
        for chart in ["latency", "throughput", "waiting", "histogram", "percentiles"] {
            assert!(
                html.contains(&format!("aria-labelledby=\"{chart}-title {chart}-text\"")),
                "{chart}"
            );
            assert!(
                html.contains(&format!("<title id=\"{chart}-title\">"))
                    && html.contains(&format!("<desc id=\"{chart}-text\">"))
            );
        }
        for text in [
            "✓ PASS",
            "All 3 objectives were met.",
            "no answer within 10s",
            "POST /orders",
            "6.12.0",
            "p99 &lt; 50ms",
        ] {
            assert!(html.contains(text), "{text}");
        }
    }

    #[test]
    fn tags_are_closed() {
        for report in [samples::load(), samples::small(), samples::hostile()] {
            let html = write(&report);
            let mut open = Vec::new();
            let from = html.find("<body>").unwrap_or(0);
            for part in html[from..].split('<').skip(1) {
                let name: String = part.chars().take_while(|c| !matches!(c, ' ' | '>' | '/')).collect();
                match part.strip_prefix('/') {
                    Some(end) => {
                        let end = end.split('>').next().unwrap_or_default();
                        if end != "html" {
                            assert_eq!(open.pop().as_deref(), Some(end), "in {part}");
                        }
                    }
                    None if part.contains("/>") || name == "br" => {}
                    None => open.push(name),
                }
            }
            assert_eq!(open, Vec::<String>::new());
        }
    }

    #[test]
    fn it_loads_nothing_and_runs_nothing() {
        let html = write(&samples::load());
        assert!(
            !html.contains("<script") && !html.contains("url(") && !html.contains("@import") && !html.contains("src=")
        );
        assert!(html.contains("default-src 'none'"));
        assert!(!html.contains("NaN") && !html.contains("inf%"));
    }

    #[test]
    fn no_name_becomes_markup() {
        let html = write(&samples::hostile());
        assert!(!html.contains("<script") && !html.contains('\u{1b}') && !html.contains('\u{202e}'));
        assert!(html.contains("&lt;script&gt;document.title=&#39;owned&#39;"));
    }
}
