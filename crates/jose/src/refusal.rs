//! Why a token is not let in, and why a key is not used.

use std::fmt;

/// Why a token was refused. The words may be shown to whoever sent it: they repeat nothing of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It has more than [`crate::token::LONGEST`] bytes.
    TooLong,
    /// It doesn't have three parts.
    Parts,
    /// It has five parts: it is encrypted.
    Encrypted,
    /// The named part is not base64url as RFC 7515 §2 has it: no padding, no other characters, no bits left over.
    Encoding(&'static str),
    /// The header is not as it must be.
    Header(&'static str),
    /// It demands extensions (`crit`), and there are none here.
    Critical,
    /// It contains another token.
    Nested,
    /// `alg` is `none`, however that is spelled.
    Unsigned,
    /// The algorithm is not known, or not the key's.
    Algorithm,
    /// No key has the name that it gives. Keys may have been changed since they were read.
    UnknownKey,
    /// Several keys could be meant, more than are tried.
    AmbiguousKey,
    /// The signature is not that of the key.
    Signature,
    /// What is signed is not claims: a JSON object in which no member is there twice.
    Payload,
    /// It is a token for something else (`typ`).
    Type,
    /// A claim that must be there is not.
    Missing(Box<str>),
    /// A claim is not of the type that the standard gives it.
    Claim(&'static str),
    /// Somebody else issued it.
    Issuer,
    /// It is for somebody else.
    Audience,
    /// It has expired.
    Expired,
    /// It isn't valid yet (`nbf`).
    NotYet,
    /// It was issued in the future (`iat`).
    IssuedLater,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Refusal::TooLong => "the token is too long",
            Refusal::Parts => "the token does not have three parts",
            Refusal::Encrypted => "the token is encrypted, which is not supported",
            Refusal::Encoding(part) => return write!(f, "the token's {part} is not base64url"),
            Refusal::Header(fault) => return write!(f, "the token's header {fault}"),
            Refusal::Critical => "the token demands extensions that are not supported",
            Refusal::Nested => "the token contains another token, which is not supported",
            Refusal::Unsigned => "the token is not signed",
            Refusal::Algorithm => "the token's algorithm is not that of the key",
            Refusal::UnknownKey => "the token's key is not known",
            Refusal::AmbiguousKey => "the token doesn't say which key it is signed with",
            Refusal::Signature => "the token's signature is not valid",
            Refusal::Payload => "the token's claims are not a JSON object, or one is there twice",
            Refusal::Type => "the token is of another type",
            Refusal::Missing(claim) => return write!(f, "the token lacks the claim `{claim}`"),
            Refusal::Claim(claim) => return write!(f, "the token's claim `{claim}` is malformed"),
            Refusal::Issuer => "the token was issued by somebody else",
            Refusal::Audience => "the token is for another audience",
            Refusal::Expired => "the token has expired",
            Refusal::NotYet => "the token is not valid yet",
            Refusal::IssuedLater => "the token was issued in the future",
        };
        f.write_str(text)
    }
}

impl std::error::Error for Refusal {}

/// Why a key, or a whole set of them, can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The document is no JSON object with an array `keys`, a member is there twice, or it is too large.
    Document(&'static str),
    /// Secrets and public keys in one set: whoever is to see the one must not see the other.
    Mixed,
    /// The set has no key that can be used; why not the first.
    NoneUsable(Option<Box<Problem>>),
    /// It is there for something else than to verify signatures (`use`, `key_ops`).
    Purpose,
    /// Its type, curve or algorithm is not known here, or they don't fit each other.
    Kind,
    /// A member is missing or malformed.
    Member(&'static str),
    /// Another key of the set has the same name.
    SameName,
    /// It is a private key, and what is published must not be.
    Private,
    /// It is too weak, and why.
    Weak(&'static str),
    /// It can do nothing of what is allowed.
    NotAllowed,
    /// It is no public key in PEM.
    Pem(&'static str),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Problem::Document(fault) => return write!(f, "it is no set of keys: {fault}"),
            Problem::Mixed => "it has secrets beside public keys",
            Problem::NoneUsable(None) => "it has no keys",
            Problem::NoneUsable(Some(why)) => return write!(f, "it has no key that can be used: {why}"),
            Problem::Purpose => "the key is not there to verify signatures",
            Problem::Kind => "the key's type, curve or algorithm is not supported, or they don't fit each other",
            Problem::Member(name) => return write!(f, "the key's member `{name}` is missing or malformed"),
            Problem::SameName => "another key of the set has the same name",
            Problem::Private => "it is a private key: only the public one is needed here",
            Problem::Weak(why) => return write!(f, "the key is too weak: {why}"),
            Problem::NotAllowed => "the key's algorithm is not among those that are allowed",
            Problem::Pem(fault) => return write!(f, "it is no public key in PEM: {fault}"),
        };
        f.write_str(text)
    }
}

impl std::error::Error for Problem {}
