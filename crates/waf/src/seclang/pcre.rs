//! From the syntax of PCRE to that of the `regex` crate.

use std::fmt::Write;

/// A pattern that the `regex` crate reads, with what it can't say.
#[derive(Debug, Default)]
pub(super) struct Translated {
    pub(super) text: String,
    /// For each group of the written pattern, the whole first, the number it has now.
    pub(super) groups: Vec<usize>,
    /// What must hold of a match.
    pub(super) checks: Vec<Check>,
}

/// A condition at the place of a group that was put in for it.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) group: usize,
    pub(super) kind: CheckKind,
}

/// What must hold there.
#[derive(Debug)]
pub(super) enum CheckKind {
    /// The group's text is that of another group.
    Same(usize),
    /// The text from there doesn't begin with that of another group, or not as a whole word.
    NotSame { group: usize, whole_word: bool },
    /// The text from there begins with this, or doesn't.
    Ahead { text: String, negated: bool },
    /// The text up to there ends with this, or doesn't.
    Behind { text: String, negated: bool },
}

/// Translates a pattern.
pub(super) fn translate(written: &[u8]) -> Result<Translated, String> {
    let mut translator = Translator {
        written,
        at: 0,
        out: Translated {
            groups: vec![0],
            ..Translated::default()
        },
        count: 0,
        open: Vec::new(),
        bodies: vec![None],
    };
    translator.run()?;
    Ok(translator.out)
}

struct Translator<'w> {
    written: &'w [u8],
    at: usize,
    out: Translated,
    /// How many groups the translated pattern has.
    count: usize,
    /// The groups that are open: for a capturing one its written number and where its body begins.
    open: Vec<Option<(usize, usize)>>,
    /// The translated body of each written group that is closed.
    bodies: Vec<Option<String>>,
}

impl<'w> Translator<'w> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => self.escape()?,
                b'[' => self.class()?,
                b'(' => self.group()?,
                b')' => self.close()?,
                b'*' | b'+' | b'?' => self.quantifier(&[byte]),
                b'{' => match counted(&self.written[self.at..]) {
                    Some(length) => {
                        let written = &self.written[self.at - 1..self.at + length];
                        self.at += length;
                        self.quantifier(written);
                    }
                    None => self.literal(b'{'),
                },
                b'.' | b'^' | b'$' | b'|' | b' ' | b'#' | b'\n' => self.out.text.push(char::from(byte)),
                byte => self.literal(byte),
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.written.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    fn takes(&mut self, text: &[u8]) -> bool {
        let there = self.written[self.at..].starts_with(text);
        if there {
            self.at += text.len();
        }
        there
    }

    fn literal(&mut self, byte: u8) {
        push_literal(&mut self.out.text, byte);
    }

    /// A possessive quantifier becomes a plain one: without backtracking the two find the same or more.
    fn quantifier(&mut self, written: &[u8]) {
        self.out.text.extend(written.iter().map(|byte| char::from(*byte)));
        if self.takes(b"?") {
            self.out.text.push('?');
        } else {
            self.takes(b"+");
        }
    }

    fn new_group(&mut self) -> usize {
        self.count += 1;
        self.count
    }

    fn group(&mut self) -> Result<(), String> {
        if !self.takes(b"?") {
            return self.capture();
        }
        for (start, behind, negated) in [
            (&b"="[..], false, false),
            (b"!", false, true),
            (b"<=", true, false),
            (b"<!", true, true),
        ] {
            if self.takes(start) {
                return self.assertion(behind, negated);
            }
        }
        if self.takes(b"#") {
            while self.next().is_some_and(|byte| byte != b')') {}
            return Ok(());
        }
        if self.takes(b">") {
            self.open.push(None);
            self.out.text.push_str("(?:");
            return Ok(());
        }
        if self.takes(b"P<") || self.takes(b"<") || self.takes(b"'") {
            while self.next().is_some_and(|byte| byte != b'>' && byte != b'\'') {}
            return self.capture();
        }
        let rest = &self.written[self.at..];
        let flags = rest.iter().take_while(|byte| b"imsxU-".contains(byte)).count();
        match rest.get(flags) {
            Some(b':') => self.open.push(None),
            Some(b')') => {}
            _ => return Err("a group of this kind can't be run".to_owned()),
        }
        self.out.text.push_str("(?");
        self.out
            .text
            .extend(rest[..=flags].iter().map(|byte| char::from(*byte)));
        self.at += flags + 1;
        Ok(())
    }

    fn capture(&mut self) -> Result<(), String> {
        let group = self.new_group();
        self.out.groups.push(group);
        self.bodies.push(None);
        self.out.text.push('(');
        self.open.push(Some((self.bodies.len() - 1, self.out.text.len())));
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let open = self.open.pop().ok_or("a parenthesis is closed that was not opened")?;
        if let Some((group, start)) = open {
            self.bodies[group] = Some(self.out.text[start..].to_owned());
        }
        self.out.text.push(')');
        Ok(())
    }

    /// Puts an empty group in place of an assertion, and what it asserts into a check.
    fn assertion(&mut self, behind: bool, negated: bool) -> Result<(), String> {
        let body = self.up_to_closing()?;
        let group = self.new_group();
        self.out.text.push_str("()");
        let kind = match reference_alone(body) {
            Some((number, whole_word)) if negated && !behind => CheckKind::NotSame {
                group: self.known_group(number)?,
                whole_word,
            },
            _ => {
                let inner = translate(body)?;
                if !inner.checks.is_empty() || inner.groups.len() > 1 {
                    return Err("an assertion within an assertion, or a group in it, can't be run".to_owned());
                }
                let text = inner.text;
                if behind {
                    CheckKind::Behind { text, negated }
                } else {
                    CheckKind::Ahead { text, negated }
                }
            }
        };
        self.out.checks.push(Check { group, kind });
        Ok(())
    }

    /// What is written up to the parenthesis that closes the open one.
    fn up_to_closing(&mut self) -> Result<&'w [u8], String> {
        let (written, start) = (self.written, self.at);
        let (mut depth, mut within_class) = (1, false);
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => self.at += 1,
                b'[' => within_class = true,
                b']' => within_class = false,
                b'(' if !within_class => depth += 1,
                b')' if !within_class => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(&written[start..self.at - 1]);
            }
        }
        Err("a parenthesis is not closed".to_owned())
    }

    fn known_group(&self, number: usize) -> Result<usize, String> {
        let known = self.out.groups.get(number).copied().filter(|_| number > 0);
        known.ok_or_else(|| format!("\\{number} refers to no group before it"))
    }

    /// Puts the referred group's body in place of a reference, to be compared with it.
    fn reference(&mut self, number: usize) -> Result<(), String> {
        let to = self.known_group(number)?;
        let body = self.bodies[number]
            .clone()
            .ok_or_else(|| format!("\\{number} refers to a group that is open"))?;
        if translate(body.as_bytes())?.groups.len() > 1 {
            return Err(format!(
                "\\{number} refers to a group with groups in it, which can't be run"
            ));
        }
        let group = self.new_group();
        write!(self.out.text, "({body})").expect("a String takes every write");
        self.out.checks.push(Check {
            group,
            kind: CheckKind::Same(to),
        });
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        let Some(byte) = self.next() else {
            return Err("a backslash at the end".to_owned());
        };
        let text = match byte {
            b'1'..=b'9' if !self.is_octal() => return self.reference(usize::from(byte - b'0')),
            b'b' | b'B' | b'A' | b'z' | b'd' | b'D' | b'w' | b'W' | b's' | b'S' => {
                self.out.text.extend(['\\', char::from(byte)]);
                return Ok(());
            }
            b'Z' => "\\z",
            b'h' => "[\\t \\xA0]",
            b'H' => "[^\\t \\xA0]",
            b'v' => "[\\n\\x0B\\x0C\\r\\x85]",
            b'V' => "[^\\n\\x0B\\x0C\\r\\x85]",
            b'R' => "(?:\\r\\n|[\\n\\x0B\\x0C\\r\\x85])",
            b'N' => "[^\\n]",
            b'Q' => {
                while self.at < self.written.len() && !self.takes(b"\\E") {
                    if let Some(byte) = self.next() {
                        self.literal(byte);
                    }
                }
                return Ok(());
            }
            b'E' => "",
            _ => {
                let literal = self.escaped_byte(byte)?;
                self.literal(literal);
                return Ok(());
            }
        };
        self.out.text.push_str(text);
        Ok(())
    }

    /// Whether `\ddd`, whose first digit has just been taken, is a byte in octal digits.
    fn is_octal(&self) -> bool {
        let digits = &self.written[self.at - 1..];
        let octal = digits
            .iter()
            .take(3)
            .take_while(|digit| matches!(digit, b'0'..=b'7'))
            .count();
        octal == 3 && usize::from(digits[0] - b'0') >= self.out.groups.len()
    }

    /// The byte that an escape stands for, in a class or outside.
    fn escaped_byte(&mut self, byte: u8) -> Result<u8, String> {
        Ok(match byte {
            b'a' => 0x07,
            b'e' => 0x1b,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => self.hexadecimal()?,
            b'0'..=b'7' => {
                let mut number = u32::from(byte - b'0');
                for _ in 0..2 {
                    let Some(digit @ b'0'..=b'7') = self.written.get(self.at) else {
                        break;
                    };
                    number = number * 8 + u32::from(digit - b'0');
                    self.at += 1;
                }
                u8::try_from(number).map_err(|_| "an octal escape of more than a byte".to_owned())?
            }
            b'c' => self.next().ok_or("a backslash at the end")?.to_ascii_uppercase() ^ 0x40,
            byte if byte.is_ascii_alphanumeric() => {
                return Err(format!("\\{} can't be run", char::from(byte)));
            }
            byte => byte,
        })
    }

    fn hexadecimal(&mut self) -> Result<u8, String> {
        let braces = self.takes(b"{");
        let rest = &self.written[self.at..];
        let most = if braces { 8 } else { 2 };
        let digits = rest
            .iter()
            .take(most)
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        let text = String::from_utf8_lossy(&rest[..digits]);
        let number = u32::from_str_radix(if text.is_empty() { "0" } else { &text }, 16);
        self.at += digits;
        if braces && !self.takes(b"}") {
            return Err("\\x{ is not closed".to_owned());
        }
        let byte = number.ok().and_then(|number| u8::try_from(number).ok());
        byte.ok_or_else(|| "a character of more than a byte can't be matched: rules see bytes".to_owned())
    }

    /// Writes a class anew with each byte escaped, since the two syntaxes differ in what is special in one.
    fn class(&mut self) -> Result<(), String> {
        self.out.text.push('[');
        if self.takes(b"^") {
            self.out.text.push('^');
        }
        let mut first = true;
        loop {
            if !first && self.takes(b"]") {
                break;
            }
            first = false;
            let Some(low) = self.class_item()? else {
                continue;
            };
            let range = self.written[self.at..].first() == Some(&b'-')
                && self.written.get(self.at + 1).is_some_and(|next| *next != b']');
            push_hex(&mut self.out.text, low);
            if !range {
                continue;
            }
            let back = self.at;
            self.at += 1;
            self.out.text.push('-');
            match self.class_byte()? {
                Some(high) => push_hex(&mut self.out.text, high),
                // What follows is a class of its own, such as \w, and the hyphen stands for itself.
                None => {
                    self.at = back + 1;
                    self.out.text.pop();
                    push_hex(&mut self.out.text, b'-');
                }
            }
        }
        self.out.text.push(']');
        Ok(())
    }

    /// The next byte of a class; `None` after a class within it, which has been written.
    fn class_item(&mut self) -> Result<Option<u8>, String> {
        if let Some(byte) = self.class_byte()? {
            return Ok(Some(byte));
        }
        if self.takes(b"[:") {
            let rest = &self.written[self.at..];
            let end = memchr::memmem::find(rest, b":]").ok_or("a class [: is not closed")?;
            let name = String::from_utf8_lossy(&rest[..end]);
            write!(self.out.text, "[:{name}:]").expect("a String takes every write");
            self.at += end + 2;
            return Ok(None);
        }
        self.at += 1;
        let text = match self.next() {
            Some(b'h') => "\\t \\xA0",
            Some(b'v') => "\\n\\x0B\\x0C\\r\\x85",
            Some(byte) => {
                self.out.text.extend(['\\', char::from(byte)]);
                return Ok(None);
            }
            None => return Err("a class is not closed".to_owned()),
        };
        self.out.text.push_str(text);
        Ok(None)
    }

    /// The next byte of a class, escaped or not; `None`, and nothing taken, before a class within it.
    fn class_byte(&mut self) -> Result<Option<u8>, String> {
        let rest = &self.written[self.at..];
        match rest {
            [] => Err("a class is not closed".to_owned()),
            [b'[', b':', ..] => Ok(None),
            [b'\\', b'd' | b'D' | b'w' | b'W' | b's' | b'S' | b'h' | b'v', ..] => Ok(None),
            [b'\\', b'b', ..] => {
                self.at += 2;
                Ok(Some(0x08))
            }
            [b'\\', escaped, ..] => {
                let escaped = *escaped;
                self.at += 2;
                self.escaped_byte(escaped).map(Some)
            }
            [byte, ..] => {
                self.at += 1;
                Ok(Some(*byte))
            }
        }
    }
}

/// The length of `n}`, `n,}` or `n,m}`, behind the brace that opens it.
fn counted(rest: &[u8]) -> Option<usize> {
    let end = rest.iter().position(|byte| *byte == b'}')?;
    let mut parts = rest[..end].splitn(2, |byte| *byte == b',');
    let is_number = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    let low = parts.next()?;
    let good = !low.is_empty() && is_number(low) && parts.next().is_none_or(is_number);
    good.then_some(end + 1)
}

/// The number of the reference that an assertion consists of, and whether it stands between word boundaries.
fn reference_alone(body: &[u8]) -> Option<(usize, bool)> {
    let inner = body.strip_prefix(b"\\b").and_then(|body| body.strip_suffix(b"\\b"));
    match inner.unwrap_or(body) {
        [b'\\', digit @ b'1'..=b'9'] => Some((usize::from(digit - b'0'), inner.is_some())),
        _ => None,
    }
}

fn push_literal(text: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric() {
        text.push(char::from(byte));
    } else {
        push_hex(text, byte);
    }
}

fn push_hex(text: &mut String, byte: u8) {
    write!(text, "\\x{byte:02X}").expect("a String takes every write");
}
