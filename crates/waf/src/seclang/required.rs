//! What a text must hold for a pattern to match, found from the pattern: most rules are ruled out by it.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind};

use super::bytes::ByteSet;

/// How many texts an expression may stand for, to be listed.
const MOST_TEXTS: usize = 600;

/// How long a listed text may get.
const LONGEST_TEXT: usize = 24;

/// Necessary conditions for a match. Empty ones say nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Required {
    /// For each list: one of its words, which are in small letters, must occur, whatever its case.
    pub(super) words: Vec<Vec<Vec<u8>>>,
    /// For each set: one of its bytes must occur.
    pub(super) bytes: Vec<ByteSet>,
}

type Texts = BTreeSet<Vec<u8>>;

impl Required {
    /// The conditions of a pattern: at most two of each kind, the rarest.
    pub(super) fn of(hir: &Hir) -> Required {
        let mut found = visit(hir);
        found.flush();
        let mut words: Vec<Vec<Vec<u8>>> = found.words.into_iter().map(|list| list.into_iter().collect()).collect();
        words.sort_by_key(|list| std::cmp::Reverse(worth(list)));
        words.truncate(2);
        let mut bytes = found.bytes;
        bytes.sort_by_key(|set| set.iter().map(frequency).sum::<u32>());
        bytes.truncate(2);
        Required { words, bytes }
    }

    /// The condition that one of these words occurs, whatever its case.
    pub(super) fn one_of(words: &[Vec<u8>]) -> Required {
        let texts: Texts = words.iter().map(|word| word.to_ascii_lowercase()).collect();
        let mut found = Found {
            exact: Some(texts),
            ..Found::default()
        };
        found.flush();
        Required {
            words: found.words.into_iter().map(|list| list.into_iter().collect()).collect(),
            bytes: found.bytes,
        }
    }
}

/// Longer words are rarer, and among equally long ones a shorter list.
fn worth(list: &[Vec<u8>]) -> (usize, std::cmp::Reverse<usize>) {
    let shortest = list.iter().map(Vec::len).min().unwrap_or_default();
    (shortest.min(6), std::cmp::Reverse(list.len()))
}

/// How often a byte occurs in ordinary values, roughly.
fn frequency(byte: u8) -> u32 {
    match byte {
        b'a'..=b'z' => 60,
        b'0'..=b'9' => 40,
        b'A'..=b'Z' => 20,
        b'/' | b'.' | b'-' | b' ' | b'_' | b'=' => 30,
        b':' | b',' | b';' | b'&' | b'?' | b'%' | b'+' | b'(' | b')' => 8,
        _ => 1,
    }
}

/// What is known of a part of a pattern.
#[derive(Default)]
struct Found {
    /// The texts that it may match, where they are few. Letters are small.
    exact: Option<Texts>,
    words: Vec<Texts>,
    bytes: Vec<ByteSet>,
}

impl Found {
    fn exactly(texts: impl IntoIterator<Item = Vec<u8>>) -> Found {
        Found {
            exact: Some(texts.into_iter().collect()),
            ..Found::default()
        }
    }

    /// Makes conditions of the texts that were listed.
    fn flush(&mut self) {
        let Some(texts) = self.exact.take() else {
            return;
        };
        if texts.is_empty() || texts.iter().any(Vec::is_empty) {
            return;
        }
        let mut bytes = ByteSet::EMPTY;
        for text in &texts {
            let rarest = text
                .iter()
                .copied()
                .min_by_key(|byte| frequency(*byte))
                .unwrap_or_default();
            bytes.insert(rarest);
            bytes.insert(rarest.to_ascii_uppercase());
        }
        self.bytes.push(bytes);
        if texts.iter().all(|text| text.len() > 1) {
            self.words.push(texts);
        }
    }
}

fn visit(hir: &Hir) -> Found {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Found::exactly([Vec::new()]),
        HirKind::Literal(literal) => Found::exactly([literal.0.to_ascii_lowercase()]),
        HirKind::Class(class) => of_class(class),
        HirKind::Capture(capture) => visit(&capture.sub),
        HirKind::Repetition(repetition) => {
            let mut sub = visit(&repetition.sub);
            match (repetition.min, repetition.max) {
                (0, Some(1)) => match sub.exact {
                    Some(mut texts) if texts.len() < MOST_TEXTS => {
                        texts.insert(Vec::new());
                        Found::exactly(texts)
                    }
                    _ => Found::default(),
                },
                (0, _) => Found::default(),
                (1, Some(1)) => sub,
                _ => {
                    sub.flush();
                    sub
                }
            }
        }
        HirKind::Concat(parts) => concatenated(parts),
        HirKind::Alternation(branches) => alternated(branches),
    }
}

/// A class stands for its bytes where they are few; otherwise one of them must occur.
fn of_class(class: &Class) -> Found {
    let Class::Bytes(class) = class else {
        return Found::default();
    };
    let mut set = ByteSet::EMPTY;
    let mut texts = Texts::new();
    for range in class.iter() {
        set = set.with_range(range.start(), range.end());
    }
    texts.extend(set.iter().take(64).map(|byte| vec![byte.to_ascii_lowercase()]));
    if set.iter().count() <= 16 {
        return Found::exactly(texts);
    }
    Found {
        bytes: vec![set],
        ..Found::default()
    }
}

fn concatenated(parts: &[Hir]) -> Found {
    let mut whole = Found::exactly([Vec::new()]);
    let mut is_exact = true;
    for part in parts {
        let mut part = visit(part);
        whole.words.append(&mut part.words);
        whole.bytes.append(&mut part.bytes);
        match (whole.exact.take(), part.exact) {
            (Some(left), Some(right)) => match joined(&left, &right) {
                Some(texts) => whole.exact = Some(texts),
                None => {
                    // Too many to list together: each side is a condition, and the listing goes on with the right one.
                    whole.exact = Some(left);
                    whole.flush();
                    whole.exact = Some(right);
                    is_exact = false;
                }
            },
            (left, None) => {
                whole.exact = left;
                whole.flush();
                whole.exact = Some(Texts::from([Vec::new()]));
                is_exact = false;
            }
            (None, right) => whole.exact = right,
        }
    }
    if !is_exact {
        whole.flush();
        whole.exact = None;
    }
    whole
}

fn joined(left: &Texts, right: &Texts) -> Option<Texts> {
    if left.len() * right.len() > MOST_TEXTS {
        return None;
    }
    let pairs = left
        .iter()
        .flat_map(|left| right.iter().map(move |right| (left, right)));
    let texts: Texts = pairs.map(|(left, right)| [&left[..], right].concat()).collect();
    (texts.iter().all(|text| text.len() <= LONGEST_TEXT)).then_some(texts)
}

fn alternated(branches: &[Hir]) -> Found {
    let found: Vec<Found> = branches.iter().map(visit).collect();
    if found.iter().all(|branch| branch.exact.is_some()) {
        let texts: Texts = found
            .iter()
            .filter_map(|branch| branch.exact.clone())
            .flatten()
            .collect();
        if texts.len() <= 4 * MOST_TEXTS {
            return Found::exactly(texts);
        }
    }
    // A condition of the whole is one of each branch; a branch without any leaves nothing to say.
    let (mut words, mut bytes) = (Some(Texts::new()), Some(ByteSet::EMPTY));
    for mut branch in found {
        branch.flush();
        let best = branch
            .words
            .into_iter()
            .max_by_key(|texts| worth(&texts.iter().cloned().collect::<Vec<_>>()));
        words = words.zip(best).map(|(mut all, best)| {
            all.extend(best);
            all
        });
        let rarest = branch
            .bytes
            .into_iter()
            .min_by_key(|set| set.iter().map(frequency).sum::<u32>());
        bytes = bytes.zip(rarest).map(|(mut all, rarest)| {
            all.union(&rarest);
            all
        });
    }
    Found {
        exact: None,
        words: words
            .into_iter()
            .filter(|words| words.len() <= 8 * MOST_TEXTS)
            .collect(),
        bytes: bytes.into_iter().collect(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::seclang::pattern::Pattern;

    fn admits(required: &Required, text: &[u8]) -> bool {
        let set = ByteSet::of(text);
        let small = text.to_ascii_lowercase();
        let occurs = |word: &Vec<u8>| memchr::memmem::find(&small, word).is_some();
        required.bytes.iter().all(|bytes| bytes.meets(&set))
            && required.words.iter().all(|list| list.iter().any(occurs))
    }

    fn words(pattern: &str) -> Vec<String> {
        let (_, hir) = Pattern::new(pattern).unwrap();
        let required = Required::of(&hir);
        let first = required.words.into_iter().next().unwrap_or_default();
        first
            .into_iter()
            .map(|word| String::from_utf8_lossy(&word).into_owned())
            .collect()
    }

    #[test]
    fn words_are_found_within_patterns() {
        assert_eq!(words("(?i)union.*select"), ["select"]);
        assert_eq!(
            words(r"(?i)\b(?:onload|on(?:error|focus))\s*="),
            ["onerror", "onfocus", "onload"]
        );
        assert_eq!(words("a|[0-9]+x"), Vec::<String>::new());
        assert_eq!(words(r"^[\w]*$"), Vec::<String>::new());
        assert_eq!(words("(?:ab)?cd"), ["abcd", "cd"]);
    }

    proptest! {
        #[test]
        fn what_matches_is_admitted(
            pattern in "(?:[ab]|a\\+|b\\*|\\(a\\|bc\\)|\\[a-c\\]|c\\?|\\(\\?i:bA\\)|.b){1,6}",
            text in "[abcABC]{0,8}",
        ) {
            if let Ok((compiled, hir)) = Pattern::new(&pattern)
                && compiled.is_match(text.as_bytes())
            {
                prop_assert!(admits(&Required::of(&hir), text.as_bytes()), "{pattern} {text}");
            }
        }
    }
}
