//! Text that a client chose, written so that it can't end its value or its line.

/// The longest value; what follows is cut off and marked by an ellipsis.
const LONGEST: usize = 1024;

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// A JSON string, with its quotes (RFC 8259 §7).
    Json,
    /// Bare, with `\xNN` for control characters, quotes and backslashes.
    Template,
}

/// A text value that is being written.
pub(super) struct Text<'o> {
    out: &'o mut Vec<u8>,
    style: Style,
    left: usize,
    cut: bool,
}

impl<'o> Text<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>, style: Style) -> Text<'o> {
        if style == Style::Json {
            out.push(b'"');
        }
        Text {
            out,
            style,
            left: LONGEST,
            cut: false,
        }
    }

    /// Adds to the value, as far as there is room.
    pub(super) fn push(&mut self, text: &str) {
        if self.cut {
            return;
        }
        let fitting = &text[..text.floor_char_boundary(self.left)];
        self.cut = fitting.len() < text.len();
        self.left -= fitting.len();
        if fitting.bytes().any(may_need_escape) {
            fitting.chars().for_each(|char| self.push_char(char));
        } else {
            self.out.extend_from_slice(fitting.as_bytes());
        }
    }

    pub(super) fn end(self) {
        if self.cut {
            self.out.extend_from_slice("…".as_bytes());
        }
        if self.style == Style::Json {
            self.out.push(b'"');
        }
    }

    fn push_char(&mut self, char: char) {
        let mut buffer = [0; 4];
        let bytes = char.encode_utf8(&mut buffer).as_bytes();
        match (self.style, char) {
            (Style::Json, '"' | '\\') => self.out.extend_from_slice(&[b'\\', bytes[0]]),
            (Style::Json, _) if breaks_lines(char) => {
                let code = u32::from(char);
                self.out.extend_from_slice(b"\\u");
                for shift in [12, 8, 4, 0] {
                    self.out.push(digit(code >> shift));
                }
            }
            (Style::Template, _) if matches!(char, '"' | '\\') || breaks_lines(char) => {
                for byte in bytes {
                    self.out.extend_from_slice(b"\\x");
                    self.out.push(digit(u32::from(*byte) >> 4));
                    self.out.push(digit(u32::from(*byte)));
                }
            }
            _ => self.out.extend_from_slice(bytes),
        }
    }
}

/// Control characters, also those beyond ASCII, which terminals obey; and the two line separators of Unicode.
fn breaks_lines(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}')
}

/// Whether a byte is, or may begin, a character to escape: C2 begins the second set of controls, E2 the separators.
fn may_need_escape(byte: u8) -> bool {
    matches!(byte, 0..=0x1f | b'"' | b'\\' | 0x7f | 0xc2 | 0xe2)
}

fn digit(value: u32) -> u8 {
    b"0123456789abcdef"[(value & 15) as usize]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn written(text: &str, style: Style) -> String {
        let mut out = Vec::new();
        let mut value = Text::new(&mut out, style);
        value.push(text);
        value.end();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn control_characters_quotes_and_backslashes_are_escaped() {
        for (text, json, template) in [
            ("plain /path", r#""plain /path""#, r"plain /path"),
            ("a\"b\\c", r#""a\"b\\c""#, r"a\x22b\x5cc"),
            (
                "a\r\nb\0\x7f\x1b[2J",
                r#""a\u000d\u000ab\u0000\u007f\u001b[2J""#,
                r"a\x0d\x0ab\x00\x7f\x1b[2J",
            ),
            ("\u{9b}2J", r#""\u009b2J""#, r"\xc2\x9b2J"),
            ("a\u{2028}b", r#""a\u2028b""#, r"a\xe2\x80\xa8b"),
            ("é€ü", "\"é€ü\"", "é€ü"),
        ] {
            assert_eq!(written(text, Style::Json), json);
            assert_eq!(written(text, Style::Template), template);
        }
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        assert_eq!(written(&"x".repeat(LONGEST), Style::Template), "x".repeat(LONGEST));
        assert_eq!(
            written(&"x".repeat(LONGEST + 1), Style::Template),
            "x".repeat(LONGEST) + "…"
        );
        assert_eq!(
            written(&("x".repeat(LONGEST - 1) + "é"), Style::Template),
            "x".repeat(LONGEST - 1) + "…"
        );
    }

    proptest! {
        #[test]
        fn json_reads_back_as_what_it_was(text in any::<String>()) {
            proptest::prop_assume!(text.len() <= LONGEST);
            let json = written(&text, Style::Json);
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            prop_assert!(!json.chars().any(breaks_lines));
        }

        #[test]
        fn a_template_value_ends_no_line_and_no_quote(text in any::<String>()) {
            let value = written(&text, Style::Template);
            prop_assert!(!value.chars().any(|char| breaks_lines(char) || char == '"'));
        }
    }
}
