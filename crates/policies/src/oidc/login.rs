//! A login under way, as the browser keeps it for us.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use portcullis_core::Target;
use serde::{Deserialize, Serialize};

use super::seal::random_text;

/// How long a login may take, in seconds: ten minutes, in which people find a second factor.
pub(super) const LASTS: u64 = 600;

/// The longest path to which people come back after they logged in.
const LONGEST_PATH: usize = 2048;

/// What a query leaves as it is (RFC 3986 §2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What stands in the cookie of a login.
#[derive(Serialize, Deserialize)]
pub(super) struct Login {
    /// Ties the answer of the provider to this browser (RFC 6749 §10.12).
    pub(super) state: String,
    /// Ties the ID token to this login (OpenID Connect Core 1.0 §3.1.2.1).
    pub(super) nonce: String,
    /// Ties the code to this login (RFC 7636).
    pub(super) verifier: String,
    /// Where the code is sent, as the provider was told.
    pub(super) redirect_uri: String,
    /// The path to which the browser comes back. It is one of this gate, in normal form.
    back: String,
    /// In seconds since 1970.
    ends: u64,
}

impl Login {
    /// A login of whoever asked for `target`.
    pub(super) fn begin(target: &Target, redirect_uri: String, now: u64) -> Login {
        let back = target.as_str();
        Login {
            state: random_text(),
            nonce: random_text(),
            verifier: random_text(),
            redirect_uri,
            back: if back.len() <= LONGEST_PATH { back } else { "/" }.to_owned(),
            ends: now + LASTS,
        }
    }

    /// The proof of the verifier that is given in advance (RFC 7636 §4.2, S256).
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, self.verifier.as_bytes()))
    }

    /// Whether it may still end well.
    pub(super) fn holds(&self, now: u64) -> bool {
        now < self.ends
    }

    /// Where the browser goes. What a browser would take for another host is none of our paths.
    pub(super) fn back(&self) -> &str {
        let is_path = self.back.starts_with('/') && !self.back.starts_with("//") && !self.back.contains('\\');
        if is_path { &self.back } else { "/" }
    }
}

/// A URL with more parameters.
pub(super) fn with_parameters<'p>(url: &str, parameters: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    let mut whole = url.to_owned();
    for (name, value) in parameters {
        whole.push(if whole.contains('?') { '&' } else { '?' });
        whole.extend(utf8_percent_encode(name, ENCODED));
        whole.push('=');
        whole.extend(utf8_percent_encode(value, ENCODED));
    }
    whole
}

/// The one parameter of that name in a query; `None`, too, where there are several: who would say which of them counts?
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let mut found = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| *key == name);
    let (_, value) = found.next()?;
    if found.next().is_some() {
        return None;
    }
    let value = value.replace('+', " ");
    percent_decode_str(&value)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn login(target: &str) -> Login {
        let target = Target::parse(target.as_bytes()).unwrap();
        Login::begin(&target, "https://a.example/callback".to_owned(), 1000)
    }

    #[test]
    fn a_login_has_its_time_and_no_other_is_like_it() {
        let (one, other) = (login("/"), login("/"));
        assert!(one.holds(1599) && !one.holds(1600));
        assert_ne!(one.state, other.state);
        assert_ne!(one.nonce, other.nonce);
        assert_ne!(one.verifier, other.verifier);
        assert_eq!(one.verifier.len(), 43);
    }

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        let mut login = login("/");
        login.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        assert_eq!(login.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn nobody_is_sent_to_another_host() {
        assert_eq!(login("/a?b=c").back(), "/a?b=c");
        assert_eq!(login("//evil.example/a").back(), "/evil.example/a");
        assert_eq!(login(&format!("/{}", "a".repeat(3000))).back(), "/");
        for back in ["//evil.example", "https://evil.example", "/\\evil.example", "", "evil"] {
            let mut login = login("/");
            login.back = back.to_owned();
            assert_eq!(login.back(), "/");
        }
    }

    #[test]
    fn parameters_are_read_and_written() {
        let url = with_parameters("https://id.example/a?b=c", [("d e", "f&g=h"), ("i", "~")]);
        assert_eq!(url, "https://id.example/a?b=c&d%20e=f%26g%3Dh&i=~");
        assert_eq!(parameter("code=a%2Fb+c&state=x", "code").as_deref(), Some("a/b c"));
        assert_eq!(parameter("code=a&code=b", "code"), None);
        assert_eq!(parameter("code=%ff", "code"), None);
        assert_eq!(parameter("xcode=a", "code"), None);
    }
}
