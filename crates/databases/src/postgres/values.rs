//! Values on their way to the server, and cells on their way back.
//!
//! Values go in PostgreSQL's text form, and their types are what the server infers from the statement: so a date, a
//! decimal, an enumeration's word and a type of an extension are all the same to us.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write as _;

use portcullis_tables::output::{Cell, Row as TableRow};
use portcullis_tables::value::Value;
use tokio_postgres::Row;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

/// A value for a placeholder.
#[derive(Debug)]
pub(super) struct Parameter<'v>(pub(super) Cow<'v, Value>);

impl ToSql for Parameter<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match &*self.0 {
            Value::Null | Value::Of { .. } | Value::AllOf { .. } => return Ok(IsNull::Yes),
            Value::Boolean(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
            Value::Integer(number) => write!(out, "{number}")?,
            Value::Real(number) => write!(out, "{number}")?,
            Value::Text(text) | Value::Json(text) => out.extend_from_slice(text.as_bytes()),
            Value::Bytes(bytes) => write_bytes(bytes, out)?,
            Value::List(values) => write_array(values, out)?,
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

fn write_bytes(bytes: &[u8], out: &mut BytesMut) -> std::fmt::Result {
    out.extend_from_slice(b"\\x");
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
}

/// An array's literal (PostgreSQL's documentation, §8.15.6). What is not a number is quoted, so that nothing in it is
/// taken for a delimiter, for white space that may go, or for NULL.
fn write_array(values: &[Value], out: &mut BytesMut) -> std::fmt::Result {
    out.write_char('{')?;
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.write_char(',')?;
        }
        match value {
            Value::Null | Value::Of { .. } | Value::AllOf { .. } => out.write_str("NULL")?,
            Value::Boolean(truth) => write!(out, "{truth}")?,
            Value::Integer(number) => write!(out, "{number}")?,
            Value::Real(number) => write!(out, "{number}")?,
            Value::Text(text) | Value::Json(text) => write_quoted(text.as_bytes(), out)?,
            Value::Bytes(bytes) => {
                let mut text = BytesMut::new();
                write_bytes(bytes, &mut text)?;
                write_quoted(&text, out)?;
            }
            Value::List(values) => write_array(values, out)?,
        }
    }
    out.write_char('}')
}

fn write_quoted(text: &[u8], out: &mut BytesMut) -> std::fmt::Result {
    out.write_char('"')?;
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.extend_from_slice(b"\\");
        }
        out.extend_from_slice(&[*byte]);
    }
    out.write_char('"')
}

/// A row as its cells. Statements give text, JSON, truth values, numbers and bytes; what else there is, they cast.
pub(super) struct Cells<'r>(pub(super) &'r Row);

/// A column as the server sent it.
struct Raw<'r> {
    kind: RawKind,
    bytes: &'r [u8],
}

#[derive(Clone, Copy)]
enum RawKind {
    Boolean,
    Integer,
    ObjectIdentifier,
    Real,
    Text,
    JsonBinary,
    Bytes,
}

impl TableRow for Cells<'_> {
    fn cell(&self, place: usize) -> Cell<'_> {
        match self.0.try_get::<_, Option<Raw<'_>>>(place) {
            Ok(Some(raw)) => raw.cell(),
            Ok(None) | Err(_) => Cell::Null,
        }
    }
}

impl<'r> FromSql<'r> for Raw<'r> {
    fn from_sql(kind: &Type, bytes: &'r [u8]) -> Result<Raw<'r>, Box<dyn Error + Sync + Send>> {
        Ok(Raw {
            kind: raw_kind(kind),
            bytes,
        })
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn raw_kind(kind: &Type) -> RawKind {
    match *kind {
        Type::BOOL => RawKind::Boolean,
        Type::INT2 | Type::INT4 | Type::INT8 => RawKind::Integer,
        Type::OID | Type::XID => RawKind::ObjectIdentifier,
        Type::FLOAT4 | Type::FLOAT8 => RawKind::Real,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::JSON | Type::XML => {
            RawKind::Text
        }
        Type::JSONB => RawKind::JsonBinary,
        _ => match kind.kind() {
            Kind::Enum(_) => RawKind::Text,
            Kind::Domain(base) => raw_kind(base),
            Kind::Simple if kind.name() == "citext" => RawKind::Text,
            _ => RawKind::Bytes,
        },
    }
}

impl<'r> Raw<'r> {
    fn cell(&self) -> Cell<'r> {
        let bytes = self.bytes;
        match (self.kind, bytes.len()) {
            (RawKind::Boolean, 1) => Cell::Boolean(bytes[0] != 0),
            (RawKind::Integer | RawKind::ObjectIdentifier, 1..=8) => {
                let negative = matches!(self.kind, RawKind::Integer) && bytes[0] & 0x80 != 0;
                let mut whole = [if negative { 0xff } else { 0 }; 8];
                whole[8 - bytes.len()..].copy_from_slice(bytes);
                Cell::Integer(i64::from_be_bytes(whole))
            }
            (RawKind::Real, 4) => Cell::Real(widen(f32::from_be_bytes(bytes.try_into().expect("four bytes")))),
            (RawKind::Real, 8) => Cell::Real(f64::from_be_bytes(bytes.try_into().expect("eight bytes"))),
            // A version stands before the document.
            (RawKind::JsonBinary, 1..) => Cell::Text(&bytes[1..]),
            (RawKind::Text, _) => Cell::Text(bytes),
            _ => Cell::Bytes(bytes),
        }
    }
}

/// The number that its shortest text stands for: 0.1 stays 0.1.
fn widen(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn text(value: Value) -> Option<String> {
        let mut out = BytesMut::new();
        match Parameter(Cow::Owned(value)).to_sql(&Type::UNKNOWN, &mut out).unwrap() {
            IsNull::Yes => None,
            IsNull::No => Some(String::from_utf8(out.to_vec()).unwrap()),
        }
    }

    #[test]
    fn values_are_in_their_text_form() {
        let list = |values: &[&str]| Value::List(values.iter().map(|text| Value::Text((*text).to_owned())).collect());
        for (value, expected) in [
            (Value::Null, None),
            (Value::Boolean(true), Some("true")),
            (Value::Integer(i64::MIN), Some("-9223372036854775808")),
            (Value::Real(0.1), Some("0.1")),
            (Value::Text("it's".to_owned()), Some("it's")),
            (Value::Bytes(vec![0, 255]), Some("\\x00ff")),
            (Value::List(Vec::new()), Some("{}")),
            (
                list(&["a,b", "NULL", "", " ", "\"\\", "{}"]),
                Some(r#"{"a,b","NULL",""," ","\"\\","{}"}"#),
            ),
            (Value::List(vec![Value::Null, Value::Integer(1)]), Some("{NULL,1}")),
            (Value::List(vec![Value::List(vec![Value::Integer(1)])]), Some("{{1}}")),
            (Value::List(vec![Value::Bytes(vec![1])]), Some(r#"{"\\x01"}"#)),
        ] {
            assert_eq!(text(value).as_deref(), expected);
        }
    }

    #[test]
    fn cells_are_what_the_server_sent() {
        let cell = |kind: &Type, bytes: &'static [u8]| Raw::from_sql(kind, bytes).unwrap().cell();
        assert_eq!(cell(&Type::INT2, &[0xff, 0xfe]), Cell::Integer(-2));
        assert_eq!(cell(&Type::INT8, &[0, 0, 0, 0, 0, 0, 1, 0]), Cell::Integer(256));
        assert_eq!(
            cell(&Type::OID, &[0xff, 0xff, 0xff, 0xff]),
            Cell::Integer(i64::from(u32::MAX))
        );
        assert_eq!(cell(&Type::FLOAT4, &[0x3d, 0xcc, 0xcc, 0xcd]), Cell::Real(0.1));
        assert_eq!(cell(&Type::JSONB, b"\x01{}"), Cell::Text(b"{}"));
        assert_eq!(cell(&Type::JSONB, b""), Cell::Bytes(b""));
        assert_eq!(cell(&Type::BOOL, &[1]), Cell::Boolean(true));
    }
}
