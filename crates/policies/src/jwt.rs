//! `jwt` lets in those who have a signed token.
//!
//! ```yaml
//! jwt:
//!   discovery: https://id.example
//!   audience: orders
//!   roles_claim: realm_access.roles
//!   forward_claims: {X-Tenant: tenant}
//! ```
//!
//! What is verified, and how strictly, is `portcullis_jose`'s: see RFC 8725. Here it is said where tokens stand in requests, whose they
//! are, and where keys come from: they are fetched away from the workers, and again when they have become old or a token names
//! one that isn't known. Who names unknown keys makes them be fetched once in ten seconds, and waits two at the most.
//!
//! A token that was verified is known until it expires or the keys change, by each worker for itself.

mod identity;
mod issuer;
mod keyring;
mod known;
mod place;
mod registry;
mod source;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;

use std::path::Path;
use std::time::UNIX_EPOCH;

use portcullis_config::policy::jwt::Jwt as Written;
use portcullis_core::{Ctx, Error, Known, Request, codes};
use tokio::runtime::Handle;

use crate::authenticate::{Authenticator, Verdict, Waiting};
use crate::field_name::FieldName;
use issuer::{Issuer, Judged, Lacking};
use place::{Found, Places};

pub use registry::Keyrings;

/// What a client without a token is told (RFC 6750 §3).
const CHALLENGE: &str = "Bearer realm=\"portcullis\"";

/// What a client with a bad one is told.
const BAD: &str = "Bearer realm=\"portcullis\", error=\"invalid_token\"";

/// What the policy is made of beside its own words.
pub struct Surroundings<'s> {
    /// The folder to which paths of files are relative.
    pub base: &'s Path,
    /// Where keys are fetched.
    pub slow: &'s Handle,
    /// The keys that are fetched. `None` where the configuration is only looked at: then nobody is asked.
    pub keyrings: Option<&'s Keyrings>,
}

/// Lets in those who have a signed token.
pub struct Jwt {
    issuers: Box<[Issuer]>,
    places: Places,
    keep: bool,
    own_fields: Vec<FieldName>,
}

impl Jwt {
    /// Compiles what the file says, reads files of keys, and begins to fetch the others.
    ///
    /// # Errors
    /// When there is no issuer or one can't be used, or several can't be told apart.
    pub fn new(config: &Written, around: &Surroundings<'_>) -> Result<Jwt, String> {
        let only = &config.only;
        let has_one = only.discovery.is_some() || only.jwks.is_some() || !only.keys.is_empty();
        let issuers: Vec<Issuer> = match (has_one, config.issuers.is_empty()) {
            (true, false) => return Err("list this issuer under `issuers`, too".to_owned()),
            (_, true) => vec![Issuer::new(only, around)?],
            (false, false) => {
                let issuers = config.issuers.iter().map(|issuer| Issuer::new(issuer, around));
                issuers.collect::<Result<_, _>>()?
            }
        };
        if issuers.len() > 1 && !issuers.iter().all(Issuer::is_named) {
            return Err("of several issuers each must have its `issuer`, by which tokens are told apart".to_owned());
        }
        let own_fields = issuers.iter().flat_map(|issuer| issuer.mapping.own_fields().cloned());
        Ok(Jwt {
            own_fields: own_fields.collect(),
            issuers: issuers.into(),
            places: Places::new(config)?,
            keep: config.keep,
        })
    }

    /// The issuer by whose keys and rules a token is judged. What the token says of it is not verified yet: it chooses who
    /// does that.
    fn issuer_of(&self, token: &[u8]) -> Option<&Issuer> {
        match &*self.issuers {
            [only] => Some(only),
            several => {
                let named = portcullis_jose::token::claimed_issuer(token)?;
                several.iter().find(|issuer| issuer.is(&named))
            }
        }
    }

    /// What becomes of the request. `Later` where keys are lacking and `last` says that they may be waited for.
    fn verdict(&self, cx: &Ctx, request: &mut Request, last: bool) -> Verdict {
        let token = match self.places.find(request) {
            Found::Nothing => return Verdict::Absent,
            Found::Several => return refused("the request holds more than one token"),
            Found::Token(token) => token,
        };
        let Some(issuer) = self.issuer_of(token) else {
            return refused("the token was issued by somebody else");
        };
        let now = cx.received.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        match issuer.judge(token, cx.started, now) {
            Judged::Good(holder) => {
                if !self.keep {
                    self.places.take_out(request);
                }
                holder.tell(&mut request.headers);
                Verdict::Known(holder.consumer.clone())
            }
            Judged::Bad(why) => refused(why),
            Judged::NeedsKeys(_) if !last => Verdict::Later,
            Judged::NeedsKeys(Lacking::Named) => refused("the token's key is not known"),
            Judged::NeedsKeys(Lacking::All) => Verdict::Refused(issuer.unavailable()),
        }
    }
}

impl Authenticator for Jwt {
    fn name(&self) -> &'static str {
        "jwt"
    }

    fn judge(&self, cx: &mut Ctx, request: &mut Request) -> Verdict {
        self.verdict(cx, request, false)
    }

    fn judge_later<'a>(&'a self, cx: &'a mut Ctx, request: &'a mut Request) -> Waiting<'a> {
        Box::pin(async move {
            if let Found::Token(token) = self.places.find(request)
                && let Some(issuer) = self.issuer_of(token)
            {
                issuer.refreshed().await;
            }
            self.verdict(cx, request, true)
        })
    }

    fn challenge(&self) -> Option<&str> {
        Some(CHALLENGE)
    }

    fn own_fields(&self) -> &[FieldName] {
        &self.own_fields
    }
}

#[cold]
fn refused(why: impl Into<String>) -> Verdict {
    let error = Error::new(&codes::UNAUTHENTICATED).with_detail(why.into());
    Verdict::Refused(error.with_header(Known::WwwAuthenticate, BAD).by_policy("jwt"))
}
