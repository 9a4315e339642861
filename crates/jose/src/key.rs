//! One key, with the algorithms that it may be used with.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, EcdsaVerificationAlgorithm,
    ParsedPublicKey,
};

use crate::algorithm::{Algorithm, Algorithms};
use crate::refusal::Problem;
use crate::{pem, rsa};

/// The longest signature: that of an RSA key of 8192 bits.
pub(crate) const LONGEST_SIGNATURE: usize = 1024;

/// A key that verifies signatures, by the algorithms that are its own and no others (RFC 8725 §3.1).
pub struct Key {
    id: Option<Box<str>>,
    verifiers: Vec<(Algorithm, Verifier)>,
}

/// What verifies by one algorithm, ready for use.
pub(crate) enum Verifier {
    Public(ParsedPublicKey),
    Secret(Box<hmac::Key>),
}

impl Key {
    /// The public key in PEM: `PUBLIC KEY` (RFC 7468 §13) or `RSA PUBLIC KEY`.
    ///
    /// `allowed` says which algorithms may be used with it. Without, an RSA key is for RS256 only; keys of other types have
    /// one algorithm anyway.
    ///
    /// # Errors
    /// When it is something else, too weak, or can do nothing of what is allowed.
    pub fn from_pem(text: &[u8], allowed: Option<Algorithms>) -> Result<Key, Problem> {
        let der = pem::public_key(text)?;
        let verifiers = if let Ok(key) = ParsedPublicKey::new(&aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256, &*der)
        {
            let (n, e) = rsa::parts_of(&key).ok_or(Problem::Pem("its numbers can't be read"))?;
            rsa::verifiers(&n, &e, narrowed(rsa_unless(None), allowed)?)?
        } else {
            let elliptic = [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa];
            let found = elliptic
                .into_iter()
                .find_map(|algorithm| Some((algorithm, elliptic_verifier(algorithm, &der)?)));
            let (algorithm, verifier) = found.ok_or(Problem::Kind)?;
            narrowed((algorithm.into(), algorithm.into()), allowed)?;
            vec![(algorithm, verifier)]
        };
        Ok(Key { id: None, verifiers })
    }

    /// A secret, for the algorithms of HMAC that are allowed; HS256 without `allowed`.
    ///
    /// # Errors
    /// When it is shorter than the hash (RFC 7518 §3.2), looks like a public key, which everybody has, or HMAC is not
    /// allowed.
    pub fn from_secret(secret: &[u8], allowed: Option<Algorithms>) -> Result<Key, Problem> {
        let usable = narrowed((Algorithms::SECRET, Algorithm::Hs256.into()), allowed)?;
        Key::secret(None, secret, usable)
    }

    /// The same key under that name: tokens that name another one are not verified by it.
    #[must_use]
    pub fn named(mut self, id: &str) -> Key {
        self.id = Some(id.into());
        self
    }

    /// Its name (`kid`), where it has one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The algorithms that it may be used with.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.verifiers.iter().map(|(algorithm, _)| *algorithm)
    }

    /// Whether whoever has it can sign, too.
    pub fn is_secret(&self) -> bool {
        self.algorithms().any(Algorithm::is_symmetric)
    }

    pub(crate) fn new(id: Option<Box<str>>, verifiers: Vec<(Algorithm, Verifier)>) -> Key {
        Key { id, verifiers }
    }

    pub(crate) fn secret(id: Option<Box<str>>, secret: &[u8], usable: Algorithms) -> Result<Key, Problem> {
        let text = secret.trim_ascii_start();
        if text.starts_with(b"-----BEGIN") || text.starts_with(b"ssh-") || text.starts_with(b"ecdsa-") {
            return Err(Problem::Weak("it is no secret but a public key or certificate"));
        }
        let verifiers: Vec<_> = usable
            .iter()
            .filter_map(|algorithm| {
                let hash = secret_algorithm(algorithm)?;
                let long_enough = secret.len() >= hash.tag_len();
                long_enough.then(|| (algorithm, Verifier::Secret(Box::new(hmac::Key::new(hash, secret)))))
            })
            .collect();
        if verifiers.is_empty() {
            return Err(Problem::Weak(
                "a secret must be as long as the hash at least: 32, 48 or 64 bytes",
            ));
        }
        Ok(Key { id, verifiers })
    }

    pub(crate) fn can(&self, algorithm: Algorithm) -> bool {
        self.algorithms().any(|own| own == algorithm)
    }

    /// Whether it is the signature of the message by this key and algorithm, which must be one of the key's own. The signature
    /// is in the form of RFC 7518: numbers of an elliptic curve one after the other, of fixed length.
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let own = self.verifiers.iter().find(|(own, _)| *own == algorithm);
        match own {
            Some((_, Verifier::Public(key))) => {
                // RFC 7518 §3.4: exactly the two numbers, neither more nor less; aws-lc is only asked about such.
                let length_is_right = fixed_length(algorithm).is_none_or(|length| signature.len() == length);
                length_is_right && key.verify_sig(message, signature).is_ok()
            }
            Some((_, Verifier::Secret(key))) => hmac::verify(key, message, signature).is_ok(),
            None => false,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithms: Vec<_> = self.algorithms().map(Algorithm::name).collect();
        write!(f, "Key({:?} for {algorithms:?})", self.id)
    }
}

/// The algorithms of an RSA key: what it can do at most, and what it does where nothing is said. OpenID Connect Core §2
/// makes RS256 the one that all have.
pub(crate) fn rsa_unless(named: Option<Algorithm>) -> (Algorithms, Algorithms) {
    match named {
        Some(algorithm) => (algorithm.into(), algorithm.into()),
        None => (Algorithms::RSA, Algorithm::Rs256.into()),
    }
}

/// What remains of an ability where only so much is allowed; the second one where nothing is said.
pub(crate) fn narrowed(
    (able, usual): (Algorithms, Algorithms),
    allowed: Option<Algorithms>,
) -> Result<Algorithms, Problem> {
    let remaining = allowed.map_or(usual, |allowed| able.and(allowed));
    if remaining.is_empty() {
        return Err(Problem::NotAllowed);
    }
    Ok(remaining)
}

/// A key of an elliptic curve: a point, the bytes of an Ed25519 key, or either in a `SubjectPublicKeyInfo`.
pub(crate) fn elliptic_verifier(algorithm: Algorithm, bytes: &[u8]) -> Option<Verifier> {
    let ecdsa: &'static EcdsaVerificationAlgorithm = match algorithm {
        Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &ECDSA_P384_SHA384_FIXED,
        Algorithm::Es512 => &ECDSA_P521_SHA512_FIXED,
        Algorithm::EdDsa => return ParsedPublicKey::new(&ED25519, bytes).ok().map(Verifier::Public),
        _ => return None,
    };
    ParsedPublicKey::new(ecdsa, bytes).ok().map(Verifier::Public)
}

fn secret_algorithm(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::Hs256 => Some(hmac::HMAC_SHA256),
        Algorithm::Hs384 => Some(hmac::HMAC_SHA384),
        Algorithm::Hs512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

/// How long a signature is where that doesn't depend on the key.
fn fixed_length(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::Es256 | Algorithm::EdDsa => Some(64),
        Algorithm::Es384 => Some(96),
        Algorithm::Es512 => Some(132),
        _ => None,
    }
}
