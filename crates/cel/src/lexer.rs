//! From text to tokens.

mod quoted;

use crate::problem::Problem;

/// A token and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) at: usize,
    pub(crate) kind: TokenKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    /// A name, which may be a reserved word: that is the parser's to say.
    Name(String),
    /// A name in backticks, which only a field may have.
    Quoted(String),
    /// The digits of a number without a sign; `true` when they are hexadecimal.
    Int(String, bool),
    Uint(u64),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
    /// An operator or punctuation.
    Mark(&'static str),
    End,
}

/// Operators and punctuation, the longer ones first.
const MARKS: &[&str] = &[
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", ".", ",", "(", ")", "[", "]",
    "{", "}",
];

/// The tokens of a text, ending with [`TokenKind::End`].
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_space();
        let at = lexer.at;
        let kind = lexer.next()?;
        let ended = kind == TokenKind::End;
        tokens.push(Token { at, kind });
        if ended {
            return Ok(tokens);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']).len();
            if !self.rest().starts_with("//") {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn next(&mut self) -> Result<TokenKind, Problem> {
        let rest = self.rest();
        let Some(first) = rest.bytes().next() else {
            return Ok(TokenKind::End);
        };
        if let Some(literal) = quoted::read(rest) {
            let (kind, len) = literal.map_err(|problem| Problem::new(self.at + problem.at, problem.message))?;
            self.at += len;
            return Ok(kind);
        }
        match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let len = length_of(rest, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
                self.at += len;
                Ok(TokenKind::Name(rest[..len].to_owned()))
            }
            b'0'..=b'9' => self.number(),
            b'.' if rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => self.number(),
            b'`' => self.quoted_name(),
            _ => match MARKS.iter().find(|mark| rest.starts_with(**mark)) {
                Some(mark) => {
                    self.at += mark.len();
                    Ok(TokenKind::Mark(mark))
                }
                None => Err(Problem::new(self.at, unexpected(rest))),
            },
        }
    }

    fn quoted_name(&mut self) -> Result<TokenKind, Problem> {
        let inner = &self.rest()[1..];
        let len = length_of(inner, |byte| byte.is_ascii_alphanumeric() || b"_.-/ ".contains(&byte));
        if len == 0 || inner.as_bytes().get(len) != Some(&b'`') {
            return Err(Problem::new(
                self.at,
                "a name in backticks ends with a backtick and has letters, digits, `_`, `.`, `-`, `/` and spaces",
            ));
        }
        self.at += len + 2;
        Ok(TokenKind::Quoted(inner[..len].to_owned()))
    }

    fn number(&mut self) -> Result<TokenKind, Problem> {
        let start = self.at;
        let rest = self.rest();
        if let Some(digits) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            let len = length_of(digits, |byte| byte.is_ascii_hexdigit());
            self.at += 2 + len;
            return self.integer(start, &digits[..len], true);
        }
        let bytes = rest.as_bytes();
        let mut len = length_of(rest, |byte| byte.is_ascii_digit());
        let whole = len;
        if bytes.get(len) == Some(&b'.') && bytes.get(len + 1).is_some_and(u8::is_ascii_digit) {
            len += 1;
            len += length_of(&rest[len..], |byte| byte.is_ascii_digit());
        }
        if matches!(bytes.get(len), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
            let digits = length_of(&rest[(len + 1 + sign).min(rest.len())..], |byte| byte.is_ascii_digit());
            if digits > 0 {
                len += 1 + sign + digits;
            }
        }
        self.at += len;
        if len == whole {
            return self.integer(start, &rest[..len], false);
        }
        self.refuse_letter(start)?;
        match rest[..len].parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(TokenKind::Double(number)),
            _ => Err(Problem::new(start, "the number is too large for a double")),
        }
    }

    fn integer(&mut self, start: usize, digits: &str, hexadecimal: bool) -> Result<TokenKind, Problem> {
        if digits.is_empty() {
            return Err(Problem::new(start, "a hexadecimal number needs digits"));
        }
        if !self.rest().starts_with(['u', 'U']) {
            self.refuse_letter(start)?;
            return Ok(TokenKind::Int(digits.to_owned(), hexadecimal));
        }
        self.at += 1;
        self.refuse_letter(start)?;
        u64::from_str_radix(digits, if hexadecimal { 16 } else { 10 })
            .map(TokenKind::Uint)
            .map_err(|_| Problem::new(start, "the number is too large for a uint"))
    }

    /// A number and a name that touch are a mistake, not two tokens.
    fn refuse_letter(&self, start: usize) -> Result<(), Problem> {
        match self.rest().bytes().next() {
            Some(byte) if byte.is_ascii_alphanumeric() || byte == b'_' => {
                Err(Problem::new(start, "a letter follows the number"))
            }
            _ => Ok(()),
        }
    }
}

fn unexpected(rest: &str) -> String {
    let found = rest.chars().next().unwrap_or_default();
    match found {
        '=' => "`=` is no operator: equality is `==`".to_owned(),
        '&' => "`&` is no operator: and is `&&`".to_owned(),
        '|' => "`|` is no operator: or is `||`".to_owned(),
        _ => format!("`{}` has no meaning here", found.escape_debug()),
    }
}

fn length_of(text: &str, is_part: impl Fn(u8) -> bool) -> usize {
    text.bytes().position(|byte| !is_part(byte)).unwrap_or(text.len())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[TokenKind]) {
        let kinds: Vec<_> = tokens(text).unwrap().into_iter().map(|token| token.kind).collect();
        assert_eq!(&kinds[..kinds.len() - 1], expected, "{text}");
    }

    #[test]
    fn tokens_are_the_longest_there_are() {
        let name = |text: &str| TokenKind::Name(text.to_owned());
        let int = |text: &str| TokenKind::Int(text.to_owned(), false);
        check("", &[]);
        check(" a\t// comment == 1\n b", &[name("a"), name("b")]);
        check("a.b", &[name("a"), TokenKind::Mark("."), name("b")]);
        check(
            "1.5 .5 1e3 1",
            &[
                TokenKind::Double(1.5),
                TokenKind::Double(0.5),
                TokenKind::Double(1000.0),
                int("1"),
            ],
        );
        check("1.size", &[int("1"), TokenKind::Mark("."), name("size")]);
        check(
            "0x1F 7u 0xffu",
            &[
                TokenKind::Int("1F".to_owned(), true),
                TokenKind::Uint(7),
                TokenKind::Uint(255),
            ],
        );
        check("<=<", &[TokenKind::Mark("<="), TokenKind::Mark("<")]);
        check("`x-a.b`", &[TokenKind::Quoted("x-a.b".to_owned())]);
    }

    #[test]
    fn what_is_no_token_is_refused_at_its_place() {
        for (text, at) in [
            ("a = b", 2),
            ("1a", 0),
            ("a # b", 2),
            ("`", 0),
            ("``", 0),
            ("1e999", 0),
            ("18446744073709551616u", 0),
            ("0x", 0),
            ("é", 0),
        ] {
            assert_eq!(tokens(text).unwrap_err().at, at, "{text}");
        }
    }
}
