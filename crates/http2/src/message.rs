//! Between the messages of the `http` crate, which HTTP/2 and HTTP/3 arrive in, and ours (RFC 9113 §8, RFC 9114 §4).

mod names;

use std::borrow::Cow;

use http::header::{HeaderMap, HeaderValue};
use http::request::Parts;
use portcullis_core::codes::Code;
use portcullis_core::{Error, Headers, Known, Method, Result, Status, Target, codes};
use portcullis_http1::chunked::NOT_TRAILERS;
use portcullis_http1::encode::ResponseLength;
use portcullis_http1::framing::BodyLength;
use portcullis_http1::{HeadLimits, METHOD_BYTES, Refusal, authority, date};

/// A request up to its content, with everything checked that decides whom it is for.
#[derive(Debug)]
pub struct RequestHead {
    /// What is asked for; never CONNECT: a request to speak another protocol (RFC 8441, RFC 9220) is a GET, as it is in
    /// HTTP/1.1.
    pub method: Method,
    /// The target in origin form, or `*`.
    pub target: Target,
    /// The fields, of which the first is `Host`, whatever it was called.
    pub headers: Headers,
    /// The length that the client promises for the content.
    pub content_length: Option<u64>,
    /// Whether the client waits for a 100 before it sends the content.
    pub expect_continue: bool,
    /// The protocol that the client wants to speak on the stream, where it does.
    pub upgrade: Option<Box<str>>,
}

/// Fields that belong to one connection of HTTP/1.1, which a message of a later version must not have
/// (RFC 9113 §8.2.2, RFC 9114 §4.2).
const CONNECTION_FIELDS: u64 = Known::Connection.bit()
    | Known::KeepAlive.bit()
    | Known::ProxyConnection.bit()
    | Known::TransferEncoding.bit()
    | Known::Upgrade.bit();

/// Fields that are never written: those of a connection, and what h2c was asked for with.
const NOT_WRITTEN: u64 = CONNECTION_FIELDS | Known::Http2Settings.bit();

/// What a field takes in a head beside its name and value, in HTTP/1.1: colon, space, line break. The limit of a head is
/// the same for every version.
const FIELD_OVERHEAD: usize = 4;

/// Reads the head of a request. `protocol` is the `:protocol` of an extended CONNECT.
///
/// # Errors
/// Says why the request is refused: a malformed one with `bad_request`, whose stream is best reset after the answer.
pub fn request_head(parts: &Parts, protocol: Option<&str>, limits: &HeadLimits) -> Result<RequestHead> {
    let (method, upgrade) = method(&parts.method, protocol)?;
    let raw_target = match parts.uri.path_and_query() {
        Some(target) => target.as_str().as_bytes(),
        None => return Err(malformed("there is no path")),
    };
    if raw_target.len() > limits.target_bytes {
        return Err(too_large(
            &codes::URI_TOO_LONG,
            "the request target is longer than the limit",
        ));
    }
    let host = host(parts)?;
    let headers = received_head(&parts.headers, host, raw_target.len(), limits)?;
    let target = match raw_target {
        b"*" if method == Method::Options => Target::asterisk(),
        raw => Target::parse(raw).map_err(Refusal::from)?,
    };
    Ok(RequestHead {
        content_length: content_length(&headers)?,
        expect_continue: expects_continue(&headers)?,
        method,
        target,
        headers,
        upgrade,
    })
}

/// Reads a trailer section. Fields that no trailer may be are dropped (RFC 9110 §6.5.1).
///
/// # Errors
/// Refuses more and longer fields than a head may have, and what belongs to a connection.
pub fn received_trailers(fields: &HeaderMap, limits: &HeadLimits) -> Result<Headers> {
    let bytes = size(fields, limits)?;
    let mut trailers = Headers::with_capacity(fields.len(), bytes);
    append_fields(&mut trailers, fields)?;
    if trailers.any_of(NOT_TRAILERS) {
        trailers.retain(|known, _, _| known.is_none_or(|known| NOT_TRAILERS & known.bit() == 0));
    }
    Ok(trailers)
}

/// The head of a final response. `Date` is added where it is missing (RFC 9110 §6.6.1); the length is what `length` says,
/// whatever the fields say, as in [`portcullis_http1::encode::response`].
pub fn response_head(status: Status, headers: &Headers, length: ResponseLength) -> http::Response<()> {
    let mut passed_over = NOT_WRITTEN | Known::ContentLength.bit();
    let announced = match length {
        ResponseLength::Body(BodyLength::Sized(length)) => Some(length),
        ResponseLength::Body(_) => None,
        ResponseLength::Head(_) if headers.any_of(Known::ContentLength.bit()) => {
            passed_over &= !Known::ContentLength.bit();
            None
        }
        ResponseLength::Head(length) => length.filter(|length| *length > 0),
    };
    let mut response = head_of(status);
    let fields = response.headers_mut();
    fields.reserve(headers.len() + 2);
    if !headers.any_of(Known::Date.bit()) {
        let date = HeaderValue::from_bytes(&date::now()).expect("a date is visible ASCII");
        fields.insert(http::header::DATE, date);
    }
    if let Some(length) = announced {
        fields.insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    write_fields(fields, headers, passed_over);
    response
}

/// The head of an interim response, such as 103.
pub fn informational_head(status: Status, headers: &Headers) -> http::Response<()> {
    let mut response = head_of(status);
    write_fields(
        response.headers_mut(),
        headers,
        NOT_WRITTEN | Known::ContentLength.bit(),
    );
    response
}

/// A trailer section as it goes out.
pub fn written_trailers(trailers: &Headers) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(trailers.len());
    write_fields(&mut fields, trailers, NOT_TRAILERS);
    fields
}

/// Appends all fields but those of `passed_over`, a set of [`Known::bit`].
pub(crate) fn write_fields(fields: &mut HeaderMap, headers: &Headers, passed_over: u64) {
    for (known, name, value) in headers.iter_bytes() {
        if known.is_some_and(|known| passed_over & known.bit() != 0) {
            continue;
        }
        let Some(name) = names::header_name(known, name) else {
            continue;
        };
        let value = HeaderValue::from_bytes(value).unwrap_or_else(|_| mended(value));
        // Refused only beyond 32,768 fields, and a list holds far fewer.
        let _ = fields.try_append(name, value);
    }
}

/// Appends all received fields but `Host`, which stands first already, and joins the pieces of `Cookie`
/// (RFC 9113 §8.2.3, RFC 9114 §4.2.1).
///
/// # Errors
/// Refuses what makes a message malformed.
pub(crate) fn append_fields(headers: &mut Headers, fields: &HeaderMap) -> Result<()> {
    let mut cookie_seen = false;
    for (name, value) in fields {
        let value = value.as_bytes();
        // RFC 9113 §8.2.1
        if let (Some(b' ' | b'\t'), _) | (_, Some(b' ' | b'\t')) = (value.first(), value.last()) {
            return Err(malformed("a field value starts or ends with white space"));
        }
        // The one byte that `HeaderName` takes from a lower-case name and no token has (RFC 9110 §5.6.2): a server of
        // HTTP/1.1 would refuse the request, or read it another way.
        if name.as_str().as_bytes().contains(&b'"') {
            return Err(malformed("a field name is no token"));
        }
        if *name == http::header::COOKIE {
            if !std::mem::replace(&mut cookie_seen, true) {
                headers.append_received(name.as_str(), &cookie(fields, value));
            }
        } else if *name != http::header::HOST {
            headers.append_received(name.as_str(), value);
        }
    }
    if headers.any_of(CONNECTION_FIELDS) {
        return Err(malformed("a field belongs to a connection of HTTP/1.1"));
    }
    let is_other = |te: &[u8]| !te.eq_ignore_ascii_case(b"trailers");
    if headers.any_of(Known::Te.bit()) && headers.get_all(Known::Te).any(is_other) {
        return Err(malformed("TE says something else than trailers"));
    }
    Ok(())
}

/// How many bytes the fields take, within the limits.
///
/// # Errors
/// `head_too_large` beyond them.
pub(crate) fn size(fields: &HeaderMap, limits: &HeadLimits) -> Result<usize> {
    if fields.len() > limits.fields {
        return Err(too_large(&codes::HEAD_TOO_LARGE, "there are too many header fields"));
    }
    let bytes = fields
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD)
        .sum::<usize>();
    if bytes > limits.head_bytes {
        return Err(too_large(&codes::HEAD_TOO_LARGE, "the head is longer than the limit"));
    }
    Ok(bytes)
}

fn method(method: &http::Method, protocol: Option<&str>) -> Result<(Method, Option<Box<str>>)> {
    let not_implemented = |detail| Error::new(&codes::METHOD_NOT_IMPLEMENTED).with_detail(detail);
    let token = method.as_str();
    match (method, protocol) {
        (&http::Method::CONNECT, Some(protocol)) if may_be_spoken(protocol) => Ok((Method::Get, Some(protocol.into()))),
        // RFC 9220 §3 has 501 for a protocol that the server doesn't know.
        (&http::Method::CONNECT, Some(_)) => Err(not_implemented("the protocol is not implemented")),
        (&http::Method::CONNECT, None) => Err(not_implemented("CONNECT is not implemented")),
        (_, Some(_)) => Err(malformed("only CONNECT has a protocol")),
        (_, None) if token.len() > METHOD_BYTES => Err(not_implemented("no method is longer than 32 bytes")),
        (_, None) => Ok((Method::from_token(token), None)),
    }
}

/// Whether a protocol may be spoken with what comes after us. HTTP and TLS are no business of it: an upstream that
/// switched to HTTP/2 would take requests that no policy has seen.
fn may_be_spoken(protocol: &str) -> bool {
    portcullis_core::headers::is_token(protocol.as_bytes())
        && !["h2c", "h2", "h3", "http", "tls"]
            .iter()
            .any(|hidden| protocol.eq_ignore_ascii_case(hidden))
}

/// The host that the request is for: `:authority`, or `Host` where there is none; if there are both they must agree
/// (RFC 9113 §8.3.1, RFC 9114 §4.3.1).
fn host(parts: &Parts) -> Result<&[u8]> {
    let default_port: &[u8] = match parts.uri.scheme_str() {
        Some("http") => b"80",
        // A request without an authority has lost its scheme on the way here; then there is nothing to compare.
        Some("https") | None => b"443",
        Some(_) => return Err(malformed("the scheme is neither http nor https")),
    };
    let mut hosts = parts.headers.get_all(http::header::HOST).iter();
    let field = hosts.next().map(HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return Err(malformed("there is more than one Host field"));
    }
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    let Some(host) = authority.or(field).filter(|host| !host.is_empty()) else {
        return Err(malformed("there is neither :authority nor Host"));
    };
    if !authority::is_authority(host) {
        return Err(malformed("the authority is not a host and perhaps a port"));
    }
    match field {
        Some(field) if !authority::same_authority(field, host, default_port) => {
            Err(malformed(":authority and Host name different hosts"))
        }
        _ => Ok(host),
    }
}

/// All fields of a request with `Host` before them.
fn received_head(fields: &HeaderMap, host: &[u8], target_len: usize, limits: &HeadLimits) -> Result<Headers> {
    let bytes = size(fields, limits)? + "host".len() + host.len() + FIELD_OVERHEAD;
    if bytes + target_len > limits.head_bytes {
        return Err(too_large(&codes::HEAD_TOO_LARGE, "the head is longer than the limit"));
    }
    // Room for what a gateway adds: forwarding fields, a request id.
    let mut headers = Headers::with_capacity(fields.len() + 10, bytes + 384);
    headers.append_received("host", host);
    append_fields(&mut headers, fields)?;
    Ok(headers)
}

/// The pieces of `Cookie` as the one line that HTTP/1.1 and everything behind it expects.
fn cookie<'f>(fields: &'f HeaderMap, first: &'f [u8]) -> Cow<'f, [u8]> {
    let mut pieces = fields.get_all(http::header::COOKIE).iter().map(HeaderValue::as_bytes);
    if pieces.nth(1).is_none() {
        return Cow::Borrowed(first);
    }
    let pieces: Vec<&[u8]> = fields
        .get_all(http::header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    Cow::Owned(pieces.join(&b"; "[..]))
}

fn content_length(headers: &Headers) -> Result<Option<u64>> {
    let ambiguous = |detail| Error::new(&codes::AMBIGUOUS_FRAMING).with_detail(detail);
    let mut values = headers.get_all(Known::ContentLength);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ambiguous("Content-Length is repeated"));
    }
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    match length.filter(|_| is_number) {
        Some(length) => Ok(Some(length)),
        None => Err(ambiguous("Content-Length is not a number")),
    }
}

fn expects_continue(headers: &Headers) -> Result<bool> {
    let mut expectations = headers.get_all(Known::Expect).peekable();
    let expected = expectations.peek().is_some();
    if expectations.all(|expectation| expectation.eq_ignore_ascii_case(b"100-continue")) {
        return Ok(expected);
    }
    Err(Error::new(&codes::EXPECTATION_FAILED).with_detail("the only expectation is 100-continue"))
}

fn head_of(status: Status) -> http::Response<()> {
    let mut response = http::Response::new(());
    *response.version_mut() = http::Version::HTTP_2;
    *response.status_mut() =
        http::StatusCode::from_u16(status.code()).expect("a status is three digits, as the crate has it");
    response
}

/// A value with spaces in place of the control characters that no field may hold (RFC 9110 §5.5).
#[cold]
fn mended(value: &[u8]) -> HeaderValue {
    let visible: Vec<u8> = value
        .iter()
        .map(|byte| match byte {
            0..b' ' | 0x7f => b' ',
            other => *other,
        })
        .collect();
    HeaderValue::from_bytes(&visible).expect("there is no control character left")
}

#[cold]
fn malformed(detail: &'static str) -> Error {
    Error::new(&codes::BAD_REQUEST).with_detail(detail)
}

#[cold]
fn too_large(code: &'static Code, detail: &'static str) -> Error {
    Error::new(code).with_detail(detail)
}

#[cfg(test)]
mod tests;
