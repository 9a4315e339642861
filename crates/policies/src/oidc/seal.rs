//! What browsers keep for us, and can neither read nor change.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The fewest bytes of a secret: as many as the key that is made of it.
const SHORTEST_SECRET: usize = 32;

/// Keys made of secrets. The first encrypts, all decrypt.
pub(super) struct Seal {
    keys: Box<[RandomizedNonceKey]>,
}

impl Seal {
    /// Keys for one use: what one seals, none with another `context` opens, whatever the secrets.
    ///
    /// # Errors
    /// When a secret is too short to be one.
    pub(super) fn new<'s>(secrets: impl IntoIterator<Item = &'s str>, context: &[&[u8]]) -> Result<Seal, String> {
        let keys: Box<[_]> = secrets
            .into_iter()
            .map(|secret| key(secret, context))
            .collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err("there is no `secret` to encrypt sessions by".to_owned());
        }
        Ok(Seal { keys })
    }

    /// The text that hides and protects `plain`, for the place that `name` names.
    pub(super) fn seal(&self, name: &str, plain: &[u8]) -> String {
        let mut sealed = plain.to_vec();
        let nonce = self.keys[0]
            .seal_in_place_append_tag(Aad::from(name.as_bytes()), &mut sealed)
            .expect("what is sealed is far shorter than the cipher allows");
        let mut whole = Vec::with_capacity(NONCE_LEN + sealed.len());
        whole.extend_from_slice(nonce.as_ref());
        whole.extend_from_slice(&sealed);
        URL_SAFE_NO_PAD.encode(whole)
    }

    /// What was sealed for that place, if nobody changed it.
    pub(super) fn open(&self, name: &str, text: &str) -> Option<Vec<u8>> {
        let whole = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = whole.split_at_checked(NONCE_LEN)?;
        self.keys.iter().find_map(|key| {
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut sealed = sealed.to_vec();
            let plain = key.open_in_place(nonce, Aad::from(name.as_bytes()), &mut sealed).ok()?;
            let length = plain.len();
            sealed.truncate(length);
            Some(sealed)
        })
    }
}

fn key(secret: &str, context: &[&[u8]]) -> Result<RandomizedNonceKey, String> {
    if secret.len() < SHORTEST_SECRET {
        return Err(format!(
            "a `secret` has at least {SHORTEST_SECRET} bytes: `openssl rand -base64 32` makes one"
        ));
    }
    // Each part of the context keeps its bounds by its length before it.
    let lengths: Vec<[u8; 8]> = context.iter().map(|part| (part.len() as u64).to_le_bytes()).collect();
    let info: Vec<&[u8]> = lengths
        .iter()
        .zip(context)
        .flat_map(|(length, part)| [&length[..], part])
        .collect();
    let mut bytes = [0; 32];
    let extracted = Salt::new(HKDF_SHA256, b"portcullis oidc").extract(secret.as_bytes());
    let key = extracted
        .expand(&info, &AES_256_GCM)
        .and_then(|key| key.fill(&mut bytes));
    key.and_then(|()| RandomizedNonceKey::new(&AES_256_GCM, &bytes))
        .map_err(|_| "a key can't be made of `secret`".to_owned())
}

/// 32 random bytes as 43 characters of base64url.
pub(super) fn random_text() -> String {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).expect("the system gives random bytes");
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const ONE: &str = "one secret that is thirty-two bytes";
    const TWO: &str = "another secret that is long enough!";

    fn seal(secrets: &[&str], context: &[&[u8]]) -> Seal {
        Seal::new(secrets.iter().copied(), context).unwrap()
    }

    #[test]
    fn what_is_sealed_is_opened_for_its_place_only() {
        let one = seal(&[ONE], &[b"a"]);
        let text = one.seal("cookie", b"plain");
        assert_eq!(one.open("cookie", &text).unwrap(), b"plain");
        assert_eq!(one.open("other", &text), None);
        assert_eq!(seal(&[ONE], &[b"b"]).open("cookie", &text), None);
        assert_eq!(seal(&[TWO], &[b"a"]).open("cookie", &text), None);
        assert_ne!(one.seal("cookie", b"plain"), text);
    }

    #[test]
    fn a_secret_can_be_changed() {
        let text = seal(&[ONE], &[]).seal("cookie", b"plain");
        assert!(seal(&[TWO, ONE], &[]).open("cookie", &text).is_some());
        let newer = seal(&[TWO, ONE], &[]).seal("cookie", b"plain");
        assert_eq!(seal(&[ONE], &[]).open("cookie", &newer), None);
    }

    #[test]
    fn what_was_changed_is_not_opened() {
        let one = seal(&[ONE], &[]);
        let text = one.seal("cookie", b"plain");
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(one.open("cookie", std::str::from_utf8(&changed).unwrap()), None, "{at}");
        }
        for text in ["", "A", "AAAA", "AAAAAAAAAAAAAAAA", &text[..text.len() - 4], "%%%"] {
            assert_eq!(one.open("cookie", text), None);
        }
    }

    #[test]
    fn a_word_is_no_secret() {
        assert!(Seal::new(["password"], &[]).is_err());
        assert!(Seal::new([ONE, "password"], &[]).is_err());
        assert!(Seal::new([], &[]).is_err());
    }
}
