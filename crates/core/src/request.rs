//! A request as policies and backends see it.

use crate::{Body, Headers, Known, Method, Target, Version};

/// A request on its way from a listener to a backend.
///
/// Fields that belong to one connection only (`Connection` and what it names, `TE`, `Upgrade`, `Proxy-*`, …) have been
/// removed; framing (`Content-Length`, `Transfer-Encoding`) is the wire's own affair: what stands in the body is what
/// will be sent, whatever the fields say.
#[derive(Debug)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// Path and query, in normal form.
    pub target: Target,
    /// The version that the client spoke.
    pub version: Version,
    /// The fields. `Host` is always among them, whatever the protocol called it, but for an HTTP/1.0 client.
    pub headers: Headers,
    /// The content; empty for a request with `upgrade`.
    pub body: Body,
    /// What the client wants to switch to (RFC 9110 §7.8). Whoever ignores it answers the request as any other.
    pub upgrade: Option<Upgrade>,
}

/// A client's wish to speak another protocol on the connection.
#[derive(Debug)]
pub struct Upgrade {
    /// The protocol, such as `websocket`.
    pub protocol: Box<str>,
    /// All that the client sends after the head, to be read only once the response is 101: until then it may turn out
    /// to be the next requests.
    pub stream: Body,
}

impl Request {
    /// A request without fields or content.
    pub fn new(method: Method, target: Target) -> Request {
        Request {
            method,
            target,
            version: Version::Http11,
            headers: Headers::new(),
            body: Body::Empty,
            upgrade: None,
        }
    }

    /// The host that the client named, without port, brackets kept for IPv6. Empty where it named none.
    pub fn host(&self) -> &str {
        host_of(self.headers.get_str(Known::Host).unwrap_or_default())
    }
}

/// The host of `host[:port]`.
fn host_of(authority: &str) -> &str {
    match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => &authority[..colon],
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_their_port_only() {
        for (authority, host) in [
            ("a", "a"),
            ("a:1", "a"),
            ("[::1]", "[::1]"),
            ("[::1]:80", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(host_of(authority), host);
        }
    }
}
