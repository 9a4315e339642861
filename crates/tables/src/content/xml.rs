//! Cells as XML. The mapping stands at [`super::Format::Xml`].

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::document::check_depth;
use crate::output::{Cell, Row, Shown};
use crate::schema::Type;

/// What stands before the first row.
pub(super) const START: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rows>";
/// What stands behind the last row.
pub(super) const END: &[u8] = b"</rows>\n";

/// How deep JSON becomes elements; what is deeper is written as its text. Each level reads what is below it once more.
const MAX_DEPTH: usize = 32;

/// Writes one row.
pub(super) fn write_row(text: &mut Vec<u8>, row: &impl Row, shown: &Shown) {
    let mut xml = String::new();
    xml.push_str("<row>");
    match shown {
        Shown::Nothing | Shown::Found => {}
        Shown::Columns(columns) => {
            for (at, column) in columns.iter().enumerate() {
                write_element(&mut xml, &column.name, row.cell(at), &column.kind);
            }
        }
        Shown::Json => write_cell(&mut xml, row.cell(0), &Type::Json { binary: true }),
        Shown::Value(kind) => write_element(&mut xml, "value", row.cell(0), kind),
    }
    xml.push_str("</row>");
    text.extend_from_slice(xml.as_bytes());
}

fn write_element(xml: &mut String, name: &str, cell: Cell<'_>, kind: &Type) {
    if cell == Cell::Null {
        return;
    }
    element(xml, name, |xml| write_cell(xml, cell, kind));
}

fn element(xml: &mut String, name: &str, content: impl FnOnce(&mut String)) {
    xml.push('<');
    write_name(xml, name);
    xml.push('>');
    content(xml);
    xml.push_str("</");
    write_name(xml, name);
    xml.push('>');
}

fn write_cell(xml: &mut String, cell: Cell<'_>, kind: &Type) {
    match cell {
        Cell::Null => {}
        Cell::Boolean(truth) => xml.push_str(if truth { "true" } else { "false" }),
        Cell::Integer(0) if *kind == Type::Boolean => xml.push_str("false"),
        Cell::Integer(1) if *kind == Type::Boolean => xml.push_str("true"),
        Cell::Integer(number) => xml.push_str(itoa::Buffer::new().format(number)),
        Cell::Unsigned(number) => xml.push_str(itoa::Buffer::new().format(number)),
        Cell::Real(number) => write!(xml, "{number}").expect("a String takes every write"),
        Cell::Text(raw) => {
            let holds_json = matches!(kind, Type::Json { .. } | Type::Array(_) | Type::Composite);
            match serde_json::from_slice::<&RawValue>(raw) {
                Ok(document) if holds_json && check_depth(document.get(), MAX_DEPTH) => write_json(xml, document),
                _ => write_text(xml, &String::from_utf8_lossy(raw)),
            }
        }
        Cell::Bytes(bytes) => xml.push_str(&BASE64.encode(bytes)),
    }
}

fn write_json(xml: &mut String, document: &RawValue) {
    let raw = document.get();
    let mut deserializer = serde_json::Deserializer::from_str(raw);
    let done = match raw.as_bytes().first() {
        Some(b'{') => deserializer.deserialize_map(Children(xml)).is_ok(),
        Some(b'[') => deserializer.deserialize_seq(Children(xml)).is_ok(),
        Some(b'"') => match serde_json::from_str::<String>(raw) {
            Ok(text) => {
                write_text(xml, &text);
                true
            }
            // A lone surrogate, which JSON may spell and no text can hold.
            Err(_) => false,
        },
        Some(b'n') => true,
        _ => {
            xml.push_str(raw);
            true
        }
    };
    if !done {
        write_text(xml, raw);
    }
}

struct Children<'x>(&'x mut String);

impl<'de> Visitor<'de> for Children<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            if value.get() != "null" {
                element(self.0, &name, |xml| write_json(xml, value));
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(value) = items.next_element::<&RawValue>()? {
            if value.get() == "null" {
                self.0.push_str("<item null=\"true\"/>");
            } else {
                element(self.0, "item", |xml| write_json(xml, value));
            }
        }
        Ok(())
    }
}

/// Writes character data. A carriage return is written as a reference, since a reader would take it for the end of a line
/// (XML 1.0 §2.11).
fn write_text(xml: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '&' => xml.push_str("&amp;"),
            '\r' => xml.push_str("&#13;"),
            other if is_allowed(other) => xml.push(other),
            _ => xml.push('\u{fffd}'),
        }
    }
}

/// Whether XML can hold the character (XML 1.0 §2.2).
fn is_allowed(character: char) -> bool {
    !matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Writes a name, with what can't stand in one escaped.
fn write_name(xml: &mut String, name: &str) {
    if name.is_empty() {
        xml.push_str("_x_");
    }
    // Names that begin with `xml` are kept for the standard itself (XML 1.0 §2.3).
    let reserved = name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("xml"));
    let mut characters = name.chars().peekable();
    let mut first = true;
    while let Some(character) = characters.next() {
        let fits = if first {
            is_name_start(character) && !reserved
        } else {
            is_name_part(character)
        };
        let like_an_escape = character == '_' && characters.peek() == Some(&'x');
        if fits && !like_an_escape {
            xml.push(character);
        } else {
            write!(xml, "_x{:04X}_", u32::from(character)).expect("a String takes every write");
        }
        first = false;
    }
}

/// Whether a name may begin with the character (XML 1.0 §2.3, without the colon, which is for namespaces).
fn is_name_start(character: char) -> bool {
    matches!(character,
        'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

fn is_name_part(character: char) -> bool {
    is_name_start(character)
        || matches!(character, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_xml_has_not_are_escaped() {
        for (name, expected) in [
            ("id", "id"),
            ("a.b-c_1", "a.b-c_1"),
            ("shelf life", "shelf_x0020_life"),
            ("1st", "_x0031_st"),
            ("a:b", "a_x003A_b"),
            ("a_x0020_b", "a_x005F_x0020_b"),
            ("XMLish", "_x0058_MLish"),
            ("größe", "größe"),
            ("<x>", "_x003C_x_x003E_"),
            ("🦀\u{0}", "🦀_x0000_"),
            ("", "_x_"),
        ] {
            let mut xml = String::new();
            write_name(&mut xml, name);
            assert_eq!(xml, expected);
        }
    }

    #[test]
    fn text_can_not_become_markup() {
        let mut xml = String::new();
        write_text(&mut xml, "a<b>&c\r\n\t\u{0}\u{1b}\u{fffe}]]>é");
        assert_eq!(xml, "a&lt;b&gt;&amp;c&#13;\n\t\u{fffd}\u{fffd}\u{fffd}]]&gt;é");
    }

    #[test]
    fn json_becomes_elements() {
        let json = Type::Json { binary: false };
        let deep = "[".repeat(40) + &"]".repeat(40);
        for (document, expected) in [
            (
                r#"{"a":1.10,"b c":{"d":null,"e":"<"}}"#,
                "<a>1.10</a><b_x0020_c><e>&lt;</e></b_x0020_c>",
            ),
            (
                r#"[1,null,[true],""]"#,
                "<item>1</item><item null=\"true\"/><item><item>true</item></item><item></item>",
            ),
            ("null", ""),
            ("\"text\"", "text"),
            ("not json <", "not json &lt;"),
            (deep.as_str(), deep.as_str()),
        ] {
            let mut xml = String::new();
            write_cell(&mut xml, Cell::Text(document.as_bytes()), &json);
            assert_eq!(xml, expected);
        }
    }
}
