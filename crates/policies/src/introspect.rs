//! `introspect` lets in those whose bearer token its issuer calls active (RFC 7662).
//!
//! ```yaml
//! introspect:
//!   service: id
//!   path: /oauth2/introspect
//!   client_id: gate
//!   client_secret: "${GATE_SECRET}"
//! ```
//!
//! An answer is remembered, by the hash of the token, for `cache.for` and never longer than the token is good; many requests
//! with a token that is not known yet are one question. Tokens that are no good are remembered apart from good ones, so that
//! nobody pushes those out by guessing.

mod answer;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portcullis_config::policy::introspect::Introspect as Written;
use portcullis_core::headers::Name;
use portcullis_core::{Backend, Body, Consumer, Ctx, Error, Headers, Known, Method, Request, Target, codes};

use self::answer::{Rules, Saying};
use crate::authenticate::{Authenticator, Verdict, Waiting};
use crate::claimed::Claimed;
use crate::inquiry::Inquiry;
use crate::recent::{Mark, Recent, mark};
use crate::single_flight::SingleFlight;

/// The longest token. Those that issuers are asked about are far shorter.
const LONGEST_TOKEN: usize = 8 * 1024;

/// How many good tokens are remembered, and how many others.
const MOST: usize = 100_000;
const MOST_REFUSED: usize = 10_000;

/// Bytes of an issuer's answer.
const LARGEST_ANSWER: u64 = 64 * 1024;

/// The longest time for which an answer may be remembered.
const LONGEST_CACHE: Duration = Duration::from_secs(3600);

/// What a client is told whose token is no good (RFC 6750 §3.1).
const INVALID: &str = "Bearer error=\"invalid_token\"";

/// Lets in those whose token its issuer calls active.
pub struct Introspect {
    inquiry: Inquiry,
    path: Target,
    host: Box<str>,
    authorization: Box<str>,
    hint: Option<Box<str>>,
    rules: Rules,
    lasting: Duration,
    lasting_refused: Duration,
    good: Recent<Arc<Consumer>>,
    refused: Recent<()>,
    flights: SingleFlight<Found>,
    keep: bool,
}

/// What was found out of a token; or why nothing was.
type Found = Result<Option<Arc<Consumer>>, Arc<str>>;

impl Introspect {
    /// Compiles what the file says; `service` is what it names.
    ///
    /// # Errors
    /// When a setting can't be used.
    pub fn new(config: &Written, service: Arc<dyn Backend>) -> Result<Introspect, String> {
        if config.cache.r#for.0 > LONGEST_CACHE || config.cache.refused.0 > LONGEST_CACHE {
            return Err(
                "a token that was taken back would open for too long: remember answers for an hour at most".to_owned(),
            );
        }
        // RFC 6749 §2.3.1: both are encoded as in a form before they become a name and a password.
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (id, secret) = (encoded(&config.client_id), encoded(config.client_secret.expose()));
        let names = match &config.name_claim {
            Some(name) => vec![name.as_str().into()],
            None => ["sub", "username", "client_id"].map(Box::from).to_vec(),
        };
        Ok(Introspect {
            inquiry: Inquiry::new(service, config.timeout.0, "introspect"),
            path: Target::parse(config.path.as_bytes()).map_err(|error| format!("`path`: {error}"))?,
            host: config.host.as_deref().unwrap_or(&config.service).into(),
            authorization: format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))).into(),
            hint: config.token_type_hint.as_deref().map(Box::from),
            rules: Rules {
                issuer: config.issuer.as_deref().map(Box::from),
                audience: config
                    .audience
                    .iter()
                    .map(|audience| audience.as_str().into())
                    .collect(),
                claimed: Claimed {
                    name: names.into(),
                    scopes: Some(config.scopes_claim.as_str().into()),
                    roles: config.roles_claim.as_deref().map(Box::from),
                    by: "introspect",
                },
            },
            lasting: config.cache.r#for.0,
            lasting_refused: config.cache.refused.0,
            good: Recent::new(MOST),
            refused: Recent::new(MOST_REFUSED),
            flights: SingleFlight::new(),
            keep: config.keep,
        })
    }

    /// What is known of the token.
    fn known(&self, mark: &Mark, now: Instant) -> Option<Option<Arc<Consumer>>> {
        let good = self.good.find(mark, now);
        good.map(Some).or_else(|| self.refused.find(mark, now).map(|()| None))
    }

    async fn find_out(&self, cx: &Ctx, mark: &Mark, token: &str) -> Found {
        // Somebody may have found it out since.
        if let Some(known) = self.known(mark, Instant::now()) {
            return Ok(known);
        }
        let answer = self.inquiry.ask(cx, self.question(token), Some(LARGEST_ANSWER)).await;
        let answer = answer.map_err(|error| Arc::from(format!("{error:?}")))?;
        // RFC 7662 §2.3: that the gate itself is refused says nothing about the token.
        if answer.status.code() != 200 {
            return Err(format!("the issuer answered {}", answer.status).into());
        }
        let (now, today) = (Instant::now(), seconds_since_1970());
        match self.rules.read(&answer.content, today)? {
            Saying::Active { claims, expires } => {
                let consumer = match self.rules.claimed.consumer(claims) {
                    Ok(consumer) => Arc::new(consumer),
                    Err(why) => return Err(why.into()),
                };
                let left = expires.map_or(self.lasting, |expires| Duration::from_secs(expires - today));
                self.good.keep(*mark, now + left.min(self.lasting), consumer.clone());
                Ok(Some(consumer))
            }
            Saying::Refused => {
                self.refused.keep(*mark, now + self.lasting_refused, ());
                Ok(None)
            }
        }
    }

    fn question(&self, token: &str) -> Request {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut form = format!("token={}", encoded(token));
        if let Some(hint) = &self.hint {
            form.push_str("&token_type_hint=");
            form.push_str(&encoded(hint));
        }
        let mut question = Request::new(Method::Post, self.path.clone());
        question.headers.append(Known::Host, &*self.host);
        question.headers.append(Known::Accept, "application/json");
        question
            .headers
            .append(Known::ContentType, "application/x-www-form-urlencoded");
        question.headers.append(Known::Authorization, &*self.authorization);
        question.body = Body::from(Bytes::from(form));
        question
    }

    fn verdict(&self, found: Found, request: &mut Request) -> Verdict {
        match found {
            Ok(Some(consumer)) => {
                if !self.keep {
                    request.headers.remove(Known::Authorization);
                }
                Verdict::Known(consumer)
            }
            Ok(None) => refused("the token is not valid"),
            Err(cause) => Verdict::Refused(self.inquiry.unavailable(&cause)),
        }
    }
}

impl Authenticator for Introspect {
    fn name(&self) -> &'static str {
        "introspect"
    }

    fn judge(&self, _: &mut Ctx, request: &mut Request) -> Verdict {
        let token = match bearer(&request.headers) {
            Bearer::None => return Verdict::Absent,
            Bearer::Malformed => return refused("Authorization must hold `Bearer` and one token"),
            Bearer::Token(token) => token,
        };
        match self.known(&mark([token.as_bytes()]), Instant::now()) {
            Some(found) => self.verdict(Ok(found), request),
            None => Verdict::Later,
        }
    }

    fn judge_later<'a>(&'a self, cx: &'a mut Ctx, request: &'a mut Request) -> Waiting<'a> {
        Box::pin(async move {
            let Bearer::Token(token) = bearer(&request.headers) else {
                return Verdict::Absent;
            };
            let mark = mark([token.as_bytes()]);
            let found = self.flights.answer(&mark, self.find_out(cx, &mark, token)).await;
            self.verdict(found, request)
        })
    }

    fn challenge(&self) -> Option<&str> {
        Some("Bearer")
    }
}

/// What stands in `Authorization`.
enum Bearer<'h> {
    None,
    Malformed,
    Token(&'h str),
}

/// The bearer token of a request (RFC 6750 §2.1). Another scheme is somebody else's.
fn bearer(headers: &Headers) -> Bearer<'_> {
    let mut values = headers.get_all(Name::Known(Known::Authorization));
    let Some(value) = values.next() else {
        return Bearer::None;
    };
    let is_only = values.next().is_none();
    let Some((scheme, token)) = value.split_at_checked(b"Bearer ".len()) else {
        return Bearer::None;
    };
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return Bearer::None;
    }
    match std::str::from_utf8(token.trim_ascii()) {
        Ok(token) if is_only && token.len() <= LONGEST_TOKEN && is_token68(token) => Bearer::Token(token),
        _ => Bearer::Malformed,
    }
}

/// RFC 9110 §11.2.
fn is_token68(token: &str) -> bool {
    let stem = token.trim_end_matches('=');
    !stem.is_empty()
        && stem
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

#[cold]
fn refused(detail: &'static str) -> Verdict {
    Verdict::Refused(
        Error::new(&codes::UNAUTHENTICATED)
            .with_detail(detail)
            .with_header(Known::WwwAuthenticate, INVALID)
            .by_policy("introspect"),
    )
}

fn seconds_since_1970() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
