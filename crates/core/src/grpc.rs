//! What gRPC says in fields of HTTP: kinds of requests, deadlines, and the status that a failure of ours has there.
//!
//! By the documents of gRPC: PROTOCOL-HTTP2, PROTOCOL-WEB, `statuscodes` and `http-grpc-status-mapping`.

use std::fmt::Write as _;
use std::time::Duration;

use crate::codes::{self, Code};
use crate::{Error, Headers, Known};

/// The field with the status of a call; in the trailers, or in the head of a response without content.
pub const STATUS: &str = "grpc-status";

/// The field with what people are told of a failed call.
pub const MESSAGE: &str = "grpc-message";

/// The field of a request that says how long its client waits.
pub const TIMEOUT: &str = "grpc-timeout";

/// The forms in which calls of gRPC come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// gRPC itself.
    Grpc,
    /// gRPC-Web: the trailers are the last part of the content.
    Web,
    /// The same in Base64.
    WebText,
}

impl Kind {
    /// The kind of a message, by its content type; nothing where it is not of gRPC.
    pub fn of(headers: &Headers) -> Option<Kind> {
        let content_type = headers.get(Known::ContentType)?;
        let end = content_type.iter().position(|byte| matches!(byte, b'+' | b';' | b' '));
        let kind = &content_type[..end.unwrap_or(content_type.len())];
        let is = |name: &str| kind.eq_ignore_ascii_case(name.as_bytes());
        [Kind::Grpc, Kind::Web, Kind::WebText]
            .into_iter()
            .find(|kind| is(kind.content_type()))
    }

    /// The content type of a response.
    pub fn content_type(self) -> &'static str {
        match self {
            Kind::Grpc => "application/grpc",
            Kind::Web => "application/grpc-web",
            Kind::WebText => "application/grpc-web-text",
        }
    }
}

/// How a call ended (`statuscodes`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the registered names say it")]
pub enum Status {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl Status {
    /// The number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The status in which a failure of ours is told to a client of gRPC.
    ///
    /// `http-grpc-status-mapping` is for clients that know nothing but the HTTP status; we know more, and follow
    /// `statuscodes` where that says more.
    pub fn of(code: &Code) -> Status {
        // A call that was under way too long is over its deadline. One that never reached the service is not, and a client
        // may try it again.
        if *code == codes::UPSTREAM_TIMEOUT || *code == codes::DATABASE_TIMEOUT || *code == codes::REQUEST_TIMEOUT {
            return Status::DeadlineExceeded;
        }
        match code.status.code() {
            400 | 406 | 414 | 417 | 422 => Status::InvalidArgument,
            401 => Status::Unauthenticated,
            403 => Status::PermissionDenied,
            // Such a method is not there: it says more than NOT_FOUND, which means a thing that was asked for.
            404 | 405 | 415 | 501 | 505 => Status::Unimplemented,
            409 => Status::Aborted,
            412 | 428 => Status::FailedPrecondition,
            // A quota is used up, which a client must not take for an outage and ask again at once; the mapping has
            // UNAVAILABLE, since a client can't tell whose quota it is.
            413 | 429 | 431 => Status::ResourceExhausted,
            416 => Status::OutOfRange,
            499 => Status::Cancelled,
            500 => Status::Internal,
            // All of these may be tried again.
            425 | 502..=504 => Status::Unavailable,
            _ => Status::Unknown,
        }
    }
}

/// Reads the value of `grpc-timeout`: at most eight digits and a unit.
pub fn parse_timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

/// Writes the value of `grpc-timeout`, rounded down to what eight digits can say.
pub fn format_timeout(timeout: Duration) -> String {
    const MOST: u128 = 99_999_999;
    let units: [(u128, char); 6] = [
        (timeout.as_nanos(), 'n'),
        (timeout.as_micros(), 'u'),
        (timeout.as_millis(), 'm'),
        (timeout.as_secs().into(), 'S'),
        ((timeout.as_secs() / 60).into(), 'M'),
        ((timeout.as_secs() / 3600).into(), 'H'),
    ];
    let (count, unit) = units
        .into_iter()
        .find(|(count, _)| *count <= MOST)
        .unwrap_or((MOST, 'H'));
    format!("{count}{unit}")
}

/// A text as `grpc-message` holds it: visible ASCII and spaces, all else percent-encoded.
pub fn encode_message(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").expect("a String takes every write"),
        }
    }
    out
}

/// Tells of a failure of ours, in the trailers or in the head of a response without content.
pub fn tell(fields: &mut Headers, error: &Error) {
    fields.set(STATUS, Status::of(error.code()).number().to_string());
    fields.set(MESSAGE, encode_message(&error.to_string()));
}

/// The status that a response's fields or trailers tell, where they do.
pub fn told_status(fields: &Headers) -> Option<u32> {
    fields.get_str(STATUS)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_the_content_type() {
        let kind = |content_type: &str| {
            let mut headers = Headers::new();
            headers.append(Known::ContentType, content_type);
            Kind::of(&headers)
        };
        assert_eq!(kind("application/grpc"), Some(Kind::Grpc));
        assert_eq!(kind("application/grpc+proto"), Some(Kind::Grpc));
        assert_eq!(kind("Application/gRPC; a=b"), Some(Kind::Grpc));
        assert_eq!(kind("application/grpc-web"), Some(Kind::Web));
        assert_eq!(kind("application/grpc-web+json"), Some(Kind::Web));
        assert_eq!(kind("application/grpc-web-text+proto"), Some(Kind::WebText));
        for other in ["application/grpcx", "application/json", "", "application/grpc-webx"] {
            assert_eq!(kind(other), None, "{other}");
        }
        assert_eq!(Kind::of(&Headers::new()), None);
    }

    #[test]
    fn timeouts_are_read_strictly() {
        for (value, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("0n", Some(Duration::ZERO)),
            ("123456789m", None),
            ("m", None),
            ("", None),
            ("1s", None),
            ("-1S", None),
            ("+1S", None),
            ("1.5S", None),
            ("1", None),
            (" 1S", None),
        ] {
            assert_eq!(parse_timeout(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn timeouts_are_written_as_finely_as_they_can_be() {
        for (timeout, expected) in [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_nanos(100_000_999), "100000u"),
            (Duration::from_millis(100_000), "100000m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::from_secs(100_000_000), "1666666M"),
            (Duration::from_secs(u64::MAX), "99999999H"),
        ] {
            let written = format_timeout(timeout);
            assert_eq!(written, expected);
            assert!(parse_timeout(written.as_bytes()).is_some_and(|read| read <= timeout));
        }
    }

    #[test]
    fn messages_are_percent_encoded() {
        assert_eq!(encode_message("100 % é\n~"), "100 %25 %C3%A9%0A~");
    }

    #[test]
    fn every_failure_has_a_status() {
        for code in codes::ALL {
            assert!(
                !matches!(Status::of(code), Status::Ok | Status::Unknown),
                "{}",
                code.name
            );
        }
        assert_eq!(Status::of(&codes::UPSTREAM_TIMEOUT), Status::DeadlineExceeded);
        assert_eq!(Status::of(&codes::UPSTREAM_CONNECT_TIMEOUT), Status::Unavailable);
        assert_eq!(Status::of(&codes::RATE_LIMITED), Status::ResourceExhausted);
        assert_eq!(Status::of(&codes::ROUTE_NOT_FOUND), Status::Unimplemented);
        assert_eq!(Status::of(&codes::UNAUTHENTICATED).number(), 16);
    }
}
