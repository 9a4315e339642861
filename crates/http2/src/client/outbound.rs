//! A request as it goes out (RFC 9113 §8.3).

use bytes::Bytes;
use h2::ext::Protocol;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Uri, header};
use portcullis_core::{Body, Error, Headers, Known, Method, Result, Target, codes};

use crate::message;

/// Fields that say what HTTP/2 says in another way, or nothing: `Host` is `:authority`, an expectation has been met by
/// whoever reads the content here, `TE` is written where it is wanted.
const NOT_WRITTEN: u64 = Known::Connection.bit()
    | Known::ContentLength.bit()
    | Known::Expect.bit()
    | Known::Host.bit()
    | Known::Http2Settings.bit()
    | Known::KeepAlive.bit()
    | Known::ProxyConnection.bit()
    | Known::Te.bit()
    | Known::TransferEncoding.bit()
    | Known::Upgrade.bit();

/// The part of the handshake of WebSocket that is of no use in HTTP/2 (RFC 8441 §5).
const WEBSOCKET_KEY: HeaderName = header::SEC_WEBSOCKET_KEY;

/// A request but for its body.
pub struct Outbound<'r> {
    /// What is asked for.
    pub method: &'r Method,
    /// Path and query.
    pub target: &'r Target,
    /// The fields; `Host` becomes the authority.
    pub headers: &'r Headers,
    /// More fields, as lines of an HTTP/1.1 head.
    pub lines: &'r [u8],
    /// The authority for a request without a host.
    pub authority: &'r str,
    /// Whether the connection speaks TLS.
    pub secure: bool,
    /// Whether to say that trailers are understood, without which gRPC servers refuse.
    pub te_trailers: bool,
    /// The protocol to speak on the stream (RFC 8441); the body is then what is said.
    pub protocol: Option<&'r str>,
}

impl Outbound<'_> {
    /// The head, with a length where that of the content is known.
    ///
    /// # Errors
    /// `bad_request` for a host that can't stand in an authority.
    pub fn head(&self, body: &Body) -> Result<http::Request<()>> {
        let mut request = http::Request::new(());
        *request.version_mut() = http::Version::HTTP_2;
        *request.uri_mut() = self.uri()?;
        *request.method_mut() = match self.protocol {
            Some(protocol) => {
                request.extensions_mut().insert(Protocol::from(protocol));
                http::Method::CONNECT
            }
            None => http::Method::from_bytes(self.method.as_str().as_bytes())
                .map_err(|error| Error::new(&codes::BAD_REQUEST).with_cause(error))?,
        };
        let fields = request.headers_mut();
        fields.reserve(self.headers.len() + 12);
        message::write_fields(fields, self.headers, NOT_WRITTEN);
        write_lines(fields, self.lines);
        if self.te_trailers {
            fields.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        match self.protocol {
            Some(_) => drop(fields.remove(WEBSOCKET_KEY)),
            None => self.announce(fields, body),
        }
        Ok(request)
    }

    fn announce(&self, fields: &mut http::HeaderMap, body: &Body) {
        // RFC 9110 §8.6: a method that gives content a meaning tells that there is none.
        let tells_of_none = matches!(self.method, Method::Post | Method::Put | Method::Patch);
        if let Some(length) = body.remaining().filter(|length| *length > 0 || tells_of_none) {
            fields.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
    }

    fn uri(&self) -> Result<Uri> {
        let host = self.headers.get(Known::Host).filter(|host| !host.is_empty());
        let host = host.unwrap_or(self.authority.as_bytes());
        let authority = Authority::try_from(host).map_err(|error| {
            Error::new(&codes::BAD_REQUEST)
                .with_detail("the host is malformed")
                .with_cause(error)
        })?;
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(if self.secure { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = Some(authority);
        parts.path_and_query = Some(path_and_query(self.target.as_str())?);
        Uri::from_parts(parts).map_err(|error| Error::new(&codes::BAD_TARGET).with_cause(error))
    }
}

/// The target as the `http` crate takes it. It refuses some characters that many clients send unencoded, though a URI
/// can't hold them (RFC 3986 §2): these are encoded then.
fn path_and_query(target: &str) -> Result<PathAndQuery> {
    if let Ok(path) = PathAndQuery::from_maybe_shared(Bytes::copy_from_slice(target.as_bytes())) {
        return Ok(path);
    }
    let mut encoded = String::with_capacity(target.len() + 16);
    for character in target.chars() {
        match character {
            '"' | '<' | '>' | '`' | '{' | '}' | '|' | '^' | '[' | ']' => {
                use std::fmt::Write as _;
                write!(encoded, "%{:02X}", u32::from(character)).expect("a String takes every write");
            }
            other => encoded.push(other),
        }
    }
    PathAndQuery::try_from(encoded).map_err(|error| Error::new(&codes::BAD_TARGET).with_cause(error))
}

/// Adds fields that are written as lines of a head.
fn write_lines(fields: &mut http::HeaderMap, lines: &[u8]) {
    for line in lines.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let value = line[colon + 1..].trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(value)) {
            // Refused only beyond 32,768 fields, and a list holds far fewer.
            let _ = fields.try_append(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbound<'r>(method: &'r Method, target: &'r Target, headers: &'r Headers) -> Outbound<'r> {
        Outbound {
            method,
            target,
            headers,
            lines: b"X-Request-Id: id-1\r\nVia: 1.1 portcullis\r\n",
            authority: "target.example:9000",
            secure: false,
            te_trailers: false,
            protocol: None,
        }
    }

    fn target(text: &str) -> Target {
        Target::parse(text.as_bytes()).expect("it is valid")
    }

    #[test]
    fn a_request_has_an_authority_and_no_field_of_a_connection() {
        let mut headers = Headers::new();
        for (name, value) in [
            ("Host", "a.example:8080"),
            ("X-A", "1"),
            ("TE", "trailers"),
            ("Expect", "100-continue"),
            ("Content-Length", "7"),
            ("Keep-Alive", "5"),
        ] {
            headers.append(name, value);
        }
        let target = target("/a?b=c");
        let request = outbound(&Method::Get, &target, &headers)
            .head(&Body::Empty)
            .expect("it is good");
        assert_eq!(request.uri().to_string(), "http://a.example:8080/a?b=c");
        let mut names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["via", "x-a", "x-request-id"]);
        assert_eq!(request.headers()["x-request-id"], "id-1");
    }

    #[test]
    fn a_length_is_that_of_the_body() {
        let (headers, target) = (Headers::new(), target("/"));
        let length = |method: &Method, body: Body| {
            let request = outbound(method, &target, &headers).head(&body).expect("it is good");
            assert_eq!(request.uri().host(), Some("target.example"));
            let length = request.headers().get(header::CONTENT_LENGTH);
            length.map(|length| length.to_str().expect("it is a number").to_owned())
        };
        assert_eq!(length(&Method::Get, Body::Empty), None);
        assert_eq!(length(&Method::Post, Body::Empty).as_deref(), Some("0"));
        assert_eq!(length(&Method::Post, Body::from("abc")).as_deref(), Some("3"));
    }

    #[test]
    fn characters_that_no_uri_holds_are_encoded() {
        for (written, sent) in [
            ("/a<b>`?c={\"d\"}", "/a%3Cb%3E%60?c=%7B%22d%22%7D"),
            ("/plain?x=[1]", "/plain?x=[1]"),
        ] {
            let path = path_and_query(written).expect("it can be encoded");
            assert_eq!(path.as_str(), sent);
        }
    }

    #[test]
    fn a_tunnel_is_a_connect_with_a_protocol() {
        let mut headers = Headers::new();
        headers.append("Host", "a");
        headers.append("Sec-WebSocket-Key", "abc");
        headers.append("Sec-WebSocket-Version", "13");
        let target = target("/chat");
        let mut outbound = outbound(&Method::Get, &target, &headers);
        outbound.protocol = Some("websocket");
        let request = outbound.head(&Body::Empty).expect("it is good");
        assert_eq!(request.method(), http::Method::CONNECT);
        assert_eq!(
            request.extensions().get::<Protocol>().map(Protocol::as_str),
            Some("websocket")
        );
        assert!(!request.headers().contains_key("sec-websocket-key"));
        assert!(request.headers().contains_key("sec-websocket-version"));
        assert!(!request.headers().contains_key(header::CONTENT_LENGTH));
    }
}
