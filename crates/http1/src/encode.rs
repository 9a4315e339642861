//! Heads as they go out. Framing and what concerns the connection itself is written here, from what the caller knows
//! to be true; what fields say about either is passed over.

use portcullis_core::{Headers, Known, Method, Status, Target};

use crate::date;
use crate::framing::BodyLength;

/// How the length of a response's content is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseLength {
    /// The content follows. `None`: there is none and can't be (1xx, 204, 304), and no length is announced; an empty
    /// content of another status is `Sized(0)`.
    Body(BodyLength),
    /// The answer to a HEAD request: a `Content-Length` among the fields stays, otherwise the length that GET would
    /// send is announced where it is known and not zero, which may just mean that nobody counted.
    Head(Option<u64>),
}

/// What becomes of the connection after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// It goes on, as HTTP/1.1 has it without a word.
    Default,
    /// It goes on, and an HTTP/1.0 client is told so.
    KeepAlive,
    /// It ends.
    Close,
    /// It switches to the protocol that the response's `Upgrade` names; otherwise that field is passed over.
    Upgrade,
}

/// Fields that are written from what is true, or not at all.
const OWN: u64 = Known::Connection.bit()
    | Known::ContentLength.bit()
    | Known::Http2Settings.bit()
    | Known::KeepAlive.bit()
    | Known::ProxyConnection.bit()
    | Known::TransferEncoding.bit()
    | Known::Upgrade.bit();

/// Appends the head of a request. `Host` comes first, as RFC 9110 §7.2 advises; where there is none an empty one is
/// sent. `Expect` is passed over: whoever reads a request's content here has met the expectation. `upgrade` is the
/// protocol to ask for: then the rest of the connection is the content, and `length` is not announced. `lines` are more
/// fields, already as lines of a head.
pub fn request(
    out: &mut Vec<u8>,
    method: &Method,
    target: &Target,
    headers: &Headers,
    lines: &[u8],
    length: BodyLength,
    upgrade: Option<&str>,
) {
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_str().as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    field(out, b"Host", headers.get(Known::Host).unwrap_or_default());
    fields(out, headers, OWN | Known::Host.bit() | Known::Expect.bit());
    out.extend_from_slice(lines);
    match (upgrade, length) {
        (Some(protocol), _) => {
            field(out, b"Connection", b"upgrade");
            field(out, b"Upgrade", protocol.as_bytes());
        }
        // RFC 9110 §8.6: a method that gives content a meaning tells that there is none.
        (None, BodyLength::None) if matches!(method, Method::Post | Method::Put | Method::Patch) => {
            out.extend_from_slice(b"Content-Length: 0\r\n");
        }
        (None, length) => announce(out, length),
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the head of a final response, or of 101. `Date` is added where it is missing (RFC 9110 §6.6.1).
pub fn response(
    out: &mut Vec<u8>,
    status: Status,
    headers: &Headers,
    length: ResponseLength,
    persistence: Persistence,
) {
    status_line(out, status);
    if !headers.any_of(Known::Date.bit()) {
        field(out, b"Date", &date::now());
    }
    let mut passed_over = OWN;
    if persistence == Persistence::Upgrade {
        passed_over &= !Known::Upgrade.bit();
    }
    match length {
        ResponseLength::Body(length) => announce(out, length),
        ResponseLength::Head(_) if headers.any_of(Known::ContentLength.bit()) => {
            passed_over &= !Known::ContentLength.bit();
        }
        ResponseLength::Head(Some(length)) if length > 0 => announce(out, BodyLength::Sized(length)),
        ResponseLength::Head(_) => {}
    }
    fields(out, headers, passed_over);
    out.extend_from_slice(match persistence {
        Persistence::Default => &b"\r\n"[..],
        Persistence::KeepAlive => b"Connection: keep-alive\r\n\r\n",
        Persistence::Close => b"Connection: close\r\n\r\n",
        Persistence::Upgrade => b"Connection: upgrade\r\n\r\n",
    });
}

/// Appends an interim response (1xx but 101), whole.
pub fn informational(out: &mut Vec<u8>, status: Status, headers: &Headers) {
    status_line(out, status);
    fields(out, headers, OWN);
    out.extend_from_slice(b"\r\n");
}

fn status_line(out: &mut Vec<u8>, status: Status) {
    if status == Status::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(status.code()).as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.reason().as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn announce(out: &mut Vec<u8>, length: BodyLength) {
    match length {
        BodyLength::None | BodyLength::UntilClose => {}
        BodyLength::Sized(length) => {
            field(out, b"Content-Length", itoa::Buffer::new().format(length).as_bytes());
        }
        BodyLength::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
    }
}

/// Appends all fields but those of `passed_over`, a set of [`Known::bit`].
pub(crate) fn fields(out: &mut Vec<u8>, headers: &Headers, passed_over: u64) {
    headers.write_lines(out, passed_over);
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn list(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.append(*name, value);
        }
        headers
    }

    #[track_caller]
    fn check_request(method: &Method, fields: &[(&str, &str)], length: BodyLength, expected: &str) {
        let mut out = Vec::new();
        let target = Target::parse(b"/a?b").unwrap();
        request(&mut out, method, &target, &list(fields), b"", length, None);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[track_caller]
    fn check_response(
        status: Status,
        fields: &[(&str, &str)],
        length: ResponseLength,
        persistence: Persistence,
        expected: &str,
    ) {
        let mut headers = list(fields);
        headers.append(Known::Date, "D");
        let mut out = Vec::new();
        response(&mut out, status, &headers, length, persistence);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn host_comes_first_and_framing_is_our_own() {
        let fields = [
            ("x", "1"),
            ("HOST", "a"),
            ("content-length", "7"),
            ("Transfer-Encoding", "gzip"),
            ("Upgrade", "b"),
            ("Expect", "100-continue"),
        ];
        check_request(
            &Method::Get,
            &fields,
            BodyLength::None,
            "GET /a?b HTTP/1.1\r\nHost: a\r\nx: 1\r\n\r\n",
        );
        let sized = "POST /a?b HTTP/1.1\r\nHost: a\r\nx: 1\r\nContent-Length: 3\r\n\r\n";
        check_request(&Method::Post, &fields, BodyLength::Sized(3), sized);
        let chunked = "POST /a?b HTTP/1.1\r\nHost: a\r\nx: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        check_request(&Method::Post, &fields, BodyLength::Chunked, chunked);
        let empty = "PUT /a?b HTTP/1.1\r\nHost: \r\nContent-Length: 0\r\n\r\n";
        check_request(&Method::Put, &[], BodyLength::None, empty);
    }

    #[test]
    fn an_upgrade_is_asked_for() {
        let mut out = Vec::new();
        let headers = list(&[("Host", "a"), ("Sec-WebSocket-Version", "13")]);
        request(
            &mut out,
            &Method::Get,
            &Target::parse(b"/").unwrap(),
            &headers,
            b"",
            BodyLength::None,
            Some("websocket"),
        );
        let expected = "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Version: 13\r\nConnection: upgrade\r\n\
                        Upgrade: websocket\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn lengths_of_responses_are_announced() {
        use ResponseLength::{Body, Head};
        let check = |status, fields: &[(&str, &str)], length, expected: &str| {
            check_response(status, fields, length, Persistence::Default, expected);
        };
        let sized = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx: 1\r\nDate: D\r\n\r\n";
        check(
            Status::OK,
            &[("Content-Length", "7"), ("x", "1")],
            Body(BodyLength::Sized(0)),
            sized,
        );
        let chunked = "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\nDate: D\r\n\r\n";
        check(
            Status::NOT_FOUND,
            &[("Connection", "x")],
            Body(BodyLength::Chunked),
            chunked,
        );
        let none = "HTTP/1.1 204 No Content\r\nDate: D\r\n\r\n";
        check(
            Status::NO_CONTENT,
            &[("Content-Length", "7")],
            Body(BodyLength::None),
            none,
        );
        let kept = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nDate: D\r\n\r\n";
        check(Status::OK, &[("Content-Length", "7")], Head(Some(0)), kept);
        check(Status::OK, &[], Head(Some(7)), kept);
        check(Status::OK, &[], Head(Some(0)), "HTTP/1.1 200 OK\r\nDate: D\r\n\r\n");
        let unknown = "HTTP/1.1 799 \r\nDate: D\r\n\r\n";
        check(Status::new(799).unwrap(), &[], Head(None), unknown);
    }

    #[test]
    fn the_connections_end_is_announced() {
        let check = |persistence, expected: &str| {
            let fields = [("Upgrade", "websocket"), ("Connection", "upgrade")];
            let length = ResponseLength::Body(BodyLength::None);
            let expected = format!("HTTP/1.1 101 Switching Protocols\r\n{expected}\r\n");
            check_response(Status::SWITCHING_PROTOCOLS, &fields, length, persistence, &expected);
        };
        check(Persistence::Default, "Date: D\r\n");
        check(Persistence::Close, "Date: D\r\nConnection: close\r\n");
        check(Persistence::KeepAlive, "Date: D\r\nConnection: keep-alive\r\n");
        check(
            Persistence::Upgrade,
            "Upgrade: websocket\r\nDate: D\r\nConnection: upgrade\r\n",
        );
    }

    #[test]
    fn a_missing_date_is_added() {
        let mut out = Vec::new();
        response(
            &mut out,
            Status::OK,
            &Headers::new(),
            ResponseLength::Head(None),
            Persistence::Default,
        );
        let date = out
            .strip_prefix(b"HTTP/1.1 200 OK\r\nDate: ")
            .unwrap()
            .strip_suffix(b"\r\n\r\n")
            .unwrap();
        assert!(date::parse(date).is_some());
    }

    #[test]
    fn interim_responses_have_neither_length_nor_date() {
        let mut out = Vec::new();
        informational(
            &mut out,
            Status::EARLY_HINTS,
            &list(&[("Link", "</a>"), ("Content-Length", "5")]),
        );
        assert_eq!(out, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    }
}
