//! Cuts an input into the parts of a page, as the HTML Living Standard does (§13.2.5), without building a tree.

use memchr::{memchr, memmem};

/// Where the input begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// Between tags.
    Content,
    /// In an attribute's value without quotes.
    Unquoted,
    /// In an attribute's value between such quotes. Old browsers take backquotes for quotes.
    Quoted(u8),
}

/// What can run something. Text and the inside of comments can't.
#[derive(Debug)]
pub(super) enum Markup<'a> {
    Tag(&'a [u8]),
    ClosingTag(&'a [u8]),
    /// One with a value, even an empty one; nothing else runs anything.
    Attribute {
        name: &'a [u8],
        value: &'a [u8],
    },
    /// What stands behind `<!` or `<?`, up to `>`.
    Declaration(&'a [u8]),
}

pub(super) struct Tokenizer<'a> {
    rest: &'a [u8],
    in_tag: bool,
}

impl<'a> Tokenizer<'a> {
    pub(super) fn new(input: &'a [u8], place: Place) -> Self {
        let end = match place {
            Place::Content => 0,
            Place::Unquoted => input
                .iter()
                .position(|byte| is_space(*byte) || *byte == b'>')
                .unwrap_or(input.len()),
            Place::Quoted(quote) => memchr(quote, input).map_or(input.len(), |end| end + 1),
        };
        Tokenizer {
            rest: &input[end..],
            in_tag: place != Place::Content,
        }
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// Takes what comes before the first byte that ends it.
    fn take(&mut self, ends: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| ends(*byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// Takes what comes before `end`, or everything, and skips `end`.
    fn before(&mut self, end: &[u8]) -> &'a [u8] {
        let place = memmem::find(self.rest, end);
        let taken = &self.rest[..place.unwrap_or(self.rest.len())];
        self.skip(place.map_or(self.rest.len(), |place| place + end.len()));
        taken
    }

    fn content(&mut self) -> Option<Markup<'a>> {
        loop {
            let start = memchr(b'<', self.rest)?;
            self.skip(start + 1);
            match self.rest {
                [first, ..] if is_name_start(*first) => {
                    self.in_tag = true;
                    return Some(Markup::Tag(self.take(ends_name)));
                }
                [b'/', first, ..] if is_name_start(*first) => {
                    self.skip(1);
                    self.in_tag = true;
                    return Some(Markup::ClosingTag(self.take(ends_name)));
                }
                [b'!', b'-', b'-', ..] => {
                    self.skip(3);
                    if let Some(text) = self.comment() {
                        return Some(Markup::Declaration(text));
                    }
                }
                [b'!' | b'?', ..] => {
                    self.skip(1);
                    return Some(Markup::Declaration(self.take(|byte| byte == b'>')));
                }
                _ => {}
            }
        }
    }

    /// Skips a comment. One that old browsers read is content, and is returned up to its bracket.
    fn comment(&mut self) -> Option<&'a [u8]> {
        // `<!-->` and `<!--->` are whole comments.
        if self.rest.starts_with(b">") || self.rest.starts_with(b"->") {
            return None;
        }
        if self.rest.starts_with(b"[if") {
            return Some(self.take(|byte| byte == b']'));
        }
        // What isn't closed would be a comment to the end, and what a program appends could close it.
        match memmem::find(self.rest, b"--") {
            Some(_) => {
                let rest = self.rest;
                let text = self.before(b"--");
                // `--!>` closes it, too; other dashes don't.
                if !(self.rest.starts_with(b">") || self.rest.starts_with(b"!>")) {
                    self.rest = rest;
                    self.skip(text.len());
                    self.before(b"-->");
                }
            }
            None => self.rest = b"",
        }
        None
    }

    /// The next attribute with a value, or `None` at the end of the tag.
    fn attribute(&mut self) -> Option<Markup<'a>> {
        loop {
            self.take(|byte| !is_space(byte) && byte != b'/');
            match self.rest.first()? {
                b'>' => {
                    self.skip(1);
                    self.in_tag = false;
                    return None;
                }
                // The standard takes it for a part of the name. Whoever meant another tag is looked at, too.
                b'<' => {
                    self.in_tag = false;
                    return None;
                }
                // A name may begin with one (§13.2.5.32).
                b'=' => self.skip(1),
                _ => {}
            }
            let name = self.take(|byte| is_space(byte) || matches!(byte, b'/' | b'>' | b'=' | b'<'));
            let spaces = self.rest.iter().take_while(|byte| is_space(**byte)).count();
            if self.rest.get(spaces) != Some(&b'=') {
                continue;
            }
            self.skip(spaces + 1);
            self.take(|byte| !is_space(byte));
            let value = match self.rest.first() {
                Some(quote @ (b'"' | b'\'')) => {
                    self.skip(1);
                    self.before(&[*quote])
                }
                Some(b'`') if self.rest[1..].iter().find(|byte| matches!(byte, b'`' | b'>')) == Some(&b'`') => {
                    self.skip(1);
                    self.before(b"`")
                }
                _ => self.take(|byte| is_space(byte) || byte == b'>'),
            };
            return Some(Markup::Attribute { name, value });
        }
    }
}

impl<'a> Iterator for Tokenizer<'a> {
    type Item = Markup<'a>;

    fn next(&mut self) -> Option<Markup<'a>> {
        let attribute = if self.in_tag { self.attribute() } else { None };
        attribute.or_else(|| self.content())
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | b' ')
}

/// Old browsers skip NUL.
fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == 0
}

fn ends_name(byte: u8) -> bool {
    is_space(byte) || matches!(byte, b'/' | b'>' | b'<')
}
