//! From the text of a rule file to directives with their arguments.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// The line, from 1: the first one of a directive over several lines.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// What is wrong, or odd, in a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// One directive: its name and what follows it, without the quotes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) line: u32,
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
}

/// The directives of a file. A line that ends in `\` goes on in the next one; `#` at the beginning of a line makes it
/// a comment, and in the middle of a continued directive such a line is left out.
pub(super) fn directives(text: &str) -> Result<Vec<Directive>, (u32, String)> {
    let mut found = Vec::new();
    let mut pending = String::new();
    let mut began: Option<u32> = None;
    for (line, number) in text.lines().zip(1..) {
        let trimmed = line.trim();
        if trimmed.starts_with('#') || (trimmed.is_empty() && began.is_none()) {
            continue;
        }
        let first = *began.get_or_insert(number);
        if let Some(part) = trimmed.strip_suffix('\\') {
            pending.push_str(part);
            continue;
        }
        pending.push_str(trimmed);
        found.extend(directive(&pending, first).map_err(|message| (first, message))?);
        pending.clear();
        began = None;
    }
    if let Some(first) = began {
        return Err((first, "the file ends within this directive".to_owned()));
    }
    Ok(found)
}

fn directive(text: &str, line: u32) -> Result<Option<Directive>, String> {
    let mut words = words(text)?.into_iter();
    let Some(name) = words.next() else {
        return Ok(None);
    };
    Ok(Some(Directive {
        line,
        name,
        arguments: words.collect(),
    }))
}

/// Splits at white space, but not within quotes. `\"` within double quotes is a quote, `\'` within single ones, and any
/// other backslash stands for itself: most of them belong to regular expressions.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let word;
        if first == '"' || first == '\'' {
            (word, rest) = quoted(&rest[1..], first)?;
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            word = rest[..end].to_owned();
            rest = &rest[end..];
        }
        words.push(word);
        rest = rest.trim_start();
    }
    Ok(words)
}

/// Apache makes one backslash of two, and rules that were written for it have four where a pattern needs two. Two alone stay, since
/// other readers keep them, and a pattern with both finds more.
const FOUR_BACKSLASHES: &str = "\\\\\\\\";
const TWO_BACKSLASHES: &str = "\\\\";

/// The text up to the closing quote, and what follows that.
fn quoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let mut word = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if character == quote {
            return Ok((word.replace(FOUR_BACKSLASHES, TWO_BACKSLASHES), &text[at + 1..]));
        }
        if character != '\\' {
            word.push(character);
            continue;
        }
        match characters.next() {
            Some((_, next)) if next == quote => word.push(quote),
            Some((_, next)) => word.extend(['\\', next]),
            None => break,
        }
    }
    Err(format!("a {quote} is opened and not closed"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&[&str]]) {
        let found: Vec<Vec<String>> = directives(text)
            .unwrap()
            .into_iter()
            .map(|directive| [vec![directive.name], directive.arguments].concat())
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn lines_become_directives() {
        check("", &[]);
        check("# only\n\n  # comments", &[]);
        check("SecRuleEngine On", &[&["SecRuleEngine", "On"]]);
        check(
            "SecRule ARGS \"@rx a\\\"b\\d '\" \\\n  \"id:1,\\\n# between\n  phase:2\"\nSecMarker 'END'",
            &[
                &["SecRule", "ARGS", "@rx a\"b\\d '", "id:1,phase:2"],
                &["SecMarker", "END"],
            ],
        );
        check("A \"\\\\\"", &[&["A", "\\\\"]]);
        check("A \"[^\\\\\\\\]\\\\/\"", &[&["A", "[^\\\\]\\\\/"]]);
    }

    #[test]
    fn what_is_not_closed_is_told_with_its_line() {
        assert_eq!(directives("A\n\nSecRule \"b\n").unwrap_err().0, 3);
        assert_eq!(directives("A b\\\n").unwrap_err().0, 1);
    }
}
