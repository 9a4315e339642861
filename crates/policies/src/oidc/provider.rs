//! The OpenID provider: what it publishes, and what it is asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portcullis_core::{Headers, Known};
use portcullis_fetch::{Answer, Fetcher, Url};
use portcullis_jose::algorithm::{Algorithm, Algorithms};
use portcullis_jose::claims::Rules;
use portcullis_jose::keys::Keys;
use portcullis_jose::refusal::Refusal;
use serde_json::{Map, Value};

/// Where a provider says what it is (OpenID Connect Discovery 1.0 §4).
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// How long what it publishes is good without another look.
const FRESH: Duration = Duration::from_secs(3600);

/// How long it is good while there is no answer.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// How long the provider is left alone after a question for what it publishes, whatever became of it.
const PAUSE: Duration = Duration::from_secs(10);

/// How far its clock may differ from ours, in seconds.
const LEEWAY: u64 = 60;

/// An OpenID provider that knows us.
pub(super) struct Provider {
    fetcher: Fetcher,
    issuer: Box<str>,
    client_id: Box<str>,
    client_secret: Option<Box<str>>,
    rules: Rules,
    latest: Mutex<Latest>,
    asking: tokio::sync::Mutex<()>,
}

/// What is known, and when it was asked for last.
#[derive(Default)]
struct Latest {
    published: Option<Arc<Published>>,
    asked: Option<(Instant, Result<(), Arc<str>>)>,
}

/// What a provider publishes.
pub(super) struct Published {
    /// Where people log in.
    pub(super) authorization: Box<str>,
    /// Where people log out.
    pub(super) end_session: Option<Box<str>>,
    /// Whether its answers name it (RFC 9207).
    pub(super) names_itself: bool,
    token: Box<str>,
    /// Whether a client shows its password in the form, for it can't in `Authorization`.
    secret_in_form: bool,
    keys: Keys,
    fetched: Instant,
}

/// What a provider gives for a code, or for a token to renew.
#[derive(Default)]
pub(super) struct Tokens {
    pub(super) id_token: Option<String>,
    pub(super) refresh_token: Option<String>,
    pub(super) expires_in: Option<u64>,
    pub(super) scope: Option<String>,
}

/// Why there is nothing.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The provider, or what it sent, says no.
    Refused(Arc<str>),
    /// It could not be found out.
    Away(Arc<str>),
}

fn refused(why: impl Into<Arc<str>>) -> Failure {
    Failure::Refused(why.into())
}

fn away(why: impl Into<Arc<str>>) -> Failure {
    Failure::Away(why.into())
}

impl Provider {
    /// The provider at that URL.
    ///
    /// # Errors
    /// When the URL can't be asked.
    pub(super) fn new(
        fetcher: Fetcher,
        issuer: &str,
        client_id: &str,
        client_secret: Option<&str>,
    ) -> Result<Provider, String> {
        if issuer.ends_with(WELL_KNOWN) {
            return Err(format!("write the issuer's URL alone; `{WELL_KNOWN}` is added"));
        }
        check(issuer)?;
        Ok(Provider {
            fetcher,
            issuer: issuer.into(),
            client_id: client_id.into(),
            client_secret: client_secret.map(Box::from),
            rules: Rules {
                issuer: Some(issuer.into()),
                audiences: vec![client_id.into()],
                leeway: LEEWAY,
                must_expire: true,
                required: vec!["sub".into()],
                // A token for access (`at+jwt`) says nothing about a login.
                kinds: vec!["jwt".into()],
            },
            latest: Mutex::default(),
            asking: tokio::sync::Mutex::new(()),
        })
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// What it publishes.
    pub(super) async fn published(&self) -> Result<Arc<Published>, Failure> {
        match self.known(FRESH) {
            Some(published) => Ok(published),
            None => self.asked_again(None).await,
        }
    }

    fn known(&self, good_for: Duration) -> Option<Arc<Published>> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let published = latest.published.as_ref()?;
        (published.fetched.elapsed() < good_for).then(|| published.clone())
    }

    /// What it publishes now, if that is newer than `than`. One asks for all who want to know, and none too often.
    async fn asked_again(&self, than: Option<&Arc<Published>>) -> Result<Arc<Published>, Failure> {
        let _one_at_a_time = self.asking.lock().await;
        let fresh = self.known(FRESH);
        if let Some(fresh) = fresh
            && than.is_none_or(|than| !Arc::ptr_eq(than, &fresh))
        {
            return Ok(fresh);
        }
        let asked = self.latest.lock().unwrap_or_else(PoisonError::into_inner).asked.clone();
        if let Some((at, outcome)) = asked
            && at.elapsed() < PAUSE
        {
            return match (self.known(STALE), outcome) {
                (Some(published), _) => Ok(published),
                (None, Err(why)) => Err(Failure::Away(why)),
                (None, Ok(())) => Err(away("the provider was asked a moment ago")),
            };
        }
        let fetched = self.fetch().await.map_err(Arc::from);
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.asked = Some((Instant::now(), fetched.as_ref().map(drop).map_err(Arc::clone)));
        match fetched {
            Ok(published) => {
                let published = Arc::new(published);
                latest.published = Some(published.clone());
                Ok(published)
            }
            Err(why) => {
                let stale = latest
                    .published
                    .as_ref()
                    .filter(|known| known.fetched.elapsed() < STALE);
                stale.cloned().ok_or(Failure::Away(why))
            }
        }
    }

    async fn fetch(&self) -> Result<Published, String> {
        let document = self
            .get(&format!("{}{WELL_KNOWN}", self.issuer.trim_end_matches('/')))
            .await?;
        let document: Value = serde_json::from_slice(&document.body).map_err(|error| error.to_string())?;
        // OpenID Connect Discovery 1.0 §4.3: letter by letter.
        if document["issuer"].as_str() != Some(&self.issuer) {
            return Err("the document of the provider names another issuer".to_owned());
        }
        let url = |name: &str| match document[name].as_str() {
            Some(url) => check(url).map(|()| url.to_owned()),
            None => Err(format!("the document of the provider names no `{name}`")),
        };
        let keys = self.get(&url("jwks_uri")?).await?;
        let asymmetric: Vec<Algorithm> = Algorithm::ALL.into_iter().filter(|it| !it.is_symmetric()).collect();
        let keys = Keys::from_jwks(&keys.body, Some(Algorithms::of(&asymmetric)))
            .map_err(|why| format!("the keys of the provider can't be used: {why}"))?;
        let methods = document["token_endpoint_auth_methods_supported"].as_array();
        let takes = |method: &str| methods.is_some_and(|methods| methods.iter().any(|it| it == method));
        Ok(Published {
            authorization: url("authorization_endpoint")?.into(),
            end_session: url("end_session_endpoint").ok().map(Box::from),
            names_itself: document["authorization_response_iss_parameter_supported"] == Value::Bool(true),
            token: url("token_endpoint")?.into(),
            secret_in_form: takes("client_secret_post") && !takes("client_secret_basic"),
            keys,
            fetched: Instant::now(),
        })
    }

    async fn get(&self, url: &str) -> Result<Answer, String> {
        let answer = self.fetcher.get(url).await;
        match answer {
            Ok(answer) if answer.status == 200 => Ok(answer),
            Ok(answer) => Err(format!("{url} can't be fetched: the status is {}", answer.status)),
            Err(failure) => Err(format!("{url} can't be fetched: {failure}")),
        }
    }

    /// What the provider gives for a code (RFC 6749 §4.1.3).
    pub(super) async fn exchange(&self, code: &str, verifier: &str, redirect_uri: &str) -> Result<Tokens, Failure> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        self.tokens(&form).await
    }

    /// What the provider gives for a token to renew (RFC 6749 §6).
    pub(super) async fn renew(&self, refresh_token: &str) -> Result<Tokens, Failure> {
        self.tokens(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
            .await
    }

    async fn tokens(&self, form: &[(&str, &str)]) -> Result<Tokens, Failure> {
        let published = self.published().await?;
        let mut form = form.to_vec();
        let mut headers = Headers::new();
        match &self.client_secret {
            Some(secret) if !published.secret_in_form => {
                let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                let pair = format!("{}:{}", encoded(&self.client_id), encoded(secret));
                headers.append(Known::Authorization, format!("Basic {}", STANDARD.encode(pair)));
            }
            secret => {
                form.push(("client_id", &self.client_id));
                form.extend(secret.as_deref().map(|secret| ("client_secret", secret)));
            }
        }
        let answer = self.fetcher.post_form(&published.token, &form, headers).await;
        let answer = answer.map_err(|failure| away(format!("tokens can't be fetched: {failure}")))?;
        let body: Map<String, Value> = serde_json::from_slice(&answer.body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        match answer.status {
            200 => Ok(Tokens {
                id_token: text("id_token"),
                refresh_token: text("refresh_token"),
                expires_in: body.get("expires_in").and_then(Value::as_u64),
                scope: text("scope"),
            }),
            // RFC 6749 §5.2: the code or the token is no good. All else is about us.
            400 if text("error").as_deref() == Some("invalid_grant") => {
                Err(refused("the provider says `invalid_grant`"))
            }
            status => {
                let error = text("error").unwrap_or_default();
                Err(away(format!("the provider gives no tokens: {status} {error}")))
            }
        }
    }

    /// What an ID token says, if it is good (OpenID Connect Core 1.0 §3.1.3.7). `nonce` is that of the login, where it is one.
    pub(super) async fn verify(
        &self,
        token: &str,
        nonce: Option<&str>,
        now: u64,
    ) -> Result<Map<String, Value>, Failure> {
        let published = self.published().await?;
        let mut verified = published.keys.verify(token.as_bytes(), &self.rules, now);
        if matches!(verified, Err(Refusal::UnknownKey)) {
            let newer = self.asked_again(Some(&published)).await?;
            verified = newer.keys.verify(token.as_bytes(), &self.rules, now);
        }
        let claims = verified
            .map_err(|why| refused(format!("the ID token is no good: {why}")))?
            .claims;
        if nonce.is_some_and(|nonce| claims.get("nonce").and_then(Value::as_str) != Some(nonce)) {
            return Err(refused("the ID token is of another login"));
        }
        // Of a token for several, the one that it was issued to says that it was us.
        let is_for_several = matches!(claims.get("aud"), Some(Value::Array(audience)) if audience.len() > 1);
        match claims.get("azp") {
            None if is_for_several => Err(refused("the ID token doesn't say to whom it was issued")),
            Some(party) if party.as_str() != Some(&self.client_id) => {
                Err(refused("the ID token was issued to somebody else"))
            }
            _ => Ok(claims),
        }
    }
}

/// A URL of a provider: `https`, or `http` on this machine, for tests.
fn check(url: &str) -> Result<(), String> {
    let parsed = Url::parse(url).map_err(|failure| failure.to_string())?;
    let address = parsed.host().parse::<std::net::IpAddr>();
    let is_here = parsed.host() == "localhost" || address.is_ok_and(|address| address.is_loopback());
    if parsed.scheme() == portcullis_core::Scheme::Https || is_here {
        return Ok(());
    }
    Err(format!("`{url}` would be asked in clear text: write `https`"))
}

#[cfg(test)]
impl Provider {
    /// Takes these keys for what was fetched just now, so that nobody is asked for them.
    pub(super) fn knows(&self, keys: Keys) {
        let published = Published {
            authorization: "https://id.example/authorize?tenant=a".into(),
            end_session: Some("https://id.example/logout".into()),
            names_itself: true,
            token: "http://127.0.0.1:1/token".into(),
            secret_in_form: false,
            keys,
            fetched: Instant::now(),
        };
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.asked = Some((Instant::now(), Ok(())));
        latest.published = Some(Arc::new(published));
    }
}
