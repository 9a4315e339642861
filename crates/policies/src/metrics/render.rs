//! The totals of all routes as OpenMetrics text.

use std::sync::Arc;

use super::counters::{BOUNDS, Totals};
use super::family::Family;

const REQUESTS: Family = Family::counter(
    "portcullis_http_requests",
    &["route", "method", "status"],
    "Requests that ended.",
);

const DURATIONS: Family = Family::histogram(
    "portcullis_http_request_duration_seconds",
    &["route"],
    "From the first byte of a request's head to the last byte of its answer.",
)
.in_unit("seconds");

const BYTES_IN: Family = Family::counter(
    "portcullis_http_request_bytes",
    &["route"],
    "Bytes of content that came from clients.",
)
.in_unit("bytes");

const BYTES_OUT: Family = Family::counter(
    "portcullis_http_response_bytes",
    &["route"],
    "Bytes of content that went to clients.",
)
.in_unit("bytes");

const ERRORS: Family = Family::counter(
    "portcullis_http_errors",
    &["route", "code"],
    "Answers that the gate itself gave, by their code.",
);

/// All that is written here.
pub(super) const FAMILIES: &[Family] = &[REQUESTS, DURATIONS, BYTES_IN, BYTES_OUT, ERRORS];

pub(super) fn families(routes: &[(Arc<str>, Totals)], out: &mut String) {
    requests(routes, out);
    durations(routes, out);
    bytes(&BYTES_IN, routes, |totals| totals.bytes_in, out);
    bytes(&BYTES_OUT, routes, |totals| totals.bytes_out, out);
    errors(routes, out);
}

fn requests(routes: &[(Arc<str>, Totals)], out: &mut String) {
    REQUESTS.announce(out);
    for (route, totals) in routes {
        for ((method, status), count) in &totals.requests {
            let status = status.map_or_else(|| "other".to_owned(), |status| status.to_string());
            REQUESTS.sample(&[route, method, &status], count, out);
        }
    }
}

fn durations(routes: &[(Arc<str>, Totals)], out: &mut String) {
    DURATIONS.announce(out);
    for (route, totals) in routes {
        let bounds = BOUNDS.iter().map(|(_, text)| *text).chain(std::iter::once("+Inf"));
        let (seconds, rest) = (totals.nanoseconds / 1_000_000_000, totals.nanoseconds % 1_000_000_000);
        let sum = format_args!("{seconds}.{rest:09}");
        DURATIONS.distribution(&[route], bounds.zip(totals.durations), sum, out);
    }
}

fn bytes(family: &Family, routes: &[(Arc<str>, Totals)], of: impl Fn(&Totals) -> u64, out: &mut String) {
    family.announce(out);
    for (route, totals) in routes {
        family.sample(&[route], of(totals), out);
    }
}

fn errors(routes: &[(Arc<str>, Totals)], out: &mut String) {
    ERRORS.announce(out);
    for (route, totals) in routes {
        for (code, count) in &totals.errors {
            ERRORS.sample(&[route, code], count, out);
        }
    }
}
