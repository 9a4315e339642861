//! XML as text and values of attributes. A document type is refused: entities expand, and may lead elsewhere.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::seclang::texts::Text;
use crate::seclang::transaction::Transaction;
use crate::seclang::variable::Name;

/// How deep elements may be nested.
const DEEPEST: usize = 128;

/// Reads a body. An error says what is wrong with it.
pub(in crate::seclang) fn read(transaction: &mut Transaction, content: &[u8]) -> Result<(), String> {
    let mut reader = Reader::from_reader(content);
    let mut text = Vec::new();
    let mut depth = 0usize;
    let outcome = loop {
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                depth += 1;
                if depth > DEEPEST {
                    break Err("elements are nested too deep".to_owned());
                }
                attributes(transaction, &element)?;
            }
            Ok(Event::Empty(element)) => attributes(transaction, &element)?,
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            Ok(Event::Text(piece)) => text.extend_from_slice(&piece),
            Ok(Event::CData(piece)) => text.extend_from_slice(&piece),
            Ok(Event::GeneralRef(name)) => match reference(&name) {
                Some(character) => text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                None => break Err("an entity that is not declared".to_owned()),
            },
            Ok(Event::DocType(_)) => break Err("a document type is not allowed".to_owned()),
            Ok(Event::Eof) if depth > 0 => break Err("the document ends within an element".to_owned()),
            Ok(Event::Eof) => break Ok(()),
            Ok(Event::Decl(_) | Event::PI(_) | Event::Comment(_)) => {}
            Err(error) => break Err(error.to_string()),
        }
    };
    let text = transaction.texts.add(&text);
    transaction.fact(Name::XmlText, Text::NONE, text);
    outcome
}

fn attributes(transaction: &mut Transaction, element: &BytesStart<'_>) -> Result<(), String> {
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if transaction.facts[Name::XmlAttributes as usize].len() >= transaction.rules.settings.most_arguments {
            transaction.exceed("the document has more attributes than rules may look at");
            return Err("too many attributes".to_owned());
        }
        let mut value = Vec::new();
        unescape(&attribute.value, &mut value);
        let text = transaction.texts.add(&value);
        transaction.fact(Name::XmlAttributes, Text::NONE, text);
    }
    Ok(())
}

/// Puts characters in place of references; what is none stays.
fn unescape(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(start) = memchr::memchr(b'&', rest) {
        out.extend_from_slice(&rest[..start]);
        rest = &rest[start..];
        let end = rest.iter().take(16).position(|byte| *byte == b';');
        match end.and_then(|end| Some((end, reference(&rest[1..end])?))) {
            Some((end, character)) => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[end + 1..];
            }
            None => {
                out.push(b'&');
                rest = &rest[1..];
            }
        }
    }
    out.extend_from_slice(rest);
}

/// The character of one of the five references that need no declaration, or of one by number.
fn reference(name: &[u8]) -> Option<char> {
    let by_number = |digits: &[u8], radix| {
        let digits = std::str::from_utf8(digits).ok()?;
        u32::from_str_radix(digits, radix).ok().and_then(char::from_u32)
    };
    match name {
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"amp" => Some('&'),
        b"apos" => Some('\''),
        b"quot" => Some('"'),
        [b'#', b'x', digits @ ..] => by_number(digits, 16),
        [b'#', digits @ ..] => by_number(digits, 10),
        _ => None,
    }
}
