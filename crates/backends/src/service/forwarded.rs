//! What a gateway tells a target about the request that it forwards.
//!
//! What a client that is not trusted says of these matters has been removed before: what is left came from a trusted
//! proxy, and is added to.

use portcullis_core::{Ctx, Headers, Known};

/// The name of this gateway in `Via` (RFC 9110 §7.6.3).
const VIA_NAME: &str = "portcullis";

/// Puts in the forwarding fields: `X-Forwarded-*`, `Forwarded` (RFC 7239), `Via`, `X-Request-Id`.
pub(super) fn describe(cx: &Ctx, version: portcullis_core::Version, headers: &mut Headers) {
    headers.reserve(8, 384);
    let peer = &*cx.connection.peer_ip;
    let scheme = cx.scheme.as_str();
    let mut text = [0; 512];
    let mut line = Line {
        text: &mut text,
        len: 0,
    };

    if headers.contains(Known::XForwardedFor) {
        let list = joined(headers, Known::XForwardedFor, peer.as_bytes());
        headers.set(Known::XForwardedFor, list);
    } else {
        headers.append(Known::XForwardedFor, peer);
    }
    if !headers.contains(Known::XForwardedProto) {
        headers.append(Known::XForwardedProto, scheme);
    }
    if !headers.contains(Known::XForwardedPort) {
        headers.append(Known::XForwardedPort, line.number(cx.connection.local.port()));
    }

    line.len = 0;
    let peer_is_v6 = cx.connection.peer.is_ipv6();
    line.push(if peer_is_v6 { b"for=\"[" } else { b"for=" });
    line.push(peer.as_bytes());
    line.push(if peer_is_v6 { b"]\";proto=" } else { b";proto=" });
    line.push(scheme.as_bytes());
    let mut host = [0; 256];
    let host_len = headers
        .get(Known::Host)
        .filter(|host| host.len() <= 256)
        .map_or(0, |value| {
            host[..value.len()].copy_from_slice(value);
            value.len()
        });
    let host = &host[..host_len];
    if !host.is_empty() {
        if !headers.contains(Known::XForwardedHost) {
            headers.append(Known::XForwardedHost, host);
        }
        line.push(b";host=\"");
        line.push(host);
        line.push(b"\"");
    }
    if headers.contains(Known::Forwarded) {
        let list = joined(headers, Known::Forwarded, line.as_bytes());
        headers.set(Known::Forwarded, list);
    } else {
        headers.append(Known::Forwarded, line.as_bytes());
    }

    line.len = 0;
    line.push(version.number().as_bytes());
    line.push(b" ");
    line.push(VIA_NAME.as_bytes());
    headers.append(Known::Via, line.as_bytes());
    headers.set(Known::XRequestId, cx.request_id.as_bytes());
}

/// A list field's values and one more, as one value.
fn joined(headers: &Headers, name: Known, last: &[u8]) -> Vec<u8> {
    let mut list = Vec::with_capacity(64);
    for value in headers.get_all(name) {
        list.extend_from_slice(value);
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(last);
    list
}

/// A short line of text on the stack, with room for a host of 256 bytes and all that stands around it.
struct Line<'t> {
    text: &'t mut [u8; 512],
    len: usize,
}

impl Line<'_> {
    fn push(&mut self, part: &[u8]) {
        if let Some(room) = self.text.get_mut(self.len..self.len + part.len()) {
            room.copy_from_slice(part);
            self.len += part.len();
        }
    }

    fn number(&mut self, number: u16) -> &[u8] {
        use std::io::Write as _;
        let start = self.len;
        let mut room = &mut self.text[start..];
        let before = room.len();
        // Five digits always fit.
        let _ = write!(room, "{number}");
        self.len += before - room.len();
        &self.text[start..self.len]
    }

    fn as_bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::{Instant, SystemTime};

    use portcullis_core::{Connection, RequestId, Version};

    use super::*;

    fn described(peer: &str, fields: &[(&str, &str)]) -> Headers {
        let peer = peer.parse().expect("an address");
        let local = "127.0.0.1:8443".parse().expect("an address");
        let connection = Rc::new(Connection::new(peer, local, None, true));
        let id = RequestId::new(b"id-1").expect("a request id");
        let cx = Ctx::new(connection, id, Instant::now(), SystemTime::now());
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.append(*name, value);
        }
        describe(&cx, Version::Http11, &mut headers);
        headers
    }

    #[test]
    fn a_request_is_described() {
        let headers = described("192.0.2.1:5", &[("Host", "a.example:8443")]);
        let get = |name: &str| headers.get_str(name).unwrap_or_default();
        assert_eq!(get("x-forwarded-for"), "192.0.2.1");
        assert_eq!(get("x-forwarded-proto"), "https");
        assert_eq!(get("x-forwarded-port"), "8443");
        assert_eq!(get("x-forwarded-host"), "a.example:8443");
        assert_eq!(get("forwarded"), "for=192.0.2.1;proto=https;host=\"a.example:8443\"");
        assert_eq!(get("via"), "1.1 portcullis");
        assert_eq!(get("x-request-id"), "id-1");
    }

    #[test]
    fn what_a_trusted_proxy_said_is_added_to() {
        let fields = [
            ("X-Forwarded-For", "9.9.9.9"),
            ("X-Forwarded-For", "8.8.8.8"),
            ("Forwarded", "for=9.9.9.9"),
            ("Via", "1.0 edge"),
            ("X-Forwarded-Proto", "http"),
        ];
        let headers = described("[2001:db8::1]:5", &fields);
        let all = |name: &str| {
            headers
                .get_all(name)
                .map(|it| String::from_utf8_lossy(it).into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(all("x-forwarded-for"), ["9.9.9.9, 8.8.8.8, 2001:db8::1"]);
        assert_eq!(all("forwarded"), ["for=9.9.9.9, for=\"[2001:db8::1]\";proto=https"]);
        assert_eq!(all("via"), ["1.0 edge", "1.1 portcullis"]);
        assert_eq!(all("x-forwarded-proto"), ["http"]);
    }

    #[test]
    fn an_overlong_host_is_left_out() {
        let long = "a".repeat(300);
        let headers = described("192.0.2.1:5", &[("Host", &long)]);
        assert!(!headers.contains(Known::XForwardedHost));
        assert_eq!(headers.get_str(Known::Forwarded), Some("for=192.0.2.1;proto=https"));
    }
}
