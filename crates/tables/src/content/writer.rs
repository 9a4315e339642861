//! Rows as they come, written at once: no tree of values stands between the database and the wire.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

use crate::output::{Cell, Outputs, Row, Shown};
use crate::schema::Type;
use crate::statement::{Failure, Outcome};

/// The form of an answer's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An array of objects.
    Json,
    /// One object.
    JsonObject,
    /// A line for each object.
    NdJson,
    /// Comma-separated values with a line of names (RFC 4180).
    Csv,
    /// Elements; the mapping stands in the guide.
    Xml,
}

/// Writes the rows that a statement gives.
#[derive(Debug)]
pub struct RowWriter {
    format: Format,
    outputs: Outputs,
    text: Vec<u8>,
    outcome: Outcome,
}

impl RowWriter {
    /// A writer for the rows of a statement with these outputs.
    pub fn new(format: Format, outputs: Outputs) -> RowWriter {
        RowWriter {
            format,
            outputs,
            text: Vec::new(),
            outcome: Outcome::default(),
        }
    }

    /// Writes one row.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] where the check of the row doesn't hold.
    pub fn write(&mut self, row: &impl Row) -> Result<(), Failure> {
        let shown = self.outputs.shown_columns();
        let hidden = shown + self.outputs.hidden;
        if self.outputs.checked && row.cell(hidden) != Cell::Boolean(true) && row.cell(hidden) != Cell::Integer(1) {
            return Err(Failure::Forbidden);
        }
        if self.outputs.hidden > 0 {
            let kept = (shown..hidden).map(|place| row.cell(place).to_value()).collect();
            if self.outcome.rows == 0 {
                self.outcome.first = kept;
            } else {
                self.outcome.last = kept;
            }
        }
        self.write_shown(row);
        self.outcome.rows += 1;
        Ok(())
    }

    /// Rows written so far.
    pub fn rows(&self) -> u64 {
        self.outcome.rows
    }

    /// Bytes that were written and not taken yet.
    pub fn ready(&self) -> usize {
        self.text.len()
    }

    /// Takes what was written so far, for an answer that is sent while rows still come.
    pub fn take(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.text))
    }

    /// What came of it; its body is what was not taken yet.
    pub fn finish(mut self) -> Outcome {
        if self.format == Format::Json {
            if self.outcome.rows == 0 {
                self.text.push(b'[');
            }
            self.text.push(b']');
        }
        if self.outcome.last.is_empty() {
            self.outcome.last = self.outcome.first.clone();
        }
        self.outcome.body = Bytes::from(self.text);
        self.outcome
    }

    fn write_shown(&mut self, row: &impl Row) {
        if self.format == Format::Json {
            self.text.push(if self.outcome.rows == 0 { b'[' } else { b',' });
        }
        match &self.outputs.shown {
            Shown::Nothing => {}
            Shown::Columns(columns) => {
                self.text.push(b'{');
                for (at, column) in columns.iter().enumerate() {
                    if at > 0 {
                        self.text.push(b',');
                    }
                    self.text.extend_from_slice(column.member.as_bytes());
                    write_json(&mut self.text, row.cell(at), &column.kind);
                }
                self.text.push(b'}');
            }
            Shown::Json => write_json(&mut self.text, row.cell(0), &Type::Json { binary: false }),
            Shown::Value(kind) => write_json(&mut self.text, row.cell(0), kind),
        }
    }
}

fn write_json(text: &mut Vec<u8>, cell: Cell<'_>, kind: &Type) {
    match cell {
        Cell::Null => text.extend_from_slice(b"null"),
        Cell::Boolean(truth) => text.extend_from_slice(if truth { b"true" } else { b"false" }),
        Cell::Integer(0) if *kind == Type::Boolean => text.extend_from_slice(b"false"),
        Cell::Integer(1) if *kind == Type::Boolean => text.extend_from_slice(b"true"),
        Cell::Integer(number) => text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Cell::Unsigned(number) => text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Cell::Real(number) => serialize(text, &number),
        Cell::Text(raw) => match kind {
            Type::Json { .. } | Type::Integer { .. } | Type::Decimal | Type::Real => text.extend_from_slice(raw),
            _ => serialize(text, &*String::from_utf8_lossy(raw)),
        },
        Cell::Bytes(bytes) => serialize(text, &*BASE64.encode(bytes)),
    }
}

fn serialize<T: serde::Serialize + ?Sized>(text: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(text, value).expect("a Vec takes every write, and scalars can be written");
}
