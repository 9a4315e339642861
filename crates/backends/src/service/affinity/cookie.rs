//! The cookie that names a client's target.
//!
//! Its value is the target's identity, encrypted and authenticated with AES-256-GCM. Signed alone it would tell: an identity is a
//! hash of an address, and whoever suspects an address could confirm it. The key is made of the secret and the name of
//! the service by HMAC-SHA-256, so that the cookie of one service means nothing to another.

use std::fmt::Write as _;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_config::service::Sticky;
use portcullis_core::{Headers, Scheme};

use crate::client_key::cookies;

pub(super) struct StickyCookie {
    name: Box<str>,
    key: RandomizedNonceKey,
    /// What follows the value but `Secure`.
    attributes: Box<str>,
}

/// A nonce, an identity and the tag of authentication.
const VALUE: usize = NONCE_LEN + 8 + 16;

/// How many cookies of the name are looked at. A client of good will has one, or a second one for a path.
const MOST: usize = 4;

impl StickyCookie {
    pub(super) fn new(service: &str, config: &Sticky) -> StickyCookie {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, config.key.expose().as_bytes());
        let key = hmac::sign(&secret, format!("portcullis sticky cookie 1\0{service}").as_bytes());
        let mut attributes = "; Path=/; HttpOnly; SameSite=Lax".to_owned();
        if let Some(max_age) = &config.max_age {
            // A fraction of a second would be 0, which has the client forget.
            let seconds = max_age.0.as_secs().max(1);
            _ = write!(attributes, "; Max-Age={seconds}");
        }
        StickyCookie {
            name: config.cookie.as_str().into(),
            key: RandomizedNonceKey::new(&AES_256_GCM, key.as_ref()).expect("the hash is as long as the key"),
            attributes: attributes.into(),
        }
    }

    /// The identity that the first cookie of ours names.
    pub(super) fn read(&self, headers: &Headers) -> Option<u64> {
        cookies(headers, &self.name)
            .take(MOST)
            .find_map(|value| self.open(value))
    }

    /// The value of a `Set-Cookie` that names a target. It is empty, and no cookie, should the system have no random numbers.
    pub(super) fn write(&self, identity: u64, scheme: Scheme) -> String {
        let secure = match scheme {
            Scheme::Https => "; Secure",
            Scheme::Http => "",
        };
        let value = self.seal(identity);
        format!("{}={value}{}{secure}", self.name, self.attributes)
    }

    fn seal(&self, identity: u64) -> String {
        let mut sealed = identity.to_be_bytes().to_vec();
        match self.key.seal_in_place_append_tag(Aad::empty(), &mut sealed) {
            Ok(nonce) => URL_SAFE_NO_PAD.encode([&nonce.as_ref()[..], &sealed].concat()),
            Err(_) => String::new(),
        }
    }

    fn open(&self, value: &[u8]) -> Option<u64> {
        let mut bytes = [0; VALUE];
        // A value of another length is none of ours; it isn't even decoded.
        if value.len() != VALUE.div_ceil(3) * 4 || URL_SAFE_NO_PAD.decode_slice(value, &mut bytes) != Ok(VALUE) {
            return None;
        }
        let (nonce, sealed) = bytes.split_at_mut(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let identity = self.key.open_in_place(nonce, Aad::empty(), sealed).ok()?;
        Some(u64::from_be_bytes(identity.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use portcullis_config::secret::Secret;
    use portcullis_config::units::Duration;

    use super::super::tests::request;
    use super::*;

    fn cookie(service: &str, key: &str) -> StickyCookie {
        let config = Sticky {
            cookie: "t".to_owned(),
            key: Secret::new(key.to_owned()),
            max_age: Some(Duration(std::time::Duration::from_secs(86_400))),
        };
        StickyCookie::new(service, &config)
    }

    fn read(cookie: &StickyCookie, field: &str) -> Option<u64> {
        cookie.read(&request("/", &[("Cookie", field)]).headers)
    }

    #[test]
    fn what_was_written_is_read_by_every_node() {
        let (one, other) = (cookie("shop", "0123456789abcdef"), cookie("shop", "0123456789abcdef"));
        for identity in [0, 42, u64::MAX] {
            let line = one.write(identity, Scheme::Https);
            let (pair, attributes) = line.split_once(';').expect("it has attributes");
            assert_eq!(attributes, " Path=/; HttpOnly; SameSite=Lax; Max-Age=86400; Secure");
            assert_eq!(read(&other, pair), Some(identity));
            assert_eq!(read(&other, &format!("a=b; t=forged; {pair}")), Some(identity));
        }
    }

    #[test]
    fn a_cookie_tells_nothing() {
        let cookie = cookie("shop", "0123456789abcdef");
        assert_ne!(cookie.seal(42), cookie.seal(42));
        assert_eq!(cookie.seal(42).len(), 48);
    }

    #[test]
    fn what_others_made_is_ignored() {
        let ours = cookie("shop", "0123456789abcdef");
        let value = ours.seal(42);
        assert_eq!(ours.open(value.as_bytes()), Some(42));
        let strangers = [
            cookie("shop", "fedcba9876543210").seal(42),
            cookie("blog", "0123456789abcdef").seal(42),
            String::new(),
            "42".to_owned(),
            format!("{value}A"),
            value[1..].to_owned(),
            "*".repeat(48),
            "A".repeat(48),
        ];
        for stranger in strangers {
            assert_eq!(ours.open(stranger.as_bytes()), None, "{stranger}");
        }
        for at in 0..value.len() {
            let mut damaged = value.clone().into_bytes();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(ours.open(&damaged), None, "at {at}");
        }
    }

    #[test]
    fn a_client_cannot_have_many_cookies_looked_at() {
        let cookie = cookie("shop", "0123456789abcdef");
        let forged = "t=x; ".repeat(MOST);
        assert_eq!(read(&cookie, &format!("{forged}t={}", cookie.seal(1))), None);
    }
}
