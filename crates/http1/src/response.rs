//! The heads of responses (RFC 9112 §4), as upstreams send them.

use std::mem::MaybeUninit;

use httparse::Status::{Complete, Partial};
use portcullis_core::{Headers, Known, Method, Status, Version, codes};

use crate::framing::{self, BodyLength};
use crate::head::{self, FIELDS_ON_STACK, FieldRoom, HeadLimits};
use crate::hop_by_hop::ConnectionOptions;
use crate::refusal::Refusal;

/// A response up to its content.
#[derive(Debug)]
pub struct ResponseHead {
    /// The status; 1xx other than 101 announces another response.
    pub status: Status,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// All fields as received, the hop-by-hop ones too: see [`crate::hop_by_hop::strip_hop_by_hop`].
    pub headers: Headers,
    /// How long the content is. Of a 101: until close, in the protocol switched to.
    pub body: BodyLength,
    /// Whether the connection may carry another request once the content has been read.
    pub keep_alive: bool,
}

/// What has to be known of a response's head to find its end, and whether it is a good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    /// As in [`ResponseHead`].
    pub status: Status,
    /// As in [`ResponseHead`].
    pub body: BodyLength,
    /// As in [`ResponseHead`].
    pub keep_alive: bool,
}

/// Reads the head of a response to a request with method `asked_by` from the start of `input`: the head and how many
/// bytes it took, or nothing when more bytes are needed.
///
/// # Errors
/// Says why the response is refused, as soon as no further byte can mend it; always with `upstream_invalid`.
pub fn parse(input: &[u8], asked_by: &Method, limits: &HeadLimits) -> Result<Option<(ResponseHead, usize)>, Refusal> {
    parse_head(input, asked_by, limits).map_err(Refusal::of_upstream)
}

/// Reads no more of a head than its outline, without an allocation. What it accepts and refuses is what [`parse`] does.
///
/// # Errors
/// As [`parse`].
pub fn outline(input: &[u8], asked_by: &Method, limits: &HeadLimits) -> Result<Option<(Outline, usize)>, Refusal> {
    with_head(input, limits, |wire, head| sketch(wire, head, asked_by)).map_err(Refusal::of_upstream)
}

fn parse_head(input: &[u8], asked_by: &Method, limits: &HeadLimits) -> Result<Option<(ResponseHead, usize)>, Refusal> {
    with_head(input, limits, |wire, head| read(wire, head, asked_by))
}

/// Finds the head at the start of `input`, and what `read` makes of it.
fn with_head<T>(
    input: &[u8],
    limits: &HeadLimits,
    read: impl FnOnce(&httparse::Response<'_, '_>, &[u8]) -> Result<T, Refusal>,
) -> Result<Option<(T, usize)>, Refusal> {
    // The parser would pass over empty lines here, which RFC 9112 §2.2 allows before requests only.
    if input.first().is_some_and(|byte| *byte != b'H') {
        return Err(Refusal::malformed("the response does not start with a status line"));
    }
    let mut wire = httparse::Response::new(&mut []);
    let mut room: FieldRoom<'_> = [const { MaybeUninit::uninit() }; FIELDS_ON_STACK];
    let mut more_room: Vec<MaybeUninit<httparse::Header<'_>>>;
    let config = httparse::ParserConfig::default();
    let mut outcome =
        config.parse_response_with_uninit_headers(&mut wire, input, &mut room[..limits.fields_on_stack()]);
    if let (Err(httparse::Error::TooManyHeaders), Some(fields)) = (outcome, limits.fields_on_heap()) {
        more_room = (0..fields).map(|_| MaybeUninit::uninit()).collect();
        wire = httparse::Response::new(&mut []);
        outcome = config.parse_response_with_uninit_headers(&mut wire, input, &mut more_room);
    }
    match outcome {
        Ok(Complete(len)) if len > limits.head_bytes => Err(long_head()),
        Ok(Complete(len)) => read(&wire, &input[..len]).map(|read| Some((read, len))),
        Ok(Partial) if head::has_bare_line_feed(input) => Err(head::bare_line_feed()),
        Ok(Partial) if input.len() > limits.head_bytes => Err(long_head()),
        Ok(Partial) => Ok(None),
        Err(error) => Err(head::malformed(error)),
    }
}

/// The outline of a complete head. The fields that frame it are looked at where they stand, as long as there is one of each
/// and it says what it usually says; anything else is for the full reading to judge.
fn sketch(wire: &httparse::Response<'_, '_>, head: &[u8], asked_by: &Method) -> Result<Outline, Refusal> {
    match usual(wire, head, asked_by) {
        Some(outline) => Ok(outline),
        None => read(wire, head, asked_by).map(|full| Outline {
            status: full.status,
            body: full.body,
            keep_alive: full.keep_alive,
        }),
    }
}

fn usual(wire: &httparse::Response<'_, '_>, head: &[u8], asked_by: &Method) -> Option<Outline> {
    let status = Status::new(wire.code?)?;
    if wire.version? == 0 || !head.ends_with(b"\r\n\r\n") {
        return None;
    }
    let (mut stated, mut persist) = (None, None);
    for field in wire.headers.iter() {
        let name = field.name.as_bytes();
        let before = (name.as_ptr() as usize).checked_sub(head.as_ptr() as usize)?;
        if !head.get(..before)?.ends_with(b"\r\n") || name.len() > usize::from(u16::MAX) {
            return None;
        }
        match name.len() {
            10 if name.eq_ignore_ascii_case(b"connection") => match field.value {
                _ if persist.is_some() => return None,
                value if value.eq_ignore_ascii_case(b"keep-alive") => persist = Some(true),
                value if value.eq_ignore_ascii_case(b"close") => persist = Some(false),
                _ => return None,
            },
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let length = framing::length_of(field.value).ok()?;
                if stated.replace(BodyLength::Sized(length)).is_some() {
                    return None;
                }
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                let chunked = field.value.eq_ignore_ascii_case(b"chunked");
                if !chunked || stated.replace(BodyLength::Chunked).is_some() {
                    return None;
                }
            }
            _ => {}
        }
    }
    let (body, reusable) = framing::of_stated(stated, status, asked_by);
    Some(Outline {
        status,
        body,
        keep_alive: reusable && persist.unwrap_or(true),
    })
}

fn read(wire: &httparse::Response<'_, '_>, head: &[u8], asked_by: &Method) -> Result<ResponseHead, Refusal> {
    let (Some(code), Some(minor)) = (wire.code, wire.version) else {
        return Err(head::malformed(httparse::Error::Status));
    };
    let status = Status::new(code).ok_or_else(|| Refusal::malformed("the status is less than 100"))?;
    let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
    let headers = head::fields(head, wire.headers)?;
    let (body, reusable) = framing::of_response(&headers, version, status, asked_by)?;
    let persist = persists(&headers, version)?;
    Ok(ResponseHead {
        status,
        version,
        headers,
        body,
        keep_alive: reusable && persist,
    })
}

fn persists(headers: &Headers, version: Version) -> Result<bool, Refusal> {
    if !headers.any_of(Known::Connection.bit()) {
        return Ok(version != Version::Http10);
    }
    Ok(ConnectionOptions::of(headers)?.persist(version))
}

#[cold]
fn long_head() -> Refusal {
    Refusal::new(&codes::HEAD_TOO_LARGE, "the head is longer than the limit")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        head_bytes: 1024,
        target_bytes: 0,
        fields: 16,
    };

    fn read_whole(text: &str, asked_by: &Method) -> ResponseHead {
        let (head, len) = parse(text.as_bytes(), asked_by, &LIMITS)
            .unwrap()
            .unwrap_or_else(|| panic!("incomplete: {text:?}"));
        assert_eq!(len, text.len(), "{text:?}");
        head
    }

    #[track_caller]
    fn check_refused(text: &str) {
        match parse(text.as_bytes(), &Method::Get, &LIMITS) {
            Err(refusal) => assert_eq!(refusal.code.name, codes::UPSTREAM_INVALID.name, "{text:?}: {refusal}"),
            Ok(read) => panic!("{text:?}: {read:?}"),
        }
    }

    /// The length of the content and whether the connection lives on.
    #[track_caller]
    fn check(text: &str, asked_by: &Method, expected: (BodyLength, bool)) {
        let head = read_whole(&text.replace('\n', "\r\n"), asked_by);
        assert_eq!((head.body, head.keep_alive), expected, "{asked_by} {text:?}");
    }

    #[test]
    fn a_response_is_read() {
        let text = "HTTP/1.1 404 No, there is n\u{f6}thing\r\nX: a\r\ncontent-length: 3\r\n\r\n";
        let head = read_whole(text, &Method::Get);
        assert_eq!((head.status, head.version), (Status::NOT_FOUND, Version::Http11));
        assert_eq!(
            head.headers.iter().collect::<Vec<_>>(),
            [("X", &b"a"[..]), ("content-length", b"3")]
        );
        for start in ["HTTP/1.1 204\r\n", "HTTP/1.1 204 \r\n", "HTTP/1.0 204 x\r\n"] {
            assert_eq!(
                read_whole(&format!("{start}\r\n"), &Method::Get).status,
                Status::NO_CONTENT
            );
        }
    }

    #[test]
    fn content_ends_where_the_rules_say() {
        use BodyLength::{Chunked, None, Sized, UntilClose};
        let (get, head) = (&Method::Get, &Method::Head);
        check("HTTP/1.1 200 OK\nContent-Length: 3\n\n", get, (Sized(3), true));
        check("HTTP/1.1 200 OK\nTransfer-Encoding: Chunked\n\n", get, (Chunked, true));
        check("HTTP/1.1 200 OK\n\n", get, (UntilClose, false));
        check("HTTP/1.1 200 OK\nContent-Length: 3\n\n", head, (None, true));
        check("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", head, (None, true));
        check("HTTP/1.1 200 OK\n\n", head, (None, true));
        check("HTTP/1.1 304 Not Modified\nContent-Length: 3\n\n", get, (None, true));
        check("HTTP/1.1 204 No Content\n\n", get, (None, true));
        check("HTTP/1.1 204 No Content\nContent-Length: 0\n\n", get, (None, true));
        check("HTTP/1.1 103 Early Hints\nLink: </a>\n\n", get, (None, true));
        check(
            "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\n\n",
            get,
            (UntilClose, false),
        );
    }

    #[test]
    fn a_connection_that_may_carry_more_than_was_said_ends() {
        check(
            "HTTP/1.1 204 No Content\nContent-Length: 3\n\n",
            &Method::Get,
            (BodyLength::None, false),
        );
        check(
            "HTTP/1.1 204 No Content\nTransfer-Encoding: chunked\n\n",
            &Method::Get,
            (BodyLength::None, false),
        );
    }

    #[test]
    fn connections_live_on_or_not() {
        let sized = |version: &str, connection: &str, lives_on| {
            let text = format!("{version} 200 OK\nContent-Length: 1\n{connection}\n");
            check(&text, &Method::Get, (BodyLength::Sized(1), lives_on));
        };
        sized("HTTP/1.1", "", true);
        sized("HTTP/1.1", "Connection: close\n", false);
        sized("HTTP/1.0", "", false);
        sized("HTTP/1.0", "Connection: keep-alive\n", true);
    }

    #[test]
    fn malformed_and_ambiguous_responses_are_refused() {
        for text in [
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "ICY 200 OK\r\n\r\n",
            "hello",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1  200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 +20 OK\r\n\r\n",
            "HTTP/1.1 200 OK\n\n",
            "HTTP/1.1 200 OK\nX: a\r\n",
            "HTTP/1.1 200 OK\rX: a\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\n\r\n",
            "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            check_refused(text);
        }
        check_refused(&format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(1024)));
        check_refused(&format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(1024)));
        check_refused(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: a\r\n".repeat(17)));
    }

    #[test]
    fn every_start_of_a_head_is_incomplete() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        for end in 0..text.len() {
            assert!(
                parse(&text.as_bytes()[..end], &Method::Get, &LIMITS).unwrap().is_none(),
                "{end}"
            );
        }
    }

    #[test]
    fn an_outline_is_what_the_whole_head_says() {
        let starts = [
            "HTTP/1.1 200 OK",
            "HTTP/1.0 200",
            "HTTP/1.1 204 x",
            "HTTP/1.1 304 x",
            "HTTP/1.1 101 x",
            "HTTP/1.1 099 x",
        ];
        let fields = [
            "Content-Length: 5",
            "content-length: 05",
            "Content-Length: +5",
            "Content-Length:",
            "Transfer-Encoding: chunked",
            "transfer-encoding: CHUNKED",
            "Transfer-Encoding: gzip",
            "Connection: keep-alive",
            "Connection: Close",
            "Connection: upgrade, close",
            "Connection:",
            "X: a",
            "X : a",
            "X: a\n",
        ];
        let mut texts = Vec::new();
        for start in starts {
            texts.push(format!("{start}\r\n\r\n"));
            for one in fields {
                texts.push(format!("{start}\r\n{one}\r\n\r\n"));
                texts.extend(
                    fields
                        .iter()
                        .map(|two| format!("{start}\r\n{one}\r\n{two}\r\n\r\nrest")),
                );
                texts.push(format!("{start}\n{one}\r\n\r\n"));
                texts.push(format!("{start}\r\n{one}\r\n\n"));
            }
        }
        for text in texts {
            for method in [Method::Get, Method::Head] {
                let whole = parse(text.as_bytes(), &method, &LIMITS).map(|read| {
                    read.map(|(head, len)| {
                        let (status, body, keep_alive) = (head.status, head.body, head.keep_alive);
                        (
                            Outline {
                                status,
                                body,
                                keep_alive,
                            },
                            len,
                        )
                    })
                });
                assert_eq!(outline(text.as_bytes(), &method, &LIMITS), whole, "{text:?}");
            }
        }
    }
}
