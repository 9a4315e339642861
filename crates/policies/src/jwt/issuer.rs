//! One issuer: what its tokens must say, and the keys by which they are verified.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_config::policy::jwt::{Issuer as Written, TokenKey};
use portcullis_core::{Error, Known as Field, codes};
use portcullis_jose::algorithm::{Algorithm, Algorithms};
use portcullis_jose::claims::Rules;
use portcullis_jose::key::Key;
use portcullis_jose::keys::{Keys, LONGEST_DOCUMENT};
use portcullis_jose::refusal::Refusal;

use super::Surroundings;
use super::identity::{Holder, Mapping};
use super::keyring::Keyring;
use super::known::Known;
use super::source::Place;

/// How long a token that never expires is known without being verified again.
const ETERNAL: u64 = 3600;

/// One who issues tokens.
pub(super) struct Issuer {
    rules: Rules,
    keyring: Arc<Keyring>,
    max_stale: Duration,
    pub(super) mapping: Mapping,
    known: Known,
}

/// What a token was found to be.
pub(super) enum Judged {
    Good(Arc<Holder>),
    /// Newer keys could make it good, or there are none yet.
    NeedsKeys(Lacking),
    Bad(Box<str>),
}

/// Which keys are lacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lacking {
    /// The one that the token names.
    Named,
    /// All.
    All,
}

impl Issuer {
    /// # Errors
    /// When its tokens could be for anybody without the file saying so, its keys come from nowhere or two places, or can't
    /// be used.
    pub(super) fn new(config: &Written, around: &Surroundings<'_>) -> Result<Issuer, String> {
        if config.audience.is_empty() && !config.any_audience {
            return Err(
                "say whom tokens must be for (`audience`), or that it doesn't matter (`any_audience: true`)".to_owned(),
            );
        }
        let issuer = config.issuer.as_ref().or(config.discovery.as_ref());
        if let (Some(issuer), Some(discovery)) = (&config.issuer, &config.discovery)
            && issuer != discovery
        {
            return Err("`discovery` is the issuer's URL as it stands in `iss`: `issuer` must say the same".to_owned());
        }
        let rules = Rules {
            issuer: issuer.map(|issuer| issuer.as_str().into()),
            audiences: boxed(&config.audience),
            leeway: config.leeway.0.as_secs(),
            must_expire: !config.any_expiry,
            required: boxed(&config.required_claims),
            kinds: config
                .types
                .iter()
                .map(|kind| kind.to_ascii_lowercase().into())
                .collect(),
        };
        Ok(Issuer {
            rules,
            keyring: keyring(config, around)?,
            max_stale: config.max_stale.0,
            mapping: Mapping::new(config)?,
            known: Known::default(),
        })
    }

    /// Whether it issues tokens that say so.
    pub(super) fn is(&self, named: &str) -> bool {
        self.rules.issuer.as_deref() == Some(named)
    }

    pub(super) fn is_named(&self) -> bool {
        self.rules.issuer.is_some()
    }

    /// Judges a token, at that time on both clocks (seconds since 1970).
    pub(super) fn judge(&self, token: &[u8], started: Instant, now: u64) -> Judged {
        let Some(ring) = self.keyring.current(started, self.max_stale) else {
            return Judged::NeedsKeys(Lacking::All);
        };
        let Some(ring) = ring.as_deref() else {
            return Judged::NeedsKeys(Lacking::All);
        };
        if let Some(holder) = self.known.find(token, ring.number, now) {
            return Judged::Good(holder);
        }
        let verified = match ring.keys.verify(token, &self.rules, now) {
            Ok(verified) => verified,
            Err(Refusal::UnknownKey) => return Judged::NeedsKeys(Lacking::Named),
            Err(refusal) => return Judged::Bad(refusal.to_string().into()),
        };
        let Some(holder) = self.mapping.holder(verified.claims) else {
            return Judged::Bad("the token's claim that names the consumer is missing, or can't be a name".into());
        };
        let holder = Arc::new(holder);
        let eternal = now.saturating_add(ETERNAL);
        let until = verified
            .expires
            .map_or(eternal, |expires| expires.saturating_add(self.rules.leeway));
        self.known.keep(token, ring.number, until, &holder);
        Judged::Good(holder)
    }

    /// Waits a while for keys to be fetched. Says whether that happened.
    pub(super) async fn refreshed(&self) -> bool {
        self.keyring.refreshed().await
    }

    /// The error of a request whose token can't be judged.
    #[cold]
    pub(super) fn unavailable(&self) -> Error {
        Error::new(&codes::GUARD_UNAVAILABLE)
            .with_header(Field::RetryAfter, "1")
            .with_cause(&*self.keyring.failure())
            .by_policy("jwt")
    }
}

fn boxed(texts: &[String]) -> Vec<Box<str>> {
    texts.iter().map(|text| text.as_str().into()).collect()
}

fn keyring(config: &Written, around: &Surroundings<'_>) -> Result<Arc<Keyring>, String> {
    let allowed = algorithms(&config.algorithms)?;
    let places = [
        config.discovery.is_some(),
        config.jwks.is_some(),
        !config.keys.is_empty(),
    ];
    if places.iter().filter(|there| **there).count() != 1 {
        return Err("say where the keys come from: one of `discovery`, `jwks` and `keys`".to_owned());
    }
    let place = match (&config.discovery, &config.jwks) {
        (Some(issuer), _) => Place::discovery(issuer)?,
        (None, Some(url)) if url.starts_with("https://") || url.starts_with("http://") => Place::keys(url)?,
        (None, Some(path)) => {
            let path = around.base.join(path.strip_prefix("file:").unwrap_or(path));
            let keys = Keys::from_jwks(&read(&path)?, allowed)
                .map_err(|why| format!("the keys in {} can't be used: {why}", path.display()))?;
            return Ok(Arc::new(Keyring::fixed(keys)));
        }
        (None, None) => {
            let keys = config.keys.iter().map(|key| written_key(key, allowed, around.base));
            return Ok(Arc::new(Keyring::fixed(Keys::new(keys.collect::<Result<_, _>>()?))));
        }
    };
    let ca = config.ca.as_ref().map(|path| around.base.join(path));
    match around.keyrings {
        Some(keyrings) => keyrings.fetched(place, allowed, ca.as_deref(), config.refresh.0, around.slow),
        // Nobody is asked while a configuration is only looked at.
        None => Ok(Arc::new(Keyring::fixed(Keys::new(Vec::new())))),
    }
}

fn written_key(key: &TokenKey, allowed: Option<Algorithms>, base: &Path) -> Result<Key, String> {
    let own = key.algorithm.as_ref().map(std::slice::from_ref);
    let allowed = match own {
        Some(own) => algorithms(own)?,
        None => allowed,
    };
    let made = match (&key.pem, &key.secret) {
        (Some(path), None) => {
            let path = base.join(path);
            Key::from_pem(&read(&path)?, allowed).map_err(|why| format!("{} can't be used: {why}", path.display()))?
        }
        (None, Some(secret)) => Key::from_secret(secret.expose().as_bytes(), allowed)
            .map_err(|why| format!("the secret can't be used: {why}"))?,
        _ => return Err("a key is either `pem` or `secret`".to_owned()),
    };
    Ok(match &key.id {
        Some(id) => made.named(id),
        None => made,
    })
}

fn algorithms(names: &[String]) -> Result<Option<Algorithms>, String> {
    let known = names.iter().map(|name| {
        Algorithm::from_name(name).ok_or_else(|| format!("`{name}` is no algorithm of signatures that is supported"))
    });
    let known: Vec<Algorithm> = known.collect::<Result<_, _>>()?;
    Ok((!known.is_empty()).then(|| Algorithms::of(&known)))
}

/// A file of keys, as far as it is not too large.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let most = u64::try_from(LONGEST_DOCUMENT).unwrap_or(u64::MAX);
    let mut content = Vec::new();
    let file = fs::File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut content));
    file.map_err(|error| format!("can't read {}: {error}", path.display()))?;
    Ok(content)
}
