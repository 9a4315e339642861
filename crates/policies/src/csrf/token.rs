//! Tokens that only a page of this origin can show: it reads them from a cookie.

use aws_lc_rs::{constant_time, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_config::policy::csrf::CsrfToken as Written;
use portcullis_core::Headers;

use crate::field_name::FieldName;
use crate::oidc::cookies;

/// The fewest bytes of a secret.
const SHORTEST_SECRET: usize = 32;

/// Random bytes of a token.
const RANDOM: usize = 16;

/// Makes tokens, and knows its own.
pub(super) struct Tokens {
    /// The first signs, all verify.
    keys: Box<[hmac::Key]>,
    cookie: Box<str>,
    header: FieldName,
    session: Option<Box<str>>,
}

impl Tokens {
    /// # Errors
    /// When a secret is too short, or a name can't be used.
    pub(super) fn new(config: &Written) -> Result<Tokens, String> {
        let keys = config.secret.iter().map(|secret| match secret.expose().as_bytes() {
            secret if secret.len() < SHORTEST_SECRET => Err(format!(
                "a `secret` has at least {SHORTEST_SECRET} bytes: `openssl rand -base64 32` makes one"
            )),
            secret => Ok(hmac::Key::new(hmac::HMAC_SHA256, secret)),
        });
        let keys: Box<[_]> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err("there is no `secret` to sign tokens by".to_owned());
        }
        Ok(Tokens {
            keys,
            cookie: format!("__Host-{}", config.cookie).into(),
            header: FieldName::new(&config.header)?,
            session: config.session_cookie.as_deref().map(Box::from),
        })
    }

    /// The value of `Set-Cookie` that gives a browser a token, unless it has one that is good. Scripts of the page must read it.
    pub(super) fn given(&self, headers: &Headers) -> Option<String> {
        if cookies::find(headers, &self.cookie).is_some_and(|token| self.is_good(token, headers)) {
            return None;
        }
        let mut random = [0; RANDOM];
        rand::fill(&mut random).ok()?;
        let signature = hmac::sign(&self.keys[0], &self.signed(&random, headers));
        let token = URL_SAFE_NO_PAD.encode([&random, signature.as_ref()].concat());
        Some(format!("{}={token}; Path=/; Secure; SameSite=Lax", self.cookie))
    }

    /// Whether the request shows the token of its cookie, and it is one of ours.
    pub(super) fn is_shown(&self, headers: &Headers) -> bool {
        let Some(token) = cookies::find(headers, &self.cookie) else {
            return false;
        };
        let mut shown = headers.get_all(self.header.name());
        let (Some(first), None) = (shown.next(), shown.next()) else {
            return false;
        };
        constant_time::verify_slices_are_equal(first, token.as_bytes()).is_ok() && self.is_good(token, headers)
    }

    fn is_good(&self, token: &str, headers: &Headers) -> bool {
        let Ok(token) = URL_SAFE_NO_PAD.decode(token) else {
            return false;
        };
        let Some((random, signature)) = token.split_at_checked(RANDOM) else {
            return false;
        };
        let signed = self.signed(random, headers);
        self.keys
            .iter()
            .any(|key| hmac::verify(key, &signed, signature).is_ok())
    }

    /// What is signed: the random bytes, which are always as many, and the session that they are for.
    fn signed(&self, random: &[u8], headers: &Headers) -> Vec<u8> {
        let session = self.session.as_ref().and_then(|name| cookies::find(headers, name));
        [random, session.unwrap_or_default().as_bytes()].concat()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use portcullis_config::secret::Secret;

    use super::*;

    const SECRET: &str = "a secret of tokens, long enough for them";

    fn tokens(secret: &str, session_cookie: Option<&str>) -> Tokens {
        Tokens::new(&Written {
            secret: vec![Secret::new(secret.to_owned())],
            header: "X-CSRF-Token".to_owned(),
            cookie: "csrf".to_owned(),
            session_cookie: session_cookie.map(str::to_owned),
        })
        .unwrap()
    }

    fn headers(cookies: &str, token: Option<&str>) -> Headers {
        let mut headers = Headers::new();
        headers.append("Cookie", cookies);
        if let Some(token) = token {
            headers.append("x-csrf-token", token);
        }
        headers
    }

    fn token(tokens: &Tokens, cookies: &str) -> String {
        let line = tokens.given(&headers(cookies, None)).unwrap();
        assert!(line.ends_with("; Path=/; Secure; SameSite=Lax"));
        let pair = line.split(';').next().unwrap();
        pair.strip_prefix("__Host-csrf=").unwrap().to_owned()
    }

    #[test]
    fn a_token_is_that_of_the_cookie_and_ours() {
        let ours = tokens(SECRET, None);
        let (one, other) = (token(&ours, ""), token(&ours, ""));
        let forged = token(&tokens("another secret of tokens, which is long, too", None), "");
        let cookie = |token: &str| format!("a=b; __Host-csrf={token}");
        assert!(ours.is_shown(&headers(&cookie(&one), Some(&one))));
        assert!(ours.given(&headers(&cookie(&one), None)).is_none());
        assert!(ours.given(&headers(&cookie(&forged), None)).is_some());
        for (cookie, shown) in [
            (cookie(&one), None),
            (cookie(&one), Some(&*other)),
            (cookie(&one), Some("")),
            (cookie(&forged), Some(&*forged)),
            (cookie(""), Some("")),
            (cookie("AAAA"), Some("AAAA")),
            ("a=b".to_owned(), Some(&*one)),
            (format!("csrf={one}"), Some(&*one)),
        ] {
            assert!(!ours.is_shown(&headers(&cookie, shown)), "{cookie} {shown:?}");
        }
        let mut twice = headers(&cookie(&one), Some(&one));
        twice.append("X-CSRF-Token", &one);
        assert!(!ours.is_shown(&twice));
    }

    #[test]
    fn a_token_may_be_for_one_session_only() {
        let ours = tokens(SECRET, Some("sid"));
        let one = token(&ours, "sid=1");
        let shown = |session: &str| ours.is_shown(&headers(&format!("{session}__Host-csrf={one}"), Some(&one)));
        assert!(shown("sid=1; "));
        assert!(!shown("sid=2; "));
        assert!(!shown(""));
    }

    #[test]
    fn a_secret_can_be_changed_and_is_none_if_short() {
        let old = token(&tokens(SECRET, None), "");
        let mut config = Written {
            secret: vec![
                Secret::new("the secret that comes after the other one".to_owned()),
                Secret::new(SECRET.to_owned()),
            ],
            header: "X-CSRF-Token".to_owned(),
            cookie: "csrf".to_owned(),
            session_cookie: None,
        };
        let both = Tokens::new(&config).unwrap();
        assert!(both.is_shown(&headers(&format!("__Host-csrf={old}"), Some(&old))));
        config.secret = vec![Secret::new("short".to_owned())];
        assert!(Tokens::new(&config).is_err());
    }
}
