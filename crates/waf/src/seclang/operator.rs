//! What a value is asked.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aho_corasick::{AhoCorasick, MatchKind};
use ipnet::IpNet;

use super::bytes::ByteSet;
use super::pattern::{Pattern, Spans};
use super::required::Required;
use super::template::Template;
use crate::tokens;

/// The largest file of words or networks.
const LARGEST_FILE: u64 = 16 << 20;

/// An operator with its argument.
#[derive(Debug)]
pub(super) enum Operator {
    Always,
    Never,
    Pattern(Box<Pattern>),
    /// A pattern that is put together for a transaction.
    MadePattern(Template, MadePatterns),
    Words(Box<AhoCorasick>),
    Text(TextTest, Template),
    Number(NumberTest, Template),
    Networks(Vec<IpNet>),
    SqlInjection,
    Script,
    /// Bytes that are allowed.
    ByteRange(Box<ByteSet>),
    UrlEncoding,
    Utf8Encoding,
}

/// Patterns that were put together, by their texts. What they are made of is mostly the operator's own, so that they are few.
#[derive(Debug, Default)]
pub(super) struct MadePatterns(Mutex<HashMap<Box<[u8]>, MadePattern>>);

/// `None` for a text that is no pattern.
type MadePattern = Option<Arc<Pattern>>;

/// How many patterns of a rule are kept.
const MOST_MADE: usize = 32;

/// The longest one.
const LONGEST_MADE: usize = 4 << 10;

impl MadePatterns {
    /// The pattern of that text; `None` where it is none.
    fn get(&self, text: &[u8]) -> Option<Arc<Pattern>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pattern) = known.get(text) {
            return pattern.clone();
        }
        let written = std::str::from_utf8(text).ok().filter(|text| text.len() <= LONGEST_MADE);
        let pattern = written
            .and_then(|text| Pattern::new(text).ok())
            .map(|(pattern, _)| Arc::new(pattern));
        if known.len() >= MOST_MADE {
            known.clear();
        }
        known.insert(text.into(), pattern.clone());
        pattern
    }
}

/// How a value is compared with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextTest {
    Contains,
    ContainsWord,
    BeginsWith,
    EndsWith,
    Equals,
    Within,
}

/// How a value is compared with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberTest {
    Equal,
    GreaterOrEqual,
    Greater,
    LessOrEqual,
    Less,
}

impl NumberTest {
    pub(super) fn holds(self, value: i64, argument: i64) -> bool {
        match self {
            NumberTest::Equal => value == argument,
            NumberTest::GreaterOrEqual => value >= argument,
            NumberTest::Greater => value > argument,
            NumberTest::LessOrEqual => value <= argument,
            NumberTest::Less => value < argument,
        }
    }
}

/// What was found in a value.
#[derive(Default)]
pub(super) struct Found {
    pub(super) spans: Spans,
    /// What was found, where it is no part of the value.
    pub(super) text: Option<String>,
}

/// Reads an operator and its argument; the name may be left out for `rx`. `folder` is that of the rule file; files that are read
/// are added to `read`.
pub(super) fn parse(text: &str, folder: &Path, read: &mut Vec<PathBuf>) -> Result<(bool, Operator, Required), String> {
    let text = text.trim_start();
    let (negated, rest) = text
        .strip_prefix('!')
        .map_or((false, text), |rest| (true, rest.trim_start()));
    let Some(rest) = rest.strip_prefix('@') else {
        let (operator, required) = pattern(rest)?;
        return Ok((negated, operator, required));
    };
    let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let (operator, required) = named(name, argument.trim_start(), (folder, read))?;
    Ok((negated, operator, required))
}

fn named(name: &str, argument: &str, files: (&Path, &mut Vec<PathBuf>)) -> Result<(Operator, Required), String> {
    use NumberTest as N;
    use TextTest as T;
    let text = |test| Ok((Operator::Text(test, Template::new(argument)?), Required::default()));
    let number = |test| {
        Ok((
            Operator::Number(test, Template::new(argument.trim())?),
            Required::default(),
        ))
    };
    let plain = |operator| Ok((operator, Required::default()));
    match name.to_ascii_lowercase().as_str() {
        "rx" => pattern(argument),
        "pm" => words(
            argument
                .split_ascii_whitespace()
                .map(|word| word.as_bytes().to_vec())
                .collect(),
        ),
        "pmf" | "pmfromfile" => words(
            lines_of_files(argument, files)?
                .into_iter()
                .map(String::into_bytes)
                .collect(),
        ),
        "contains" | "strmatch" => text(T::Contains),
        "containsword" => text(T::ContainsWord),
        "beginswith" => text(T::BeginsWith),
        "endswith" => text(T::EndsWith),
        "streq" => text(T::Equals),
        "within" => text(T::Within),
        "eq" => number(N::Equal),
        "ge" => number(N::GreaterOrEqual),
        "gt" => number(N::Greater),
        "le" => number(N::LessOrEqual),
        "lt" => number(N::Less),
        "ipmatch" => plain(Operator::Networks(networks(argument.split(','))?)),
        "ipmatchf" | "ipmatchfromfile" => {
            let lines = lines_of_files(argument, files)?;
            plain(Operator::Networks(networks(lines.iter().map(String::as_str))?))
        }
        "detectsqli" => {
            // Letters, digits, points and underscores alone make one token, and no token alone is an injection.
            let harmless = ByteSet::of(b"._")
                .with_range(b'0', b'9')
                .with_range(b'a', b'z')
                .with_range(b'A', b'Z');
            Ok((
                Operator::SqlInjection,
                Required {
                    words: Vec::new(),
                    bytes: vec![harmless.complement()],
                },
            ))
        }
        "detectxss" => plain(Operator::Script),
        "validatebyterange" => plain(Operator::ByteRange(Box::new(byte_range(argument)?))),
        "validateurlencoding" => plain(Operator::UrlEncoding),
        "validateutf8encoding" => plain(Operator::Utf8Encoding),
        "unconditionalmatch" => plain(Operator::Always),
        // What these ask needs a database or a server that is not asked here: they find nothing, as without those.
        "nomatch" | "geolookup" | "rbl" => plain(Operator::Never),
        _ => Err(format!("the operator @{name} can't be run")),
    }
}

fn pattern(argument: &str) -> Result<(Operator, Required), String> {
    if argument.contains("%{") {
        let made = Operator::MadePattern(Template::new(argument)?, MadePatterns::default());
        return Ok((made, Required::default()));
    }
    let (pattern, hir) = Pattern::new(argument)?;
    Ok((Operator::Pattern(Box::new(pattern)), Required::of(&hir)))
}

fn words(words: Vec<Vec<u8>>) -> Result<(Operator, Required), String> {
    let words: Vec<Vec<u8>> = words.into_iter().filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return Err("there are no words to look for".to_owned());
    }
    let searcher = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .build(&words)
        .map_err(|error| error.to_string())?;
    Ok((Operator::Words(Box::new(searcher)), Required::one_of(&words)))
}

/// The lines of the files that are named, without comments.
fn lines_of_files(argument: &str, (folder, read): (&Path, &mut Vec<PathBuf>)) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    for name in argument.split_ascii_whitespace() {
        let path = folder.join(name);
        read.push(path.clone());
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        let size = std::fs::metadata(&path).map_err(told)?.len();
        if size > LARGEST_FILE {
            return Err(format!("{}: it has more than {LARGEST_FILE} bytes", path.display()));
        }
        let text = std::fs::read(&path).map_err(told)?;
        let text = String::from_utf8_lossy(&text);
        let kept = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.extend(kept.map(str::to_owned));
    }
    Ok(lines)
}

fn networks<'t>(items: impl Iterator<Item = &'t str>) -> Result<Vec<IpNet>, String> {
    items
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| {
            let address = || item.parse::<IpAddr>().map(IpNet::from);
            item.parse()
                .or_else(|_| address())
                .map_err(|_| format!("`{item}` is no address or network"))
        })
        .collect()
}

fn byte_range(argument: &str) -> Result<ByteSet, String> {
    let number = |text: &str| text.trim().parse::<u8>().map_err(|_| format!("`{text}` is no byte"));
    let mut set = ByteSet::EMPTY;
    for range in argument.split(',').map(str::trim).filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("the range {range} is upside down"));
        }
        set = set.with_range(first, last);
    }
    Ok(set)
}

impl Operator {
    /// The template that must be expanded before a value is asked.
    pub(super) fn argument(&self) -> Option<&Template> {
        match self {
            Operator::Text(_, template) | Operator::Number(_, template) | Operator::MadePattern(template, _) => {
                Some(template)
            }
            _ => None,
        }
    }

    /// Whether a value passes; `argument` is the expanded template, `found` is filled in where it is wanted.
    pub(super) fn holds(&self, value: &[u8], set: &ByteSet, argument: &[u8], found: Option<&mut Found>) -> bool {
        match self {
            Operator::Always => true,
            Operator::Never => false,
            Operator::Pattern(pattern) => match found {
                Some(found) => pattern.find(value, &mut found.spans),
                None => pattern.is_match(value),
            },
            Operator::MadePattern(_, known) => match (known.get(argument), found) {
                (Some(pattern), Some(found)) => pattern.find(value, &mut found.spans),
                (Some(pattern), None) => pattern.is_match(value),
                (None, _) => false,
            },
            Operator::Words(words) => {
                let word = words.find(value);
                if let (Some(found), Some(word)) = (found, word) {
                    found.spans[0] = Some((word.start(), word.end()));
                }
                word.is_some()
            }
            Operator::Text(test, _) => {
                let holds = test.holds(value, argument);
                if let Some(found) = found
                    && holds
                {
                    found.text = Some(
                        String::from_utf8_lossy(if *test == TextTest::Within { value } else { argument }).into_owned(),
                    );
                }
                holds
            }
            Operator::Number(test, _) => test.holds(number(value), number(argument)),
            Operator::Networks(networks) => {
                let address = std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse::<IpAddr>().ok());
                address.is_some_and(|address| networks.iter().any(|network| network.contains(&address)))
            }
            Operator::SqlInjection => match tokens::sql_injection(value) {
                Some(fingerprint) => {
                    if let Some(found) = found {
                        found.text = Some(fingerprint.to_string());
                    }
                    true
                }
                None => false,
            },
            Operator::Script => {
                let is_script = tokens::script(value);
                if let Some(found) = found
                    && is_script
                {
                    found.spans[0] = Some((0, value.len()));
                }
                is_script
            }
            Operator::ByteRange(allowed) => !set.is_within(allowed),
            Operator::UrlEncoding => !is_url_encoded(value),
            Operator::Utf8Encoding => std::str::from_utf8(value).is_err(),
        }
    }
}

impl TextTest {
    fn holds(self, value: &[u8], argument: &[u8]) -> bool {
        match self {
            TextTest::Contains => memchr::memmem::find(value, argument).is_some(),
            TextTest::ContainsWord => contains_word(value, argument),
            TextTest::BeginsWith => value.starts_with(argument),
            TextTest::EndsWith => value.ends_with(argument),
            TextTest::Equals => value == argument,
            TextTest::Within => memchr::memmem::find(argument, value).is_some(),
        }
    }
}

fn contains_word(value: &[u8], word: &[u8]) -> bool {
    let is_edge = |byte: Option<&u8>| byte.is_none_or(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'));
    memchr::memmem::find_iter(value, word).any(|at| {
        let before = at.checked_sub(1).and_then(|at| value.get(at));
        is_edge(before) && is_edge(value.get(at + word.len()))
    })
}

/// The number that a text begins with, as in C: white space, a sign and digits; 0 where there are none.
pub(super) fn number(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text.split_first() {
        Some((b'-', digits)) => (true, digits),
        Some((b'+', digits)) => (false, digits),
        _ => (false, text),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let size = digits.fold(0i64, |number, digit| {
        number.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
    });
    if negative { -size } else { size }
}

fn is_url_encoded(value: &[u8]) -> bool {
    memchr::memchr_iter(b'%', value).all(|at| {
        let digits = value.get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn check(operator: &str, value: &[u8], expected: bool) {
        let (negated, parsed, _) = parse(operator, Path::new("."), &mut Vec::new()).unwrap();
        let argument = parsed
            .argument()
            .and_then(Template::constant)
            .unwrap_or_default()
            .to_vec();
        let holds = parsed.holds(value, &ByteSet::of(value), &argument, None) != negated;
        assert_eq!(holds, expected, "{operator} of {}", value.escape_ascii());
    }

    #[test]
    fn values_are_asked() {
        for (operator, yes, no) in [
            ("a+b", "xaab", "b"),
            ("!@rx a", "b", "a"),
            ("@pm foo bar", "xBARx", "ba"),
            ("@contains b c", "ab cd", "bc"),
            ("@containsWord foo", "a foo.", "afoo"),
            ("@beginsWith /a", "/ab", "b/a"),
            ("@endsWith .php", "a.php", ".php5"),
            ("@streq a", "a", "A"),
            ("@within GET POST", "POST", "PUT"),
            ("@eq 3", "3", "4"),
            ("@eq 0", "none", "1"),
            ("@ge 3", "3", "-3"),
            ("@gt 3", "4x", "3"),
            ("@le 3", "-1", "4"),
            ("@lt 3", "", "3"),
            ("@ipMatch 10.0.0.0/8,::1", "10.1.2.3", "11.0.0.1"),
            ("@validateByteRange 32-126,10", "a\tb", "a\nb"),
            ("@validateUrlEncoding", "%4", "%41"),
            ("@unconditionalMatch", "", "-"),
        ] {
            check(operator, yes.as_bytes(), true);
            if no != "-" {
                check(operator, no.as_bytes(), false);
            }
        }
        check("@validateUtf8Encoding", b"\xff", true);
        check("@validateUtf8Encoding", "é".as_bytes(), false);
        check("@noMatch", b"a", false);
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        for text in [
            "@inspectFile a",
            "@fuzzyHash a",
            "@nothing",
            "@rx (",
            "@rx %{nothing}",
            "@pm",
            "@ipMatch x",
            "@pmFromFile none",
            "@validateByteRange 9-1",
            "@validateByteRange 256",
            "@streq %{nothing}",
        ] {
            assert!(parse(text, Path::new("."), &mut Vec::new()).is_err(), "{text}");
        }
    }
}
