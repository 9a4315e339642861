//! Rows as they come, written at once: no tree of values stands between the database and the wire.

use bytes::Bytes;

use super::{csv, json, xml};
use crate::output::{Cell, Output, Outputs, Row, Shown};
use crate::statement::{Failure, Outcome};

/// The form of an answer's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An array of objects.
    Json,
    /// One object: a second row is a failure, and of none nothing is written.
    JsonObject,
    /// A line for each object.
    NdJson,
    /// Comma-separated values with a line of names (RFC 4180). NULL is an empty field, and an empty text is `""`, so that
    /// both come back as what they were; booleans are `true` and `false`, JSON is its text. A text that a spreadsheet
    /// would take for a formula is left as it is: that is data, and whoever opens it in a spreadsheet has to say so there.
    Csv,
    /// Elements: `<rows><row><NAME>VALUE</NAME>…</row>…</rows>`, in UTF-8, also where one row is asked for.
    ///
    /// A column that is NULL has no element. A character that no XML name may have at its place is `_xHHHH_` with its
    /// code point in hexadecimal, as ISO/IEC 9075-14 (SQL/XML) has it; so is the `_` of an `_x` that stands in a name. In
    /// JSON, a member is an element of its name and an item of an array an `<item>`; a member that is null has no
    /// element, an item that is null is `<item null="true"/>`. Characters that XML can't hold become U+FFFD.
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
    /// [`Failure::Forbidden`] where the check of the row doesn't hold, [`Failure::NotSingular`] for a second row where
    /// the form is that of one.
    pub fn write(&mut self, row: &impl Row) -> Result<(), Failure> {
        if self.outputs.shown == Shown::Found {
            let names = row.names();
            let columns = names.into_iter().map(|(name, kind)| Output::new(&name, kind));
            self.outputs.shown = Shown::Columns(columns.collect());
        }
        let shown = self.outputs.shown_columns();
        let hidden = shown + self.outputs.hidden;
        if self.outputs.checked && row.cell(hidden) != Cell::Boolean(true) && row.cell(hidden) != Cell::Integer(1) {
            return Err(Failure::Forbidden);
        }
        if self.format == Format::JsonObject && self.outcome.rows > 0 && self.outputs.shown != Shown::Nothing {
            return Err(Failure::NotSingular);
        }
        if self.outputs.hidden > 0 {
            let kept = (shown..hidden).map(|place| row.cell(place).to_value()).collect();
            if self.outcome.rows == 0 {
                self.outcome.first = kept;
            } else {
                self.outcome.last = kept;
            }
        }
        if self.outputs.shown != Shown::Nothing {
            self.write_shown(row);
        }
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
        if self.outputs.shown != Shown::Nothing {
            if self.outcome.rows == 0 {
                self.open();
            }
            match self.format {
                Format::Json => self.text.push(b']'),
                Format::Xml => self.text.extend_from_slice(xml::END),
                Format::JsonObject | Format::NdJson | Format::Csv => {}
            }
        }
        if self.outcome.last.is_empty() {
            self.outcome.last = self.outcome.first.clone();
        }
        self.outcome.body = Bytes::from(self.text);
        self.outcome
    }

    /// What stands before the first row.
    fn open(&mut self) {
        match self.format {
            Format::Json => self.text.push(b'['),
            Format::Csv => csv::write_names(&mut self.text, &self.outputs.shown),
            Format::Xml => self.text.extend_from_slice(xml::START),
            Format::JsonObject | Format::NdJson => {}
        }
    }

    fn write_shown(&mut self, row: &impl Row) {
        if self.outcome.rows == 0 {
            self.open();
        } else if self.format == Format::Json {
            self.text.push(b',');
        }
        match self.format {
            Format::Json | Format::JsonObject => json::write_row(&mut self.text, row, &self.outputs.shown),
            Format::NdJson => {
                let start = self.text.len();
                json::write_row(&mut self.text, row, &self.outputs.shown);
                json::one_line(&mut self.text[start..]);
                self.text.push(b'\n');
            }
            Format::Csv => csv::write_row(&mut self.text, row, &self.outputs.shown),
            Format::Xml => xml::write_row(&mut self.text, row, &self.outputs.shown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Output;
    use crate::schema::Type;
    use crate::value::Value;

    struct Cells<'c>(Vec<Cell<'c>>);

    impl Row for Cells<'_> {
        fn cell(&self, place: usize) -> Cell<'_> {
            self.0[place]
        }
    }

    fn text(text: &str) -> Cell<'_> {
        Cell::Text(text.as_bytes())
    }

    fn outputs(columns: &[(&str, Type)], hidden: usize, checked: bool) -> Outputs {
        let columns = columns.iter().map(|(name, kind)| Output::new(name, kind.clone()));
        Outputs {
            shown: Shown::Columns(columns.collect()),
            hidden,
            checked,
        }
    }

    fn written(format: Format, outputs: &Outputs, rows: &[Cells<'_>]) -> String {
        let mut writer = RowWriter::new(format, outputs.clone());
        for row in rows {
            writer.write(row).expect("the row complies");
        }
        String::from_utf8(writer.finish().body.to_vec()).expect("it is UTF-8")
    }

    #[test]
    fn each_form_has_its_frame() {
        let outputs = outputs(
            &[
                (
                    "id",
                    Type::Integer {
                        bytes: 8,
                        unsigned: false,
                    },
                ),
                ("a name", Type::Text),
                ("data", Type::Json { binary: true }),
            ],
            0,
            false,
        );
        let rows = || {
            vec![
                Cells(vec![
                    Cell::Integer(1),
                    text("a \"b\",\n<c>"),
                    text(r#"{"x": [1, null]}"#),
                ]),
                Cells(vec![Cell::Integer(i64::MIN), text(""), Cell::Null]),
            ]
        };
        for (format, none, two) in [
            (
                Format::Json,
                "[]",
                concat!(
                    r#"[{"id":1,"a name":"a \"b\",\n<c>","data":{"x": [1, null]}},"#,
                    r#"{"id":-9223372036854775808,"a name":"","data":null}]"#
                ),
            ),
            (
                Format::NdJson,
                "",
                concat!(
                    r#"{"id":1,"a name":"a \"b\",\n<c>","data":{"x": [1, null]}}"#,
                    "\n",
                    r#"{"id":-9223372036854775808,"a name":"","data":null}"#,
                    "\n"
                ),
            ),
            (
                Format::Csv,
                "id,a name,data\r\n",
                concat!(
                    "id,a name,data\r\n1,\"a \"\"b\"\",\n<c>\",\"{\"\"x\"\": [1, null]}\"\r\n",
                    "-9223372036854775808,\"\",\r\n"
                ),
            ),
            (
                Format::Xml,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rows></rows>\n",
                concat!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rows><row><id>1</id>",
                    "<a_x0020_name>a \"b\",\n&lt;c&gt;</a_x0020_name>",
                    "<data><x><item>1</item><item null=\"true\"/></x></data></row>",
                    "<row><id>-9223372036854775808</id><a_x0020_name></a_x0020_name></row></rows>\n"
                ),
            ),
        ] {
            assert_eq!(written(format, &outputs, &[]), none, "{format:?}");
            assert_eq!(written(format, &outputs, &rows()), two, "{format:?}");
        }
    }

    #[test]
    fn one_object_is_one() {
        let outputs = outputs(&[("id", Type::Any)], 0, false);
        let row = Cells(vec![Cell::Integer(7)]);
        assert_eq!(written(Format::JsonObject, &outputs, &[]), "");
        let mut writer = RowWriter::new(Format::JsonObject, outputs);
        writer.write(&row).expect("it is the first");
        assert_eq!(writer.write(&row), Err(Failure::NotSingular));
        assert_eq!(writer.finish().body.as_ref(), br#"{"id":7}"#);
    }

    #[test]
    fn rows_that_are_counted_only_have_no_content() {
        for format in [
            Format::Json,
            Format::JsonObject,
            Format::NdJson,
            Format::Csv,
            Format::Xml,
        ] {
            let mut writer = RowWriter::new(format, Outputs::NONE);
            writer.write(&Cells(vec![])).expect("it complies");
            writer.write(&Cells(vec![])).expect("it complies");
            let outcome = writer.finish();
            assert_eq!((outcome.rows, outcome.body.len()), (2, 0), "{format:?}");
        }
    }

    #[test]
    fn whole_rows_and_single_values_are_written_too() {
        let number = Type::Integer {
            bytes: 4,
            unsigned: false,
        };
        for (format, shown, cell, expected) in [
            (Format::Json, Shown::Json, text(r#"{"a":1}"#), r#"[{"a":1}]"#),
            (Format::NdJson, Shown::Json, text("{\"a\":\n1}"), "{\"a\": 1}\n"),
            (Format::Json, Shown::Value(number.clone()), Cell::Integer(3), "[3]"),
            (Format::JsonObject, Shown::Value(number.clone()), Cell::Integer(3), "3"),
            (Format::JsonObject, Shown::Value(Type::Text), Cell::Null, "null"),
            (
                Format::Csv,
                Shown::Value(number.clone()),
                Cell::Integer(3),
                "value\r\n3\r\n",
            ),
            (
                Format::Xml,
                Shown::Value(number),
                Cell::Integer(3),
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rows><row><value>3</value></row></rows>\n",
            ),
        ] {
            let outputs = Outputs {
                shown,
                hidden: 0,
                checked: false,
            };
            assert_eq!(written(format, &outputs, &[Cells(vec![cell])]), expected, "{format:?}");
        }
    }

    #[test]
    fn hidden_columns_are_kept_of_the_first_and_the_last_row() {
        let outputs = outputs(&[("a", Type::Any)], 1, true);
        let row = |number| Cells(vec![Cell::Null, Cell::Integer(number), Cell::Boolean(true)]);
        let mut writer = RowWriter::new(Format::Json, outputs);
        for number in 1..=3 {
            writer.write(&row(number)).expect("it complies");
        }
        let outcome = writer.finish();
        assert_eq!(outcome.first, [Value::Integer(1)]);
        assert_eq!(outcome.last, [Value::Integer(3)]);
    }

    #[test]
    fn a_check_that_is_not_true_refuses_the_row() {
        for check in [Cell::Null, Cell::Boolean(false), Cell::Integer(0), text("t")] {
            let mut writer = RowWriter::new(Format::Json, outputs(&[("a", Type::Any)], 0, true));
            let refused = writer.write(&Cells(vec![Cell::Null, check]));
            assert_eq!(refused, Err(Failure::Forbidden), "{check:?}");
        }
    }

    #[test]
    fn what_was_taken_and_what_is_left_are_the_whole() {
        for format in [Format::Json, Format::NdJson, Format::Csv, Format::Xml] {
            let outputs = outputs(&[("a", Type::Any)], 0, false);
            let rows: Vec<_> = (0..5).map(|number| Cells(vec![Cell::Integer(number)])).collect();
            let mut writer = RowWriter::new(format, outputs.clone());
            let mut taken = Vec::new();
            for row in &rows {
                writer.write(row).expect("it complies");
                taken.extend_from_slice(&writer.take());
            }
            taken.extend_from_slice(&writer.finish().body);
            assert_eq!(
                String::from_utf8(taken).expect("it is UTF-8"),
                written(format, &outputs, &rows)
            );
        }
    }
}
