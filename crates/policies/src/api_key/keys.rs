//! The keys that are known, by their hashes.

use std::collections::HashMap;
use std::sync::Arc;

use portcullis_config::policy::api_key::KeyHolder;
use portcullis_core::Consumer;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{LONGEST_KEY, Refusal};

/// The SHA-256 of a key.
type Digest = [u8; 32];

/// Who has which key, found by the key's hash.
///
/// What a client can measure is how long a lookup by *hash* takes. The first eight bytes of the hash lead to at most one
/// candidate, and the whole hash is then compared in constant time. Whatever leaks from that is about a hash, of which
/// nobody can choose a bit without trying keys: it brings no client closer to a key.
pub(super) struct Keys(HashMap<u64, Holder>);

struct Holder {
    digest: Digest,
    consumer: Arc<Consumer>,
}

impl Keys {
    pub(super) fn new(holders: &[KeyHolder]) -> Result<Keys, String> {
        let mut keys: HashMap<u64, Holder> = HashMap::with_capacity(holders.len());
        for holder in holders {
            let name = holder.name.as_str();
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(format!(
                    "the consumer `{name}` needs a name of visible ASCII characters: backends see it"
                ));
            }
            let digest = digest_of(holder)?;
            let new = Holder {
                digest,
                consumer: Arc::new(Consumer::new(name, "api_key")),
            };
            if let Some(other) = keys.insert(start_of(&digest), new) {
                return Err(format!(
                    "the consumers `{}` and `{name}` have the same key",
                    other.consumer.name
                ));
            }
        }
        Ok(Keys(keys))
    }

    pub(super) fn find(&self, key: &[u8]) -> Result<Arc<Consumer>, Refusal> {
        if key.is_empty() {
            return Err(Refusal::Missing);
        }
        if key.len() > LONGEST_KEY {
            return Err(Refusal::TooLong);
        }
        let digest: Digest = Sha256::digest(key).into();
        match self.0.get(&start_of(&digest)) {
            Some(holder) if bool::from(holder.digest.ct_eq(&digest)) => Ok(Arc::clone(&holder.consumer)),
            _ => Err(Refusal::Unknown),
        }
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

fn digest_of(holder: &KeyHolder) -> Result<Digest, String> {
    let name = &holder.name;
    match (&holder.key, &holder.sha256) {
        (Some(key), None) => {
            let key = key.expose().as_bytes();
            if key.is_empty() || key.len() > LONGEST_KEY {
                return Err(format!(
                    "the key of the consumer `{name}` must have 1 to {LONGEST_KEY} bytes"
                ));
            }
            Ok(Sha256::digest(key).into())
        }
        (None, Some(digits)) => digest_from_hexadecimal(digits).ok_or_else(|| {
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

fn digest_from_hexadecimal(text: &str) -> Option<Digest> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let value = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(digest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use portcullis_config::secret::Secret;

    use super::*;

    fn holder(name: &str, key: Option<&str>, sha256: Option<&str>) -> KeyHolder {
        let key = key.map(|key| Secret::new(key.to_owned()));
        KeyHolder {
            name: name.to_owned(),
            key,
            sha256: sha256.map(str::to_owned),
        }
    }

    /// FIPS 180-2's example, `abc`.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015AD";

    #[test]
    fn a_hash_stands_for_its_key() {
        let keys = Keys::new(&[holder("a", None, Some(ABC))]).unwrap();
        assert!(keys.find(b"abc").is_ok_and(|consumer| &*consumer.name == "a"));
        assert!(keys.find(b"abd").is_err());
        assert!(keys.find(ABC.as_bytes()).is_err());
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
            (vec![holder("", Some("k"), None)], "name"),
            (vec![holder("a\nb", Some("k"), None)], "name"),
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
    fn nothing_of_a_key_is_printed() {
        let keys = Keys::new(&[holder("a", Some("abc"), None)]).unwrap();
        assert_eq!(format!("{keys:?}"), "[\"a\"]");
    }
}
