//! XML held against limits, in one pass and without a tree.
//!
//! quick-xml finds where things begin and end. What it leaves to its callers is held to here, as XML 1.0 has it, so that no other
//! reader sees more than this one: names, attributes, references, characters and the one root. Refused is what leads elsewhere or
//! expands: document types with all that they declare, processing instructions, XInclude, and hints where a schema lies.

use std::collections::HashSet;

use portcullis_config::policy::payload::XmlLimits;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::fault::Fault;

/// The namespace of XInclude 1.0 and 1.1: who declares it asks for other documents.
const XINCLUDE: &[u8] = b"http://www.w3.org/2001/XInclude";

/// The longest reference, `&#x10FFFF;`, with some zeros that people put before digits.
const LONGEST_REFERENCE: usize = 16;

/// Reads a whole document.
///
/// # Errors
/// At the first thing that is no XML, beyond a limit, or of a kind that is refused.
pub fn check(document: &[u8], limits: &XmlLimits) -> Result<(), Fault> {
    let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    characters(document)?;
    let mut reader = Reader::from_reader(document);
    reader.config_mut().check_comments = true;
    let mut scanner = Scanner {
        limits,
        depth: 0,
        elements: 0,
        text: 0,
        has_root: false,
        at: 0,
    };
    loop {
        scanner.at = place(reader.buffer_position());
        match reader.read_event() {
            Ok(Event::Eof) => return scanner.end(),
            Ok(event) => scanner.event(&event)?,
            Err(error) => {
                let at = place(reader.error_position());
                return Err(Fault::malformed(reason(&error), at));
            }
        }
    }
}

struct Scanner<'l> {
    limits: &'l XmlLimits,
    depth: u32,
    elements: u32,
    /// The bytes of text since the last tag.
    text: u64,
    has_root: bool,
    at: usize,
}

impl Scanner<'_> {
    fn event(&mut self, event: &Event<'_>) -> Result<(), Fault> {
        match event {
            Event::Start(tag) => {
                self.element(tag, tag.name().as_ref())?;
                self.depth += 1;
            }
            Event::Empty(tag) => self.element(tag, tag.name().as_ref())?,
            Event::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                self.text = 0;
            }
            Event::Text(text) => {
                if memchr::memmem::find(text, b"]]>").is_some() {
                    return Err(self.malformed("`]]>` stands in a text"));
                }
                let is_blank = text.iter().all(|byte| is_space(*byte));
                self.text(text.len(), is_blank)?;
            }
            Event::CData(text) => self.text(text.len(), false)?,
            Event::GeneralRef(reference) => {
                self.reference(reference)?;
                self.text(reference.len() + 2, false)?;
            }
            Event::Comment(comment) => self.at_most(comment.len(), "a comment")?,
            Event::Decl(declaration) => self.declaration(declaration)?,
            Event::DocType(_) => return Err(self.refused("a document type is not taken")),
            Event::PI(_) => return Err(self.refused("a processing instruction is not taken")),
            Event::Eof => {}
        }
        Ok(())
    }

    fn end(&self) -> Result<(), Fault> {
        if self.depth > 0 {
            return Err(self.malformed("the document ends within an element"));
        }
        if !self.has_root {
            return Err(self.malformed("the document has no element"));
        }
        Ok(())
    }

    /// `tag` is all that stands between `<` and `>`.
    fn element(&mut self, tag: &[u8], name: &[u8]) -> Result<(), Fault> {
        self.text = 0;
        if self.depth == 0 && self.has_root {
            return Err(self.malformed("the document has a second root"));
        }
        self.has_root = true;
        if self.depth >= self.limits.depth {
            return Err(self.refused(format!("elements nest deeper than {} levels", self.limits.depth)));
        }
        self.elements = self.elements.saturating_add(1);
        if self.elements > self.limits.elements {
            return Err(self.refused(format!("there are more than {} elements", self.limits.elements)));
        }
        self.name(name)?;
        self.attributes(&tag[name.len()..])
    }

    fn attributes(&self, mut rest: &[u8]) -> Result<(), Fault> {
        let mut names = HashSet::new();
        while let Some(attribute) = self.attribute(&mut rest)? {
            if names.len() >= self.limits.attributes as usize {
                let most = self.limits.attributes;
                return Err(self.refused(format!("an element has more than {most} attributes")));
            }
            if !names.insert(attribute.name) {
                return Err(self.malformed("an element has an attribute twice"));
            }
            self.name(attribute.name)?;
            self.at_most(attribute.value.len(), "the value of an attribute")?;
            let value = self.value(attribute.value)?;
            let local = attribute.name.rsplit(|byte| *byte == b':').next().unwrap_or_default();
            let is_declaration = attribute.name == b"xmlns" || attribute.name.starts_with(b"xmlns:");
            if is_declaration && value.trim_ascii() == XINCLUDE {
                return Err(self.refused("XInclude is not taken"));
            }
            if local.len() < attribute.name.len() && matches!(local, b"schemaLocation" | b"noNamespaceSchemaLocation") {
                return Err(self.refused("a hint where a schema lies is not taken"));
            }
        }
        Ok(())
    }

    /// Takes one attribute off; `None` where only blanks are left.
    fn attribute<'t>(&self, rest: &mut &'t [u8]) -> Result<Option<Attribute<'t>>, Fault> {
        let trimmed = rest.trim_ascii_start();
        if trimmed.is_empty() {
            return Ok(None);
        }
        if trimmed.len() == rest.len() {
            return Err(self.malformed("no blank stands before an attribute"));
        }
        let end = trimmed.iter().position(|byte| *byte == b'=' || is_space(*byte));
        let (name, after) = trimmed.split_at(end.unwrap_or(trimmed.len()));
        let after = after
            .trim_ascii_start()
            .strip_prefix(b"=")
            .map(<[u8]>::trim_ascii_start);
        let (quote, after) = match after.and_then(<[u8]>::split_first) {
            Some((quote @ (b'"' | b'\''), after)) => (*quote, after),
            _ => return Err(self.malformed("an attribute has no value in quotes")),
        };
        let Some(end) = memchr::memchr(quote, after) else {
            return Err(self.malformed("the value of an attribute has no end"));
        };
        *rest = &after[end + 1..];
        Ok(Some(Attribute {
            name,
            value: &after[..end],
        }))
    }

    /// The value with characters in place of references.
    fn value(&self, written: &[u8]) -> Result<Vec<u8>, Fault> {
        if written.contains(&b'<') {
            return Err(self.malformed("`<` stands in the value of an attribute"));
        }
        let mut value = Vec::with_capacity(written.len());
        let mut rest = written;
        while let Some(start) = memchr::memchr(b'&', rest) {
            value.extend_from_slice(&rest[..start]);
            rest = &rest[start + 1..];
            let Some(end) = rest.iter().take(LONGEST_REFERENCE).position(|byte| *byte == b';') else {
                return Err(self.malformed("`&` begins no reference"));
            };
            let character = self.reference(&rest[..end])?;
            value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &rest[end + 1..];
        }
        value.extend_from_slice(rest);
        Ok(value)
    }

    /// The character of a reference by number, or of one of the five that need no declaration (XML 1.0 §4.6).
    fn reference(&self, name: &[u8]) -> Result<char, Fault> {
        let by_number = |digits: &[u8], radix: u32| {
            let all_digits = digits.iter().all(|digit| char::from(*digit).is_digit(radix));
            let digits = std::str::from_utf8(digits).ok().filter(|_| all_digits)?;
            u32::from_str_radix(digits, radix).ok().and_then(char::from_u32)
        };
        let character = match name {
            b"lt" => Some('<'),
            b"gt" => Some('>'),
            b"amp" => Some('&'),
            b"apos" => Some('\''),
            b"quot" => Some('"'),
            [b'#', b'x', digits @ ..] => by_number(digits, 16),
            [b'#', digits @ ..] => by_number(digits, 10),
            _ => return Err(self.refused("an entity is used that is not one of the five of XML")),
        };
        let character = character.filter(|character| is_character(*character));
        character.ok_or_else(|| self.malformed("a reference is to no character of XML"))
    }

    /// Names as XML 1.0 §2.3 has them. Beyond ASCII any character may stand in one: what it leaves out is of no danger.
    fn name(&self, name: &[u8]) -> Result<(), Fault> {
        if name.len() > self.limits.name as usize {
            return Err(self.refused(format!("a name is longer than {} bytes", self.limits.name)));
        }
        let begins = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b':' || byte >= 0x80;
        let goes_on = |byte: u8| begins(byte) || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
        let is_name = name.first().is_some_and(|first| begins(*first)) && name.iter().all(|byte| goes_on(*byte));
        if is_name {
            Ok(())
        } else {
            Err(self.malformed("a name is none"))
        }
    }

    /// More text before the next tag.
    fn text(&mut self, bytes: usize, is_blank: bool) -> Result<(), Fault> {
        if self.depth == 0 && !is_blank {
            return Err(self.malformed("text stands outside of the root"));
        }
        self.text += bytes as u64;
        if self.text > self.limits.text.0 {
            return Err(self.refused(format!("a text is longer than {} bytes", self.limits.text.0)));
        }
        Ok(())
    }

    fn at_most(&self, bytes: usize, what: &str) -> Result<(), Fault> {
        if bytes as u64 > self.limits.text.0 {
            return Err(self.refused(format!("{what} is longer than {} bytes", self.limits.text.0)));
        }
        Ok(())
    }

    /// `<?xml version="1.0" encoding="utf-8" standalone="yes"?>`, at the very beginning (XML 1.0 §2.8).
    fn declaration(&self, declaration: &[u8]) -> Result<(), Fault> {
        if self.at != 0 {
            return Err(self.malformed("the declaration does not stand at the beginning"));
        }
        let mut rest = declaration.strip_prefix(b"xml").unwrap_or_default();
        let mut given = Vec::new();
        while let Some(attribute) = self.attribute(&mut rest)? {
            // There are three, and each may be there once: a fourth would find no place below.
            if given.len() > 3 {
                break;
            }
            given.push(attribute);
        }
        let mut given = given.into_iter().peekable();
        let mut next = |name: &[u8]| given.next_if(|attribute| attribute.name == name).map(|it| it.value);
        let (version, encoding, standalone) = (next(b"version"), next(b"encoding"), next(b"standalone"));
        if given.next().is_some() || !matches!(standalone, None | Some(b"yes" | b"no")) {
            return Err(self.malformed("the declaration is malformed"));
        }
        if version != Some(b"1.0") {
            return Err(self.refused("only version 1.0 is taken"));
        }
        let is_utf8 = |name: &[u8]| {
            [&b"utf-8"[..], b"us-ascii"]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
        };
        if !encoding.is_none_or(is_utf8) {
            return Err(self.refused("only UTF-8 is taken"));
        }
        Ok(())
    }

    fn malformed(&self, what: &'static str) -> Fault {
        Fault::malformed(what, self.at)
    }

    fn refused(&self, what: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
        Fault::refused(what, self.at)
    }
}

/// An attribute as it is written.
struct Attribute<'t> {
    name: &'t [u8],
    value: &'t [u8],
}

/// Characters that XML has (XML 1.0 §2.2), in UTF-8: whoever reads others from these bytes reads another document.
fn characters(document: &[u8]) -> Result<(), Fault> {
    let text = match std::str::from_utf8(document) {
        Ok(text) => text,
        Err(error) => return Err(Fault::malformed("it is no UTF-8", error.valid_up_to())),
    };
    match text.char_indices().find(|(_, character)| !is_character(*character)) {
        Some((at, _)) => Err(Fault::malformed("it has a character that XML has not", at)),
        None => Ok(()),
    }
}

fn is_character(character: char) -> bool {
    !matches!(character, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn place(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// What is wrong, in words that repeat nothing of the document.
fn reason(error: &quick_xml::Error) -> &'static str {
    match error {
        quick_xml::Error::Syntax(_) => "something that was begun has no end",
        quick_xml::Error::IllFormed(_) => "tags do not match, or a comment or a reference is malformed",
        _ => "it is not well-formed",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
