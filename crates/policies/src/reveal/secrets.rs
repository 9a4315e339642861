//! What can be told to be a secret wherever it stands.

use std::ops::Range;
use std::sync::LazyLock;

use portcullis_config::policy::reveal::Findable;
use regex::bytes::Regex;

/// Digits with single spaces or hyphens between them, and no digit before or after.
static DIGITS: LazyLock<Regex> = LazyLock::new(|| regex(r"[0-9](?:[ -]?[0-9]){12,}"));

/// Keys and tokens that can be told by their form.
static KEYS: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[A-Za-z0-9+/=\s\\rn]*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
        r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"|\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_[A-Za-z0-9_]{50,}\b|\bglpat-[A-Za-z0-9_-]{20,}",
        r"|\bxox[abprs]-[A-Za-z0-9-]{10,}|\b[sr]k_live_[A-Za-z0-9]{16,}\b|\bAIza[A-Za-z0-9_-]{35}",
        r"|\bpcls_[0-9A-Za-z]{49}\b",
    ))
});

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is good")
}

/// Which secrets are looked for.
#[derive(Clone, Debug)]
pub(super) struct Secrets {
    cards: bool,
    keys: bool,
}

impl Secrets {
    pub(super) fn new(find: &[Findable]) -> Secrets {
        Secrets {
            cards: find.contains(&Findable::CardNumbers),
            keys: find.contains(&Findable::Keys),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.cards && !self.keys
    }

    /// The text with its secrets covered; nothing where it has none.
    pub(super) fn covered(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        if self.keys {
            found.extend(KEYS.find_iter(text).map(|key| key.range()));
        }
        if self.cards {
            found.extend(DIGITS.find_iter(text).filter_map(|digits| card(text, digits.range())));
        }
        if found.is_empty() {
            return None;
        }
        let mut covered = text.to_vec();
        for range in found {
            covered[range].fill(b'*');
        }
        Some(covered)
    }
}

/// What of those digits is covered: all but the last four, if they are the number of a card.
fn card(text: &[u8], range: Range<usize>) -> Option<Range<usize>> {
    let places: Vec<usize> = range.clone().filter(|at| text[*at].is_ascii_digit()).collect();
    // Longer rows are other numbers; a card's digits within them would be chance.
    if places.len() > 19 || !(b'2'..=b'6').contains(&text[places[0]]) {
        return None;
    }
    let sum: u32 = places
        .iter()
        .rev()
        .enumerate()
        .map(|(index, at)| luhn(text[*at] - b'0', index))
        .sum();
    sum.is_multiple_of(10).then(|| range.start..places[places.len() - 4])
}

/// What a digit adds, counted from the last one (ISO/IEC 7812-1, annex B).
fn luhn(digit: u8, index: usize) -> u32 {
    let digit = u32::from(digit);
    if index.is_multiple_of(2) {
        return digit;
    }
    let doubled = digit * 2;
    if doubled > 9 { doubled - 9 } else { doubled }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(text: &str) -> String {
        let secrets = Secrets::new(&[Findable::CardNumbers, Findable::Keys]);
        let covered = secrets.covered(text.as_bytes());
        String::from_utf8_lossy(&covered.unwrap_or_else(|| text.into())).into_owned()
    }

    #[test]
    fn cards_are_covered_but_for_the_last_four() {
        for (text, expected) in [
            ("4111111111111111", "************1111"),
            ("pay 4111 1111 1111 1111 now", "pay ***************1111 now"),
            ("5500-0000-0000-0004", "***************0004"),
            ("378282246310005", "***********0005"),
        ] {
            assert_eq!(covered(text), expected);
        }
    }

    #[test]
    fn other_numbers_stay() {
        for text in [
            "4111111111111112",
            "1234567890123",
            "2026-11-22 18:00:00",
            "+49 30 1234567",
            "41111111111111114111111111111111",
            "9780306406157",
            "1",
        ] {
            assert_eq!(covered(text), text);
        }
    }

    #[test]
    fn keys_are_covered() {
        let pem = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ==\n-----END EC PRIVATE KEY-----";
        let made = format!("pcls_{}", "a1".repeat(24) + "b");
        let github = format!("ghp_{}", "a".repeat(36));
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0xx.c2lnbmF0dXJl";
        for secret in [pem, &made, &github, token, "AKIAABCDEFGHIJKLMNOP"] {
            let text = format!("key={secret};");
            assert_eq!(covered(&text), format!("key={};", "*".repeat(secret.len())), "{secret}");
        }
        for text in ["AKIA", "eyJ.eyJ.x", "pcls_short", "the BEGIN of a PRIVATE KEY"] {
            assert_eq!(covered(text), text);
        }
    }
}
