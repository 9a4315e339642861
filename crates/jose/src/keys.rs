//! Sets of keys, and the verification of tokens by them.

use serde_json::Value;

use crate::algorithm::Algorithms;
use crate::claims::Rules;
use crate::key::{Key, LONGEST_SIGNATURE};
use crate::refusal::{Problem, Refusal};
use crate::token::{self, Header, Parts, Verified};
use crate::{jwk, strict_json};

/// The most bytes of a document of keys.
pub const LONGEST_DOCUMENT: usize = 512 * 1024;
/// The most keys of a set.
pub const MOST_KEYS: usize = 128;
/// How many keys are tried for a token that names none: each costs a verification.
const MOST_TRIED: usize = 4;

/// Keys, one of which a token must be signed with.
#[derive(Debug)]
pub struct Keys {
    keys: Vec<Key>,
    unused: Vec<Problem>,
}

impl Keys {
    /// The keys of a JWK Set (RFC 7517 §5). Those that can't be used are left out, as the standard wants it.
    ///
    /// `allowed` says which algorithms may be used. Without, a key that names none has the one that is usual for its type.
    ///
    /// # Errors
    /// When it is no such document, has secrets beside public keys, or no key that can be used.
    pub fn from_jwks(document: &[u8], allowed: Option<Algorithms>) -> Result<Keys, Problem> {
        if document.len() > LONGEST_DOCUMENT {
            return Err(Problem::Document("it is too long"));
        }
        let members = strict_json::object(document)
            .ok_or(Problem::Document("it is not a JSON object, or says something twice"))?;
        let Some(Value::Array(written)) = members.get("keys") else {
            return Err(Problem::Document("it has no array `keys`"));
        };
        if written.len() > MOST_KEYS {
            return Err(Problem::Document("it has too many keys"));
        }
        let written: Option<Vec<_>> = written.iter().map(Value::as_object).collect();
        let written = written.ok_or(Problem::Document("one of its keys is no object"))?;
        let secrets = written.iter().filter(|jwk| jwk::is_secret(jwk)).count();
        if secrets != 0 && secrets != written.len() {
            return Err(Problem::Mixed);
        }
        let mut keys = Vec::new();
        let mut unused = Vec::new();
        for jwk in &written {
            let parsed = match written.iter().filter(|other| jwk::is_same_name(jwk, other)).count() {
                1 => jwk::parse(jwk, allowed),
                _ => Err(Problem::SameName),
            };
            match parsed {
                Ok(key) => keys.push(key),
                Err(problem) => unused.push(problem),
            }
        }
        if keys.is_empty() {
            return Err(Problem::NoneUsable(unused.into_iter().next().map(Box::new)));
        }
        Ok(Keys { keys, unused })
    }

    /// Keys from elsewhere.
    pub fn new(keys: Vec<Key>) -> Keys {
        Keys {
            keys,
            unused: Vec::new(),
        }
    }

    /// The keys.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    /// Why keys of the document were left out.
    pub fn unused(&self) -> &[Problem] {
        &self.unused
    }

    /// Verifies the signature, then the claims at that time (seconds since 1970).
    ///
    /// # Errors
    /// Why it is not good. [`Refusal::UnknownKey`] may be cured by newer keys.
    pub fn verify(&self, token: &[u8], rules: &Rules, now: u64) -> Result<Verified, Refusal> {
        let (header, payload) = self.verify_signature(token)?;
        let claims = strict_json::object(&payload).ok_or(Refusal::Payload)?;
        let expires = rules.check(&header, &claims, now)?;
        Ok(Verified {
            header,
            claims,
            expires,
        })
    }

    /// Verifies the signature alone, and gives what was signed, whatever it is.
    ///
    /// # Errors
    /// As [`Keys::verify`].
    pub fn verify_signature(&self, token: &[u8]) -> Result<(Header, Vec<u8>), Refusal> {
        let parts = token::parts(token)?;
        let payload = token::decode(parts.payload).ok_or(Refusal::Encoding("payload"))?;
        let mut place = [0; LONGEST_SIGNATURE];
        let signature = token::signature(parts.signature, &mut place)?;
        let algorithm = parts.header.algorithm;
        let mut keys = self.keys_for(&parts)?.into_iter();
        if keys.any(|key| key.verifies(algorithm, parts.signed, signature)) {
            Ok((parts.header, payload))
        } else {
            Err(Refusal::Signature)
        }
    }

    /// The keys that it may be signed with: the one that it names, or else those without a name, by its algorithm.
    fn keys_for(&self, parts: &Parts<'_>) -> Result<Vec<&Key>, Refusal> {
        let named = parts.header.key_id.as_deref();
        let mut possible: Vec<&Key> = match named {
            Some(_) => self.keys.iter().filter(|key| key.id() == named).collect(),
            None => self.keys.iter().collect(),
        };
        let mut most = MOST_TRIED;
        if named.is_some() {
            if possible.is_empty() {
                possible.extend(self.keys.iter().filter(|key| key.id().is_none()));
            } else {
                most = 1;
            }
            if possible.is_empty() {
                return Err(Refusal::UnknownKey);
            }
        }
        possible.retain(|key| key.can(parts.header.algorithm));
        match possible.len() {
            0 => Err(Refusal::Algorithm),
            count if count > most => Err(Refusal::AmbiguousKey),
            _ => Ok(possible),
        }
    }
}
