//! Text from outside, such as names of routes and causes of failures, where it must remain text.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// Longer text is cut: a cause may hold what a server has sent.
const MOST_CHARACTERS: usize = 600;

/// Text in HTML and XML, in content and in attributes with quotes.
pub(crate) struct Markup<'t>(pub(crate) &'t str);

impl fmt::Display for Markup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in cut(self.0).chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other if deceives(other) => f.write_char(char::REPLACEMENT_CHARACTER)?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// Text on a terminal, which would obey its control characters.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in cut(text).chars() {
        match deceives(character) {
            true => plain.extend(character.escape_default()),
            false => plain.push(character),
        }
    }
    plain
}

/// Text as code in Markdown. Neither a table's bar nor a link, a mention or emphasis comes of it: a reference to a character never
/// has the meaning of the character (CommonMark §2.5).
pub(crate) struct Code<'t>(pub(crate) &'t str);

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<code>")?;
        for character in cut(self.0).chars() {
            match character {
                other if other.is_alphanumeric() || matches!(other, ' ' | '/' | '.' | ',' | '-' | '%') => {
                    f.write_char(other)?;
                }
                other if deceives(other) => f.write_char(char::REPLACEMENT_CHARACTER)?,
                other => write!(f, "&#{};", u32::from(other))?,
            }
        }
        f.write_str("</code>")
    }
}

/// Whether a character does something other than being seen: controls, and what turns the direction of the text around it.
fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
}

fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MOST_CHARACTERS) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_markup_comes_of_text() {
        let text = "<img src=x onerror=\"a()\"> & 'b'\u{0}\u{202e}";
        assert_eq!(
            Markup(text).to_string(),
            "&lt;img src=x onerror=&quot;a()&quot;&gt; &amp; &#39;b&#39;\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn a_terminal_is_told_nothing() {
        assert_eq!(plain("GET /\u{1b}[2J\nä"), "GET /\\u{1b}[2J\\nä");
    }

    #[test]
    fn no_markdown_comes_of_text() {
        assert_eq!(
            Code("a|b`c` @d <e>").to_string(),
            "<code>a&#124;b&#96;c&#96; &#64;d &#60;e&#62;</code>"
        );
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let cut = plain(&"ü".repeat(5000));
        assert_eq!(cut.chars().count(), MOST_CHARACTERS + 1);
        assert!(cut.ends_with("ü…"));
    }
}
