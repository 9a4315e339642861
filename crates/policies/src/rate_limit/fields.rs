//! What an answer tells a client of its limit.

use std::time::Duration;

use portcullis_core::{Headers, Known};

use super::gcra::Verdict;

/// The longest name that clients are told.
const LONGEST_NAME: usize = 64;

/// Quotes, `;r=`, `;t=` and two numbers beside a name.
const LONGEST_FIELD: usize = LONGEST_NAME + 2 + 3 + 10 + 3 + 20;

/// The fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11 §3 and §4): lists of one
/// Structured Fields string with parameters (RFC 9651).
#[derive(Debug)]
pub(super) struct Fields {
    policy: Box<[u8]>,
    prefix: Box<[u8]>,
}

impl Fields {
    pub(super) fn new(name: &str, limit: u32, per: Duration) -> Fields {
        let name = quoted(name);
        let mut policy = format!("{name};q={limit}");
        // The window is optional, and can be told in whole seconds only.
        if per.subsec_nanos() == 0 {
            policy.push_str(&format!(";w={}", per.as_secs()));
        }
        Fields {
            policy: policy.into_bytes().into(),
            prefix: format!("{name};r=").into_bytes().into(),
        }
    }

    /// Adds both fields. Where a route has several limits, each adds a member of its own to the lists.
    pub(super) fn put(&self, answer: &mut Headers, verdict: &Verdict) {
        let (remaining, after) = match *verdict {
            Verdict::Admitted {
                remaining, full_after, ..
            } => (remaining, full_after),
            // The draft wants the same point in time here as in Retry-After (§4.1.2).
            Verdict::Refused { retry_after } => (0, retry_after),
        };
        let mut text = [0; LONGEST_FIELD];
        let mut len = 0;
        let mut numbers = itoa::Buffer::new();
        let mut push = |bytes: &[u8]| {
            text[len..len + bytes.len()].copy_from_slice(bytes);
            len += bytes.len();
        };
        push(&self.prefix);
        push(numbers.format(remaining).as_bytes());
        push(b";t=");
        push(numbers.format(whole_seconds(after)).as_bytes());
        // Room for what other policies add, too.
        answer.reserve(6, 320);
        answer.append(Known::RateLimitPolicy, &self.policy);
        answer.append(Known::RateLimit, &text[..len]);
    }
}

/// Nanoseconds in seconds, rounded up: who waits that long has waited long enough.
pub(super) fn whole_seconds(nanoseconds: u64) -> u64 {
    nanoseconds.div_ceil(1_000_000_000)
}

/// A Structured Fields string (RFC 9651 §3.3.3); characters that it can't hold, or would have to escape, are `_`.
fn quoted(name: &str) -> String {
    let plain = |char: char| {
        if matches!(char, ' '..='~') && char != '"' && char != '\\' {
            char
        } else {
            '_'
        }
    };
    let name: String = name.chars().take(LONGEST_NAME).map(plain).collect();
    format!("\"{name}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_strings_whatever_they_hold() {
        assert_eq!(quoted("public"), "\"public\"");
        assert_eq!(quoted("a\"b\\c\r\né"), "\"a_b_c___\"");
        assert_eq!(quoted(&"x".repeat(100)).len(), LONGEST_NAME + 2);
    }

    #[test]
    fn the_longest_field_fits() {
        let fields = Fields::new(&"x".repeat(100), u32::MAX, Duration::from_millis(1500));
        let mut answer = Headers::new();
        fields.put(
            &mut answer,
            &Verdict::Admitted {
                arrival: 0,
                remaining: u32::MAX,
                full_after: u64::MAX,
            },
        );
        let expected = format!("\"{}\";r=4294967295;t=18446744074", "x".repeat(64));
        assert_eq!(answer.get_str(Known::RateLimit), Some(&*expected));
        let policy = format!("\"{}\";q=4294967295", "x".repeat(64));
        assert_eq!(answer.get_str(Known::RateLimitPolicy), Some(&*policy));
    }
}
