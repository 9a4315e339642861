//! The fields of a line, and how each is written.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use portcullis_core::{Ctx, Outcome};

use super::escape::{Style, Text};
use super::timestamp;

/// What a line is about.
pub(super) struct Event<'a> {
    pub(super) cx: &'a Ctx,
    pub(super) outcome: &'a Outcome<'a>,
}

macro_rules! fields {
    ($($variant:ident = $name:literal,)*) => {
        /// A field of a line.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Field { $($variant,)* }

        impl Field {
            /// All of them, in the order of an object.
            pub(super) const ALL: &[Field] = &[$(Field::$variant,)*];

            /// Its name in objects and templates.
            pub(super) fn name(self) -> &'static str {
                match self { $(Field::$variant => $name,)* }
            }
        }
    };
}

fields! {
    Time = "time",
    RequestId = "request_id",
    Client = "client",
    Method = "method",
    Scheme = "scheme",
    Host = "host",
    Path = "path",
    Query = "query",
    Version = "version",
    Status = "status",
    BytesIn = "bytes_in",
    BytesOut = "bytes_out",
    DurationMs = "duration_ms",
    Complete = "complete",
    Route = "route",
    Consumer = "consumer",
    Service = "service",
    Target = "target",
    Attempts = "attempts",
    UpstreamMs = "upstream_ms",
    GrpcStatus = "grpc_status",
    Error = "error",
    Policy = "policy",
    Cause = "cause",
    UserAgent = "user_agent",
    Referer = "referer",
}

impl Field {
    pub(super) fn named(name: &str) -> Option<Field> {
        Field::ALL.iter().copied().find(|field| field.name() == name)
    }

    /// Writes the value; false, and nothing written, where there is none.
    pub(super) fn write(self, event: &Event<'_>, style: Style, out: &mut Vec<u8>) -> bool {
        let Event { cx, outcome } = event;
        match self {
            Field::Time => {
                quoted(out, style, |out| timestamp::write(cx.received, out));
                true
            }
            Field::RequestId => text(out, style, Some(cx.request_id.as_str())),
            Field::Client => write_client(cx, style, out),
            Field::Method => text(out, style, outcome.method.map(|method| method.as_str())),
            Field::Scheme => text(out, style, Some(cx.scheme.as_str())),
            Field::Host => text(out, style, present(outcome.host)),
            Field::Path => text(
                out,
                style,
                present(outcome.target.split('?').next().unwrap_or_default()),
            ),
            Field::Query => write_query(outcome.target, style, out),
            Field::Version => text(out, style, Some(outcome.version.as_str())),
            Field::Status => number(out, u64::from(outcome.status.code())),
            Field::BytesIn => number(out, outcome.bytes_in),
            Field::BytesOut => number(out, outcome.bytes_out),
            Field::DurationMs => milliseconds(out, outcome.duration),
            Field::Complete => {
                out.extend_from_slice(if outcome.complete { b"true" } else { b"false" });
                true
            }
            Field::Route => text(out, style, cx.route.as_ref().map(|route| route.name)),
            Field::Consumer => text(out, style, cx.consumer.as_ref().map(|consumer| &*consumer.name)),
            Field::Service => text(out, style, cx.upstream.service.as_deref()),
            Field::Target => text(out, style, cx.upstream.target.as_deref()),
            Field::Attempts => cx.upstream.attempts > 0 && number(out, u64::from(cx.upstream.attempts)),
            Field::UpstreamMs => cx
                .upstream
                .first_byte
                .is_some_and(|duration| milliseconds(out, duration)),
            Field::GrpcStatus => {
                let status = cx.upstream.grpc_status.as_ref().and_then(|status| status.get());
                status.is_some_and(|status| number(out, status.into()))
            }
            Field::Error => text(out, style, outcome.error.map(|error| error.code().name)),
            Field::Policy => text(out, style, outcome.error.and_then(|error| error.policy())),
            Field::Cause => write_cause(outcome, style, out),
            Field::UserAgent => text(out, style, outcome.user_agent),
            Field::Referer => text(out, style, outcome.referer.and_then(|url| url.split(['?', '#']).next())),
        }
    }
}

fn present(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn text(out: &mut Vec<u8>, style: Style, value: Option<&str>) -> bool {
    let Some(value) = value else { return false };
    let mut text = Text::new(out, style);
    text.push(value);
    text.end();
    true
}

/// A value that holds nothing to escape.
fn quoted(out: &mut Vec<u8>, style: Style, write: impl FnOnce(&mut Vec<u8>)) {
    match style {
        Style::Json => {
            out.push(b'"');
            write(out);
            out.push(b'"');
        }
        Style::Template => write(out),
    }
}

fn number(out: &mut Vec<u8>, value: u64) -> bool {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    true
}

/// Milliseconds with three decimals.
fn milliseconds(out: &mut Vec<u8>, duration: Duration) -> bool {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    number(out, micros / 1000);
    let rest = micros % 1000;
    let digit = |value: u64| b'0' + u8::try_from(value % 10).expect("it is a digit");
    out.extend_from_slice(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest)]);
    true
}

fn write_client(cx: &Ctx, style: Style, out: &mut Vec<u8>) -> bool {
    if cx.client == cx.connection.peer.ip() {
        quoted(out, style, |out| {
            out.extend_from_slice(cx.connection.peer_ip.as_bytes());
        });
    } else {
        use std::io::Write as _;
        quoted(out, style, |out| {
            write!(out, "{}", cx.client).expect("a Vec takes every write");
        });
    }
    true
}

/// The names of the query's parameters. Their values are nobody's business who reads a log.
fn write_query(target: &str, style: Style, out: &mut Vec<u8>) -> bool {
    let Some((_, query)) = target.split_once('?').filter(|(_, query)| !query.is_empty()) else {
        return false;
    };
    let mut text = Text::new(out, style);
    for (at, parameter) in query.split('&').enumerate() {
        if at > 0 {
            text.push("&");
        }
        text.push(parameter.split('=').next().unwrap_or_default());
    }
    text.end();
    true
}

/// The cause and the causes of that, as far as they say something new.
fn write_cause(outcome: &Outcome<'_>, style: Style, out: &mut Vec<u8>) -> bool {
    let Some(cause) = outcome.error.and_then(|error| error.cause()) else {
        return false;
    };
    let mut words = cause.to_string();
    let mut deeper = cause.source();
    while let Some(source) = deeper {
        let source_words = source.to_string();
        if !words.contains(&source_words) {
            write!(words, ": {source_words}").expect("a String takes every write");
        }
        deeper = Error::source(source);
    }
    text(out, style, Some(&words))
}
