//! Who the client is, when proxies that we trust stand before us.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use portcullis_core::{Ctx, Headers, Known, RequestId, Scheme};

/// Fields in which proxies tell of the client. From anybody else they are lies, or mistakes.
const TOLD_BY_PROXIES: [Known; 7] = [
    Known::EarlyData,
    Known::Forwarded,
    Known::XForwardedFor,
    Known::XForwardedHost,
    Known::XForwardedPort,
    Known::XForwardedProto,
    Known::XRequestId,
];

const TOLD_BY_PROXIES_SET: u64 = set_of(&TOLD_BY_PROXIES);

/// Fields in which only the gate itself says who the client is: from anybody, trusted proxies too, they are removed,
/// whether or not the route authenticates and the listener asks for certificates. A backend that sees one can rely on
/// it (RFC 9440 §4).
const SAID_BY_US: [Known; 5] = [
    Known::XConsumer,
    Known::XConsumerRoles,
    Known::XConsumerScopes,
    Known::ClientCert,
    Known::ClientCertChain,
];

const SAID_BY_US_SET: u64 = set_of(&SAID_BY_US);

const fn set_of(names: &[Known]) -> u64 {
    let mut set = 0;
    let mut at = 0;
    while at < names.len() {
        set |= names[at].bit();
        at += 1;
    }
    set
}

/// Believes what a trusted peer says of the client, and removes what anybody else does.
pub(crate) fn establish(cx: &mut Ctx, headers: &mut Headers, trusted: &[IpNet]) {
    headers.remove_lookalikes();
    if headers.any_of(SAID_BY_US_SET) {
        for name in SAID_BY_US {
            headers.remove(name);
        }
    }
    if !headers.any_of(TOLD_BY_PROXIES_SET) {
        return;
    }
    if !is_trusted(cx.connection.peer.ip(), trusted) {
        for name in TOLD_BY_PROXIES {
            headers.remove(name);
        }
        return;
    }
    if let Some(client) = client_of(headers, trusted) {
        cx.client = client;
    }
    match headers.get(Known::XForwardedProto) {
        Some(scheme) if scheme.eq_ignore_ascii_case(b"https") => cx.scheme = Scheme::Https,
        Some(scheme) if scheme.eq_ignore_ascii_case(b"http") => cx.scheme = Scheme::Http,
        _ => {}
    }
    if let Some(id) = headers.get(Known::XRequestId).and_then(RequestId::new) {
        cx.request_id = id;
    }
}

/// Tells the backend which certificate the client showed (RFC 9440 §2.2), if it did.
pub(crate) fn forward_certificate(cx: &Ctx, headers: &mut Headers) {
    if let Some(certificate) = &cx.connection.client_certificate {
        // A byte sequence of RFC 8941 §3.3.5.
        let value = format!(":{}:", STANDARD.encode(&certificate.der));
        headers.append(Known::ClientCert, value);
    }
}

/// Whether the address is one of those networks.
pub(crate) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// The client's address: the last in `X-Forwarded-For` that is not a trusted proxy's, for whatever stands before that
/// one, the client may have written itself. With `Forwarded` alone (RFC 7239), the same over its `for` parameters.
fn client_of(headers: &Headers, trusted: &[IpNet]) -> Option<IpAddr> {
    let hops: Vec<&[u8]> = if headers.contains(Known::XForwardedFor) {
        headers.list(Known::XForwardedFor).collect()
    } else {
        headers.list(Known::Forwarded).filter_map(for_parameter).collect()
    };
    let mut nearest = None;
    for hop in hops.into_iter().rev() {
        // What can't be read ends the chain of trust.
        let Some(address) = address_of(hop) else { break };
        nearest = Some(address);
        if !is_trusted(address, trusted) {
            break;
        }
    }
    nearest
}

/// The value of `for=` in an element of `Forwarded`.
fn for_parameter(element: &[u8]) -> Option<&[u8]> {
    element.split(|byte| *byte == b';').find_map(|pair| {
        let pair = pair.trim_ascii();
        let (name, value) = pair.split_at_checked(4)?;
        name.eq_ignore_ascii_case(b"for=").then_some(value)
    })
}

/// An address as these fields write it: bare, in quotes, in brackets, with or without a port.
fn address_of(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim_matches('"');
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => text.rsplit_once(':')?.0,
    };
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::{Instant, SystemTime};

    use portcullis_core::Connection;

    use super::*;

    fn establish_for(peer: &str, trusted: &str, fields: &[(&str, &str)]) -> (String, Scheme, usize) {
        let peer = peer.parse().expect("an address");
        let connection = Rc::new(Connection::new(peer, peer, None, false));
        let id = RequestId::new(b"id").expect("a request id");
        let mut cx = Ctx::new(connection, id, Instant::now(), SystemTime::now());
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.append(*name, value);
        }
        establish(&mut cx, &mut headers, &[trusted.parse().expect("a network")]);
        (cx.client.to_string(), cx.scheme, headers.len())
    }

    #[test]
    fn strangers_are_not_believed() {
        let fields = [
            ("X-Forwarded-For", "9.9.9.9"),
            ("X-Forwarded-Proto", "https"),
            ("Forwarded", "for=1.2.3.4"),
        ];
        assert_eq!(
            establish_for("192.0.2.1:1", "10.0.0.0/8", &fields),
            ("192.0.2.1".into(), Scheme::Http, 0)
        );
    }

    #[test]
    fn trusted_proxies_are_counted_from_the_right() {
        let check = |list: &str, client: &str| {
            let fields = [("X-Forwarded-For", list), ("X-Forwarded-Proto", "https")];
            let expected = (client.to_owned(), Scheme::Https, 2);
            assert_eq!(establish_for("10.0.0.1:1", "10.0.0.0/8", &fields), expected, "{list}");
        };
        check("9.9.9.9", "9.9.9.9");
        check("1.1.1.1, 9.9.9.9, 10.0.0.2", "9.9.9.9");
        check("10.0.0.3, 10.0.0.2", "10.0.0.3");
        check("9.9.9.9, nonsense, 10.0.0.2", "10.0.0.2");
        check("nonsense", "10.0.0.1");
        check("9.9.9.9:4711", "9.9.9.9");
        check("[2001:db8::1]:4711", "2001:db8::1");
        check("::ffff:9.9.9.9", "9.9.9.9");
    }

    #[test]
    fn forwarded_is_read_where_there_is_nothing_else() {
        let fields = [(
            "Forwarded",
            "for=1.1.1.1, proto=http;For=\"[2001:db8::7]:80\", for=10.9.9.9;by=x",
        )];
        assert_eq!(establish_for("10.0.0.1:1", "10.0.0.0/8", &fields).0, "2001:db8::7");
    }
}
