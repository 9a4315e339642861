//! Cells as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::IgnoredAny;

use crate::output::{Cell, Row, Shown};
use crate::schema::Type;

/// Writes what is shown of a row.
pub(super) fn write_row(text: &mut Vec<u8>, row: &impl Row, shown: &Shown) {
    match shown {
        Shown::Nothing | Shown::Found => {}
        Shown::Columns(columns) => {
            text.push(b'{');
            for (at, column) in columns.iter().enumerate() {
                if at > 0 {
                    text.push(b',');
                }
                text.extend_from_slice(column.member.as_bytes());
                write_cell(text, row.cell(at), &column.kind);
            }
            text.push(b'}');
        }
        Shown::Json => write_cell(text, row.cell(0), &Type::Json { binary: true }),
        Shown::Value(kind) => write_cell(text, row.cell(0), kind),
    }
}

/// Writes one cell. A number that JSON has no form for (infinite, or none) is null where the database has it as a number,
/// and its text where it has text.
pub(super) fn write_cell(text: &mut Vec<u8>, cell: Cell<'_>, kind: &Type) {
    match cell {
        Cell::Null => text.extend_from_slice(b"null"),
        Cell::Boolean(truth) => text.extend_from_slice(if truth { b"true" } else { b"false" }),
        Cell::Integer(0) if *kind == Type::Boolean => text.extend_from_slice(b"false"),
        Cell::Integer(1) if *kind == Type::Boolean => text.extend_from_slice(b"true"),
        Cell::Integer(number) => text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Cell::Unsigned(number) => text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Cell::Real(number) => serialize(text, &number),
        Cell::Text(raw) if is_written_as_it_is(raw, kind) => text.extend_from_slice(raw),
        Cell::Text(raw) => match std::str::from_utf8(raw) {
            Ok(valid) => serialize(text, valid),
            Err(_) => serialize(text, &*String::from_utf8_lossy(raw)),
        },
        Cell::Bytes(bytes) => serialize(text, &*BASE64.encode(bytes)),
    }
}

/// Puts spaces for line breaks. Inside of strings there are none (RFC 8259 §7), and outside they mean nothing.
pub(super) fn one_line(json: &mut [u8]) {
    for byte in json {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// Whether text is JSON already. The database vouches for what it keeps parsed; other columns may hold what only their
/// declaration calls JSON or a number: SQLite stores any text in them, and it must not become part of the answer's own
/// structure.
pub(super) fn is_written_as_it_is(raw: &[u8], kind: &Type) -> bool {
    match kind {
        Type::Json { binary: true } => true,
        Type::Json { binary: false } => is_document(raw),
        Type::Array(_) => raw.first() == Some(&b'[') && is_document(raw),
        Type::Composite => raw.first() == Some(&b'{') && is_document(raw),
        Type::Integer { .. } | Type::Decimal | Type::Real => is_number(raw),
        _ => false,
    }
}

fn is_document(raw: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(raw).is_ok()
}

/// Whether it is a number by the grammar of RFC 8259 §6.
pub(super) fn is_number(text: &[u8]) -> bool {
    fn digits(text: &[u8]) -> (usize, &[u8]) {
        let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count, &text[count..])
    }
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let zero = text.first() == Some(&b'0');
    let (whole, mut rest) = digits(text);
    if whole == 0 || (zero && whole > 1) {
        return false;
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        let (count, after) = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = after;
    }
    if let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) {
        let signless = exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-"));
        let (count, after) = digits(signless.unwrap_or(exponent));
        return count > 0 && after.is_empty();
    }
    rest.is_empty()
}

fn serialize<T: serde::Serialize + ?Sized>(text: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(text, value).expect("a Vec takes every write, and scalars can be written");
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTEGER: Type = Type::Integer {
        bytes: 8,
        unsigned: false,
    };

    #[test]
    fn values_are_written_as_what_they_are() {
        for (cell, kind, expected) in [
            (Cell::Null, Type::Boolean, "null"),
            (Cell::Boolean(true), Type::Boolean, "true"),
            (Cell::Integer(1), Type::Boolean, "true"),
            (Cell::Integer(0), Type::Boolean, "false"),
            (Cell::Integer(2), Type::Boolean, "2"),
            (Cell::Integer(1), INTEGER, "1"),
            (Cell::Integer(i64::MAX), INTEGER, "9223372036854775807"),
            (Cell::Unsigned(u64::MAX), INTEGER, "18446744073709551615"),
            (Cell::Real(1.0), Type::Real, "1.0"),
            (Cell::Real(f64::INFINITY), Type::Real, "null"),
            (Cell::Text(b"a\"\n\xc3\xbc"), Type::Text, "\"a\\\"\\n\u{fc}\""),
            (Cell::Text(b"\xff"), Type::Text, "\"\u{fffd}\""),
            (Cell::Text(b"1.50"), Type::Decimal, "1.50"),
            (Cell::Text(b"NaN"), Type::Decimal, "\"NaN\""),
            (Cell::Text(b"1,\"b\":2"), INTEGER, "\"1,\\\"b\\\":2\""),
            (Cell::Text(b"{\"a\": 1}"), Type::Json { binary: false }, "{\"a\": 1}"),
            (Cell::Text(b"1,2"), Type::Json { binary: false }, "\"1,2\""),
            (Cell::Text(b"[1,2]"), Type::Array(Box::new(INTEGER)), "[1,2]"),
            (Cell::Text(b"{}"), Type::Array(Box::new(INTEGER)), "\"{}\""),
            (Cell::Bytes(b"\x00\xff"), Type::Bytes, "\"AP8=\""),
        ] {
            let mut json = Vec::new();
            write_cell(&mut json, cell, &kind);
            assert_eq!(String::from_utf8(json).expect("it is UTF-8"), expected);
        }
    }

    #[test]
    fn numbers_are_those_of_json() {
        for number in ["0", "-0", "1", "-12.50", "1e3", "1E-3", "0.1e+10"] {
            assert!(is_number(number.as_bytes()), "{number}");
        }
        for other in ["", "-", "01", ".5", "1.", "1e", "+1", "1 ", "NaN", "0x1", "1.5.2"] {
            assert!(!is_number(other.as_bytes()), "{other}");
        }
    }
}
