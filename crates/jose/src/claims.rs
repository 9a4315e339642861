//! What a token must say (RFC 7519 §4.1), beside being signed.

use serde_json::{Map, Value};

use crate::refusal::Refusal;
use crate::token::Header;

/// What a token must say to be good here.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Who must have issued it (`iss`), compared byte for byte. `None`: anybody who has the key.
    pub issuer: Option<Box<str>>,
    /// Whom it must be for: one of these must be in `aud`. Empty: anybody.
    pub audiences: Vec<Box<str>>,
    /// How far clocks may differ, in seconds.
    pub leeway: u64,
    /// Whether it must expire at all.
    pub must_expire: bool,
    /// Claims that must be there, whatever they say.
    pub required: Vec<Box<str>>,
    /// What `typ` may say if it is there, in small letters and without `application/`. Tokens that say what they are for
    /// can't be used for something else (RFC 8725 §3.11, §3.12).
    pub kinds: Vec<Box<str>>,
}

impl Default for Rules {
    /// Any issuer and audience, exact clocks, it must expire, and be a plain token or one for access (RFC 9068).
    fn default() -> Rules {
        Rules {
            issuer: None,
            audiences: Vec::new(),
            leeway: 0,
            must_expire: true,
            required: Vec::new(),
            kinds: vec!["jwt".into(), "at+jwt".into()],
        }
    }
}

impl Rules {
    /// Judges the claims at that time (seconds since 1970), and says when they expire.
    pub(crate) fn check(&self, header: &Header, claims: &Map<String, Value>, now: u64) -> Result<Option<u64>, Refusal> {
        if let Some(kind) = &header.kind
            && !self.kinds.contains(kind)
        {
            return Err(Refusal::Type);
        }
        self.check_issuer(claims)?;
        self.check_audience(claims)?;
        for name in &self.required {
            if claims.get(&**name).is_none_or(Value::is_null) {
                return Err(Refusal::Missing(name.clone()));
            }
        }
        self.check_times(claims, now)
    }

    fn check_issuer(&self, claims: &Map<String, Value>) -> Result<(), Refusal> {
        match (claims.get("iss"), &self.issuer) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(Refusal::Missing("iss".into())),
            (Some(Value::String(issuer)), expected) => match expected {
                Some(expected) if **expected != **issuer => Err(Refusal::Issuer),
                _ => Ok(()),
            },
            (Some(_), _) => Err(Refusal::Claim("iss")),
        }
    }

    /// RFC 7519 §4.1.3: one text or a list of them.
    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), Refusal> {
        let is_ours = |audience: &str| self.audiences.iter().any(|ours| **ours == *audience);
        let found = match claims.get("aud") {
            None if self.audiences.is_empty() => return Ok(()),
            None => return Err(Refusal::Missing("aud".into())),
            Some(Value::String(audience)) => is_ours(audience),
            Some(Value::Array(audiences)) => {
                let mut found = false;
                for audience in audiences {
                    found |= is_ours(audience.as_str().ok_or(Refusal::Claim("aud"))?);
                }
                found
            }
            Some(_) => return Err(Refusal::Claim("aud")),
        };
        if found || self.audiences.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Audience)
        }
    }

    fn check_times(&self, claims: &Map<String, Value>, now: u64) -> Result<Option<u64>, Refusal> {
        let expires = time(claims, "exp")?;
        match expires {
            // RFC 7519 §4.1.4: on that second it is too late.
            Some(expires) if seconds(now.saturating_sub(self.leeway)) >= expires => return Err(Refusal::Expired),
            None if self.must_expire => return Err(Refusal::Missing("exp".into())),
            _ => {}
        }
        let latest = seconds(now.saturating_add(self.leeway));
        if time(claims, "nbf")?.is_some_and(|begins| latest < begins) {
            return Err(Refusal::NotYet);
        }
        if time(claims, "iat")?.is_some_and(|issued| latest < issued) {
            return Err(Refusal::IssuedLater);
        }
        Ok(expires.map(whole_seconds))
    }
}

/// RFC 7519 §2: a number of seconds since 1970, perhaps with a fraction. Anything else, `null` and digits in quotes too, is
/// malformed: what one reader takes for no date, another could take for one.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<f64>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(Refusal::Claim(name)),
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "seconds of any date that matters are exact in 53 bits"
)]
fn seconds(seconds: u64) -> f64 {
    seconds as f64
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a date is cut to whole seconds, one before 1970 to 1970, and one too far away to the last there is"
)]
fn whole_seconds(date: f64) -> u64 {
    date as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::algorithm::Algorithm;

    const NOW: u64 = 1_800_000_000;

    fn judge(rules: &Rules, claims: Value) -> Result<Option<u64>, Refusal> {
        let header = Header {
            algorithm: Algorithm::Rs256,
            key_id: None,
            kind: None,
        };
        let Value::Object(claims) = claims else {
            panic!("claims are an object")
        };
        rules.check(&header, &claims, NOW)
    }

    #[test]
    fn a_token_expires_on_the_second() {
        let rules = Rules::default();
        let lenient = Rules {
            leeway: 30,
            ..Rules::default()
        };
        assert_eq!(judge(&rules, json!({"exp": NOW + 1})), Ok(Some(NOW + 1)));
        assert_eq!(judge(&rules, json!({"exp": NOW})), Err(Refusal::Expired));
        assert_eq!(judge(&lenient, json!({"exp": NOW - 29})), Ok(Some(NOW - 29)));
        assert_eq!(judge(&lenient, json!({"exp": NOW - 30})), Err(Refusal::Expired));
        assert_eq!(judge(&rules, json!({"exp": 1_800_000_000.5})), Ok(Some(NOW)));
        assert_eq!(judge(&rules, json!({"exp": 1e300})), Ok(Some(u64::MAX)));
        for past in [json!(0), json!(-1), json!(-1e300), json!(i64::MIN)] {
            assert_eq!(judge(&rules, json!({"exp": past})), Err(Refusal::Expired));
        }
        assert_eq!(judge(&rules, json!({})), Err(Refusal::Missing("exp".into())));
        let eternal = Rules {
            must_expire: false,
            ..Rules::default()
        };
        assert_eq!(judge(&eternal, json!({})), Ok(None));
        assert_eq!(judge(&eternal, json!({"exp": NOW})), Err(Refusal::Expired));
    }

    #[test]
    fn dates_are_numbers() {
        let rules = Rules::default();
        for name in ["exp", "nbf", "iat"] {
            for value in [
                json!("1800000001"),
                json!(null),
                json!(true),
                json!([NOW + 9]),
                json!({}),
            ] {
                let mut claims = json!({"exp": NOW + 9});
                claims[name] = value;
                assert_eq!(judge(&rules, claims), Err(Refusal::Claim(name)));
            }
        }
    }

    #[test]
    fn a_token_begins() {
        let rules = Rules {
            leeway: 10,
            ..Rules::default()
        };
        for (name, refusal) in [("nbf", Refusal::NotYet), ("iat", Refusal::IssuedLater)] {
            let at = |time: u64| judge(&rules, json!({"exp": NOW + 99, name: time}));
            assert_eq!(at(NOW), Ok(Some(NOW + 99)));
            assert_eq!(at(NOW + 10), Ok(Some(NOW + 99)));
            assert_eq!(at(NOW + 11), Err(refusal));
        }
    }

    #[test]
    fn the_issuer_is_compared_byte_for_byte() {
        let rules = Rules {
            issuer: Some("https://a.example".into()),
            must_expire: false,
            ..Rules::default()
        };
        assert_eq!(judge(&rules, json!({"iss": "https://a.example"})), Ok(None));
        for issuer in [
            "https://a.example/",
            "https://A.example",
            "https://a.example\u{0}",
            "https://a.example.evil",
            "https://а.example",
            "",
        ] {
            assert_eq!(judge(&rules, json!({"iss": issuer})), Err(Refusal::Issuer), "{issuer}");
        }
        for issuer in [json!(["https://a.example"]), json!(null), json!(1), json!({})] {
            assert_eq!(judge(&rules, json!({"iss": issuer})), Err(Refusal::Claim("iss")));
        }
        assert_eq!(judge(&rules, json!({})), Err(Refusal::Missing("iss".into())));
    }

    #[test]
    fn one_audience_of_a_list_suffices() {
        let rules = Rules {
            audiences: vec!["a".into(), "b".into()],
            must_expire: false,
            ..Rules::default()
        };
        for audience in [json!("a"), json!("b"), json!(["x", "b"]), json!(["a", "b"])] {
            assert_eq!(judge(&rules, json!({"aud": audience})), Ok(None));
        }
        for audience in [json!("x"), json!(""), json!("A"), json!("a b"), json!([]), json!(["x"])] {
            assert_eq!(judge(&rules, json!({"aud": audience})), Err(Refusal::Audience));
        }
        for audience in [json!(null), json!(1), json!({"a": 1}), json!(["a", 1]), json!([["a"]])] {
            assert_eq!(judge(&rules, json!({"aud": audience})), Err(Refusal::Claim("aud")));
        }
        assert_eq!(judge(&rules, json!({})), Err(Refusal::Missing("aud".into())));
    }

    #[test]
    fn claims_can_be_demanded() {
        let rules = Rules {
            required: vec!["tenant".into()],
            must_expire: false,
            ..Rules::default()
        };
        assert_eq!(judge(&rules, json!({"tenant": ""})), Ok(None));
        for claims in [json!({}), json!({"tenant": null})] {
            assert_eq!(judge(&rules, claims), Err(Refusal::Missing("tenant".into())));
        }
    }
}
