//! The heads of requests (RFC 9112 §3).

use std::mem::MaybeUninit;

use httparse::Status::{Complete, Partial};
use portcullis_core::{Headers, Known, Method, Target, Version, codes};

use crate::authority;
use crate::framing::{self, BodyLength};
use crate::head::{self, EMPTY_LINE_BYTES, FIELDS_ON_STACK, FieldRoom, METHOD_BYTES, REQUEST_LINE_BYTES};
use crate::hop_by_hop::ConnectionOptions;
use crate::refusal::Refusal;

pub use crate::head::{HeadLimits, HeadScanner};

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
    let in_request_line = memchr::memchr(b'\n', head).is_none();
    if in_request_line && (too_long || head.len() > limits.target_bytes.saturating_add(REQUEST_LINE_BYTES)) {
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
    let options = ConnectionOptions::of(&request.headers);
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
