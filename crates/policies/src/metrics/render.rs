//! Totals as OpenMetrics text: each family announced once, its samples together.

use std::fmt::Write as _;
use std::sync::Arc;

use super::counters::{BOUNDS, Totals};

const INFALLIBLE: &str = "a String takes every write";

pub(super) fn families(routes: &[(Arc<str>, Totals)], out: &mut String) {
    let routes: Vec<(String, &Totals)> = routes.iter().map(|(name, totals)| (escaped(name), totals)).collect();
    requests(&routes, out);
    durations(&routes, out);
    let name = "portcullis_http_request_bytes";
    bytes(
        name,
        "Bytes of content that came from clients.",
        &routes,
        |totals| totals.bytes_in,
        out,
    );
    let name = "portcullis_http_response_bytes";
    bytes(
        name,
        "Bytes of content that went to clients.",
        &routes,
        |totals| totals.bytes_out,
        out,
    );
    errors(&routes, out);
}

fn requests(routes: &[(String, &Totals)], out: &mut String) {
    let family = "portcullis_http_requests";
    announce(family, "counter", None, "Requests that ended.", out);
    for (route, totals) in routes {
        for ((method, status), count) in &totals.requests {
            write!(out, "{family}_total{{route=\"{route}\",method=\"{method}\",status=\"").expect(INFALLIBLE);
            match status {
                Some(status) => write!(out, "{status}").expect(INFALLIBLE),
                None => out.push_str("other"),
            }
            writeln!(out, "\"}} {count}").expect(INFALLIBLE);
        }
    }
}

fn durations(routes: &[(String, &Totals)], out: &mut String) {
    let family = "portcullis_http_request_duration_seconds";
    let help = "From the first byte of a request's head to the last byte of its answer.";
    announce(family, "histogram", Some("seconds"), help, out);
    for (route, totals) in routes {
        let mut count = 0;
        let bounds = BOUNDS.iter().map(|(_, text)| *text).chain(std::iter::once("+Inf"));
        for (bound, within) in bounds.zip(totals.durations) {
            count += within;
            writeln!(out, "{family}_bucket{{route=\"{route}\",le=\"{bound}\"}} {count}").expect(INFALLIBLE);
        }
        writeln!(out, "{family}_count{{route=\"{route}\"}} {count}").expect(INFALLIBLE);
        let (seconds, rest) = (totals.nanoseconds / 1_000_000_000, totals.nanoseconds % 1_000_000_000);
        writeln!(out, "{family}_sum{{route=\"{route}\"}} {seconds}.{rest:09}").expect(INFALLIBLE);
    }
}

fn bytes(family: &str, help: &str, routes: &[(String, &Totals)], of: impl Fn(&Totals) -> u64, out: &mut String) {
    announce(family, "counter", Some("bytes"), help, out);
    for (route, totals) in routes {
        writeln!(out, "{family}_total{{route=\"{route}\"}} {}", of(totals)).expect(INFALLIBLE);
    }
}

fn errors(routes: &[(String, &Totals)], out: &mut String) {
    let family = "portcullis_http_errors";
    announce(
        family,
        "counter",
        None,
        "Answers that the gate itself gave, by their code.",
        out,
    );
    for (route, totals) in routes {
        for (code, count) in &totals.errors {
            writeln!(out, "{family}_total{{route=\"{route}\",code=\"{code}\"}} {count}").expect(INFALLIBLE);
        }
    }
}

fn announce(family: &str, kind: &str, unit: Option<&str>, help: &str, out: &mut String) {
    writeln!(out, "# TYPE {family} {kind}").expect(INFALLIBLE);
    if let Some(unit) = unit {
        writeln!(out, "# UNIT {family} {unit}").expect(INFALLIBLE);
    }
    writeln!(out, "# HELP {family} {help}").expect(INFALLIBLE);
}

/// A label's value as OpenMetrics has it: backslash, quote and line feed are escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
