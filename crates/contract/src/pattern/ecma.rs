//! From the syntax of ECMA-262 to that of the `regex` crate.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

/// White space and line terminators of ECMA-262 §12.2 and §12.3, inside of a class.
const SPACE: &str = r"\t\n\x0B\x0C\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}";

/// Line terminators of ECMA-262 §12.3, inside of a class.
const LINE_ENDS: &str = r"\n\r\x{2028}\x{2029}";

/// A pattern in the other syntax.
pub(super) struct Translated {
    pub(super) text: String,
    /// Whether it looks around or back.
    pub(super) goes_back: bool,
}

/// Translates a pattern. What is no pattern becomes something that is none either.
pub(super) fn translate(source: &str) -> Translated {
    let first = translated(source, false);
    // The engine that goes back knows one kind of words only.
    if first.goes_back {
        translated(source, true)
    } else {
        first
    }
}

fn translated(source: &str, all_words: bool) -> Translated {
    let mut translation = Translation {
        rest: source.chars().peekable(),
        out: String::with_capacity(source.len() + 16),
        goes_back: false,
        all_words,
        looks: Vec::new(),
    };
    translation.run();
    Translated {
        text: translation.out,
        goes_back: translation.goes_back,
    }
}

struct Translation<'s> {
    rest: Peekable<Chars<'s>>,
    out: String,
    goes_back: bool,
    /// Whether letters beyond ASCII make words, too.
    all_words: bool,
    /// Of each group that is open, whether it only looks around.
    looks: Vec<bool>,
}

impl Translation<'_> {
    fn run(&mut self) {
        while let Some(character) = self.rest.next() {
            match character {
                '\\' => self.escape(false),
                '[' => self.class(),
                '.' => {
                    let _ = write!(self.out, "[^{LINE_ENDS}]");
                }
                '(' => self.group(),
                ')' => self.end_of_group(),
                '{' if !self.counts() => self.out.push_str(r"\{"),
                '{' => self.copy_through('}'),
                // Annex B.1.2: they stand for themselves where nothing was opened.
                '}' | ']' => {
                    self.out.push('\\');
                    self.out.push(character);
                }
                // In the other syntax, `$` would also do, but for a line end at the end.
                '$' => self.out.push_str(r"\z"),
                other => self.out.push(other),
            }
        }
    }

    /// Whether what follows `{` is a count: `2}`, `2,}`, `2,3}`.
    fn counts(&self) -> bool {
        let mut ahead = self.rest.clone();
        let mut digits = 0;
        let mut commas = 0;
        loop {
            match ahead.next() {
                Some('0'..='9') => digits += 1,
                Some(',') if digits > 0 && commas == 0 => commas += 1,
                Some('}') => return digits > 0,
                _ => return false,
            }
        }
    }

    fn copy_through(&mut self, end: char) {
        self.out.push('{');
        for character in self.rest.by_ref() {
            self.out.push(character);
            if character == end {
                break;
            }
        }
    }

    fn group(&mut self) {
        self.out.push('(');
        let mut ahead = self.rest.clone();
        let looks = ahead.next() == Some('?')
            && match ahead.next() {
                Some('=' | '!') => true,
                Some('<') => matches!(ahead.next(), Some('=' | '!')),
                _ => false,
            };
        self.goes_back |= looks;
        self.looks.push(looks);
    }

    /// What looks around may be repeated (Annex B.1.2), which changes nothing: once is as good as several times.
    fn end_of_group(&mut self) {
        self.out.push(')');
        if self.looks.pop() == Some(true) {
            self.rest.next_if_eq(&'+');
        }
    }

    fn class(&mut self) {
        let negated = self.rest.next_if_eq(&'^').is_some();
        if self.rest.next_if_eq(&']').is_some() {
            // An empty class matches nothing, its opposite everything.
            self.out
                .push_str(if negated { r"(?s:.)" } else { r"[^\x{0}-\x{10ffff}]" });
            return;
        }
        self.out.push_str(if negated { "[^" } else { "[" });
        let mut after_class = false;
        while let Some(character) = self.rest.next() {
            let was_class = std::mem::replace(&mut after_class, false);
            match character {
                ']' => {
                    self.out.push(']');
                    return;
                }
                '\\' => {
                    after_class = self.rest.peek().is_some_and(|next| "dDwWsSpP".contains(*next));
                    self.escape(true);
                }
                // The other syntax has classes in classes, and operators between them.
                '[' | '&' | '~' | '^' => {
                    self.out.push('\\');
                    self.out.push(character);
                }
                '-' => self.hyphen(was_class),
                other => self.out.push(other),
            }
        }
    }

    /// A hyphen in a class: a range, or itself at either end, beside another one, and beside what is a class of its own
    /// (Annex B.1.2).
    fn hyphen(&mut self, after_class: bool) {
        let first = self.out.ends_with('[') || self.out.ends_with("[^");
        let mut ahead = self.rest.clone();
        let (next, second) = (ahead.next(), ahead.next());
        let last = next == Some(']');
        let doubled = next == Some('-') || self.out.ends_with(r"\-");
        let before_class = next == Some('\\') && second.is_some_and(|second| "dDwWsSpP".contains(second));
        if first || last || doubled || after_class || before_class {
            self.out.push('\\');
        }
        self.out.push('-');
    }

    fn escape(&mut self, in_class: bool) {
        let Some(character) = self.rest.next() else {
            self.out.push('\\');
            return;
        };
        match character {
            'd' => self.out.push_str(if in_class { "0-9" } else { "[0-9]" }),
            'D' => self.out.push_str("[^0-9]"),
            'w' => self.out.push_str(if in_class { "A-Za-z0-9_" } else { "[A-Za-z0-9_]" }),
            'W' => self.out.push_str("[^A-Za-z0-9_]"),
            's' => {
                let _ = write!(
                    self.out,
                    "{}",
                    if in_class {
                        SPACE.to_owned()
                    } else {
                        format!("[{SPACE}]")
                    }
                );
            }
            'S' => {
                let _ = write!(self.out, "[^{SPACE}]");
            }
            'b' if in_class => self.out.push_str(r"\x08"),
            // ECMA-262 §22.2.2.3: only ASCII letters, digits and `_` make words.
            'b' => self.out.push_str(if self.all_words { r"\b" } else { r"(?-u:\b)" }),
            'B' => self.out.push_str(r"\B"),
            'c' => self.control(),
            '0' => self.octal(),
            '1'..='9' if !in_class => {
                self.goes_back = true;
                self.out.push('\\');
                self.out.push(character);
            }
            'k' if self.rest.peek() == Some(&'<') => {
                self.goes_back = true;
                self.out.push_str(r"\k");
            }
            'u' => self.unicode(),
            'x' => match self.hexadecimal(2) {
                Some(code) => self.code(code),
                None => self.out.push('x'),
            },
            'p' | 'P' if self.rest.peek() == Some(&'{') => {
                self.out.push('\\');
                self.out.push(character);
            }
            't' | 'n' | 'r' | 'v' | 'f' => {
                self.out.push('\\');
                self.out.push(character);
            }
            // A letter that means nothing stands for itself (Annex B.1.2).
            other if other.is_alphanumeric() || other == '<' || other == '>' || !other.is_ascii() => {
                self.out.push(other);
            }
            other => {
                self.out.push('\\');
                self.out.push(other);
            }
        }
        if self.out.ends_with(r"\p") || self.out.ends_with(r"\P") {
            self.property();
        }
    }

    /// After `\0`: up to two more digits (Annex B.1.2).
    fn octal(&mut self) {
        let mut code = 0;
        for _ in 0..2 {
            let Some(digit) = self
                .rest
                .next_if(|it| matches!(it, '0'..='7'))
                .and_then(|it| it.to_digit(8))
            else {
                break;
            };
            code = code * 8 + digit;
        }
        self.code(code);
    }

    /// `{Letter}` after `\p`.
    fn property(&mut self) {
        for character in self.rest.by_ref() {
            self.out.push(character);
            if character == '}' {
                break;
            }
        }
    }

    fn control(&mut self) {
        match self.rest.next_if(char::is_ascii_alphabetic) {
            Some(letter) => self.code(u32::from(letter) % 32),
            None => self.out.push_str(r"\\c"),
        }
    }

    /// After `\u`: four digits, two times four for what is beyond, or any number in braces.
    fn unicode(&mut self) {
        if self.rest.peek() == Some(&'{') {
            self.rest.next();
            let digits: String = std::iter::from_fn(|| self.rest.next_if(char::is_ascii_hexdigit)).collect();
            self.rest.next_if_eq(&'}');
            let _ = write!(self.out, r"\x{{{digits}}}");
            return;
        }
        let Some(code) = self.hexadecimal(4) else {
            self.out.push('u');
            return;
        };
        let before = self.rest.clone();
        if (0xd800..0xdc00).contains(&code)
            && self.rest.next_if_eq(&'\\').is_some()
            && self.rest.next_if_eq(&'u').is_some()
            && let Some(low @ 0xdc00..0xe000) = self.hexadecimal(4)
        {
            self.code(0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00));
            return;
        }
        self.rest = before;
        self.code(code);
    }

    fn hexadecimal(&mut self, digits: usize) -> Option<u32> {
        let text: String = self.rest.clone().take(digits).collect();
        if text.len() != digits || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for _ in 0..digits {
            self.rest.next();
        }
        u32::from_str_radix(&text, 16).ok()
    }

    /// A character by its number. Half of a pair is in no text: its place is taken by the last character there is, so that
    /// ranges up to it keep their order.
    fn code(&mut self, code: u32) {
        let code = match code {
            0xd800..=0xdbff => 0xd7ff,
            0xdc00..=0xdfff => 0xe000,
            other => other,
        };
        let _ = write!(self.out, r"\x{{{code:x}}}");
    }
}
