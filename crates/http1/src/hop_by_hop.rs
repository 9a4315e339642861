//! Fields that belong to one connection (RFC 9110 §7.6.1).

use portcullis_core::{Headers, Known, Version};

use crate::refusal::Refusal;

const CONNECTION_FIELDS: u64 = Known::Connection.bit()
    | Known::KeepAlive.bit()
    | Known::ProxyConnection.bit()
    | Known::Te.bit()
    | Known::TransferEncoding.bit()
    | Known::Upgrade.bit()
    | Known::ProxyAuthenticate.bit()
    | Known::ProxyAuthorization.bit()
    | Known::Http2Settings.bit();

/// Fields that no `Connection` may take away: with these a client could blind what comes after us, such as by
/// `Connection: X-Forwarded-For`. RFC 9110 §7.6.1 forbids a sender to name a field that is meant for all recipients.
const END_TO_END: u64 = Known::Authorization.bit()
    | Known::CacheControl.bit()
    | Known::ContentEncoding.bit()
    | Known::ContentLength.bit()
    | Known::ContentRange.bit()
    | Known::ContentType.bit()
    | Known::Cookie.bit()
    | Known::Date.bit()
    | Known::Forwarded.bit()
    | Known::Host.bit()
    | Known::Origin.bit()
    | Known::SetCookie.bit()
    | Known::Traceparent.bit()
    | Known::Via.bit()
    | Known::WwwAuthenticate.bit()
    | Known::XForwardedFor.bit()
    | Known::XForwardedHost.bit()
    | Known::XForwardedPort.bit()
    | Known::XForwardedProto.bit()
    | Known::XRequestId.bit();

/// The most options that a message may list in `Connection`. Each costs a look at every field.
const MOST_OPTIONS: usize = 64;

/// Removes the fields that are not to be forwarded: `Connection`, what it names, and those that always belong to one
/// connection. `Trailer` stays, for trailers are forwarded. Costs one comparison where there are none.
pub fn strip_hop_by_hop(headers: &mut Headers) {
    if !headers.any_of(CONNECTION_FIELDS) {
        return;
    }
    let named: Vec<Box<[u8]>> = headers
        .list(Known::Connection)
        .take(MOST_OPTIONS)
        .filter(|option| !is_plain_option(option) && may_be_named(option))
        .map(Box::from)
        .collect();
    headers.retain(|known, name, _| match known {
        Some(known) if CONNECTION_FIELDS & known.bit() != 0 => false,
        _ => !named.iter().any(|option| option.eq_ignore_ascii_case(name.as_bytes())),
    });
}

/// The options that say something else than the name of a field, or name one that is removed anyway.
fn is_plain_option(option: &[u8]) -> bool {
    [&b"close"[..], b"keep-alive", b"upgrade", b"te"]
        .iter()
        .any(|plain| option.eq_ignore_ascii_case(plain))
}

fn may_be_named(option: &[u8]) -> bool {
    Known::from_name(option).is_none_or(|known| END_TO_END & known.bit() == 0)
}

/// What `Connection` says about the connection itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ConnectionOptions {
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
}

impl ConnectionOptions {
    /// Refuses more options than anybody needs.
    pub(crate) fn of(headers: &Headers) -> Result<ConnectionOptions, Refusal> {
        let mut options = ConnectionOptions::default();
        for (at, option) in headers.list(Known::Connection).enumerate() {
            if at == MOST_OPTIONS {
                return Err(Refusal::malformed("Connection lists more than 64 options"));
            }
            options.close |= option.eq_ignore_ascii_case(b"close");
            options.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            options.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
        Ok(options)
    }

    /// Whether the connection outlives the message (RFC 9112 §9.3).
    pub(crate) fn persist(self, version: Version) -> bool {
        !self.close && (version != Version::Http10 || self.keep_alive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fields: &[(&str, &str)], left: &[&str]) {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.append(*name, value);
        }
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers.iter().map(|(name, _)| name).collect::<Vec<_>>(), left);
    }

    #[test]
    fn what_belongs_to_one_connection_goes() {
        check(&[("Host", "a"), ("x", "b")], &["Host", "x"]);
        check(
            &[("connection", "X-A, close"), ("x-a", "1"), ("X-A", "2"), ("X-B", "3")],
            &["X-B"],
        );
        check(
            &[("X-A", "1"), ("Connection", "x-b"), ("Connection", "x-a"), ("X-B", "2")],
            &[],
        );
        check(
            &[("TE", "trailers"), ("Trailer", "x"), ("Keep-Alive", "timeout=5")],
            &["Trailer"],
        );
        check(
            &[
                ("Upgrade", "a"),
                ("HTTP2-Settings", "b"),
                ("Transfer-Encoding", "chunked"),
            ],
            &[],
        );
        check(
            &[
                ("Proxy-Connection", "a"),
                ("Proxy-Authorization", "b"),
                ("Proxy-Authenticate", "c"),
            ],
            &[],
        );
    }

    #[test]
    fn what_is_meant_for_everybody_stays() {
        let named = "Host, content-length, X-Forwarded-For, Forwarded, Authorization, Cookie, X-Mine";
        let fields = [
            "Host",
            "Content-Length",
            "X-Forwarded-For",
            "Forwarded",
            "Authorization",
            "Cookie",
        ];
        let mut all = vec![("Connection", named), ("X-Mine", "1")];
        all.extend(fields.iter().map(|name| (*name, "1")));
        check(&all, &fields);
    }

    #[test]
    fn a_list_of_options_has_an_end() {
        let listed = |count: usize| {
            let mut headers = Headers::new();
            headers.append(Known::Connection, "x,".repeat(count - 1));
            headers.append(Known::Connection, "close");
            ConnectionOptions::of(&headers).map(|options| options.close)
        };
        assert_eq!(listed(64), Ok(true));
        assert!(listed(65).is_err());
    }
}
