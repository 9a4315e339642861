//! A report for pipelines that show tests: JUnit's XML, with a case for each objective.

use std::fmt::Write as _;

use super::escape::Markup;
use super::overview::Overview;
use super::{Judged, Report, Verdict, figures};

/// The report as a suite of tests. Objectives that were missed have failed; of a run that says nothing, all are errors, because
/// none of them was decided.
pub fn write(report: &Report) -> String {
    let overview = Overview::of(report);
    let invalid = report.verdict == Verdict::Invalid;
    let cases = report.objectives.len() + 1;
    let errors = if invalid { cases } else { 0 };
    let failures = if invalid {
        0
    } else {
        report.objectives.iter().filter(|judged| !judged.met).count()
    };
    let name = Markup(&report.name);
    let seconds = overview.lasted.as_secs_f64();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"{name}\" tests=\"{cases}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{seconds:.3}\">\n\
         <testsuite name=\"{name}\" tests=\"{cases}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\" \
         time=\"{seconds:.3}\" timestamp=\"{}\">\n",
        figures::machine_moment(report.began)
    );
    properties(&mut xml, report);
    valid(&mut xml, report, seconds);
    for judged in &report.objectives {
        case(&mut xml, report, judged);
    }
    let text = super::text::write(report);
    put(
        &mut xml,
        format_args!(
            "<system-out>{}</system-out>\n</testsuite>\n</testsuites>\n",
            Lines(&text)
        ),
    );
    xml
}

fn properties(xml: &mut String, report: &Report) {
    xml.push_str("<properties>\n");
    let own = [("target", &report.target), ("profile", &report.profile)];
    let environment = report.environment.iter().map(|(name, value)| (name.as_str(), value));
    for (name, value) in own.into_iter().chain(environment) {
        put(
            xml,
            format_args!("<property name=\"{}\" value=\"{}\"/>\n", Markup(name), Markup(value)),
        );
    }
    xml.push_str("</properties>\n");
}

/// The case that a run says anything at all. So a suite without objectives isn't empty, which some pipelines take for a failure.
fn valid(xml: &mut String, report: &Report, seconds: f64) {
    put(
        xml,
        format_args!(
            "<testcase classname=\"{}\" name=\"the run is valid\" time=\"{seconds:.3}\">",
            Markup(&report.name)
        ),
    );
    if report.verdict == Verdict::Invalid {
        error(xml, &report.invalid.join("; "));
    }
    xml.push_str("</testcase>\n");
}

fn case(xml: &mut String, report: &Report, judged: &Judged) {
    let route = judged.route.as_deref().unwrap_or("all routes");
    put(
        xml,
        format_args!(
            "<testcase classname=\"{}\" name=\"{}: {}\" time=\"0\">",
            Markup(&report.name),
            Markup(route),
            Markup(&judged.objective)
        ),
    );
    if report.verdict == Verdict::Invalid {
        error(xml, "the run is invalid, so that this is not known");
    } else if !judged.met {
        put(
            xml,
            format_args!(
                "<failure type=\"objective\" message=\"{} was missed: {}\"/>",
                Markup(&judged.objective),
                Markup(&judged.measured)
            ),
        );
    }
    xml.push_str("</testcase>\n");
}

fn error(xml: &mut String, why: &str) {
    put(
        xml,
        format_args!("<error type=\"invalid\" message=\"{}\"/>", Markup(why)),
    );
}

/// Text of many lines, each escaped.
struct Lines<'t>(&'t str);

impl std::fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.lines().try_for_each(|line| writeln!(f, "{}", Markup(line)))
    }
}

fn put(xml: &mut String, what: std::fmt::Arguments<'_>) {
    xml.write_fmt(what).expect("a string takes everything");
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use quick_xml::Reader;
    use quick_xml::events::Event;

    use super::super::samples;
    use super::*;

    /// How often each element occurs; fails where the text is no XML.
    fn count(xml: &str, element: &str) -> usize {
        let mut reader = Reader::from_str(xml);
        let mut found = 0;
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) | Event::Empty(start) => {
                    assert!(start.attributes().all(|attribute| attribute.is_ok()));
                    found += usize::from(start.name().as_ref() == element.as_bytes());
                }
                Event::Eof => return found,
                _ => {}
            }
        }
    }

    #[test]
    fn each_objective_is_a_case() {
        let mut report = samples::load();
        let xml = write(&report);
        assert_eq!(
            (count(&xml, "testcase"), count(&xml, "failure"), count(&xml, "error")),
            (4, 0, 0)
        );
        assert!(xml.contains(
            "tests=\"4\" failures=\"0\" errors=\"0\" skipped=\"0\" time=\"60.000\" timestamp=\"2026-11-23T01:15:00Z\""
        ));
        report.objectives[0].met = false;
        report.verdict = Verdict::Fail;
        let xml = write(&report);
        assert_eq!(
            (count(&xml, "testcase"), count(&xml, "failure"), count(&xml, "error")),
            (4, 1, 0)
        );
        assert!(xml.contains("message=\"p99 &lt; 50ms was missed: 48.2ms\""));
    }

    #[test]
    fn an_invalid_run_is_an_error_in_each_case() {
        let mut report = samples::load();
        report.verdict = Verdict::Invalid;
        report.invalid = vec!["the generator was too busy".to_owned()];
        report.objectives[1].met = false;
        let xml = write(&report);
        assert_eq!(
            (count(&xml, "testcase"), count(&xml, "failure"), count(&xml, "error")),
            (4, 0, 4)
        );
    }

    #[test]
    fn a_run_without_objectives_is_no_empty_suite() {
        assert_eq!(count(&write(&samples::small()), "testcase"), 1);
    }

    #[test]
    fn hostile_names_leave_it_well_formed() {
        let xml = write(&samples::hostile());
        assert_eq!(count(&xml, "script"), 0);
        assert!(
            xml.chars()
                .all(|character| !character.is_control() || character == '\n')
        );
    }
}
