//! Patterns of schemas: regular expressions as ECMA-262 means them, matched in linear time.
//!
//! A pattern is translated to the syntax of the `regex` crate, which never goes back over a text. What needs going back
//! (looking around, back-references) is matched by `fancy-regex`, with a limit on its steps: a text on which it gives up
//! is refused, since a guard that can't decide denies.

mod counted;
mod ecma;

use std::collections::HashMap;
use std::sync::Arc;

/// The longest pattern.
const LONGEST: usize = 64 * 1024;

/// The most memory that one compiled pattern may take, bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// How often a match may go back. That takes about a millisecond.
const STEPS_BACK: usize = 20_000;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    source: Arc<str>,
    engine: Engine,
}

#[derive(Clone, Debug)]
enum Engine {
    Linear(regex::Regex),
    /// So many characters and no others, where that is too many for the engine.
    Counted {
        each: regex::Regex,
        least: usize,
        most: usize,
    },
    Backtracking(Arc<fancy_regex::Regex>),
}

/// The match was given up.
#[derive(Debug)]
pub(crate) struct GaveUp;

impl Pattern {
    fn compile(source: &str) -> Result<Pattern, String> {
        if source.len() > LONGEST {
            return Err(format!("the pattern is longer than {LONGEST} bytes"));
        }
        let translated = ecma::translate(source);
        let engine = if translated.goes_back {
            let built = fancy_regex::RegexBuilder::new(&translated.text)
                .backtrack_limit(STEPS_BACK)
                .delegate_size_limit(LARGEST)
                .build();
            Engine::Backtracking(Arc::new(built.map_err(|error| refused(source, &error.to_string()))?))
        } else {
            let built = linear(&translated.text).or_else(|error| counted::engine(&translated.text).ok_or(error));
            built.map_err(|error| refused(source, &error.to_string()))?
        };
        Ok(Pattern {
            source: source.into(),
            engine,
        })
    }

    /// Whether it matches anywhere in a text.
    ///
    /// # Errors
    /// When the match was given up: it went back too often.
    pub(crate) fn is_match(&self, text: &str) -> Result<bool, GaveUp> {
        match &self.engine {
            Engine::Linear(regex) => Ok(regex.is_match(text)),
            Engine::Counted { each, least, most } => {
                Ok((*least..=*most).contains(&text.chars().count()) && each.is_match(text))
            }
            Engine::Backtracking(regex) => regex.is_match(text).map_err(|_| GaveUp),
        }
    }

    /// What a match costs beside the length of the text.
    pub(crate) fn cost(&self) -> u64 {
        match &self.engine {
            Engine::Linear(_) | Engine::Counted { .. } => 1,
            Engine::Backtracking(_) => 1_000,
        }
    }

    /// The pattern as it was written.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }
}

fn linear(text: &str) -> Result<Engine, regex::Error> {
    regex::RegexBuilder::new(text)
        .size_limit(LARGEST)
        .build()
        .map(Engine::Linear)
}

fn refused(source: &str, error: &str) -> String {
    let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
    format!("the pattern `{}` can't be used: {reason}", crate::json::shown(source))
}

/// Patterns that were compiled already: documents repeat them.
#[derive(Debug, Default)]
pub(crate) struct Patterns(HashMap<String, Result<Pattern, String>>);

impl Patterns {
    /// The compiled pattern.
    ///
    /// # Errors
    /// When it is no regular expression, or too large.
    pub(crate) fn get(&mut self, source: &str) -> Result<Pattern, String> {
        if let Some(known) = self.0.get(source) {
            return known.clone();
        }
        let pattern = Pattern::compile(source);
        self.0.insert(source.to_owned(), pattern.clone());
        pattern
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let pattern = Pattern::compile(pattern).unwrap();
        for text in matching {
            assert!(pattern.is_match(text).unwrap(), "{pattern:?} {text}");
        }
        for text in others {
            assert!(!pattern.is_match(text).unwrap(), "{pattern:?} {text}");
        }
    }

    #[test]
    fn patterns_mean_what_ecma_262_says() {
        check(r"^\d$", &["0"], &["\u{7d0}", "a"]);
        check(r"^\D$", &["\u{7d0}"], &["0"]);
        check(r"^\w$", &["a", "_"], &["é"]);
        check(r"^\W$", &["é"], &["a"]);
        check(r"^\s$", &["\u{a0}", "\u{feff}", "\u{2028}", "\t"], &["x", "\u{200b}"]);
        check(r"^[\s\d]$", &["\u{feff}", "5"], &["x"]);
        check(r"^\S$", &["x"], &["\u{feff}"]);
        check(r"^.$", &["x", "é"], &["\n", "\u{2028}", "\r"]);
        check(r"^abc$", &["abc"], &["abc\n", "ab"]);
        check(r"^\cC$", &["\u{3}"], &["\\cC"]);
        check(r"^\u00e9\x41$", &["éA"], &["eA"]);
        check(r"^\ud83d\ude00$", &["😀"], &["x"]);
        check(r"^\p{Letter}\p{Lu}$", &["πA"], &["1A"]);
        check(r"^a\/b\-c\_d\@\<\>$", &["a/b-c_d@<>"], &["ab"]);
        check(r"^[[&&~~--]$", &["[", "&", "~", "-"], &["]"]);
        check(r"^[^]$", &["x", "\n"], &[""]);
        check(r"^a{,2}{$", &["a{,2}{"], &["aa"]);
        check(r"^a{2,3}$", &["aa"], &["a"]);
        check(r"^(?<year>\d{4})-(?:x|y)$", &["2026-x"], &["26-x"]);
        check(r"^[a-z\-\]\.]+$", &["a-].z"], &["A"]);
        check(r"^\$\{x\}$", &["${x}"], &["x"]);
        check(r"^[\b]\0$", &["\u{8}\0"], &["b0"]);
        check(r"^[\w-.\s-_]+$", &["a-._ "], &["+"]);
        check(r"^[\000-\037]$", &["\u{1f}"], &[" "]);
        check(r"^a\b(?!b)$", &["a"], &["ab"]);
    }

    #[test]
    fn looking_around_works_and_is_limited() {
        check(r"^(?!\s)a+(?<!b)$", &["aa"], &[" a"]);
        check(r"^(\/(?!\.)+[a.]+)+$", &["/a/a."], &["/.a"]);
        check(r"^(a)\1$", &["aa"], &["ab"]);
        let evil = Pattern::compile(r"^(?=(a+)+$)(a+)+\2$").unwrap();
        let text = format!("{}!", "a".repeat(40));
        let started = Instant::now();
        assert!(!matches!(evil.is_match(&text), Ok(true)));
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }

    #[test]
    fn a_pattern_that_would_go_back_for_ever_elsewhere_is_linear_here() {
        let evil = Pattern::compile(r"^(([a-z])+.)+[A-Z]([a-z])+$").unwrap();
        let text = "a".repeat(100_000);
        let started = Instant::now();
        assert!(!evil.is_match(&text).unwrap());
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }

    #[test]
    fn many_characters_of_one_kind_are_counted() {
        let text = "é".repeat(5_000);
        check(r"^.{0,262144}$", &["", &text], &["a\nb"]);
        check(
            r"^[^\n]{3,5000}$",
            &["abc", &text],
            &["ab", "a\nb", &format!("{text}x")],
        );
        check(r"\S{1,100000}", &["a", " a "], &["", " "]);
        check(r"^\S{2,100000}", &["aa "], &[" aa", "a"]);
    }

    #[test]
    fn what_is_no_pattern_or_too_large_is_refused() {
        for source in ["(", "[z-a]", "*a", r"((((\p{L}{100}){100}){100}){100}){100}"] {
            assert!(Pattern::compile(source).is_err(), "{source}");
        }
        assert!(Pattern::compile(&"a".repeat(LONGEST + 1)).is_err());
    }
}
