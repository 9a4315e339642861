//! A session, as the browser keeps it for us.

use std::sync::Arc;
use std::time::Duration;

use portcullis_core::Consumer;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::provider::Tokens;
use super::seal::random_text;
use crate::claimed::Claimed;

/// Claims that serve the login alone, and would only make the cookie larger (OpenID Connect Core 1.0 §2, §3.3.2.11).
const OF_THE_LOGIN: &[&str] = &[
    "nonce", "at_hash", "c_hash", "s_hash", "jti", "azp", "nbf", "iat", "exp", "sid",
];

/// How long before an access token expires the session is renewed, in seconds: clocks differ, and requests take time.
const AHEAD: u64 = 10;

/// What stands in the cookie. Times are seconds since 1970.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Session {
    /// Names the session, for as long as it lasts.
    pub(super) id: String,
    /// What the provider says of whoever has logged in.
    pub(super) claims: Map<String, Value>,
    /// When it began.
    began: u64,
    /// When it was used last, roughly.
    seen: u64,
    /// By which the provider tells whether the session still holds there.
    pub(super) refresh_token: Option<String>,
    /// From when on the provider is asked that.
    refresh_at: Option<u64>,
}

/// How long sessions last.
#[derive(Clone, Copy)]
pub(super) struct Lifetimes {
    pub(super) whole: Duration,
    pub(super) idle: Duration,
}

/// A session that was read, and who it is.
pub(super) struct Known {
    pub(super) session: Session,
    pub(super) consumer: Arc<Consumer>,
}

impl Session {
    /// A session that begins with these claims and tokens.
    pub(super) fn begin(claims: Map<String, Value>, tokens: Tokens, now: u64) -> Session {
        let mut session = Session {
            id: random_text(),
            claims,
            began: now,
            seen: now,
            refresh_token: None,
            refresh_at: None,
        };
        session.take(None, tokens, now);
        session
    }

    /// The session after the provider has confirmed it, perhaps with other claims.
    pub(super) fn renewed(&self, claims: Option<Map<String, Value>>, tokens: Tokens, now: u64) -> Session {
        let mut session = self.clone();
        session.seen = now;
        session.take(claims, tokens, now);
        session
    }

    /// The session, used now.
    pub(super) fn used(&self, now: u64) -> Session {
        Session {
            seen: now,
            ..self.clone()
        }
    }

    fn take(&mut self, claims: Option<Map<String, Value>>, tokens: Tokens, now: u64) {
        self.claims = claims.unwrap_or_else(|| std::mem::take(&mut self.claims));
        self.claims.retain(|name, _| !OF_THE_LOGIN.contains(&name.as_str()));
        if let Some(scope) = tokens.scope {
            self.claims.entry("scope").or_insert(Value::String(scope));
        }
        // A provider that gives no new one leaves the old one good (RFC 6749 §6).
        self.refresh_token = tokens.refresh_token.or(self.refresh_token.take());
        let lasting = tokens.expires_in.unwrap_or(300);
        self.refresh_at = self
            .refresh_token
            .as_ref()
            .map(|_| now.saturating_add(lasting.saturating_sub(AHEAD).max(1)));
    }

    /// Whether it still holds.
    pub(super) fn holds(&self, lifetimes: Lifetimes, now: u64) -> bool {
        now < self.ends(lifetimes)
    }

    /// For how long its cookie is of use, in seconds.
    pub(super) fn left(&self, lifetimes: Lifetimes, now: u64) -> u64 {
        self.ends(lifetimes).saturating_sub(now)
    }

    fn ends(&self, lifetimes: Lifetimes) -> u64 {
        let whole = self.began.saturating_add(lifetimes.whole.as_secs());
        whole.min(self.seen.saturating_add(lifetimes.idle.as_secs()))
    }

    /// Whether so much of the time without use is over that the browser should be told of this one. It is not told each time.
    pub(super) fn is_to_be_noted(&self, lifetimes: Lifetimes, now: u64) -> bool {
        now.saturating_sub(self.seen) > lifetimes.idle.as_secs() / 8
    }

    /// Whether the provider has to say that it still holds.
    pub(super) fn is_to_be_renewed(&self, now: u64) -> bool {
        self.refresh_at.is_some_and(|at| now >= at)
    }

    /// Whose session it is.
    ///
    /// # Errors
    /// When its claims name nobody.
    pub(super) fn known(self, claimed: &Claimed) -> Result<Known, String> {
        let consumer = claimed.consumer(self.claims.clone())?;
        Ok(Known {
            session: self,
            consumer: Arc::new(consumer),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LIFETIMES: Lifetimes = Lifetimes {
        whole: Duration::from_secs(1000),
        idle: Duration::from_secs(100),
    };

    fn tokens(refresh: Option<&str>) -> Tokens {
        Tokens {
            id_token: None,
            refresh_token: refresh.map(str::to_owned),
            expires_in: Some(60),
            scope: Some("read".to_owned()),
        }
    }

    fn claims(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn a_session_ends_by_itself_and_without_use() {
        let session = Session::begin(Map::new(), tokens(None), 5000);
        assert!(session.holds(LIFETIMES, 5099));
        assert!(!session.holds(LIFETIMES, 5100));
        let used = (5050..6000).step_by(50).fold(session, |session, now| session.used(now));
        assert!(used.holds(LIFETIMES, 5999));
        assert!(!used.holds(LIFETIMES, 6000));
        assert_eq!(used.left(LIFETIMES, 5990), 10);
    }

    #[test]
    fn its_claims_are_those_that_matter() {
        let session = Session::begin(
            claims(&json!({"sub": "ann", "nonce": "n", "exp": 7})),
            tokens(None),
            5000,
        );
        assert_eq!(session.claims, claims(&json!({"sub": "ann", "scope": "read"})));
        assert!(!session.is_to_be_renewed(u64::MAX));
    }

    #[test]
    fn a_token_tells_when_to_ask_again() {
        let session = Session::begin(claims(&json!({"sub": "ann"})), tokens(Some("one")), 5000);
        assert!(!session.is_to_be_renewed(5049));
        assert!(session.is_to_be_renewed(5050));
        let renewed = session.renewed(None, tokens(None), 5050);
        assert_eq!(renewed.refresh_token.as_deref(), Some("one"));
        assert_eq!(renewed.id, session.id);
        let renewed = renewed.renewed(
            Some(claims(&json!({"sub": "ann", "role": "x"}))),
            tokens(Some("two")),
            5100,
        );
        assert_eq!(renewed.refresh_token.as_deref(), Some("two"));
        assert_eq!(renewed.claims["role"], "x");
        assert!(!renewed.holds(LIFETIMES, 6000));
    }
}
