//! What an answer tells a client of its quota.

use portcullis_core::{Headers, Known};

/// The fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11 §3 and §4): lists of one
/// Structured Fields string with parameters (RFC 9651).
pub(super) struct Fields {
    name: Box<str>,
    limit: u64,
}

impl Fields {
    /// Characters that a Structured Fields string can't hold, or would have to escape, are `_` (RFC 9651 §3.3.3).
    pub(super) fn new(name: &str, limit: u64) -> Fields {
        let plain = |char: char| match char {
            ' '..='~' if char != '"' && char != '\\' => char,
            _ => '_',
        };
        Fields {
            name: name.chars().take(64).map(plain).collect(),
            limit,
        }
    }

    /// Adds both fields, beside those of other limits: units left, and the seconds of the period and of what is left of it.
    pub(super) fn put(&self, answer: &mut Headers, left: u64, period: u64, ends_in: u64) {
        let Fields { name, limit } = self;
        answer.append(Known::RateLimitPolicy, format!("\"{name}\";q={limit};w={period}"));
        answer.append(Known::RateLimit, format!("\"{name}\";r={left};t={ends_in}"));
    }
}
