//! Values on their way into a statement, and rows as they come out of one, in the binary protocol.

use std::fmt::Write as _;

use mysql_async::consts::ColumnType;
use mysql_async::{Column, Row, Value as Raw};
use portcullis_tables::output::{self, Cell};
use portcullis_tables::schema::Type;
use portcullis_tables::value::Value;

use crate::script::json_list;

/// The number of the character set that says that there is none: bytes.
const BINARY: u16 = 63;

/// A row, whose dates and times are text by now.
pub(super) struct Cells<'r> {
    row: &'r Row,
    /// Places and texts of dates and times.
    texts: Vec<(usize, String)>,
}

/// The value as it is bound.
pub(super) fn bound(value: &Value) -> Raw {
    match value {
        // What stands for something else was resolved by whoever binds.
        Value::Null | Value::Of { .. } | Value::AllOf { .. } => Raw::NULL,
        Value::Boolean(truth) => Raw::Int(i64::from(*truth)),
        Value::Integer(number) => Raw::Int(*number),
        Value::Real(number) => Raw::Double(*number),
        Value::Text(text) | Value::Json(text) => Raw::Bytes(text.as_bytes().to_vec()),
        Value::Bytes(bytes) => Raw::Bytes(bytes.clone()),
        Value::List(values) => Raw::Bytes(json_list(values).into_bytes()),
    }
}

impl<'r> Cells<'r> {
    /// The cells of that row.
    pub(super) fn new(row: &'r Row) -> Cells<'r> {
        let mut texts = Vec::new();
        for (place, column) in row.columns_ref().iter().enumerate() {
            if let Some(value @ (Raw::Date(..) | Raw::Time(..))) = row.as_ref(place) {
                texts.push((place, temporal(value, column)));
            }
        }
        Cells { row, texts }
    }
}

impl output::Row for Cells<'_> {
    fn cell(&self, place: usize) -> Cell<'_> {
        match self.row.as_ref(place) {
            None | Some(Raw::NULL) => Cell::Null,
            Some(Raw::Bytes(bytes)) => from_bytes(bytes, &self.row.columns_ref()[place]),
            Some(Raw::Int(number)) => Cell::Integer(*number),
            Some(Raw::UInt(number)) => i64::try_from(*number).map_or(Cell::Unsigned(*number), Cell::Integer),
            // The nearest number with as few digits as the column holds: 0.1, not 0.10000000149011612.
            Some(Raw::Float(number)) => Cell::Real(number.to_string().parse().unwrap_or_else(|_| f64::from(*number))),
            Some(Raw::Double(number)) => Cell::Real(*number),
            Some(Raw::Date(..) | Raw::Time(..)) => {
                let text = self.texts.iter().find(|(of, _)| *of == place);
                text.map_or(Cell::Null, |(_, text)| Cell::Text(text.as_bytes()))
            }
        }
    }

    fn names(&self) -> Vec<(String, Type)> {
        let kind = |column: &Column| match column.column_type() {
            ColumnType::MYSQL_TYPE_DECIMAL | ColumnType::MYSQL_TYPE_NEWDECIMAL => Type::Decimal,
            _ => Type::Any,
        };
        self.row
            .columns_ref()
            .iter()
            .map(|column| (column.name_str().into_owned(), kind(column)))
            .collect()
    }
}

fn from_bytes<'r>(bytes: &'r [u8], column: &Column) -> Cell<'r> {
    match column.column_type() {
        // Bits, the first one being the largest.
        ColumnType::MYSQL_TYPE_BIT if bytes.len() <= 8 => {
            let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            i64::try_from(number).map_or(Cell::Unsigned(number), Cell::Integer)
        }
        ColumnType::MYSQL_TYPE_STRING
        | ColumnType::MYSQL_TYPE_VAR_STRING
        | ColumnType::MYSQL_TYPE_VARCHAR
        | ColumnType::MYSQL_TYPE_TINY_BLOB
        | ColumnType::MYSQL_TYPE_MEDIUM_BLOB
        | ColumnType::MYSQL_TYPE_LONG_BLOB
        | ColumnType::MYSQL_TYPE_BLOB
        | ColumnType::MYSQL_TYPE_GEOMETRY
            if column.character_set() == BINARY =>
        {
            Cell::Bytes(bytes)
        }
        _ => Cell::Text(bytes),
    }
}

/// A date or time as JSON has it (RFC 3339). The session's time zone is UTC.
fn temporal(value: &Raw, column: &Column) -> String {
    let mut text = String::with_capacity(32);
    let written = match *value {
        Raw::Date(year, month, day, hour, minute, second, micros) => {
            let mut written = write!(text, "{year:04}-{month:02}-{day:02}");
            if !matches!(
                column.column_type(),
                ColumnType::MYSQL_TYPE_DATE | ColumnType::MYSQL_TYPE_NEWDATE
            ) {
                written = written.and_then(|()| write!(text, "T{hour:02}:{minute:02}:{second:02}"));
                push_fraction(&mut text, micros);
            }
            if matches!(
                column.column_type(),
                ColumnType::MYSQL_TYPE_TIMESTAMP | ColumnType::MYSQL_TYPE_TIMESTAMP2
            ) {
                text.push_str("+00:00");
            }
            written
        }
        Raw::Time(negative, days, hours, minutes, seconds, micros) => {
            let hours = days.saturating_mul(24).saturating_add(u32::from(hours));
            let sign = if negative { "-" } else { "" };
            let written = write!(text, "{sign}{hours:02}:{minutes:02}:{seconds:02}");
            push_fraction(&mut text, micros);
            written
        }
        _ => Ok(()),
    };
    written.expect("a String takes every write");
    text
}

fn push_fraction(text: &mut String, micros: u32) {
    if micros > 0 {
        write!(text, ".{micros:06}").expect("a String takes every write");
        text.truncate(text.trim_end_matches('0').len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_written_as_json_has_them() {
        let of = |kind| Column::new(kind);
        let noon = Raw::Date(2026, 1, 31, 12, 30, 0, 0);
        for (value, kind, expected) in [
            (&noon, ColumnType::MYSQL_TYPE_DATE, "2026-01-31"),
            (&noon, ColumnType::MYSQL_TYPE_DATETIME, "2026-01-31T12:30:00"),
            (&noon, ColumnType::MYSQL_TYPE_TIMESTAMP, "2026-01-31T12:30:00+00:00"),
            (
                &Raw::Date(2026, 1, 31, 1, 2, 3, 450_000),
                ColumnType::MYSQL_TYPE_DATETIME,
                "2026-01-31T01:02:03.45",
            ),
            (
                &Raw::Time(false, 0, 7, 8, 9, 1),
                ColumnType::MYSQL_TYPE_TIME,
                "07:08:09.000001",
            ),
            (
                &Raw::Time(true, 34, 22, 59, 59, 0),
                ColumnType::MYSQL_TYPE_TIME,
                "-838:59:59",
            ),
        ] {
            assert_eq!(temporal(value, &of(kind)), expected);
        }
    }

    #[test]
    fn bytes_are_what_their_column_says() {
        let bits = Column::new(ColumnType::MYSQL_TYPE_BIT);
        assert_eq!(from_bytes(&[1, 0], &bits), Cell::Integer(256));
        assert_eq!(from_bytes(&[255; 8], &bits), Cell::Unsigned(u64::MAX));
        let blob = Column::new(ColumnType::MYSQL_TYPE_BLOB);
        assert_eq!(
            from_bytes(b"a", &blob.clone().with_character_set(BINARY)),
            Cell::Bytes(b"a")
        );
        assert_eq!(from_bytes(b"a", &blob.with_character_set(45)), Cell::Text(b"a"));
        // Digits are in no character set either.
        let decimal = Column::new(ColumnType::MYSQL_TYPE_NEWDECIMAL).with_character_set(BINARY);
        assert_eq!(from_bytes(b"1.50", &decimal), Cell::Text(b"1.50"));
    }
}
