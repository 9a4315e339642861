//! What an issuer says about a token (RFC 7662 §2.2).

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::claimed::Claimed;

/// What must be true of a token beside that it is active.
pub(super) struct Rules {
    pub(super) issuer: Option<Box<str>>,
    pub(super) audience: Box<[Box<str>]>,
    pub(super) claimed: Claimed,
}

/// What was said.
#[derive(Debug, PartialEq)]
pub(super) enum Saying {
    Active {
        claims: Map<String, Value>,
        /// In seconds since 1970; later than now.
        expires: Option<u64>,
    },
    /// It is not active, or not for us.
    Refused,
}

impl Rules {
    /// Reads an answer at that time, in seconds since 1970.
    ///
    /// # Errors
    /// When it says nothing about a token.
    pub(super) fn read(&self, content: &[u8], now: u64) -> Result<Saying, Arc<str>> {
        let no_answer = |what: &str| Arc::from(format!("the issuer's answer says nothing: {what}"));
        let claims: Map<String, Value> =
            serde_json::from_slice(content).map_err(|error| no_answer(&error.to_string()))?;
        match claims.get("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Ok(Saying::Refused),
            _ => return Err(no_answer("`active` is neither true nor false")),
        }
        let time = |name: &str| match claims.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_u64()
                .map(Some)
                .ok_or_else(|| no_answer("a time is no number of seconds")),
        };
        let expires = time("exp")?;
        let is_in_time = expires.is_none_or(|expires| expires > now) && time("nbf")?.is_none_or(|begins| begins <= now);
        let is_of_issuer = match &self.issuer {
            None => true,
            Some(issuer) => claims.get("iss").and_then(Value::as_str) == Some(&**issuer),
        };
        if is_in_time && is_of_issuer && self.is_for_us(&claims) {
            Ok(Saying::Active { claims, expires })
        } else {
            Ok(Saying::Refused)
        }
    }

    fn is_for_us(&self, claims: &Map<String, Value>) -> bool {
        let is_ours = |audience: &Value| {
            let audience = audience.as_str();
            audience.is_some_and(|audience| self.audience.iter().any(|ours| **ours == *audience))
        };
        self.audience.is_empty()
            || match claims.get("aud") {
                Some(Value::Array(audiences)) => audiences.iter().any(is_ours),
                Some(audience) => is_ours(audience),
                None => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn read(issuer: Option<&str>, audience: &[&str], answer: &str) -> Result<Saying, Arc<str>> {
        let rules = Rules {
            issuer: issuer.map(Box::from),
            audience: audience.iter().map(|audience| Box::from(*audience)).collect(),
            claimed: Claimed {
                name: ["sub".into()].into(),
                scopes: None,
                roles: None,
                by: "introspect",
            },
        };
        rules.read(answer.as_bytes(), NOW)
    }

    fn check(issuer: Option<&str>, audience: &[&str], answer: &Value, is_good: bool) {
        let said = read(issuer, audience, &answer.to_string());
        let said = said.unwrap_or_else(|why| panic!("{answer}: {why}"));
        assert_eq!(matches!(said, Saying::Active { .. }), is_good, "{answer}");
    }

    #[test]
    fn a_token_is_active_or_not() {
        for (answer, is_good) in [
            (json!({"active": true}), true),
            (json!({"active": false}), false),
            (json!({"active": false, "sub": "ann"}), false),
            (json!({"active": true, "exp": NOW + 1}), true),
            (json!({"active": true, "exp": NOW}), false),
            (json!({"active": true, "nbf": NOW}), true),
            (json!({"active": true, "nbf": NOW + 1}), false),
        ] {
            check(None, &[], &answer, is_good);
        }
    }

    #[test]
    fn a_token_of_or_for_somebody_else_is_no_good() {
        for (answer, is_good) in [
            (json!({"active": true, "iss": "i", "aud": "a"}), true),
            (json!({"active": true, "iss": "i", "aud": ["x", "b"]}), true),
            (json!({"active": true, "iss": "j", "aud": "a"}), false),
            (json!({"active": true, "aud": "a"}), false),
            (json!({"active": true, "iss": "i", "aud": "x"}), false),
            (json!({"active": true, "iss": "i", "aud": ["x", 7]}), false),
            (json!({"active": true, "iss": "i"}), false),
        ] {
            check(Some("i"), &["a", "b"], &answer, is_good);
        }
    }

    #[test]
    fn what_says_nothing_is_no_answer() {
        for answer in [
            "",
            "<html>",
            "[]",
            "{}",
            "{\"active\": 1}",
            "{\"active\": \"true\"}",
            "{\"active\": true, \"exp\": \"soon\"}",
            "{\"active\": true, \"exp\": -1}",
        ] {
            assert!(read(None, &[], answer).is_err(), "{answer}");
        }
    }
}
