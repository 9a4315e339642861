//! The document: sections by name, with a version.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

use serde_json::{Map, Value, json};

/// The version of the document's form. What a section holds is the section's own affair.
const VERSION: u64 = 1;

/// The most bytes of a document: a hundred for each of 160,000 targets.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// What one process tells the next one, by section.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Document {
    sections: BTreeMap<String, Value>,
}

impl Document {
    /// A document of these sections.
    pub(crate) fn new(sections: BTreeMap<String, Value>) -> Document {
        Document { sections }
    }

    /// Its sections.
    pub(crate) fn into_sections(self) -> BTreeMap<String, Value> {
        self.sections
    }

    /// Its text.
    ///
    /// # Errors
    /// When it is longer than anybody would read.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let sections: Map<String, Value> = self.sections.clone().into_iter().collect();
        let mut text = json!({"version": VERSION, "sections": sections})
            .to_string()
            .into_bytes();
        text.push(b'\n');
        if text.len() > MOST_BYTES {
            return Err(format!(
                "what is to be handed over has {} bytes, which is too much",
                text.len()
            ));
        }
        Ok(text)
    }

    /// Reads a file to its end, or to the most bytes that a document has.
    ///
    /// # Errors
    /// Why it is no document.
    pub(crate) fn read(file: File) -> Result<Document, String> {
        let mut text = Vec::new();
        // One byte more than it may have, so that a longer one is seen to be longer.
        file.take(MOST_BYTES as u64 + 1)
            .read_to_end(&mut text)
            .map_err(|error| error.to_string())?;
        Document::from_bytes(&text)
    }

    /// Reads a text. What it has beside sections is ignored, for a later version may have more to say.
    ///
    /// # Errors
    /// Why it is no document.
    fn from_bytes(text: &[u8]) -> Result<Document, String> {
        if text.len() > MOST_BYTES {
            return Err(format!("it has more than {MOST_BYTES} bytes"));
        }
        let mut value: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        match value.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(other) => {
                return Err(format!(
                    "it is of version {other}, and this program knows version {VERSION}"
                ));
            }
            None => return Err("it names no version".to_owned()),
        }
        match value.get_mut("sections").map(Value::take) {
            Some(Value::Object(sections)) => Ok(Document::new(sections.into_iter().collect())),
            _ => Err("it has no sections".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_as_it_was_written() {
        let document = Document::new(BTreeMap::from([("a".to_owned(), json!({"b": [1, null]}))]));
        let text = document.to_bytes().expect("it can be done");
        assert_eq!(Document::from_bytes(&text), Ok(document));
    }

    #[test]
    fn what_is_no_document_is_refused_and_what_is_more_is_ignored() {
        let check = |text: &str, sections: Result<usize, &str>| {
            let read = Document::from_bytes(text.as_bytes()).map(|document| document.into_sections().len());
            match sections {
                Ok(count) => assert_eq!(read, Ok(count), "{text}"),
                Err(part) => assert!(read.is_err_and(|why| why.contains(part)), "{text}"),
            }
        };
        check(r#"{"version": 1, "sections": {}}"#, Ok(0));
        check(r#"{"version": 1, "sections": {"a": 1}, "more": true}"#, Ok(1));
        check(r#"{"version": 2, "sections": {}}"#, Err("version 2"));
        check(r#"{"sections": {}}"#, Err("no version"));
        check(r#"{"version": 1, "sections": []}"#, Err("no sections"));
        check(r#"{"version": 1}"#, Err("no sections"));
        check("[]", Err("no version"));
        check("", Err("EOF"));
        check(&"[".repeat(100_000), Err("recursion limit"));
    }

    #[test]
    fn a_document_that_is_too_long_is_neither_written_nor_read() {
        let long = Value::String("x".repeat(MOST_BYTES));
        let document = Document::new(BTreeMap::from([("a".to_owned(), long)]));
        assert!(document.to_bytes().is_err());
        assert!(Document::from_bytes(&vec![b' '; MOST_BYTES + 1]).is_err());
    }
}
