//! `hmac` lets in those who sign their requests.
//!
//! ```yaml
//! hmac:
//!   consumers:
//!     - {name: payroll, key_id: payroll-1, algorithm: hmac-sha256, secret: "${PAYROLL_SECRET}"}
//!     - {name: ledger, key_id: ledger-1, algorithm: ed25519, public_key: ledger.pem}
//! ```
//!
//! Signatures are those of RFC 9421, bodies are compared with the `Content-Digest` of RFC 9530 that the signature covers. What may
//! be signed: fields as they are, and the derived components of a request (§2.2) but `@status`. Parameters of components (`sf`,
//! `bs`, `key`, `req`, `tr`) are not understood, and a signature with them is refused.
//!
//! A request is known by what was signed, not by the signature: some algorithms have several valid signatures of one message.
//! What has been seen is remembered for as long as the signature is good. When a million are, more are refused (503) until
//! the older half is forgotten: whoever holds a key and floods the gate keeps nobody out who signs in other ways.

mod base;
mod digest;
pub mod replay;
mod signature;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use portcullis_config::policy::hmac::{Hmac as Written, Replay, SignatureAlgorithm, Signer};
use portcullis_core::{Consumer, Ctx, Error, Known, Request, codes};
use portcullis_jose::algorithm::{Algorithm, Algorithms};
use portcullis_jose::key::Key;

use crate::authenticate::{Authenticator, Verdict, Waiting};
use crate::consumer::consumer;
use base::Component;
use replay::{Registry, Seen, Window};
use signature::Signature;

/// What a client is asked for (RFC 9110 §15.5.2 demands a challenge; none is registered for signatures).
const CHALLENGE: &str = "Signature realm=\"portcullis\"";

/// The field whose value a signed body is compared with.
const CONTENT_DIGEST: &str = "content-digest";

/// Lets in those who sign their requests.
pub struct Hmac {
    keys: HashMap<Box<str>, SigningKey>,
    covered: Box<[Component]>,
    max_age: u64,
    leeway: u64,
    tag: Option<Box<str>>,
    max_body: u64,
    keep: bool,
    window: Option<Arc<Window>>,
}

/// A key, and whose it is.
struct SigningKey {
    key: Key,
    algorithm: Algorithm,
    /// Its name in signatures.
    name: &'static str,
    consumer: Arc<Consumer>,
}

/// What a signature is of, and by whose key it is right.
struct Signed<'k> {
    signature: Signature,
    text: Vec<u8>,
    key: &'k SigningKey,
}

/// Why a request isn't let in.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// It can't be read; the detail says why.
    Malformed(&'static str),
    /// A key that nobody has, or the wrong signature.
    Wrong,
    /// It was made too long ago, is not valid any more, or not yet.
    Late,
    /// It does not cover what it must.
    Uncovered(Box<str>),
    /// The content is not what was signed.
    Content,
    /// It has been here.
    Seen,
    /// Nothing more can be remembered.
    Full,
}

impl Hmac {
    /// Compiles what the file says; paths are relative to `base`. `name` is that of the policy set: by it, what has been
    /// seen is found again after a reload.
    ///
    /// # Errors
    /// When a key can't be used, two have one name, or a component is none.
    pub fn new(config: &Written, name: &str, base: &Path, registry: &Registry) -> Result<Hmac, String> {
        let mut keys = HashMap::with_capacity(config.consumers.len());
        for signer in &config.consumers {
            let known = key_of(signer, base)?;
            if keys.insert(Box::from(signer.key_id.as_str()), known).is_some() {
                return Err(format!("two keys are called `{}`", signer.key_id));
            }
        }
        let covered: Result<_, _> = config.covered.iter().map(|text| Component::parse(text)).collect();
        let lasting = config.max_age.0 + config.leeway.0;
        if config.max_age.0 > Duration::from_secs(86_400) {
            return Err("`max_age` is a day at the most: for so long all signatures are remembered".to_owned());
        }
        Ok(Hmac {
            keys,
            covered: covered?,
            max_age: config.max_age.0.as_secs(),
            leeway: config.leeway.0.as_secs(),
            tag: config.tag.as_deref().map(Box::from),
            max_body: config.max_body.0,
            keep: config.keep,
            window: (config.replay == Replay::Refuse).then(|| registry.window(name, lasting)),
        })
    }

    /// Whose signature the request has, by its head alone; nothing, where it has none.
    fn signer(&self, cx: &Ctx, request: &Request) -> Result<Option<Signed<'_>>, Refusal> {
        let Some(signatures) = Signature::all_of(&request.headers)? else {
            return Ok(None);
        };
        let known = signatures.into_iter().find_map(|signature| {
            let key = self.keys.get(signature.key_id.as_deref()?)?;
            let fits = self.tag.is_none() || self.tag == signature.tag;
            fits.then_some((signature, key))
        });
        let (signature, key) = known.ok_or(Refusal::Wrong)?;
        if signature.algorithm.as_deref().is_some_and(|name| name != key.name) {
            return Err(Refusal::Wrong);
        }
        self.check_time(&signature, now(cx))?;
        let missing = self.covered.iter().find(|wanted| !signature.covers(wanted));
        if let Some(missing) = missing {
            return Err(Refusal::Uncovered(missing.to_string().into()));
        }
        let text = base::of(&signature, cx, request)?;
        if !key.key.verifies(key.algorithm, &text, &signature.value) {
            return Err(Refusal::Wrong);
        }
        Ok(Some(Signed { signature, text, key }))
    }

    /// Whether the content is what was signed, and the request has not been here.
    fn consumer(
        &self,
        signed: &Signed<'_>,
        cx: &Ctx,
        request: &Request,
        content: &[u8],
    ) -> Result<Arc<Consumer>, Refusal> {
        let covers_content = signed.signature.covers(&Component::field(CONTENT_DIGEST));
        if !content.is_empty() && !covers_content {
            return Err(Refusal::Uncovered(CONTENT_DIGEST.into()));
        }
        // Content that was taken away is none, and its digest is still there.
        if covers_content && !digest::is_of(&request.headers, content) {
            return Err(Refusal::Content);
        }
        // Once more, for the content may have taken its time, and what is too old by now is not remembered any more.
        self.check_time(&signed.signature, now(cx))?;
        // Last, so that nobody but who holds a key makes anything be remembered.
        match self
            .window
            .as_ref()
            .map(|window| window.see(&signed.text, Instant::now()))
        {
            Some(Seen::Before) => Err(Refusal::Seen),
            Some(Seen::Full) => Err(Refusal::Full),
            Some(Seen::Never) | None => Ok(signed.key.consumer.clone()),
        }
    }

    fn check_time(&self, signature: &Signature, now: u64) -> Result<(), Refusal> {
        let created = signature
            .created
            .ok_or(Refusal::Malformed("a signature must say when it was created"))?;
        let is_early = created > now.saturating_add(self.leeway);
        let is_old = created.saturating_add(self.max_age) < now;
        let is_over = signature.expires.is_some_and(|expires| expires < now);
        if is_early || is_old || is_over {
            return Err(Refusal::Late);
        }
        Ok(())
    }

    fn verdict(&self, request: &mut Request, consumer: Result<Arc<Consumer>, Refusal>) -> Verdict {
        match consumer {
            Ok(consumer) => {
                if !self.keep {
                    request.headers.remove("Signature");
                    request.headers.remove("Signature-Input");
                }
                Verdict::Known(consumer)
            }
            Err(refusal) => Verdict::Refused(refused(&refusal)),
        }
    }
}

impl Authenticator for Hmac {
    fn name(&self) -> &'static str {
        "hmac"
    }

    fn judge(&self, cx: &mut Ctx, request: &mut Request) -> Verdict {
        if !Signature::is_there(&request.headers) {
            return Verdict::Absent;
        }
        if !request.body.is_empty() {
            return Verdict::Later;
        }
        let consumer = match self.signer(cx, request) {
            Ok(None) => return Verdict::Absent,
            Ok(Some(signed)) => self.consumer(&signed, cx, request, &[]),
            Err(refusal) => Err(refusal),
        };
        self.verdict(request, consumer)
    }

    fn judge_later<'a>(&'a self, cx: &'a mut Ctx, request: &'a mut Request) -> Waiting<'a> {
        Box::pin(async move {
            // Before anything is read, so that nobody fills the memory but who holds a key.
            let signed = match self.signer(cx, request) {
                Ok(None) => return Verdict::Absent,
                Ok(Some(signed)) => signed,
                Err(refusal) => return Verdict::Refused(refused(&refusal)),
            };
            let body = std::mem::take(&mut request.body);
            let content = match body.read_to_end(self.max_body).await {
                Ok(content) => content,
                Err(error) => return Verdict::Refused(error.by_policy("hmac")),
            };
            request.body = content.clone().into();
            let consumer = self.consumer(&signed, cx, request, &content);
            self.verdict(request, consumer)
        })
    }

    fn challenge(&self) -> Option<&str> {
        Some(CHALLENGE)
    }
}

#[cold]
fn refused(refusal: &Refusal) -> Error {
    let detail = match refusal {
        Refusal::Full => {
            return Error::new(&codes::GUARD_UNAVAILABLE)
                .with_header(Known::RetryAfter, "60")
                .with_cause("as many signatures are remembered as can be")
                .by_policy("hmac");
        }
        Refusal::Malformed(why) => (*why).to_owned(),
        Refusal::Wrong => "the signature is not valid".to_owned(),
        Refusal::Late => "the signature is too old, or not valid now".to_owned(),
        Refusal::Uncovered(component) => format!("the signature does not cover {component}"),
        Refusal::Content => "the content is not that of Content-Digest".to_owned(),
        Refusal::Seen => "this signed request has been here before: add a nonce to each".to_owned(),
    };
    Error::new(&codes::UNAUTHENTICATED)
        .with_detail(detail)
        .with_header(Known::WwwAuthenticate, CHALLENGE)
        .by_policy("hmac")
}

/// The key of a signer.
fn key_of(signer: &Signer, base: &Path) -> Result<SigningKey, String> {
    let (algorithm, name) = match signer.algorithm {
        SignatureAlgorithm::HmacSha256 => (Algorithm::Hs256, "hmac-sha256"),
        SignatureAlgorithm::Ed25519 => (Algorithm::EdDsa, "ed25519"),
        SignatureAlgorithm::EcdsaP256Sha256 => (Algorithm::Es256, "ecdsa-p256-sha256"),
        SignatureAlgorithm::EcdsaP384Sha384 => (Algorithm::Es384, "ecdsa-p384-sha384"),
        SignatureAlgorithm::RsaPssSha512 => (Algorithm::Ps512, "rsa-pss-sha512"),
        SignatureAlgorithm::RsaV15Sha256 => (Algorithm::Rs256, "rsa-v1_5-sha256"),
    };
    let allowed = Some(Algorithms::of(&[algorithm]));
    let id = &signer.key_id;
    let key = match (&signer.secret, &signer.public_key, algorithm.is_symmetric()) {
        (Some(secret), None, true) => Key::from_secret(secret.expose().as_bytes(), allowed),
        (None, Some(path), false) => {
            let path = base.join(path);
            let text = std::fs::read(&path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
            Key::from_pem(&text, allowed)
        }
        (_, _, true) => {
            return Err(format!(
                "the key `{id}` of hmac-sha256 needs a `secret`, and nothing else"
            ));
        }
        (_, _, false) => {
            return Err(format!(
                "the key `{id}` of {name} needs a `public_key`, and nothing else"
            ));
        }
    };
    Ok(SigningKey {
        key: key.map_err(|problem| format!("the key `{id}` can't be used: {problem}"))?,
        algorithm,
        name,
        consumer: Arc::new(consumer(&signer.name, "hmac", &signer.scopes, &signer.roles)?),
    })
}

/// In seconds since 1970. The request itself may have come some time ago.
fn now(cx: &Ctx) -> u64 {
    let came = cx.received.duration_since(UNIX_EPOCH).unwrap_or_default();
    came.saturating_add(cx.started.elapsed()).as_secs()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
