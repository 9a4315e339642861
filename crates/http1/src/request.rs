//! The heads of requests (RFC 9112 §3).

use std::mem::MaybeUninit;

use httparse::Status::{Complete, Partial};
use portcullis_core::{Headers, Known, Method, Target, Version, codes};

use crate::authority;
use crate::framing::{self, BodyLength};
use crate::head::{self, EMPTY_LINE_BYTES, FIELDS_ON_STACK, FieldRoom, HeadLimits, METHOD_BYTES, REQUEST_LINE_BYTES};
use crate::hop_by_hop::ConnectionOptions;
use crate::refusal::Refusal;

/// A request up to its content, with everything checked that decides where it ends and whom it is for.
#[derive(Debug)]
pub struct RequestHead {
    /// What is asked for; never CONNECT.
    pub method: Method,
    /// The target in origin form, or `*`; the authority of an absolute form agrees with `Host`.
    pub target: Target,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// All fields as received, the hop-by-hop ones too: see [`crate::hop_by_hop::strip_hop_by_hop`].
    pub headers: Headers,
    /// How long the content is; never until close.
    pub body: BodyLength,
    /// Whether the client lets the connection live on.
    pub keep_alive: bool,
    /// Whether the client waits for a `100 Continue` before it sends the content. Only where content is announced.
    pub expect_continue: bool,
    /// The protocols that the client asks to switch to, as `Upgrade` lists them. Only of a request without content.
    pub upgrade: Option<Box<str>>,
}

/// Reads the head of a request from the start of `input`: the head and how many bytes it took, or nothing when more
/// bytes are needed. Up to two empty lines before it are passed over (RFC 9112 §2.2).
///
/// # Errors
/// Says why the request is refused, as soon as no further byte can mend it.
pub fn parse(input: &[u8], limits: &HeadLimits) -> Result<Option<(RequestHead, usize)>, Refusal> {
    let Some(skipped) = empty_lines(input)? else {
        return Ok(None);
    };
    let head = &input[skipped..];
    let mut wire = httparse::Request::new(&mut []);
    let mut room: FieldRoom<'_> = [const { MaybeUninit::uninit() }; FIELDS_ON_STACK];
    let mut more_room: Vec<MaybeUninit<httparse::Header<'_>>>;
    let mut outcome = wire.parse_with_uninit_headers(head, &mut room[..limits.fields_on_stack()]);
    if let (Err(httparse::Error::TooManyHeaders), Some(fields)) = (outcome, limits.fields_on_heap()) {
        more_room = (0..fields).map(|_| MaybeUninit::uninit()).collect();
        wire = httparse::Request::new(&mut []);
        outcome = wire.parse_with_uninit_headers(head, &mut more_room);
    }
    match outcome {
        Ok(Complete(len)) => read(&wire, &head[..len], limits).map(|request| Some((request, skipped + len))),
        Ok(Partial) => incomplete(head, limits).map(|()| None),
        Err(httparse::Error::Version) => Err(refused_version(head)),
        Err(error) => Err(head::malformed(error)),
    }
}

/// The length of the empty lines that stand before the request line, or nothing when that is not known yet.
fn empty_lines(input: &[u8]) -> Result<Option<usize>, Refusal> {
    let mut skipped = 0;
    loop {
        match &input[skipped..] {
            [] | [b'\r'] => return Ok(None),
            [b'\r', b'\n', ..] if skipped < EMPTY_LINE_BYTES => skipped += 2,
            [b'\r' | b'\n', ..] => return Err(Refusal::malformed("there is an empty line in place of a request line")),
            _ => return Ok(Some(skipped)),
        }
    }
}

/// Judges what can be judged of a head that is not all there.
fn incomplete(head: &[u8], limits: &HeadLimits) -> Result<(), Refusal> {
    if head.len() > METHOD_BYTES && !head[..=METHOD_BYTES].contains(&b' ') {
        return Err(long_method());
    }
    if head::has_bare_line_feed(head) {
        return Err(head::bare_line_feed());
    }
    let too_long = head.len() > limits.head_bytes;
    let line_end = memchr::memchr(b'\n', head);
    let longest_line = limits.target_bytes.saturating_add(REQUEST_LINE_BYTES);
    // Refused whether or not the line is all there, so that it doesn't matter in which pieces a request arrives.
    if line_end.unwrap_or(head.len()) > longest_line || (line_end.is_none() && too_long) {
        return Err(long_target());
    }
    if too_long {
        return Err(long_head());
    }
    Ok(())
}

fn read(wire: &httparse::Request<'_, '_>, head: &[u8], limits: &HeadLimits) -> Result<RequestHead, Refusal> {
    let (Some(method), Some(target), Some(minor)) = (wire.method, wire.path, wire.version) else {
        return Err(head::malformed(httparse::Error::Token));
    };
    if method.len() > METHOD_BYTES {
        return Err(long_method());
    }
    if target.len() > limits.target_bytes {
        return Err(long_target());
    }
    if head.len() > limits.head_bytes {
        return Err(long_head());
    }
    let method = Method::from_token(method);
    if method == Method::Connect {
        return Err(Refusal::new(
            &codes::METHOD_NOT_IMPLEMENTED,
            "CONNECT is not implemented",
        ));
    }
    let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
    let mut headers = head::fields(head, wire.headers)?;
    let target = authority::agreed_target(&method, target.as_bytes(), version, &mut headers)?;
    let body = framing::of_request(&headers, version)?;
    let mut request = RequestHead {
        method,
        target,
        version,
        headers,
        body,
        keep_alive: version != Version::Http10,
        expect_continue: false,
        upgrade: None,
    };
    if request.headers.any_of(Known::Connection.bit() | Known::Expect.bit()) {
        read_wishes(&mut request)?;
    }
    Ok(request)
}

/// Reads what the client wishes of the connection.
fn read_wishes(request: &mut RequestHead) -> Result<(), Refusal> {
    let options = ConnectionOptions::of(&request.headers)?;
    request.keep_alive = options.persist(request.version);
    // RFC 9110 §10.1.1 and §7.8: HTTP/1.0 knows neither, and has them ignored.
    if request.version == Version::Http10 {
        return Ok(());
    }
    for expectation in request.headers.get_all(Known::Expect) {
        if !expectation.eq_ignore_ascii_case(b"100-continue") {
            return Err(Refusal::new(
                &codes::EXPECTATION_FAILED,
                "the only expectation is 100-continue",
            ));
        }
        request.expect_continue = !request.body.is_empty();
    }
    if options.upgrade && request.body.is_empty() {
        request.upgrade = wanted_protocols(&request.headers);
    }
    Ok(())
}

/// What `Upgrade` asks for. HTTP/2 and TLS are no business of what comes after us: an upstream that switched to `h2c`
/// would take requests that no policy has seen. A server may ignore any upgrade (RFC 9110 §7.8).
fn wanted_protocols(headers: &Headers) -> Option<Box<str>> {
    let mut lines = headers.get_all(Known::Upgrade);
    let line = std::str::from_utf8(lines.next()?).ok()?;
    if lines.next().is_some() {
        return None;
    }
    let hidden = |protocol: &str| {
        let name = protocol.trim().split('/').next().unwrap_or_default();
        ["", "h2c", "h2", "http", "tls"]
            .iter()
            .any(|hidden| name.eq_ignore_ascii_case(hidden))
    };
    (!line.split(',').any(hidden)).then(|| line.into())
}

/// A version that is well-formed and none of ours is one thing, garbage in its place another.
#[cold]
fn refused_version(head: &[u8]) -> Refusal {
    let version = head.splitn(3, |byte| *byte == b' ').nth(2).unwrap_or_default();
    match version {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor, ..] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            Refusal::new(&codes::VERSION_NOT_SUPPORTED, "the versions are HTTP/1.0 and HTTP/1.1")
        }
        _ => Refusal::malformed("the request line is malformed"),
    }
}

#[cold]
fn long_method() -> Refusal {
    Refusal::new(&codes::METHOD_NOT_IMPLEMENTED, "no method is longer than 32 bytes")
}

#[cold]
fn long_target() -> Refusal {
    Refusal::new(&codes::URI_TOO_LONG, "the request target is longer than the limit")
}

#[cold]
fn long_head() -> Refusal {
    Refusal::new(&codes::HEAD_TOO_LARGE, "the head is longer than the limit")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use portcullis_core::codes::Code;

    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        head_bytes: 1024,
        target_bytes: 256,
        fields: 16,
    };

    fn read_whole(text: &str) -> RequestHead {
        let (head, len) = parse(text.as_bytes(), &LIMITS)
            .unwrap()
            .unwrap_or_else(|| panic!("incomplete: {text:?}"));
        assert_eq!(len, text.len(), "{text:?}");
        head
    }

    #[track_caller]
    fn check_refused(text: impl AsRef<[u8]>, code: &Code) {
        let text = text.as_ref();
        match parse(text, &LIMITS) {
            Err(refusal) => assert_eq!(refusal.code.name, code.name, "{}: {refusal}", text.escape_ascii()),
            Ok(read) => panic!("{}: {read:?}", text.escape_ascii()),
        }
    }

    /// A GET request with these lines after the request line.
    fn get(lines: &str) -> String {
        format!("GET / HTTP/1.1\r\n{lines}\r\n\r\n")
    }

    #[test]
    fn a_request_is_read() {
        let text = "POST /a/./b?c=d HTTP/1.1\r\nhoSt:\texample.com  \r\nX-Empty:\r\nContent-Length: 5\r\n\r\n";
        let (head, len) = parse(format!("{text}helloGET").as_bytes(), &LIMITS).unwrap().unwrap();
        assert_eq!(len, text.len());
        assert_eq!((&head.method, head.target.as_str()), (&Method::Post, "/a/b?c=d"));
        assert_eq!(
            (head.version, head.body, head.keep_alive),
            (Version::Http11, BodyLength::Sized(5), true)
        );
        let fields: Vec<_> = head.headers.iter().collect();
        assert_eq!(
            fields,
            [
                ("hoSt", &b"example.com"[..]),
                ("X-Empty", b""),
                ("Content-Length", b"5")
            ]
        );
    }

    #[test]
    fn empty_lines_come_before_a_request_at_most_twice() {
        let text = get("Host: a");
        assert_eq!(
            parse(format!("\r\n\r\n{text}").as_bytes(), &LIMITS).unwrap().unwrap().1,
            text.len() + 4
        );
        check_refused(format!("\r\n\r\n\r\n{text}"), &codes::BAD_REQUEST);
        check_refused(format!("\n{text}"), &codes::BAD_REQUEST);
        check_refused(format!("\r{text}"), &codes::BAD_REQUEST);
        assert!(parse(b"\r\n\r\n\r", &LIMITS).unwrap().is_none());
    }

    #[test]
    fn malformed_heads_are_refused() {
        for text in [
            "GET / \r\n\r\n",
            "GET /\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
            "Extra lineGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / http/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/11.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1,1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX:\nY: c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "GET / HTTP/1.1\r\nHost: a\n\n",
            "GET / HTTP/1.1\nHost: a\r\n",
            "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
            "GET / HTTP/1.1\rHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\tc\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX[]: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\u{e9}: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\x07\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\x7f\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
        ] {
            check_refused(text, &codes::BAD_REQUEST);
        }
    }

    #[test]
    fn values_may_hold_what_is_not_ascii() {
        let text = b"GET / HTTP/1.1\r\nHost: a\r\nX: \xe9\t\xff\r\n\r\n";
        let (head, _) = parse(text, &LIMITS).unwrap().unwrap();
        assert_eq!(head.headers.get("x"), Some(&b"\xe9\t\xff"[..]));
    }

    #[test]
    fn other_versions_are_told_apart_from_garbage() {
        for version in ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3.7", "HTTP/9.9"] {
            check_refused(
                format!("GET / {version}\r\nHost: a\r\n\r\n"),
                &codes::VERSION_NOT_SUPPORTED,
            );
        }
        check_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &codes::VERSION_NOT_SUPPORTED);
    }

    #[test]
    fn methods_are_tokens_of_a_sane_length() {
        assert_eq!(
            read_whole("M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n").method.as_str(),
            "M-SEARCH"
        );
        let (longest, too_long) = ("M".repeat(32), "M".repeat(33));
        assert_eq!(
            read_whole(&format!("{longest} / HTTP/1.1\r\nHost: a\r\n\r\n"))
                .method
                .as_str(),
            longest
        );
        check_refused(
            format!("{too_long} / HTTP/1.1\r\nHost: a\r\n\r\n"),
            &codes::METHOD_NOT_IMPLEMENTED,
        );
        check_refused(too_long, &codes::METHOD_NOT_IMPLEMENTED);
        check_refused(
            "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
            &codes::METHOD_NOT_IMPLEMENTED,
        );
    }

    #[test]
    fn each_limit_has_its_status() {
        let long = |count| "a".repeat(count);
        check_refused(
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", long(256)),
            &codes::URI_TOO_LONG,
        );
        check_refused(format!("GET /{}", long(400)), &codes::URI_TOO_LONG);
        check_refused(get(&format!("Host: a\r\nX: {}", long(1024))), &codes::HEAD_TOO_LARGE);
        check_refused(
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", long(1024)),
            &codes::HEAD_TOO_LARGE,
        );
        check_refused(
            get(&format!("Host: a{}", "\r\nX: b".repeat(16))),
            &codes::HEAD_TOO_LARGE,
        );
        read_whole(&get(&format!("Host: a{}", "\r\nX: b".repeat(15))));
    }

    #[test]
    fn a_limit_above_the_room_on_the_stack_holds_too() {
        let limits = HeadLimits {
            head_bytes: 1 << 20,
            target_bytes: 256,
            fields: 500,
        };
        let text = |fields: usize| get(&format!("Host: a{}", "\r\nX: b".repeat(fields - 1)));
        let (head, _) = parse(text(500).as_bytes(), &limits).unwrap().unwrap();
        assert_eq!(head.headers.len(), 500);
        assert_eq!(
            parse(text(501).as_bytes(), &limits).unwrap_err().code.name,
            codes::HEAD_TOO_LARGE.name
        );
    }

    #[test]
    fn content_has_one_length_or_none() {
        let check = |lines: &str, expected| assert_eq!(read_whole(&get(&format!("Host: a{lines}"))).body, expected);
        check("", BodyLength::None);
        check("\r\nContent-Length: 0", BodyLength::Sized(0));
        check(
            "\r\nContent-Length:\t18446744073709551615 ",
            BodyLength::Sized(u64::MAX),
        );
        check("\r\nTransfer-Encoding: chunked", BodyLength::Chunked);
        check("\r\nTRANSFER-encoding:\tcHuNkEd \t", BodyLength::Chunked);
        // Neither is a framing field to us, and our own framing goes on.
        check(
            "\r\nTransfer_Encoding: chunked\r\nContent-Encoding: chunked",
            BodyLength::None,
        );
    }

    #[test]
    fn what_two_readers_could_take_for_two_lengths_is_refused() {
        for lines in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 0",
            "Transfer-Encoding: gzip\r\nContent-Length: 0",
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5\r\ncontent-length: 6",
            "Content-Length: 5, 5",
            "Content-Length: 5,",
            "Content-Length: +5",
            "Content-Length: -5",
            "Content-Length: -123456789123456789123456789",
            "Content-Length: 5 5",
            "Content-Length: 0x5",
            "Content-Length: 5.0",
            "Content-Length: \"5\"",
            "Content-Length: abc",
            "Content-Length:",
            "Content-Length: 18446744073709551616",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked, chunked",
            "Transfer-Encoding: chunked, gzip",
            "Transfer-Encoding: chunked,",
            "Transfer-Encoding: , chunked",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunk",
            "Transfer-Encoding: \"chunked\"",
            "Transfer-Encoding: 'chunked'",
            "Transfer-Encoding: chunked;a=b",
            "Transfer-Encoding: gzip chunked bar",
            "Transfer-Encoding:",
        ] {
            check_refused(get(&format!("Host: a\r\n{lines}")), &codes::AMBIGUOUS_FRAMING);
        }
        check_refused(
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            &codes::AMBIGUOUS_FRAMING,
        );
        for bytes in [&b"\xffchunked"[..], b"\xa0chunked", b"ch\x96nked", b"chunked\xff"] {
            let text = [b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ", bytes, b"\r\n\r\n"].concat();
            check_refused(text, &codes::AMBIGUOUS_FRAMING);
        }
        for coding in ["gzip", "identity", "gzip, chunked", "cow"] {
            let lines = format!("Host: a\r\nTransfer-Encoding: {coding}");
            check_refused(get(&lines), &codes::CODING_NOT_IMPLEMENTED);
        }
    }

    #[test]
    fn connections_live_on_or_not() {
        let check = |version: &str, connection: &str, expected| {
            let text = format!("GET / {version}\r\nHost: a\r\n{connection}\r\n");
            assert_eq!(read_whole(&text).keep_alive, expected, "{text:?}");
        };
        check("HTTP/1.1", "", true);
        check("HTTP/1.1", "Connection: X-A, Close\r\n", false);
        check("HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n", false);
        check("HTTP/1.0", "", false);
        check("HTTP/1.0", "Connection: Keep-Alive\r\n", true);
        check("HTTP/1.0", "Connection: keep-alive, close\r\n", false);
    }

    #[test]
    fn only_100_continue_is_expected() {
        let expects = |text: &str| read_whole(text).expect_continue;
        assert!(expects(&get("Host: a\r\nContent-Length: 1\r\nExpect: 100-Continue")));
        assert!(!expects(&get("Host: a\r\nExpect: 100-continue")));
        assert!(!expects(
            "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"
        ));
        check_refused(get("Host: a\r\nExpect: magic"), &codes::EXPECTATION_FAILED);
        check_refused(
            get("Host: a\r\nExpect: 100-continue\r\nExpect: magic"),
            &codes::EXPECTATION_FAILED,
        );
    }

    #[test]
    fn upgrades_are_for_requests_without_content() {
        let upgrade = |lines: &str| read_whole(&get(&format!("Host: a\r\n{lines}"))).upgrade;
        assert_eq!(
            upgrade("Connection: keep-alive, Upgrade\r\nUpgrade: websocket").as_deref(),
            Some("websocket")
        );
        assert_eq!(upgrade("Upgrade: websocket"), None);
        assert_eq!(upgrade("Connection: upgrade"), None);
        assert_eq!(
            upgrade("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1"),
            None
        );
        for hidden in ["h2c", "H2C", "websocket, h2c", "HTTP/2.0", "TLS/1.0", ""] {
            assert_eq!(
                upgrade(&format!("Connection: upgrade\r\nUpgrade: {hidden}")),
                None,
                "{hidden}"
            );
        }
        let old = "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
        assert_eq!(read_whole(old).upgrade, None);
    }

    #[test]
    fn every_start_of_a_head_is_incomplete() {
        let text = "\r\nPOST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
        for end in 0..text.len() {
            assert!(parse(&text.as_bytes()[..end], &LIMITS).unwrap().is_none(), "{end}");
        }
    }
}
