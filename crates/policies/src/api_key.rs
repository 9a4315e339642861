//! `api_key` lets in those who have a key.
//!
//! ```yaml
//! api_key:
//!   header: X-Api-Key
//!   consumers:
//!     - {name: payroll, key: "${PAYROLL_KEY}", scopes: [salaries]}
//!     - name: calendar
//!       keys:
//!         - {sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b, expires: "2027-03-31T00:00:00Z"}
//!         - {sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}
//!   store: true
//! ```
//!
//! The key is taken from a header field, from a query parameter, or from either; without both settings from
//! `X-Api-Key`. In `Authorization` it is expected as `Bearer KEY`; other schemes there are no keys. In a query it may be
//! percent-encoded; `+` stands for itself, since keys in Base64 have it. A request with several keys, with one of more
//! than 256 bytes or with one that nobody has, or has any more, is refused with 401 (`unauthenticated`). So is one without a
//! key, where the route has no other way of authentication. A consumer may have several keys, to change them, and each may
//! have its time.
//!
//! The backend sees `X-Consumer` with the consumer's name, whatever a client sent under that name, and not the key: the
//! field or parameter is taken out of the request, unless `keep` says otherwise.
//!
//! Keys are kept as their SHA-256. One that a person thought up can be guessed from it: make keys of random bytes.
//!
//! With `store`, operators add consumers and keys while the gate runs (`POST /consumers`). The gate makes these keys of 256
//! random bits, with a prefix and a checksum by which scanners of leaked secrets know them, and by which others are told
//! apart without a look into the store. What the store said of a key holds for five seconds at the most.

mod keys;
pub mod made;
mod place;
mod query;
pub mod stored;
mod validity;

use std::borrow::Cow;
use std::sync::Arc;

use portcullis_config::policy::api_key;
use portcullis_core::{Consumer, Ctx, Error, Known, Request, codes};
use sha2::{Digest as _, Sha256};

use crate::authenticate::{Authenticator, Verdict, Waiting};
use keys::Keys;
use place::Place;
use stored::{Remembered, Stored};

/// The longest key: hashing must cost a client more than us.
pub const LONGEST_KEY: usize = 256;

/// The SHA-256 of a key.
type Digest = [u8; 32];

/// Lets in those who have a key.
#[derive(Debug)]
pub struct ApiKey {
    place: Place,
    keys: Keys,
    /// Those whom operators add.
    stored: Option<Arc<Stored>>,
    keep: bool,
}

/// Why a key lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Several,
    TooLong,
    Unknown,
    NotYet,
    Expired,
}

/// What is known of a request's key without waiting.
enum Looked {
    Absent,
    Found(Arc<Consumer>),
    /// The store has to be asked.
    Ask(Digest),
}

impl ApiKey {
    /// Compiles what the file says; keys are hashed and not kept. `stored` knows those whom operators add, where the file
    /// says that they may enter.
    ///
    /// # Errors
    /// When nobody could ever enter, a name can't be used, a consumer has no key, or two consumers have the same.
    pub fn new(config: &api_key::ApiKey, stored: Option<Arc<Stored>>) -> Result<ApiKey, String> {
        if config.consumers.is_empty() && stored.is_none() {
            return Err(
                "nobody could enter: name `consumers`, or say `store: true` for those whom operators add".to_owned(),
            );
        }
        Ok(ApiKey {
            place: Place::new(config.header.as_deref(), config.query.as_deref())?,
            keys: Keys::new(&config.consumers)?,
            stored,
            keep: config.keep,
        })
    }

    fn look(&self, cx: &Ctx, request: &Request) -> Result<Looked, Refusal> {
        let Some(key) = self.place.key(request)? else {
            return Ok(Looked::Absent);
        };
        if key.len() > LONGEST_KEY {
            return Err(Refusal::TooLong);
        }
        let digest: Digest = Sha256::digest(&key).into();
        if let Some(found) = self.keys.find(&digest, validity::now(cx)) {
            return found.map(|consumer| Looked::Found(Arc::clone(consumer)));
        }
        let Some(stored) = &self.stored else {
            return Err(Refusal::Unknown);
        };
        match stored.remembered(&digest, cx.started) {
            Some(remembered) => admit(remembered, cx).map(Looked::Found),
            None if made::is_made(&key) => Ok(Looked::Ask(digest)),
            None => Err(Refusal::Unknown),
        }
    }

    fn verdict(&self, request: &mut Request, outcome: Result<Arc<Consumer>, Refusal>) -> Verdict {
        match outcome {
            Ok(consumer) => {
                if !self.keep {
                    self.place.take_out(request);
                }
                Verdict::Known(consumer)
            }
            Err(refusal) => Verdict::Refused(self.refusal(refusal)),
        }
    }

    #[cold]
    fn refusal(&self, refusal: Refusal) -> Error {
        let detail: Cow<'static, str> = match refusal {
            Refusal::Several => "the request holds more than one key".into(),
            Refusal::TooLong => format!("a key has at most {LONGEST_KEY} bytes").into(),
            Refusal::Unknown => "the key is not valid".into(),
            Refusal::NotYet => "the key is not valid yet".into(),
            Refusal::Expired => "the key has expired".into(),
        };
        Error::new(&codes::UNAUTHENTICATED)
            .with_detail(detail)
            .with_header(Known::WwwAuthenticate, self.place.challenge())
            .by_policy("api_key")
    }
}

impl Authenticator for ApiKey {
    fn name(&self) -> &'static str {
        "api_key"
    }

    fn judge(&self, cx: &mut Ctx, request: &mut Request) -> Verdict {
        match self.look(cx, request) {
            Ok(Looked::Absent) => Verdict::Absent,
            Ok(Looked::Found(consumer)) => self.verdict(request, Ok(consumer)),
            Ok(Looked::Ask(_)) => Verdict::Later,
            Err(refusal) => self.verdict(request, Err(refusal)),
        }
    }

    fn judge_later<'a>(&'a self, cx: &'a mut Ctx, request: &'a mut Request) -> Waiting<'a> {
        Box::pin(async move {
            let outcome = match (self.look(cx, request), &self.stored) {
                (Ok(Looked::Absent), _) => return Verdict::Absent,
                (Ok(Looked::Found(consumer)), _) => Ok(consumer),
                (Err(refusal), _) => Err(refusal),
                (Ok(Looked::Ask(_)), None) => Err(Refusal::Unknown),
                (Ok(Looked::Ask(digest)), Some(stored)) => match stored.look_up(digest, cx.started).await {
                    Ok(remembered) => admit(remembered, cx),
                    Err(unknown) => {
                        let error = Error::new(&codes::GUARD_UNAVAILABLE).with_header(Known::RetryAfter, "1");
                        return Verdict::Refused(error.with_cause(unknown).by_policy("api_key"));
                    }
                },
            };
            self.verdict(request, outcome)
        })
    }

    fn challenge(&self) -> Option<&str> {
        Some(self.place.challenge())
    }
}

fn admit(remembered: Remembered, cx: &Ctx) -> Result<Arc<Consumer>, Refusal> {
    let holder = remembered.ok_or(Refusal::Unknown)?;
    holder.validity.judge(validity::now(cx))?;
    Ok(Arc::clone(&holder.consumer))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use portcullis_config::policy::api_key::KeyHolder;
    use portcullis_config::secret::Secret;

    use portcullis_core::Policy;
    use portcullis_stores::durable::unopened::Unopened;

    use super::*;
    use crate::authenticate::Authenticate;
    use crate::trial::{Trial, request, send};

    fn holder(name: &str, key: &str) -> KeyHolder {
        KeyHolder {
            name: name.to_owned(),
            key: Some(Secret::new(key.to_owned())),
            ..KeyHolder::default()
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
            ..api_key::ApiKey::default()
        };
        let way: Arc<dyn Authenticator> = Arc::new(ApiKey::new(&config, None).unwrap());
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

    #[test]
    fn a_key_that_is_kept_goes_on() {
        let config = api_key::ApiKey {
            query: Some("key".to_owned()),
            consumers: vec![holder("alice", "alices-key")],
            keep: true,
            ..api_key::ApiKey::default()
        };
        let way: Arc<dyn Authenticator> = Arc::new(ApiKey::new(&config, None).unwrap());
        let policy: Arc<dyn Policy> = Arc::new(Authenticate::new([way]));
        let trial = send(&policy, request("GET", "/?key=alices-key", &[]), &[]);
        assert_eq!(trial.seen.unwrap().target.as_str(), "/?key=alices-key");
    }

    #[test]
    fn a_route_that_nobody_could_enter_is_a_mistake() {
        let problem = ApiKey::new(&api_key::ApiKey::default(), None).unwrap_err();
        assert!(problem.contains("store: true"), "{problem}");
    }

    #[test]
    fn a_store_that_is_away_lets_nobody_in_and_is_not_asked_in_vain() {
        let config = api_key::ApiKey {
            consumers: vec![holder("alice", "alices-key")],
            ..api_key::ApiKey::default()
        };
        let stored = Arc::new(Stored::new(Arc::new(Unopened)));
        let way: Arc<dyn Authenticator> = Arc::new(ApiKey::new(&config, Some(stored)).unwrap());
        let policy: Arc<dyn Policy> = Arc::new(Authenticate::new([way]));
        let status = |key: &str| {
            let trial = send(&policy, request("GET", "/", &[("x-api-key", key)]), &[]);
            (trial.status().code(), trial.field("retry-after"))
        };
        assert_eq!(status("alices-key").0, 200, "those of the file need no store");
        assert_eq!(status("bobs-key").0, 401);
        let made = made::MadeKey::new().unwrap();
        assert_eq!(status(made.expose()), (503, Some("1".to_owned())));
        let mut typo = made.expose().to_owned();
        typo.pop();
        assert_eq!(status(&typo).0, 401, "no gate made it");
    }
}
