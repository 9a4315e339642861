//! What a gateway tells a target about the request that it forwards.
//!
//! What a client that is not trusted says of these matters has been removed before: what is left came from a trusted
//! proxy, and is added to.

use portcullis_core::{Ctx, Headers, Known, Version};
use portcullis_http1::buffers;

/// The name of this gateway in `Via` (RFC 9110 §7.6.3).
const VIA_NAME: &[u8] = b"portcullis";

/// The longest host that is repeated in `Forwarded`; a longer one names nobody.
const LONGEST_HOST: usize = 256;

/// The forwarding fields as lines of a head: `X-Forwarded-*`, `Forwarded` (RFC 7239), `Via`, `X-Request-Id`. What
/// `headers` hold of these is taken over from there. The lines are in a buffer of [`buffers::take_output`].
pub(super) fn describe(cx: &Ctx, version: Version, headers: &mut Headers) -> Vec<u8> {
    let mut lines = buffers::take_output();
    let out = &mut lines;
    let peer = cx.connection.peer_ip.as_bytes();
    let scheme = cx.scheme.as_str().as_bytes();

    begin_list(out, headers, Known::XForwardedFor);
    end(out, &[peer]);
    if !headers.contains(Known::XForwardedProto) {
        begin(out, Known::XForwardedProto);
        end(out, &[scheme]);
    }
    if !headers.contains(Known::XForwardedPort) {
        begin(out, Known::XForwardedPort);
        let port = cx.connection.local.port();
        end(out, &[itoa::Buffer::new().format(port).as_bytes()]);
    }
    let host = headers
        .get(Known::Host)
        .filter(|host| host.len() <= LONGEST_HOST)
        .unwrap_or_default();
    if !host.is_empty() && !headers.contains(Known::XForwardedHost) {
        begin(out, Known::XForwardedHost);
        end(out, &[host]);
    }
    begin_list(out, headers, Known::Forwarded);
    let (before, after): (&[u8], &[u8]) = if cx.connection.peer.is_ipv6() {
        (b"for=\"[", b"]\";proto=")
    } else {
        (b"for=", b";proto=")
    };
    if host.is_empty() {
        end(out, &[before, peer, after, scheme]);
    } else {
        end(out, &[before, peer, after, scheme, b";host=\"", host, b"\""]);
    }
    begin(out, Known::Via);
    end(out, &[version.number().as_bytes(), b" ", VIA_NAME]);
    begin(out, Known::XRequestId);
    end(out, &[cx.request_id.as_bytes()]);
    for taken_over in [Known::XForwardedFor, Known::Forwarded, Known::XRequestId] {
        headers.remove(taken_over);
    }
    lines
}

fn begin(out: &mut Vec<u8>, name: Known) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
}

/// Begins a list field with the members that are there.
fn begin_list(out: &mut Vec<u8>, headers: &Headers, name: Known) {
    begin(out, name);
    for value in headers.get_all(name) {
        out.extend_from_slice(value);
        out.extend_from_slice(b", ");
    }
}

fn end(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::{Instant, SystemTime};

    use portcullis_core::{Connection, RequestId};

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
        let lines = describe(&cx, Version::Http11, &mut headers);
        // What goes out is what the headers still hold, and the lines.
        for line in std::str::from_utf8(&lines)
            .expect("it is text")
            .split_terminator("\r\n")
        {
            let (name, value) = line.split_once(": ").expect("it is a line of a head");
            headers.append(name, value);
        }
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
