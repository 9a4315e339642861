//! The keys that are known, by their hashes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use portcullis_config::policy::api_key::{ConsumerKey, KeyHolder};
use portcullis_core::Consumer;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::validity::{Millis, Validity};
use super::{Digest, LONGEST_KEY, Refusal};
use crate::consumer::consumer;
use crate::hexadecimal;

/// Who has which key, found by the key's hash.
///
/// What a client can measure is how long a lookup by *hash* takes. The first eight bytes of the hash lead to at most one
/// candidate, and the whole hash is then compared in constant time. Whatever leaks from that is about a hash, of which
/// nobody can choose a bit without trying keys: it brings no client closer to a key.
pub(super) struct Keys(HashMap<u64, Holder>);

struct Holder {
    digest: Digest,
    validity: Validity,
    consumer: Arc<Consumer>,
}

impl Keys {
    pub(super) fn new(holders: &[KeyHolder]) -> Result<Keys, String> {
        let mut keys: HashMap<u64, Holder> = HashMap::with_capacity(holders.len());
        for holder in holders {
            let name = holder.name.as_str();
            let consumer = Arc::new(consumer(name, "api_key", &holder.scopes, &holder.roles)?);
            for key in keys_of(holder)?.iter() {
                let times = [(holder.not_before, holder.expires), (key.not_before, key.expires)];
                let digest = digest_of(name, key)?;
                let new = Holder {
                    digest,
                    validity: Validity::of_both(times)
                        .map_err(|problem| format!("a key of the consumer `{name}` {problem}"))?,
                    consumer: Arc::clone(&consumer),
                };
                if let Some(other) = keys.insert(start_of(&digest), new) {
                    let other = &other.consumer.name;
                    return Err(format!("the consumers `{other}` and `{name}` have the same key"));
                }
            }
        }
        Ok(Keys(keys))
    }

    /// Who has the key of that hash, if anybody, and whether it lets him in now.
    pub(super) fn find(&self, digest: &Digest, now: Millis) -> Option<Result<&Arc<Consumer>, Refusal>> {
        let holder = self.0.get(&start_of(digest))?;
        if !bool::from(holder.digest.ct_eq(digest)) {
            return None;
        }
        Some(holder.validity.judge(now).map(|()| &holder.consumer))
    }
}

impl std::fmt::Debug for Keys {
    /// Names only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.0.values().map(|holder| &holder.consumer.name))
            .finish()
    }
}

fn start_of(digest: &Digest) -> u64 {
    let (start, _) = digest.split_first_chunk().expect("a digest is longer than that");
    u64::from_le_bytes(*start)
}

/// All keys of a consumer: the one that stands beside its name, or those of the list.
fn keys_of(holder: &KeyHolder) -> Result<Cow<'_, [ConsumerKey]>, String> {
    let name = &holder.name;
    let has_one = holder.key.is_some() || holder.sha256.is_some();
    match (has_one, holder.keys.is_empty()) {
        (true, true) => Ok(Cow::Owned(vec![ConsumerKey {
            key: holder.key.clone(),
            sha256: holder.sha256.clone(),
            ..ConsumerKey::default()
        }])),
        (false, false) => Ok(Cow::Borrowed(&holder.keys)),
        (false, true) => Err(format!(
            "the consumer `{name}` has no key: give it `key`, `sha256` or `keys`"
        )),
        (true, false) => Err(format!(
            "the consumer `{name}` has a key beside `keys`: put it into that list"
        )),
    }
}

fn digest_of(name: &str, key: &ConsumerKey) -> Result<Digest, String> {
    match (&key.key, &key.sha256) {
        (Some(key), None) => {
            let key = key.expose().as_bytes();
            if key.is_empty() || key.len() > LONGEST_KEY {
                return Err(format!(
                    "the key of the consumer `{name}` must have 1 to {LONGEST_KEY} bytes"
                ));
            }
            Ok(Sha256::digest(key).into())
        }
        (None, Some(digits)) => hexadecimal::digest(digits).ok_or_else(|| {
            format!(
                "`sha256` of the consumer `{name}` must have 64 hexadecimal digits: `printf %s \"$KEY\" | sha256sum`"
            )
        }),
        (None, None) => Err(format!("the consumer `{name}` has no key: give it `key` or `sha256`")),
        (Some(_), Some(_)) => Err(format!(
            "the consumer `{name}` has both `key` and `sha256`: give it one of them"
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use portcullis_config::secret::Secret;
    use portcullis_config::units::Moment;

    use super::*;

    fn holder(name: &str, key: Option<&str>, sha256: Option<&str>) -> KeyHolder {
        let key = key.map(|key| Secret::new(key.to_owned()));
        KeyHolder {
            name: name.to_owned(),
            key,
            sha256: sha256.map(str::to_owned),
            ..KeyHolder::default()
        }
    }

    /// FIPS 180-2's example, `abc`.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015AD";

    #[test]
    fn a_hash_stands_for_its_key() {
        let keys = Keys::new(&[holder("a", None, Some(ABC))]).unwrap();
        let find = |key: &[u8]| keys.find(&Sha256::digest(key).into(), 0);
        assert!(find(b"abc").is_some_and(|found| &*found.unwrap().name == "a"));
        assert!(find(b"abd").is_none());
        assert!(find(ABC.as_bytes()).is_none());
    }

    #[test]
    fn what_would_let_in_the_wrong_ones_is_refused() {
        let long = "x".repeat(LONGEST_KEY + 1);
        for (holders, words) in [
            (vec![holder("a", None, None)], "no key"),
            (vec![holder("a", Some("k"), Some(ABC))], "both"),
            (vec![holder("a", Some(""), None)], "1 to 256"),
            (vec![holder("a", Some(&long), None)], "1 to 256"),
            (vec![holder("a", None, Some("ba78"))], "64 hexadecimal"),
            (vec![holder("a", None, Some(&"g".repeat(64)))], "64 hexadecimal"),
            (vec![holder("", Some("k"), None)], "visible"),
            (vec![holder("a\nb", Some("k"), None)], "visible"),
            (
                vec![holder("a", Some("abc"), None), holder("b", None, Some(ABC))],
                "same key",
            ),
        ] {
            let problem = Keys::new(&holders).unwrap_err();
            assert!(problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn each_of_several_keys_has_its_time() {
        let at = |seconds| Some(Moment::from_seconds(seconds));
        let key = |text: &str, not_before, expires| ConsumerKey {
            key: Some(Secret::new(text.to_owned())),
            sha256: None,
            not_before,
            expires,
        };
        let mut alice = KeyHolder {
            name: "alice".to_owned(),
            keys: vec![key("old", None, at(20)), key("new", at(10), None)],
            scopes: vec!["read".to_owned()],
            expires: at(30),
            ..KeyHolder::default()
        };
        let keys = Keys::new(std::slice::from_ref(&alice)).unwrap();
        for (text, second, expected) in [
            ("old", 0, Ok("alice")),
            ("new", 9, Err(Refusal::NotYet)),
            ("new", 10, Ok("alice")),
            ("old", 19, Ok("alice")),
            ("old", 20, Err(Refusal::Expired)),
            ("new", 29, Ok("alice")),
            ("new", 30, Err(Refusal::Expired)),
        ] {
            let found = keys.find(&Sha256::digest(text).into(), second * 1000).unwrap();
            assert_eq!(found.map(|consumer| &*consumer.name), expected, "{text} {second}");
        }
        alice.not_before = at(25);
        assert!(Keys::new(&[alice]).unwrap_err().contains("never"));
    }

    /// A gate with a hundred thousand consumers in its file is an ordinary one.
    #[test]
    fn a_hundred_thousand_consumers_have_one_entry_each() {
        let holders: Vec<KeyHolder> = (0..100_000)
            .map(|nth| holder(&format!("consumer-{nth}"), Some(&format!("key-{nth}")), None))
            .collect();
        let keys = Keys::new(&holders).unwrap();
        assert_eq!(keys.0.len(), holders.len());
        assert!(keys.0.capacity() < 2 * holders.len());
        let found = keys.find(&Sha256::digest("key-99999").into(), 0).unwrap().unwrap();
        assert_eq!(&*found.name, "consumer-99999");
    }

    #[test]
    fn nothing_of_a_key_is_printed() {
        let keys = Keys::new(&[holder("a", Some("abc"), None)]).unwrap();
        assert_eq!(format!("{keys:?}"), "[\"a\"]");
    }
}
