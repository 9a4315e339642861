//! `api_key` lets in those who have a key.
//!
//! ```yaml
//! api_key:
//!   header: X-Api-Key
//!   consumers:
//!     - {name: payroll, key: "${PAYROLL_KEY}"}
//!     - {name: calendar, sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b}
//! ```
//!
//! The key is taken from a header field, from a query parameter, or from either; without both settings from
//! `X-Api-Key`. In `Authorization` it is expected as `Bearer KEY`. In a query it may be percent-encoded; `+` stands for
//! itself, since keys in Base64 have it. A request without a key, with several, with one of more than 256 bytes or with
//! one that nobody has, is refused with 401 (`unauthenticated`). A consumer may have several keys, to change them.
//!
//! The backend sees `X-Consumer` with the consumer's name, whatever a client sent under that name, and never the key:
//! the field or parameter is taken out of the request.
//!
//! Keys are kept as their SHA-256. One that a person thought up can be guessed from it: make keys of random bytes.

mod keys;
mod query;

use std::sync::Arc;

use portcullis_config::policy::api_key;
use portcullis_core::{Consumer, Ctx, Error, Headers, Known, Request, codes};

use crate::authenticate::{Authenticator, Verdict};
use crate::field_name::FieldName;
use keys::Keys;

/// The longest key: hashing must cost a client more than us.
pub const LONGEST_KEY: usize = 256;

/// Lets in those who have a key.
#[derive(Debug)]
pub struct ApiKey {
    header: Option<FieldName>,
    query: Option<Box<str>>,
    keys: Keys,
    challenge: Box<str>,
}

/// Why a request has no key that could be looked up.
enum Refusal {
    Missing,
    Several,
    Scheme,
    TooLong,
    Unknown,
}

impl ApiKey {
    /// Compiles what the file says; keys are hashed and not kept.
    ///
    /// # Errors
    /// When a name can't be used, a consumer has no key or two of them, or two consumers have the same.
    pub fn new(config: &api_key::ApiKey) -> Result<ApiKey, String> {
        let header = match (&config.header, &config.query) {
            (Some(header), _) => Some(FieldName::new(header)?),
            (None, Some(_)) => None,
            (None, None) => Some(FieldName::new("X-Api-Key")?),
        };
        if let Some(query) = &config.query
            && !portcullis_core::headers::is_token(query.as_bytes())
        {
            return Err(format!(
                "`{query}` is no name for a query parameter here: write letters, digits and hyphens"
            ));
        }
        let query = config.query.as_deref().map(Box::from);
        let challenge = challenge(header.as_ref(), query.as_deref());
        Ok(ApiKey {
            header,
            query,
            keys: Keys::new(&config.consumers)?,
            challenge,
        })
    }

    /// Finds the consumer, and takes the key out of the request.
    fn identify(&self, request: &mut Request) -> Result<Arc<Consumer>, Refusal> {
        let mut found = None;
        if let Some(header) = &self.header {
            if let Some(key) = key_of_field(&request.headers, header)? {
                found = Some(self.keys.find(key));
            }
            request.headers.remove(header.name());
        }
        if let Some(parameter) = &self.query
            && let Some(query) = request.target.query()
            && let Some((key, rest)) = query::take(query, parameter)?
        {
            if found.replace(self.keys.find(&key)).is_some() {
                return Err(Refusal::Several);
            }
            request.target.set_query(rest.as_deref());
        }
        found.ok_or(Refusal::Missing)?
    }

    #[cold]
    fn refusal(&self, refusal: &Refusal) -> Error {
        let place = match (&self.header, &self.query) {
            (Some(header), None) => format!("the field {}", header.as_str()),
            (None, Some(query)) => format!("the query parameter {query}"),
            (header, query) => format!(
                "the field {} or the query parameter {}",
                header.as_ref().map_or("", FieldName::as_str),
                query.as_deref().unwrap_or("")
            ),
        };
        let detail = match refusal {
            Refusal::Missing => format!("{place} must hold a key"),
            Refusal::Several => "the request holds more than one key".to_owned(),
            Refusal::Scheme => "Authorization must hold `Bearer` and a key".to_owned(),
            Refusal::TooLong => format!("a key has at most {LONGEST_KEY} bytes"),
            Refusal::Unknown => "the key is not valid".to_owned(),
        };
        Error::new(&codes::UNAUTHENTICATED)
            .with_detail(detail)
            .with_header(Known::WwwAuthenticate, &*self.challenge)
            .by_policy("api_key")
    }
}

impl Authenticator for ApiKey {
    fn name(&self) -> &'static str {
        "api_key"
    }

    fn judge(&self, _: &mut Ctx, request: &mut Request) -> Verdict {
        match self.identify(request) {
            Ok(consumer) => Verdict::Known(consumer),
            Err(Refusal::Missing) => Verdict::Absent,
            Err(refusal) => Verdict::Refused(self.refusal(&refusal)),
        }
    }

    fn challenge(&self) -> Option<&str> {
        Some(&self.challenge)
    }
}

/// The key in the field, where it is there. Several fields are refused: which of them counts is what another program on
/// the way may see otherwise.
fn key_of_field<'h>(headers: &'h Headers, field: &FieldName) -> Result<Option<&'h [u8]>, Refusal> {
    let Some(key) = headers.get(field.name()) else {
        return Ok(None);
    };
    if headers.get_all(field.name()).nth(1).is_some() {
        return Err(Refusal::Several);
    }
    if field.known() != Some(Known::Authorization) {
        return Ok(Some(key));
    }
    // RFC 9110 §11.1: the scheme is compared without case, and one or more spaces follow it.
    match key.split_at_checked(b"Bearer ".len()) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(b"Bearer ") => Ok(Some(key.trim_ascii())),
        _ => Err(Refusal::Scheme),
    }
}

/// The challenge that a 401 must have (RFC 9110 §15.5.2). `Bearer` is registered (RFC 6750); for other places of a key no
/// scheme is, so the name and the words of OpenAPI tell a person what is asked for.
fn challenge(header: Option<&FieldName>, query: Option<&str>) -> Box<str> {
    match (header, query) {
        (Some(header), _) if header.known() == Some(Known::Authorization) => "Bearer realm=\"portcullis\"".into(),
        (Some(header), _) => format!(
            "ApiKey realm=\"portcullis\", in=\"header\", name=\"{}\"",
            header.as_str()
        )
        .into(),
        (None, query) => format!(
            "ApiKey realm=\"portcullis\", in=\"query\", name=\"{}\"",
            query.unwrap_or_default()
        )
        .into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use portcullis_config::policy::api_key::KeyHolder;
    use portcullis_config::secret::Secret;

    use portcullis_core::Policy;

    use super::*;
    use crate::authenticate::Authenticate;
    use crate::trial::{Trial, request, send};

    fn holder(name: &str, key: &str) -> KeyHolder {
        KeyHolder {
            name: name.to_owned(),
            key: Some(Secret::new(key.to_owned())),
            sha256: None,
        }
    }

    fn policy(header: Option<&str>, query: Option<&str>) -> Arc<dyn Policy> {
        let config = api_key::ApiKey {
            header: header.map(str::to_owned),
            query: query.map(str::to_owned),
            consumers: vec![
                holder("alice", "alices-key"),
                holder("alice", "alices-next-key"),
                holder("bob", "b+b=/%"),
            ],
        };
        let way: Arc<dyn Authenticator> = Arc::new(ApiKey::new(&config).unwrap());
        Arc::new(Authenticate::new([way]))
    }

    fn check_refused(trial: &Trial) {
        assert_eq!(trial.status().code(), 401);
        assert!(trial.seen.is_none());
        assert!(trial.cx.consumer.is_none());
        let error = trial.result.as_ref().unwrap_err();
        assert_eq!(
            (error.code().name, error.policy()),
            ("unauthenticated", Some("api_key"))
        );
        assert!(error.headers().contains(Known::WwwAuthenticate));
        assert!(!format!("{error:?}").contains("alices"), "the key is repeated");
    }

    fn check_admitted(trial: &Trial, consumer: &str) {
        assert_eq!(trial.status().code(), 200, "{:?}", trial.result);
        let seen = trial.seen.as_ref().unwrap();
        assert_eq!(
            seen.headers.get_all("x-consumer").collect::<Vec<_>>(),
            [consumer.as_bytes()]
        );
        let known = trial.cx.consumer.as_ref().unwrap();
        assert_eq!((&*known.name, known.by), (consumer, "api_key"));
        assert!(!format!("{}", seen.target).contains("key"));
        assert!(!seen.headers.iter().any(|(_, value)| value.ends_with(b"key")));
    }

    #[test]
    fn a_key_in_a_field_is_found_and_taken_out() {
        let policy = policy(None, None);
        for (key, consumer) in [("alices-key", "alice"), ("alices-next-key", "alice"), ("b+b=/%", "bob")] {
            let fields = [("x-api-key", key), ("X-Consumer", "root"), ("x-consumer", "admin")];
            check_admitted(&send(&policy, request("GET", "/a?b", &fields), &[]), consumer);
        }
    }

    #[test]
    fn whoever_has_no_key_or_several_is_refused() {
        let policy = policy(None, None);
        let long = "x".repeat(LONGEST_KEY + 1);
        for fields in [
            &[][..],
            &[("x-api-key", "")],
            &[("x-api-key", "alices-ke")],
            &[("x-api-key", "alices-key2")],
            &[("x-api-key", "Alices-key")],
            &[("x-api-key", &long)],
            &[("x-api-key", "alices-key"), ("X-API-KEY", "alices-key")],
            &[("authorization", "Bearer alices-key")],
            &[("x-consumer", "alice")],
        ] {
            check_refused(&send(&policy, request("GET", "/?x-api-key=alices-key", fields), &[]));
        }
    }

    #[test]
    fn a_bearer_token_is_understood_in_authorization() {
        let policy = policy(Some("Authorization"), None);
        for value in ["Bearer alices-key", "bearer   alices-key"] {
            check_admitted(
                &send(&policy, request("GET", "/", &[("authorization", value)]), &[]),
                "alice",
            );
        }
        for value in [
            "alices-key",
            "Basic alices-key",
            "Bearer",
            "Beareralices-key",
            "Bearer alices-key x",
        ] {
            let trial = send(&policy, request("GET", "/", &[("authorization", value)]), &[]);
            check_refused(&trial);
            assert_eq!(trial.field("www-authenticate").unwrap(), "Bearer realm=\"portcullis\"");
        }
    }

    #[test]
    fn a_key_in_the_query_is_found_and_taken_out() {
        let policy = policy(None, Some("api_key"));
        for (target, rest, consumer) in [
            ("/?api_key=alices-key", "/", "alice"),
            ("/a?b=c&api_key=alices-key&d", "/a?b=c&d", "alice"),
            ("/a?api%5Fkey=%61lices-key&x=%20", "/a?x=%20", "alice"),
            ("/a?api_key=b+b=/%25", "/a", "bob"),
        ] {
            let trial = send(&policy, request("GET", target, &[]), &[]);
            check_admitted(&trial, consumer);
            assert_eq!(trial.seen.unwrap().target.as_str(), rest);
        }
        for target in [
            "/",
            "/?",
            "/?api_key",
            "/?api_key=no",
            "/?api_key=alices-key&api_key=alices-key",
            "/?api_key=%zz",
        ] {
            check_refused(&send(
                &policy,
                request("GET", target, &[("x-api-key", "alices-key")]),
                &[],
            ));
        }
    }

    #[test]
    fn of_two_places_one_may_hold_a_key() {
        let policy = policy(Some("X-Key"), Some("key"));
        check_admitted(
            &send(&policy, request("GET", "/", &[("x-key", "alices-key")]), &[]),
            "alice",
        );
        check_admitted(&send(&policy, request("GET", "/?key=alices-key", &[]), &[]), "alice");
        check_refused(&send(
            &policy,
            request("GET", "/?key=alices-key", &[("x-key", "alices-key")]),
            &[],
        ));
        check_refused(&send(
            &policy,
            request("GET", "/?key=alices-key", &[("x-key", "no")]),
            &[],
        ));
    }

    #[test]
    fn the_challenge_says_where_the_key_belongs() {
        let trial = send(&policy(None, None), request("GET", "/", &[]), &[]);
        let expected = "ApiKey realm=\"portcullis\", in=\"header\", name=\"X-Api-Key\"";
        assert_eq!(trial.field("www-authenticate").unwrap(), expected);
        let trial = send(&policy(None, Some("k")), request("GET", "/", &[]), &[]);
        let expected = "ApiKey realm=\"portcullis\", in=\"query\", name=\"k\"";
        assert_eq!(trial.field("www-authenticate").unwrap(), expected);
    }
}
