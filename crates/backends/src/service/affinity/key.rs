//! The key of a request for the consistent hash.

use std::net::IpAddr;

use portcullis_config::service::BalanceKey;
use portcullis_core::{Ctx, Request};

use crate::client_key::{self, cookies};

/// The key of a request; `None` where it has nothing of the kind, or nothing in it.
pub(super) fn of(by: &BalanceKey, cx: &Ctx, request: &Request) -> Option<u64> {
    match by {
        BalanceKey::ClientIp => Some(match cx.client {
            IpAddr::V4(address) => hash([&address.octets()[..]]),
            // A household or a machine has a network of this size, and its addresses in it change from day to day.
            IpAddr::V6(address) => hash([&address.octets()[..8]]),
        }),
        BalanceKey::Path => Some(hash([request.target.path().as_bytes()])),
        BalanceKey::Header(name) => {
            let mut values = request.headers.get_all(name.as_str()).peekable();
            let is_empty = values.peek().is_none_or(|first| first.is_empty());
            (!is_empty).then(|| hash(values))
        }
        BalanceKey::Cookie(name) => {
            let value = cookies(&request.headers, name).find(|value| !value.is_empty())?;
            Some(hash([value]))
        }
    }
}

/// A hash that doesn't depend on the process or the machine: 64 bits of FNV-1a, with a border after each part. Whoever
/// balances spreads its bits. A client may find keys that go to one target, as it may with any hash that all nodes know;
/// what helps against that is a bounded load.
fn hash<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> u64 {
    parts.into_iter().fold(client_key::NOTHING, |hash, part| {
        client_key::hash(client_key::hash(hash, part), &[0xff])
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{context, request};
    use super::*;

    fn key(by: &str, peer: &str, target: &str, fields: &[(&str, &str)]) -> Option<u64> {
        let by: BalanceKey = by.parse().expect("it is a key");
        of(&by, &context(peer), &request(target, fields))
    }

    #[test]
    fn keys_stay_the_same_from_version_to_version() {
        // Should one of these change, keys lose their targets with an update.
        let peer = "10.1.2.3:4";
        assert_eq!(key("client_ip", peer, "/", &[]), Some(0xd4e5_ec79_bddd_2c84));
        assert_eq!(key("path", peer, "/a/b?c", &[]), Some(0xba7f_3545_1bc6_f6a9));
        assert_eq!(
            key("header:X-User", peer, "/", &[("x-user", "alice")]),
            Some(0x7cb3_946d_af42_8068)
        );
        assert_eq!(
            key("cookie:session", peer, "/", &[("Cookie", "session=alice")]),
            Some(0x7cb3_946d_af42_8068)
        );
    }

    #[test]
    fn what_is_the_same_to_a_person_has_the_same_key() {
        let from = |peer: &str| key("client_ip", peer, "/", &[]);
        assert_eq!(from("10.0.0.1:1"), from("10.0.0.1:2"));
        assert_ne!(from("10.0.0.1:1"), from("10.0.0.2:1"));
        assert_eq!(from("[2001:db8:1:2:3::4]:1"), from("[2001:db8:1:2:a::b]:1"));
        assert_ne!(from("[2001:db8:1:2::]:1"), from("[2001:db8:1:3::]:1"));
        let path = |target: &str| key("path", "10.0.0.1:1", target, &[]);
        assert_eq!(path("/a?x"), path("/a?y"));
        assert_ne!(path("/a"), path("/b"));
    }

    #[test]
    fn what_is_missing_or_empty_is_no_key() {
        let peer = "10.0.0.1:1";
        assert_eq!(key("header:X-User", peer, "/", &[("X-Other", "a")]), None);
        assert_eq!(key("header:X-User", peer, "/", &[("X-User", "")]), None);
        assert_eq!(key("cookie:s", peer, "/", &[("Cookie", "s=; t=a")]), None);
    }

    #[test]
    fn two_values_are_not_one() {
        let of = |fields: &[(&str, &str)]| key("header:X-User", "10.0.0.1:1", "/", fields);
        assert_ne!(of(&[("X-User", "a"), ("X-User", "b")]), of(&[("X-User", "ab")]));
    }
}
