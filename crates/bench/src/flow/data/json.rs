//! Rows as objects of JSON.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::Rows;
use crate::flow::value::Kind;

/// Reads a list of objects, one after the other: the whole of it as values would take ten times its text.
pub(super) fn read(text: &str) -> Result<Rows, String> {
    let mut rows = Rows::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = List(&mut rows).deserialize(&mut reader).and_then(|()| reader.end());
    read.map_err(|error| error.to_string())?;
    Ok(rows)
}

/// Reads objects, one a line. Empty lines are passed over.
pub(super) fn read_lines(text: &str) -> Result<Rows, String> {
    let mut rows = Rows::default();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let row = serde_json::from_str::<Map<String, Value>>(text);
        let row = row.map_err(|error| format!("line {line} is no object of JSON: {error}"))?;
        push(&mut rows, &row).map_err(|message| format!("line {line}: {message}"))?;
    }
    Ok(rows)
}

/// Adds a row.
pub(super) fn push(rows: &mut Rows, row: &Map<String, Value>) -> Result<(), String> {
    if rows.columns.is_empty() {
        if row.is_empty() {
            return Err("the first row has no key; its keys name the columns".to_owned());
        }
        rows.name_columns(row.keys().cloned().collect())?;
    }
    if let Some(key) = row.keys().find(|key| !rows.columns.contains(key)) {
        return Err(format!("there is a key `{key}`, which the first row doesn't have"));
    }
    for index in 0..rows.columns.len() {
        let value = row.get(&rows.columns[index]);
        let value =
            value.ok_or_else(|| format!("there is no key `{}`, which the first row has", rows.columns[index]))?;
        match value {
            Value::String(text) => rows.push(text, Kind::Text)?,
            other => rows.push(&other.to_string(), Kind::Json)?,
        }
    }
    Ok(())
}

struct List<'r>(&'r mut Rows);

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(row) = list.next_element::<Map<String, Value>>()? {
            push(self.0, &row).map_err(|message| A::Error::custom(format!("row {}: {message}", self.0.len() + 1)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn check(read: Result<Rows, String>, expected: Result<&[&str], &str>) {
        match (read, expected) {
            (Ok(rows), Ok(expected)) => {
                let values: Vec<_> = (0..rows.values.len())
                    .map(|at| rows.get(at / rows.columns.len(), at % rows.columns.len()).unwrap())
                    .collect();
                assert_eq!(values, expected);
            }
            (Err(message), Err(part)) => assert!(message.contains(part), "{message}"),
            (rows, _) => panic!("{rows:?}"),
        }
    }

    #[test]
    fn lists_and_lines_are_read() {
        check(
            read(r#"[{"a": "x", "b": 1}, {"b": {"c": null}, "a": true}]"#),
            Ok(&["x", "1", "true", r#"{"c":null}"#]),
        );
        check(read_lines("{\"a\":1}\r\n\n{\"a\":\"2\"}\n"), Ok(&["1", "2"]));
        check(read("[]"), Ok(&[]));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        check(read("{}"), Err("a list of objects"));
        check(read("[1]"), Err("line 1 column 2"));
        check(read("[{}]"), Err("row 1: the first row has no key"));
        check(read(r#"[{"a": 1}, {"b": 1}]"#), Err("row 2: there is a key `b`"));
        check(read(r#"[{"a": 1}] x"#), Err("trailing characters"));
        check(read(r#"[{"a": 1}, "#), Err("EOF"));
        check(read_lines("{\"a\":1}\n{}\n"), Err("line 2: there is no key `a`"));
        check(read_lines("{\"a\":1}\n[1]\n"), Err("line 2 is no object"));
        check(read(&"[".repeat(100_000)), Err("line 1"));
    }
}
