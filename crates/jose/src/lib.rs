//! Signed tokens and keys: JWS in its compact form, JWK and JWT (RFC 7515, 7517, 7519), with the rules of RFC 8725.
//!
//! Nothing here does I/O, reads a clock or knows a configuration file: callers give keys and the time.
//!
//! A key has one algorithm, or those that its owner allows it, and a token is verified by that: what the token says of its
//! algorithm only has to agree. Keys that a token carries or points to (`jwk`, `jku`, `x5c`, `x5u`) are never looked at. Encrypted
//! tokens (JWE), unencoded payloads (RFC 7797) and tokens within tokens are not supported and refused.
//!
//! It is code of our own because the well-known crate for it leaves the choice of a key, its `use`, `crit`, double members and
//! the length of secrets to its callers, and reads a key anew for each token. The cryptography is aws-lc's.

pub mod algorithm;
pub mod claims;
pub mod key;
pub mod keys;
pub mod refusal;
pub mod token;

mod jwk;
mod pem;
mod rsa;
mod strict_json;

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod signer;
