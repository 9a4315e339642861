//! Cuts an input into tokens as databases do, generous where they differ.

use memchr::memchr;

use super::kind::Kind;
use super::words;

/// Which comments there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dialect {
    /// `--` begins a comment; `#` is an operator.
    Standard,
    /// `#` begins a comment; `--` does before white space and at the end only.
    MySql,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a [u8],
    /// Of a text or comment: whether its end is in the input.
    pub(super) closed: bool,
    /// Of a comment: whether MySQL executes what is in it. White space behind the mark is how licences begin.
    pub(super) executed: bool,
}

/// The tokens of an input, one after the other.
#[derive(Clone)]
pub(super) struct Lexer<'a> {
    input: &'a [u8],
    at: usize,
    dialect: Dialect,
    /// Whether a backslash takes the meaning of the quote behind it.
    escapes: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(input: &'a [u8], dialect: Dialect, escapes: bool) -> Self {
        Lexer {
            input,
            at: 0,
            dialect,
            escapes,
        }
    }

    /// The text up to the quote that ends it, for an input that began between such quotes.
    pub(super) fn head(&mut self, quote: u8) -> Token<'a> {
        let token = self.text(0, quote);
        Token {
            kind: Kind::Head,
            ..token
        }
    }

    /// What is left of the input.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.input.get(self.at + ahead).copied()
    }

    fn token(&mut self, kind: Kind, length: usize) -> Token<'a> {
        let end = (self.at + length).min(self.input.len());
        let text = &self.input[self.at..end];
        self.at = end;
        Token {
            kind,
            text,
            closed: true,
            executed: false,
        }
    }

    /// Consumes up to and with `end`, or everything; `prefix` bytes before it are part of the token.
    fn through(&mut self, kind: Kind, prefix: usize, end: &[u8]) -> Token<'a> {
        let from = (self.at + prefix).min(self.input.len());
        let found = memchr::memmem::find(&self.input[from..], end);
        let length = found.map_or(self.input.len() - self.at, |place| prefix + place + end.len());
        let token = self.token(kind, length);
        Token {
            closed: found.is_some(),
            ..token
        }
    }

    /// A text whose first byte is `prefix` bytes ahead, up to its unescaped quote.
    fn text(&mut self, prefix: usize, quote: u8) -> Token<'a> {
        let from = (self.at + prefix).min(self.input.len());
        let mut place = from;
        let closed = loop {
            let Some(found) = memchr(quote, &self.input[place..]) else {
                place = self.input.len();
                break false;
            };
            let end = place + found;
            let backslashes = self.input[from..end]
                .iter()
                .rev()
                .take_while(|byte| **byte == b'\\')
                .count();
            place = end + 1;
            if self.escapes && backslashes % 2 == 1 {
                continue;
            }
            if self.input.get(place) == Some(&quote) {
                place += 1;
                continue;
            }
            break true;
        };
        let token = self.token(Kind::Text, place - self.at);
        Token { closed, ..token }
    }

    fn skip_white(&mut self) {
        while let Some(byte) = self.peek(0) {
            match byte {
                0..=0x20 => self.at += 1,
                // A no-break space, by itself or in UTF-8; elsewhere the byte is part of a letter.
                0xa0 => self.at += 1,
                0xc2 if self.peek(1) == Some(0xa0) => self.at += 2,
                _ => return,
            }
        }
    }

    fn number(&mut self) -> Token<'a> {
        let digits = |from: usize, is: fn(&u8) -> bool| {
            self.input
                .get(from..)
                .unwrap_or_default()
                .iter()
                .take_while(|byte| is(byte))
                .count()
        };
        let second = self.peek(1).map(|byte| byte.to_ascii_lowercase());
        if self.peek(0) == Some(b'0') && matches!(second, Some(b'x' | b'b')) {
            let is = if second == Some(b'x') {
                u8::is_ascii_hexdigit
            } else {
                |byte: &u8| matches!(byte, b'0' | b'1')
            };
            let length = digits(self.at + 2, is);
            if length > 0 || second == Some(b'x') {
                return self.token(Kind::Number, 2 + length);
            }
        }
        let mut end = self.at + digits(self.at, u8::is_ascii_digit);
        if self.input.get(end) == Some(&b'.') {
            end += 1 + digits(end + 1, u8::is_ascii_digit);
        }
        if matches!(self.input.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.input.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign, u8::is_ascii_digit);
            if exponent > 0 {
                end += 1 + sign + exponent;
            } else if matches!(self.input.get(end + 1), Some(b'(' | b'.' | b' ' | b',')) && end > self.at + 1 {
                // MySQL takes `1.e` for a number, which hides what follows from those that don't.
                end += 1;
            }
        }
        self.token(Kind::Number, end - self.at)
    }

    fn word(&mut self) -> Token<'a> {
        let mut length = 0;
        while let Some(byte) = self.peek(length) {
            let next = self.peek(length + 1);
            match byte {
                0xc2 if next == Some(0xa0) => break,
                // Within a name only: at its end it's the end of a sentence.
                b'.' if length > 0 && next.is_some_and(|next| is_word(next) || next == b'.') => {
                    if words::is_operator(&self.input[self.at..self.at + length]) {
                        break;
                    }
                }
                _ if is_word(byte) => {}
                _ => break,
            }
            length += 1;
        }
        let length = length.max(1);
        if self.peek(0) == Some(b'_') && self.peek(length) == Some(b'\'') {
            // `_utf8'…'`: a text with the name of its character set.
            return self.text(length + 1, b'\'');
        }
        if length <= 2
            && let Some(text) = self.prefixed_text(length)
        {
            return text;
        }
        let kind = words::kind(&self.input[self.at..self.at + length]);
        self.token(kind, length)
    }

    /// A text with letters before its quote that say how it's coded: `N'…'`, `x'…'`, `q'[…]'`.
    fn prefixed_text(&mut self, length: usize) -> Option<Token<'a>> {
        let prefix = &self.input[self.at..self.at + length];
        let quoted = self.peek(length) == Some(b'\'');
        let letter = |at: usize| prefix.get(at).map_or(0, u8::to_ascii_lowercase);
        match (letter(0), letter(1)) {
            (b'q', 0) | (b'n', b'q') if quoted => {
                let open = self.peek(length + 1)?;
                if open <= b' ' {
                    return None;
                }
                let close = match open {
                    b'(' => b')',
                    b'[' => b']',
                    b'{' => b'}',
                    b'<' => b'>',
                    other => other,
                };
                Some(self.through(Kind::Text, length + 2, &[close, b'\'']))
            }
            (b'n' | b'e' | b'x' | b'b', 0) if quoted => Some(self.text(length + 1, b'\'')),
            (b'u', 0) if self.peek(1) == Some(b'&') && self.peek(2) == Some(b'\'') => Some(self.text(3, b'\'')),
            _ => None,
        }
    }

    fn variable(&mut self) -> Token<'a> {
        let signs = self.rest().iter().take(2).take_while(|byte| **byte == b'@').count();
        match self.peek(signs) {
            Some(quote @ (b'`' | b'\'' | b'"')) => {
                let token = self.text(signs + 1, quote);
                Token {
                    kind: Kind::Variable,
                    ..token
                }
            }
            _ => {
                let name = self.rest()[signs..]
                    .iter()
                    .take_while(|byte| is_word(**byte) || **byte == b'.')
                    .count();
                let kind = if signs == 2 && name > 2 {
                    Kind::Danger
                } else {
                    Kind::Variable
                };
                self.token(kind, signs + name)
            }
        }
    }

    /// `$$…$$`, `$tag$…$tag$`, `$1`, or a part of a name.
    fn dollar(&mut self) -> Token<'a> {
        let rest = self.rest();
        let tag = 1 + rest[1..]
            .iter()
            .take(32)
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
            .count();
        if rest.get(tag) == Some(&b'$') {
            let end = &rest[..=tag];
            return self.through(Kind::Text, tag + 1, end);
        }
        if rest.get(1).is_some_and(u8::is_ascii_digit) {
            let length = rest[1..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
                .count();
            return self.token(Kind::Number, 1 + length);
        }
        self.token(Kind::Name, tag)
    }

    fn dash(&mut self) -> Token<'a> {
        if self.peek(1) != Some(b'-') {
            return if self.peek(1) == Some(b'>') {
                let length = if self.peek(2) == Some(b'>') { 3 } else { 2 };
                self.token(Kind::Operator, length)
            } else {
                self.token(Kind::Sign, 1)
            };
        }
        let comment = match self.dialect {
            Dialect::Standard => true,
            Dialect::MySql => self.peek(2).is_none_or(|byte| byte <= b' ' || byte == 0xa0),
        };
        if comment {
            self.through(Kind::Comment, 2, b"\n")
        } else {
            self.token(Kind::Sign, 1)
        }
    }

    fn slash(&mut self) -> Token<'a> {
        if self.peek(1) != Some(b'*') {
            return self.token(Kind::Operator, 1);
        }
        if self.peek(2) == Some(b'!') {
            // MySQL executes what is in such a comment, from the version on that may stand first.
            let version = self.rest()[3..]
                .iter()
                .take(6)
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            let token = self.token(Kind::Comment, 3 + version);
            let executed = version >= 5
                || self
                    .peek(0)
                    .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'%');
            return Token { executed, ..token };
        }
        self.through(Kind::Comment, 2, b"*/")
    }

    fn symbol(&mut self, byte: u8) -> Token<'a> {
        let second = self.peek(1);
        let third = self.peek(2);
        let (kind, length) = match (byte, second) {
            (b'<', Some(b'=')) if third == Some(b'>') => (Kind::Relation, 3),
            (b'<', Some(b'=' | b'>')) | (b'>', Some(b'=')) | (b'!', Some(b'=' | b'<' | b'>' | b'~')) => {
                (Kind::Relation, 2)
            }
            (b'^', Some(b'=')) | (b'=', Some(b'=')) => (Kind::Relation, 2),
            (b'<', Some(b'<')) | (b'>', Some(b'>')) => (Kind::Operator, 2),
            (b'=' | b'<' | b'>', _) => (Kind::Relation, 1),
            (b'|', Some(b'|')) | (b'&', Some(b'&')) => (Kind::Logic, 2),
            (b':', Some(b'=')) => (Kind::Relation, 2),
            (b'*', Some(b'/')) => (Kind::Comment, 2),
            (b'!' | b'~', _) => (Kind::Not, 1),
            (b'+', _) => (Kind::Sign, 1),
            (b'*' | b'%' | b'|' | b'&' | b'^' | b'#', _) => (Kind::Operator, 1),
            (b',', _) => (Kind::Comma, 1),
            (b';', _) => (Kind::Semicolon, 1),
            (b'(', _) => (Kind::Open, 1),
            (b')', _) => (Kind::Close, 1),
            (b'.', _) => (Kind::Dot, 1),
            (b'\\', Some(b'N')) => (Kind::Number, 2),
            _ => (Kind::Other, 1),
        };
        self.token(kind, length)
    }

    /// `{fn now()}`, `{x 1}`: MySQL and ODBC ignore the brace and the word.
    fn brace(&mut self) -> Option<Token<'a>> {
        let start = self.at;
        self.at += 1;
        self.skip_white();
        let word = self.rest().iter().take_while(|byte| is_word(**byte)).count();
        let behind = self.peek(word);
        if word == 0 || !behind.is_some_and(|byte| byte <= b' ' || matches!(byte, b'(' | b'\'' | b'"' | b'`' | b'/')) {
            self.at = start;
            return Some(self.token(Kind::Other, 1));
        }
        self.at += word;
        None
    }

    /// A name between brackets is short; a bracket that isn't closed soon is none.
    fn bracket(&mut self) -> Token<'a> {
        let length = self.rest().iter().take(66).position(|byte| *byte == b']');
        match length {
            Some(length) if length > 1 => self.token(Kind::Name, length + 1),
            _ => self.token(Kind::Other, 1),
        }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            self.skip_white();
            let byte = self.peek(0)?;
            return Some(match byte {
                b'0'..=b'9' => self.number(),
                b'.' if self.peek(1).is_some_and(|next| next.is_ascii_digit()) => self.number(),
                b'\'' | b'"' => self.text(1, byte),
                b'`' => {
                    let token = self.through(Kind::Name, 1, b"`");
                    Token {
                        kind: words::quoted_kind(token.text),
                        ..token
                    }
                }
                b'@' => self.variable(),
                b'$' => self.dollar(),
                b'-' => self.dash(),
                b'/' => self.slash(),
                b'#' if self.dialect == Dialect::MySql => self.through(Kind::Comment, 1, b"\n"),
                b'{' => match self.brace() {
                    Some(token) => token,
                    None => continue,
                },
                // `1::int`: a cast changes no kind. In other languages what follows is a name within a name.
                b':' if self.peek(1) == Some(b':') && self.peek(2).is_some_and(is_word) => {
                    self.at += 2;
                    self.at += self.rest().iter().take_while(|byte| is_word(**byte)).count();
                    continue;
                }
                b'\\' if self.peek(1) != Some(b'N') => {
                    self.at += 1;
                    continue;
                }
                b'}' => {
                    self.at += 1;
                    continue;
                }
                b'[' => self.bracket(),
                _ if is_word(byte) => self.word(),
                _ => self.symbol(byte),
            });
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}
