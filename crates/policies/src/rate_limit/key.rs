//! What tells clients apart, of a request.

use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::IpAddr;

use portcullis_cel::Failure;
use portcullis_config::policy::rate_limit::RateLimitKey;
use portcullis_core::{Consumer, Ctx, Request};
use serde_json::Value;

use crate::expression::Expression;
use crate::field_name::FieldName;

/// Who is counted: 128 bits of a hash that clients can't foresee, so that neither can they aim at another's count nor does
/// a long value take room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(pub(super) u64, pub(super) u64);

impl Key {
    /// Which of so many shards it belongs to. The map there goes by the other half.
    pub(crate) fn shard(self, shards: usize) -> usize {
        usize::try_from(self.0 % shards as u64).expect("it is less than the number of shards")
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.1);
    }
}

/// Hashes keys for maps: they are hashes already.
#[derive(Debug, Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, _bytes: &[u8]) {}

    fn write_u64(&mut self, half: u64) {
        self.0 = half;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Makes keys of values, with secrets of its own.
#[derive(Debug, Default)]
pub struct KeyHash {
    first: RandomState,
    second: RandomState,
}

impl KeyHash {
    /// The key of one value.
    pub fn of(&self, value: &[u8]) -> Key {
        let mut parts = self.start();
        parts.part(Some(value));
        parts.finish()
    }

    /// The key of a request.
    ///
    /// # Errors
    /// When an expression fails.
    pub(crate) fn of_request(&self, by: &[KeyPart], cx: &Ctx, request: &Request) -> Result<Key, Failure> {
        let mut parts = self.start();
        for part in by {
            part.feed(cx, request, &mut parts)?;
        }
        Ok(parts.finish())
    }

    fn start(&self) -> Hashes {
        Hashes(self.first.build_hasher(), self.second.build_hasher())
    }
}

/// What takes the parts of a key. Each is told apart from the next one, and a value that is missing from an empty one.
pub(crate) trait Parts {
    fn part(&mut self, value: Option<&[u8]>);
}

struct Hashes(DefaultHasher, DefaultHasher);

impl Hashes {
    fn finish(&self) -> Key {
        Key(self.0.finish(), self.1.finish())
    }
}

impl Parts for Hashes {
    fn part(&mut self, value: Option<&[u8]>) {
        for hasher in [&mut self.0, &mut self.1] {
            // One more than the length, so that what is missing isn't empty.
            hasher.write_usize(value.map_or(0, |value| value.len() + 1));
            hasher.write(value.unwrap_or_default());
        }
    }
}

/// One thing that tells clients apart.
#[derive(Debug)]
pub(crate) enum KeyPart {
    ClientIp,
    Route,
    Consumer,
    Header(FieldName),
    Claim(Box<str>),
    Param(Box<str>),
    Cel(Expression),
}

impl KeyPart {
    /// # Errors
    /// When a name or an expression can't be used.
    pub(crate) fn new(written: &RateLimitKey) -> Result<KeyPart, String> {
        Ok(match written {
            RateLimitKey::ClientIp => KeyPart::ClientIp,
            RateLimitKey::Route => KeyPart::Route,
            RateLimitKey::Consumer => KeyPart::Consumer,
            RateLimitKey::Header(name) => KeyPart::Header(FieldName::new(name)?),
            RateLimitKey::Claim(path) => KeyPart::Claim(path.as_str().into()),
            RateLimitKey::Param(name) => KeyPart::Param(name.as_str().into()),
            RateLimitKey::Cel(expression) => KeyPart::Cel(Expression::text(expression)?),
        })
    }

    /// Whether it asks who the client is, which must be known by then.
    pub(crate) fn needs_identity(&self) -> bool {
        match self {
            KeyPart::Consumer | KeyPart::Claim(_) => true,
            KeyPart::Cel(expression) => expression.needs_identity(),
            _ => false,
        }
    }

    /// Hands on what the request has of it.
    ///
    /// # Errors
    /// When an expression fails.
    pub(crate) fn feed(&self, cx: &Ctx, request: &Request, to: &mut impl Parts) -> Result<(), Failure> {
        match self {
            KeyPart::ClientIp => feed_address(cx.client, to),
            KeyPart::Route => to.part(cx.route.as_ref().map(|route| route.name.as_bytes())),
            KeyPart::Consumer => to.part(cx.consumer.as_ref().map(|consumer| consumer.name.as_bytes())),
            KeyPart::Header(header) => {
                // Of several fields of a name nobody can say which one counts.
                let mut values = request.headers.get_all(header.name());
                let first = values.next();
                to.part(first.filter(|_| values.next().is_none()));
            }
            KeyPart::Claim(path) => feed_claim(cx.consumer.as_deref(), path, to),
            KeyPart::Param(name) => to.part(cx.params.get(name).map(str::as_bytes)),
            KeyPart::Cel(expression) => to.part(Some(expression.text_of(cx, request)?.as_bytes())),
        }
        Ok(())
    }
}

/// The /64 is what an IPv6 customer is given at the least; single addresses there cost nothing.
fn feed_address(client: IpAddr, to: &mut impl Parts) {
    match client.to_canonical() {
        IpAddr::V4(address) => to.part(Some(&address.octets())),
        IpAddr::V6(address) => to.part(Some(&address.octets()[..8])),
    }
}

/// A claim of that very name, or one inside of another by the names between the dots.
fn feed_claim(consumer: Option<&Consumer>, path: &str, to: &mut impl Parts) {
    let claims = consumer.map(|consumer| &consumer.claims);
    let claim = claims.and_then(|claims| {
        claims.get(path).or_else(|| {
            let (first, rest) = path.split_once('.')?;
            rest.split('.')
                .try_fold(claims.get(first)?, |within, name| within.get(name))
        })
    });
    match claim {
        None | Some(Value::Null) => to.part(None),
        Some(Value::String(text)) => to.part(Some(text.as_bytes())),
        Some(other) => to.part(Some(other.to_string().as_bytes())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::trial::{context, request};

    #[derive(Default)]
    struct Kept(Vec<Option<Vec<u8>>>);

    impl Parts for Kept {
        fn part(&mut self, value: Option<&[u8]>) {
            self.0.push(value.map(<[u8]>::to_vec));
        }
    }

    fn fed(part: &str, cx: &Ctx, request: &Request) -> Option<String> {
        let part = KeyPart::new(&part.parse().unwrap()).unwrap();
        let mut kept = Kept::default();
        part.feed(cx, request, &mut kept).unwrap();
        assert_eq!(kept.0.len(), 1);
        kept.0.remove(0).map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn an_ipv6_network_is_its_first_half() {
        let mut kept = Kept::default();
        feed_address("2001:db8:1:2:3:4:5:6".parse().unwrap(), &mut kept);
        feed_address("::ffff:192.0.2.1".parse().unwrap(), &mut kept);
        let half = vec![0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2];
        assert_eq!(kept.0, [Some(half), Some(vec![192, 0, 2, 1])]);
    }

    #[test]
    fn claims_are_found_by_name_or_path() {
        let mut cx = context();
        let request = request("GET", "/", &[]);
        assert_eq!(fed("claim:tenant", &cx, &request), None);
        let mut consumer = Consumer::new("ali", "jwt");
        let claims = json!({
            "tenant": "blue", "level": 3, "https://example.com/team": "x", "realm": {"id": "r1", "none": null}, "list": ["a"],
        });
        consumer.claims = claims.as_object().unwrap().clone();
        cx.consumer = Some(Arc::new(consumer));
        for (path, found) in [
            ("claim:tenant", Some("blue")),
            ("claim:level", Some("3")),
            ("claim:https://example.com/team", Some("x")),
            ("claim:realm.id", Some("r1")),
            ("claim:realm.none", None),
            ("claim:realm.other", None),
            ("claim:tenant.id", None),
            ("claim:list", Some("[\"a\"]")),
            ("consumer", Some("ali")),
            ("route", Some("items")),
        ] {
            assert_eq!(fed(path, &cx, &request).as_deref(), found, "{path}");
        }
    }

    #[test]
    fn parts_are_told_apart() {
        let hash = KeyHash::default();
        let key = |parts: &[Option<&[u8]>]| {
            let mut hashes = hash.start();
            for part in parts {
                hashes.part(*part);
            }
            hashes.finish()
        };
        let different = [
            key(&[Some(b"ab"), Some(b"c")]),
            key(&[Some(b"a"), Some(b"bc")]),
            key(&[Some(b"abc"), Some(b"")]),
            key(&[Some(b"abc"), None]),
            key(&[None, Some(b"abc")]),
            key(&[Some(b"abc")]),
        ];
        for (at, one) in different.iter().enumerate() {
            assert!(!different[at + 1..].contains(one));
        }
        assert_eq!(hash.of(b"abc"), key(&[Some(b"abc")]));
    }

    #[test]
    fn who_it_is_is_asked_for_by_some_keys_only() {
        for (key, needs) in [
            ("client_ip", false),
            ("route", false),
            ("header:X-A", false),
            ("param:id", false),
            ("consumer", true),
            ("claim:tenant", true),
        ] {
            let part = KeyPart::new(&key.parse().unwrap()).unwrap();
            assert_eq!(part.needs_identity(), needs, "{key}");
        }
    }
}
