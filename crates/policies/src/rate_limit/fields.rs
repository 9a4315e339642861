//! What an answer tells a client of its limit.

use portcullis_config::policy::rate_limit::RateLimitHeaders;
use portcullis_config::units::{Duration, Quota};
use portcullis_core::{Headers, Known};

use super::counters::{Judged, Standing};

/// The longest name that clients are told.
const LONGEST_NAME: usize = 64;

/// A hyphen and a period, which tell several quotas of a limit apart.
const LONGEST_SUFFIX: usize = 24;

/// Quotes, `;r=`, `;t=` and two numbers beside a name.
const LONGEST_FIELD: usize = LONGEST_NAME + LONGEST_SUFFIX + 2 + 3 + 10 + 3 + 20;

const LEGACY_LIMIT: &str = "X-RateLimit-Limit";
const LEGACY_REMAINING: &str = "X-RateLimit-Remaining";
const LEGACY_RESET: &str = "X-RateLimit-Reset";

/// What is told of a limit, for each of its quotas.
#[derive(Debug)]
pub(super) enum Fields {
    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11 §3 and §4): lists of one Structured
    /// Fields string with parameters (RFC 9651) for each quota.
    Ietf(Box<[Member]>),
    /// The three fields that came before, of which each stands for one quota; its number is the limit.
    Legacy(Box<[u32]>),
    Off,
}

/// The constant parts of what is told of a quota.
#[derive(Debug)]
pub(super) struct Member {
    policy: Box<[u8]>,
    prefix: Box<[u8]>,
}

impl Fields {
    pub(super) fn new(name: &str, quotas: &[Quota], revision: RateLimitHeaders) -> Fields {
        match revision {
            RateLimitHeaders::Ietf11 => Fields::Ietf(
                quotas
                    .iter()
                    .map(|quota| Member::new(name, quota, quotas.len() > 1))
                    .collect(),
            ),
            RateLimitHeaders::Legacy => Fields::Legacy(quotas.iter().map(|quota| quota.limit).collect()),
            RateLimitHeaders::Off => Fields::Off,
        }
    }

    /// Adds what there is to tell. Where a route has several limits, each adds members of its own to the lists.
    pub(super) fn put(&self, answer: &mut Headers, judged: &Judged) {
        match self {
            Fields::Ietf(members) => {
                // Room for what other policies add, too.
                answer.reserve(4 + 2 * members.len(), 320);
                for (member, standing) in members.iter().zip(&judged.standings) {
                    member.put(answer, standing);
                }
            }
            Fields::Legacy(limits) => put_legacy(answer, limits, judged),
            Fields::Off => {}
        }
    }
}

impl Member {
    fn new(name: &str, quota: &Quota, several: bool) -> Member {
        let suffix = if several {
            format!("-{}", Duration(quota.per))
        } else {
            String::new()
        };
        let name = quoted(name, &suffix);
        let mut policy = format!("{name};q={}", quota.limit);
        // The window is optional, and can be told in whole seconds only.
        if quota.per.subsec_nanos() == 0 {
            policy.push_str(&format!(";w={}", quota.per.as_secs()));
        }
        Member {
            policy: policy.into_bytes().into(),
            prefix: format!("{name};r=").into_bytes().into(),
        }
    }

    fn put(&self, answer: &mut Headers, standing: &Standing) {
        let mut text = [0; LONGEST_FIELD];
        let mut len = 0;
        let mut numbers = itoa::Buffer::new();
        let mut push = |bytes: &[u8]| {
            text[len..len + bytes.len()].copy_from_slice(bytes);
            len += bytes.len();
        };
        push(&self.prefix);
        push(numbers.format(standing.remaining).as_bytes());
        push(b";t=");
        // The draft wants the same point in time here as in Retry-After (§4.1.2).
        push(numbers.format(whole_seconds(standing.after)).as_bytes());
        answer.append(Known::RateLimitPolicy, &self.policy);
        answer.append(Known::RateLimit, &text[..len]);
    }
}

/// One limit can be told in these fields: the one that refuses, or of which the least is left.
fn put_legacy(answer: &mut Headers, limits: &[u32], judged: &Judged) {
    let standings = limits.iter().zip(&judged.standings);
    let tightest = standings.min_by_key(|(_, standing)| (!standing.refused, standing.remaining));
    let Some((limit, standing)) = tightest else {
        return;
    };
    let told = answer
        .get_str(LEGACY_REMAINING)
        .and_then(|told| told.parse::<u32>().ok());
    if told.is_some_and(|told| told <= standing.remaining && !standing.refused) {
        return;
    }
    let mut numbers = itoa::Buffer::new();
    answer.set(LEGACY_LIMIT, numbers.format(*limit));
    answer.set(LEGACY_REMAINING, numbers.format(standing.remaining));
    answer.set(LEGACY_RESET, numbers.format(whole_seconds(standing.after)));
}

/// Nanoseconds in seconds, rounded up: who waits that long has waited long enough.
pub(super) fn whole_seconds(nanoseconds: u64) -> u64 {
    nanoseconds.div_ceil(1_000_000_000)
}

/// A Structured Fields string (RFC 9651 §3.3.3); characters that it can't hold, or would have to escape, are `_`.
fn quoted(name: &str, suffix: &str) -> String {
    let plain = |char: char| {
        if matches!(char, ' '..='~') && char != '"' && char != '\\' {
            char
        } else {
            '_'
        }
    };
    let name: String = name.chars().take(LONGEST_NAME).map(plain).collect();
    let suffix: String = suffix.chars().take(LONGEST_SUFFIX).collect();
    format!("\"{name}{suffix}\"")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::rate_limit::counters::MOST_QUOTAS;

    fn judged(standings: &[(bool, u32, u64)]) -> Judged {
        let mut judged = Judged {
            admitted: standings.iter().all(|(refused, _, _)| !refused),
            standings: [Standing::default(); MOST_QUOTAS],
        };
        for (at, (refused, remaining, seconds)) in standings.iter().enumerate() {
            judged.standings[at] = Standing {
                refused: *refused,
                remaining: *remaining,
                after: seconds * 1_000_000_000,
            };
        }
        judged
    }

    fn quotas(written: &[&str]) -> Vec<Quota> {
        written.iter().map(|quota| quota.parse().unwrap()).collect()
    }

    #[test]
    fn names_are_strings_whatever_they_hold() {
        assert_eq!(quoted("public", ""), "\"public\"");
        assert_eq!(quoted("a\"b\\c\r\né", "-1s"), "\"a_b_c___-1s\"");
        assert_eq!(quoted(&"x".repeat(100), "").len(), LONGEST_NAME + 2);
    }

    #[test]
    fn the_longest_field_fits() {
        let quota = Quota {
            limit: u32::MAX,
            per: std::time::Duration::from_millis(30 * 86_400_000 + 86_399_001),
        };
        let fields = Fields::new(&"x".repeat(100), &[quota, quota], RateLimitHeaders::Ietf11);
        let mut answer = Headers::new();
        let mut far = judged(&[(false, u32::MAX, 1), (false, u32::MAX, 1)]);
        far.standings[0].after = u64::MAX;
        fields.put(&mut answer, &far);
        let told = answer.get_all(Known::RateLimit).next().unwrap();
        assert!(told.starts_with(b"\"xxx") && told.ends_with(b";r=4294967295;t=18446744074"));
    }

    #[test]
    fn each_quota_is_a_member_with_a_name_of_its_own() {
        let fields = Fields::new("public", &quotas(&["10/1s", "1000/1h"]), RateLimitHeaders::Ietf11);
        let mut answer = Headers::new();
        fields.put(&mut answer, &judged(&[(false, 9, 1), (false, 700, 1080)]));
        let policies: Vec<_> = answer.get_all(Known::RateLimitPolicy).collect();
        assert_eq!(
            policies,
            [&b"\"public-1s\";q=10;w=1"[..], b"\"public-1h\";q=1000;w=3600"]
        );
        let left: Vec<_> = answer.get_all(Known::RateLimit).collect();
        assert_eq!(left, [&b"\"public-1s\";r=9;t=1"[..], b"\"public-1h\";r=700;t=1080"]);
    }

    #[test]
    fn legacy_fields_tell_the_tightest() {
        let fields = Fields::new("public", &quotas(&["10/1s", "1000/1h"]), RateLimitHeaders::Legacy);
        let told = |before: &[(&str, &str)], judged: &Judged| {
            let mut answer = Headers::new();
            for (name, value) in before {
                answer.set(*name, value);
            }
            fields.put(&mut answer, judged);
            [LEGACY_LIMIT, LEGACY_REMAINING, LEGACY_RESET].map(|name| answer.get_str(name).unwrap_or("").to_owned())
        };
        let plenty = judged(&[(false, 9, 1), (false, 700, 1080)]);
        assert_eq!(told(&[], &plenty), ["10", "9", "1"]);
        let refused = judged(&[(false, 0, 1), (true, 0, 4)]);
        assert_eq!(told(&[], &refused), ["1000", "0", "4"]);
        let other = [(LEGACY_LIMIT, "5"), (LEGACY_REMAINING, "2"), (LEGACY_RESET, "7")];
        assert_eq!(told(&other, &plenty), ["5", "2", "7"]);
        assert_eq!(told(&other, &refused), ["1000", "0", "4"]);
    }

    #[test]
    fn nothing_is_told_where_that_was_asked() {
        let fields = Fields::new("public", &quotas(&["10/1s"]), RateLimitHeaders::Off);
        let mut answer = Headers::new();
        fields.put(&mut answer, &judged(&[(false, 9, 1)]));
        assert!(answer.iter().next().is_none());
    }
}
