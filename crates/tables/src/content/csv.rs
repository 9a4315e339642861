//! Cells as comma-separated values (RFC 4180).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::output::{Cell, Row, Shown};
use crate::schema::Type;

/// The name of a column that has none: the result of a routine.
const UNNAMED: &str = "value";

/// Writes the line of names.
pub(super) fn write_names(text: &mut Vec<u8>, shown: &Shown) {
    match shown {
        Shown::Nothing | Shown::Found => return,
        Shown::Columns(columns) => {
            for (at, column) in columns.iter().enumerate() {
                if at > 0 {
                    text.push(b',');
                }
                write_field(text, column.name.as_bytes());
            }
        }
        Shown::Json | Shown::Value(_) => text.extend_from_slice(UNNAMED.as_bytes()),
    }
    text.extend_from_slice(b"\r\n");
}

/// Writes one line.
pub(super) fn write_row(text: &mut Vec<u8>, row: &impl Row, shown: &Shown) {
    match shown {
        Shown::Nothing | Shown::Found => return,
        Shown::Columns(columns) => {
            for (at, column) in columns.iter().enumerate() {
                if at > 0 {
                    text.push(b',');
                }
                write_cell(text, row.cell(at), &column.kind);
            }
        }
        Shown::Json => write_cell(text, row.cell(0), &Type::Json { binary: true }),
        Shown::Value(kind) => write_cell(text, row.cell(0), kind),
    }
    text.extend_from_slice(b"\r\n");
}

fn write_cell(text: &mut Vec<u8>, cell: Cell<'_>, kind: &Type) {
    match cell {
        Cell::Null => {}
        Cell::Boolean(truth) => text.extend_from_slice(if truth { b"true" } else { b"false" }),
        Cell::Integer(0) if *kind == Type::Boolean => text.extend_from_slice(b"false"),
        Cell::Integer(1) if *kind == Type::Boolean => text.extend_from_slice(b"true"),
        Cell::Integer(number) => text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Cell::Unsigned(number) => text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Cell::Real(number) if number.is_finite() => text.extend_from_slice(number.to_string().as_bytes()),
        Cell::Real(_) => {}
        Cell::Text(raw) => match std::str::from_utf8(raw) {
            Ok(_) => write_field(text, raw),
            Err(_) => write_field(text, String::from_utf8_lossy(raw).as_bytes()),
        },
        Cell::Bytes(bytes) => write_field(text, BASE64.encode(bytes).as_bytes()),
    }
}

/// Writes a text, in quotes where it needs them (RFC 4180 §2.5 to §2.7), and where it would be read as NULL without.
fn write_field(text: &mut Vec<u8>, field: &[u8]) {
    let is_plain = !field.iter().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n'));
    if is_plain && !field.is_empty() && field != super::record::NULL {
        text.extend_from_slice(field);
        return;
    }
    text.push(b'"');
    for byte in field {
        if *byte == b'"' {
            text.push(b'"');
        }
        text.push(*byte);
    }
    text.push(b'"');
}
