//! Regular expressions as rules have them, run in linear time.
//!
//! Rules are written for PCRE. What the `regex` crate calls otherwise is translated; what it doesn't have (assertions
//! about what stands around, references to a group) becomes a check of what was found. Such a check looks at one way to
//! match for each place in the text, where PCRE would try them all.

use regex::bytes::{CaptureLocations, Regex, RegexBuilder};
use regex_syntax::hir::Hir;

use super::pcre::{self, Check, CheckKind};

/// The most places of a text that are looked at because checks failed at the ones before.
const MOST_ATTEMPTS: usize = 64;

/// The most memory that one compiled pattern may take.
const SIZE_LIMIT: usize = 16 << 20;

/// How many groups rules can refer to: `TX:0` to `TX:9`.
pub(super) const GROUPS: usize = 10;

/// What the groups of a pattern matched.
pub(super) type Spans = [Option<(usize, usize)>; GROUPS];

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    regex: Regex,
    checks: Vec<Compiled>,
    /// For each group of the written pattern the one of the compiled.
    groups: Vec<usize>,
    ignore_case: bool,
}

#[derive(Debug)]
struct Compiled {
    group: usize,
    kind: CompiledKind,
}

#[derive(Debug)]
enum CompiledKind {
    Same(usize),
    NotSame {
        group: usize,
        whole_word: bool,
    },
    Ahead {
        regex: Regex,
        negated: bool,
    },
    Behind {
        regex: Regex,
        longest: usize,
        negated: bool,
    },
}

impl Pattern {
    /// Compiles what a rule says.
    ///
    /// # Errors
    /// When the pattern is malformed, too large, or of a kind that can't be run.
    pub(super) fn new(written: &str) -> Result<(Pattern, Hir), String> {
        let translated = pcre::translate(written.as_bytes())?;
        let regex = compile(&translated.text)?;
        let hir = parse(&translated.text)?;
        let checks = translated.checks.iter().map(compile_check).collect::<Result<_, _>>()?;
        let pattern = Pattern {
            regex,
            checks,
            groups: translated.groups,
            ignore_case: written.contains("(?i"),
        };
        Ok((pattern, hir))
    }

    /// Whether it matches anywhere.
    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        if self.checks.is_empty() {
            return self.regex.is_match(text);
        }
        self.find(text, &mut Spans::default())
    }

    /// Whether it matches, and where its groups do.
    pub(super) fn find(&self, text: &[u8], spans: &mut Spans) -> bool {
        if self.checks.is_empty() && self.groups.len() == 1 {
            let found = self.regex.find(text);
            spans[0] = found.map(|found| (found.start(), found.end()));
            return found.is_some();
        }
        let mut locations = self.regex.capture_locations();
        let mut from = 0;
        for _ in 0..MOST_ATTEMPTS {
            let Some(found) = self.regex.captures_read_at(&mut locations, text, from) else {
                return false;
            };
            if self.checks.iter().all(|check| self.holds(check, text, &locations)) {
                for (span, group) in spans.iter_mut().zip(&self.groups) {
                    *span = locations.get(*group);
                }
                return true;
            }
            from = found.start() + 1;
            if from > text.len() {
                return false;
            }
        }
        false
    }

    fn holds(&self, check: &Compiled, text: &[u8], locations: &CaptureLocations) -> bool {
        // A group that took no part belongs to another alternative.
        let Some((start, end)) = locations.get(check.group) else {
            return true;
        };
        let same = |a: &[u8], b: &[u8]| {
            if self.ignore_case {
                a.eq_ignore_ascii_case(b)
            } else {
                a == b
            }
        };
        match &check.kind {
            CompiledKind::Same(group) => locations
                .get(*group)
                .is_some_and(|(from, to)| same(&text[from..to], &text[start..end])),
            CompiledKind::NotSame { group, whole_word } => {
                let Some((from, to)) = locations.get(*group) else {
                    return true;
                };
                let word = &text[from..to];
                let stands = text[start..].get(..word.len()).is_some_and(|here| same(word, here));
                let goes_on = text.get(start + word.len()).is_some_and(|byte| is_word(*byte));
                !(stands && !(*whole_word && goes_on))
            }
            CompiledKind::Ahead { regex, negated } => regex.is_match(&text[start..]) != *negated,
            CompiledKind::Behind {
                regex,
                longest,
                negated,
            } => regex.is_match(&text[start.saturating_sub(*longest)..start]) != *negated,
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Compiles text in the syntax of the `regex` crate: bytes, not characters; `.` matches line breaks, and `^` and `$` the
/// ends of the value alone.
pub(super) fn compile(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .unicode(false)
        .dot_matches_new_line(true)
        .size_limit(SIZE_LIMIT)
        .build()
        .map_err(|error| error.to_string())
}

fn parse(text: &str) -> Result<Hir, String> {
    regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .dot_matches_new_line(true)
        .build()
        .parse(text)
        .map_err(|error| error.to_string())
}

fn compile_check(check: &Check) -> Result<Compiled, String> {
    let kind = match &check.kind {
        CheckKind::Same(group) => CompiledKind::Same(*group),
        CheckKind::NotSame { group, whole_word } => CompiledKind::NotSame {
            group: *group,
            whole_word: *whole_word,
        },
        CheckKind::Ahead { text, negated } => CompiledKind::Ahead {
            regex: compile(&format!("\\A(?:{text})"))?,
            negated: *negated,
        },
        CheckKind::Behind { text, negated } => CompiledKind::Behind {
            longest: parse(text)?
                .properties()
                .maximum_len()
                .ok_or("what must stand before has no greatest length")?,
            regex: compile(&format!("(?:{text})\\z"))?,
            negated: *negated,
        },
    };
    Ok(Compiled {
        group: check.group,
        kind,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &[u8], expected: Option<&[u8]>) {
        let (compiled, _) = Pattern::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        let mut spans = Spans::default();
        let found = compiled.find(text, &mut spans);
        assert_eq!(found, compiled.is_match(text), "{pattern}");
        let found = found.then(|| &text[spans[0].unwrap().0..spans[0].unwrap().1]);
        assert_eq!(found, expected, "{pattern} on {}", text.escape_ascii());
    }

    #[test]
    fn patterns_of_rules_match_as_they_did() {
        check(r"a++b", b"xaab", Some(b"aab"));
        check(r"a\v", b"a\x0b", Some(b"a\x0b"));
        check(r"^\h*\R$", b" \t\r\n", Some(b" \t\r\n"));
        check(r"[^]a]+", b"]a]bc", Some(b"bc"));
        check(r"[[:alpha:]&&[~~-]+", b"12&[~-", Some(b"&[~-"));
        check(r"\${jndi", b"x${jndi", Some(b"${jndi"));
        check(r"a{,2}", b"a{,2}", Some(b"a{,2}"));
        check(r"\<a\>", b"x<a>", Some(b"<a>"));
        check(r"(?i)\x41\x{42}é", "abé".as_bytes(), Some("abé".as_bytes()));
        check(r"\x{be}", b"\xbe", Some(b"\xbe"));
        check(r"[\x5c/\-\w]+", b"?\\/-a", Some(b"\\/-a"));
        check(r"a.b$", b"a\nb", Some(b"a\nb"));
        check(r"(?>a|ab)c", b"abc", Some(b"abc"));
        check(r"\Qa.b\E+", b"a.bb", Some(b"a.bb"));
        check(r"\101\0", b"A\0", Some(b"A\0"));
        check(r"[+--]", b",", Some(b","));
    }

    #[test]
    fn assertions_and_references_are_checked() {
        check(r"<\?(?!xml)", b"<?xml <?php", Some(b"<?"));
        check(r"<\?(?!xml)", b"<?xml", None);
        check(r"(?<!&amp|&lt);|'", b"&amp;&lt;", None);
        check(r"(?<!&amp|&lt);|'", b"&amp;x;", Some(b";"));
        check(r"(?<!&amp|&lt);|'", b"&amp;'", Some(b"'"));
        check(r"\b([\d\w]+)\b\s*=\s*\b\1\b", b"a=b or 1 = 1", Some(b"1 = 1"));
        check(r"\b([\d\w]+)\b\s*=\s*\b\1\b", b"a=b or 1=2", None);
        check(r"\b(\w+)\b<(?!\b\1\b)\w+", b"1<2", Some(b"1<2"));
        check(r"\b(\w+)\b<(?!\b\1\b)\w+", b"1<1", None);
        check(r"a(?=b)b", b"acab", Some(b"ab"));
    }

    #[test]
    fn groups_keep_their_numbers() {
        let (pattern, _) = Pattern::new(r"(a)(?=b)(b)\1(c)").unwrap();
        let mut spans = Spans::default();
        assert!(pattern.find(b"xabac", &mut spans));
        assert_eq!(spans[..4], [Some((1, 5)), Some((1, 2)), Some((2, 3)), Some((4, 5))]);
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        for pattern in [
            "(",
            "a(?R)",
            r"\2(a)",
            r"(?(1)a|b)",
            r"\p{L}",
            r"a\Kb",
            "(?<=a+)b",
            "[a",
            "((a)b)\\1",
        ] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }
}
