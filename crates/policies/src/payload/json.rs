//! JSON held against limits, in one pass and without a tree.
//!
//! It is read as strictly as RFC 8259 has it: what two programs may read differently is refused. Nesting takes no stack, names are
//! compared by hashes that a client can't foresee, and each byte is looked at a bounded number of times.

use std::borrow::Cow;
use std::collections::HashSet;

use portcullis_config::policy::payload::{Duplicates, JsonLimits};

use super::fault::Fault;

/// Up to so many names of an object are compared one by one: most objects have no more.
const FEW: usize = 16;

/// The most characters of a name in a pointer, and the most of a pointer.
const SHOWN: usize = 64;
const LONGEST_POINTER: usize = 500;

/// Reads a whole text.
///
/// # Errors
/// At the first thing that is no JSON, or beyond a limit.
pub fn check(text: &[u8], limits: &JsonLimits) -> Result<(), Fault> {
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => return Err(Fault::malformed("it is no UTF-8", error.valid_up_to())),
    };
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        at: 0,
        limits,
        open: Vec::new(),
        names: Vec::new(),
        values: 0,
    };
    scanner.run()
}

struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    limits: &'t JsonLimits,
    /// The lists and objects that are not closed yet.
    open: Vec<Level<'t>>,
    /// The names of the members of all open objects, one object behind the other.
    names: Vec<Cow<'t, str>>,
    values: u32,
}

/// A list or an object that is not closed yet.
struct Level<'t> {
    is_object: bool,
    /// How many items or members there were before this one.
    count: u32,
    /// Where its names begin.
    names_from: usize,
    /// The same names, once there are many.
    many: HashSet<Cow<'t, str>>,
    /// The name of the present member.
    name: Cow<'t, str>,
}

/// What stands between two quotes.
struct Text<'t> {
    written: &'t str,
    has_escapes: bool,
}

impl<'t> Scanner<'t> {
    fn run(&mut self) -> Result<(), Fault> {
        loop {
            self.skip_space();
            if self.begins_value()? {
                continue;
            }
            // A value has ended: what follows belongs to what it stands in.
            loop {
                self.skip_space();
                let Some(level) = self.open.last_mut() else {
                    return match self.peek() {
                        None => Ok(()),
                        Some(_) => Err(self.malformed("something follows the end")),
                    };
                };
                let is_object = level.is_object;
                match self.bytes.get(self.at) {
                    Some(b',') => {
                        self.at += 1;
                        level.count += 1;
                        if is_object {
                            self.member()?;
                        }
                        break;
                    }
                    Some(b'}') if is_object => self.close(),
                    Some(b']') if !is_object => self.close(),
                    _ => return Err(self.malformed("a comma or the end of a list or an object is missing")),
                }
            }
        }
    }

    /// Reads a value, or the beginning of one. Gives whether a value in it comes next.
    fn begins_value(&mut self) -> Result<bool, Fault> {
        self.values = self.values.saturating_add(1);
        if self.values > self.limits.values {
            return Err(self.refused(format!("it has more than {} values", self.limits.values)));
        }
        match self.peek() {
            Some(b'{') => {
                self.open(true)?;
                if self.peek() == Some(b'}') {
                    self.close();
                    return Ok(false);
                }
                self.member()?;
                Ok(true)
            }
            Some(b'[') => {
                self.open(false)?;
                let is_empty = self.peek() == Some(b']');
                if is_empty {
                    self.close();
                }
                Ok(!is_empty)
            }
            Some(b'"') => {
                let most = usize::try_from(self.limits.string.0).unwrap_or(usize::MAX);
                self.string(most, "a text").map(|_| false)
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| false),
            _ => self.word().map(|()| false),
        }
    }

    fn open(&mut self, is_object: bool) -> Result<(), Fault> {
        if self.open.len() >= self.limits.depth as usize {
            return Err(self.refused(format!("it nests deeper than {} levels", self.limits.depth)));
        }
        self.open.push(Level {
            is_object,
            count: 0,
            names_from: self.names.len(),
            many: HashSet::new(),
            name: Cow::Borrowed(""),
        });
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    fn close(&mut self) {
        self.at += 1;
        if let Some(level) = self.open.pop() {
            self.names.truncate(level.names_from);
        }
    }

    /// Reads a name and its colon.
    fn member(&mut self) -> Result<(), Fault> {
        self.skip_space();
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.malformed("the name of a member is missing"));
        }
        let count = self.open.last().map_or(0, |level| level.count);
        if count >= self.limits.keys {
            let fault = Fault::refused(format!("an object has more than {} members", self.limits.keys), start);
            return Err(fault.in_place(self.pointer(self.open.len().saturating_sub(1))));
        }
        let name = self.string(self.limits.key as usize, "a name");
        // A member without a name can't be pointed to.
        let name = name.map_err(|fault| fault.in_place(self.pointer(self.open.len().saturating_sub(1))))?;
        let name = name.decoded().ok_or_else(|| self.malformed("a name can't be read"))?;
        let is_new = self.limits.duplicates == Duplicates::Allow || self.remember(name.clone());
        if let Some(level) = self.open.last_mut() {
            level.name = name;
        }
        if !is_new {
            let fault = Fault::refused("an object has a member twice", start);
            return Err(fault.in_place(self.pointer(self.open.len())));
        }
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.malformed("a colon is missing"));
        }
        self.at += 1;
        Ok(())
    }

    /// Whether the object had no member of that name.
    fn remember(&mut self, name: Cow<'t, str>) -> bool {
        let Some(level) = self.open.last_mut() else { return true };
        let known = &self.names[level.names_from..];
        if known.len() < FEW {
            if known.contains(&name) {
                return false;
            }
            self.names.push(name);
            return true;
        }
        if level.many.is_empty() {
            level.many.extend(known.iter().cloned());
        }
        level.many.insert(name)
    }

    /// Reads a text of at most so many bytes, from quote to quote.
    fn string(&mut self, most: usize, what: &str) -> Result<Text<'t>, Fault> {
        let start = self.at + 1;
        let mut has_escapes = false;
        self.at = start;
        loop {
            // An escape is read whole, so that the limit may be passed by some bytes before it is seen.
            if self.at - start > most {
                self.at = start;
                return Err(self.refused(format!("{what} is longer than {most} bytes")));
            }
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                Some(0..=0x1f) => return Err(self.malformed("a text has a control character")),
                Some(_) => self.at += 1,
                None => return Err(self.malformed("a text has no end")),
            }
        }
        let written = &self.text[start..self.at];
        self.at += 1;
        Ok(Text { written, has_escapes })
    }

    fn escape(&mut self) -> Result<(), Fault> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                // Characters beyond the first plane are a pair (RFC 8259 §7). What a half means nobody knows (§8.2).
                let is_whole = match self.unit()? {
                    0xd800..=0xdbff => {
                        self.bytes[self.at..].starts_with(b"\\u") && matches!(self.unit()?, 0xdc00..=0xdfff)
                    }
                    0xdc00..=0xdfff => false,
                    _ => true,
                };
                if !is_whole {
                    return Err(self.malformed("a text has half of a pair of surrogates"));
                }
            }
            _ => return Err(self.malformed("a text has an escape that is none")),
        }
        Ok(())
    }

    /// Reads `\u` and its four digits.
    fn unit(&mut self) -> Result<u32, Fault> {
        let digits = self.bytes.get(self.at + 2..self.at + 6).unwrap_or_default();
        let mut value = 0;
        for digit in digits {
            let Some(digit) = char::from(*digit).to_digit(16) else {
                return Err(self.malformed("a text has an escape that is none"));
            };
            value = value * 16 + digit;
        }
        if digits.len() < 4 {
            return Err(self.malformed("a text has an escape that is none"));
        }
        self.at += 6;
        Ok(value)
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        if self.at - start > self.limits.number as usize {
            self.at = start;
            return Err(self.refused(format!("a number has more than {} characters", self.limits.number)));
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.malformed("a number has no digit where one must be"));
        }
        Ok(())
    }

    fn word(&mut self) -> Result<(), Fault> {
        let rest = &self.bytes[self.at..];
        let words: [&[u8]; 3] = [b"true", b"false", b"null"];
        match words.iter().find(|word| rest.starts_with(word)) {
            Some(word) => {
                self.at += word.len();
                Ok(())
            }
            None => Err(self.malformed("a value is missing")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn malformed(&self, what: &'static str) -> Fault {
        Fault::malformed(what, self.at).in_place(self.pointer(self.open.len()))
    }

    fn refused(&self, what: String) -> Fault {
        Fault::refused(what, self.at).in_place(self.pointer(self.open.len()))
    }

    /// Where we are, by the outermost levels.
    fn pointer(&self, levels: usize) -> String {
        let mut pointer = String::new();
        for level in &self.open[..levels] {
            if pointer.len() > LONGEST_POINTER {
                pointer.push('…');
                break;
            }
            if !level.is_object {
                pointer.push_str(&format!("/{}", level.count));
                continue;
            }
            pointer.push('/');
            for character in level.name.chars().take(SHOWN) {
                match character {
                    '~' => pointer.push_str("~0"),
                    '/' => pointer.push_str("~1"),
                    other => pointer.push(other),
                }
            }
        }
        pointer
    }
}

impl<'t> Text<'t> {
    /// What it says; nothing where its escapes can't be read, which the scanner has seen to.
    fn decoded(&self) -> Option<Cow<'t, str>> {
        if !self.has_escapes {
            return Some(Cow::Borrowed(self.written));
        }
        serde_json::from_str(&format!("\"{}\"", self.written))
            .ok()
            .map(Cow::Owned)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
