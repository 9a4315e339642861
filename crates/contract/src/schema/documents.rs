//! The documents that references may lead to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde_json::Value;

/// The most documents that may be given.
const MOST: usize = 1_000;

/// Documents by their URIs. Those of the standard itself are always there.
#[derive(Debug, Default)]
pub struct Documents {
    given: BTreeMap<String, Value>,
}

/// A document was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotLoaded(String);

impl fmt::Display for NotLoaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotLoaded {}

impl Documents {
    /// Adds a document under its URI, or under the name of its file: relative references in other such names lead to it.
    ///
    /// # Errors
    /// When there are too many, or another one has that URI.
    pub fn add(&mut self, uri: &str, document: Value) -> Result<(), NotLoaded> {
        if self.given.len() >= MOST {
            return Err(NotLoaded(format!("there are more than {MOST} documents")));
        }
        match self.given.insert(uri.to_owned(), document) {
            None => Ok(()),
            Some(_) => Err(NotLoaded(format!("the document `{uri}` is there twice"))),
        }
    }

    /// The document of that URI.
    #[must_use]
    pub fn get(&self, uri: &str) -> Option<&Value> {
        self.given.get(uri).or_else(|| STANDARD.get(uri))
    }

    /// The URIs of the documents that were given.
    pub fn uris(&self) -> impl Iterator<Item = &str> {
        self.given.keys().map(String::as_str)
    }

    /// The URIs that a document refers to, without fragments: those of `$ref` wherever it stands. To load files by.
    #[must_use]
    pub fn references(uri: &str, document: &Value) -> Vec<String> {
        let mut found = Vec::new();
        let mut pending = vec![document];
        while let Some(value) = pending.pop() {
            match value {
                Value::Array(items) => pending.extend(items),
                Value::Object(members) => {
                    let reference = members.get("$ref").and_then(Value::as_str);
                    found.extend(reference.map(|reference| crate::uri::resolve(uri, reference)));
                    pending.extend(members.values());
                }
                _ => {}
            }
        }
        found.sort_unstable();
        found.dedup();
        found.retain(|found| found != uri);
        found
    }
}

/// The metaschemas of draft 2020-12, as the standard publishes them (by its authors, under the BSD licence or the AFL).
static STANDARD: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let texts = [
        include_str!("../metaschema/schema.json"),
        include_str!("../metaschema/core.json"),
        include_str!("../metaschema/applicator.json"),
        include_str!("../metaschema/unevaluated.json"),
        include_str!("../metaschema/validation.json"),
        include_str!("../metaschema/meta-data.json"),
        include_str!("../metaschema/format-annotation.json"),
        include_str!("../metaschema/content.json"),
    ];
    let named = texts.iter().filter_map(|text| {
        let document: Value = serde_json::from_str(text).ok()?;
        Some((document.get("$id")?.as_str()?.to_owned(), document))
    });
    named.collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_is_there() {
        assert_eq!(STANDARD.len(), 8);
        let metaschema = Documents::default();
        assert!(metaschema.get("https://json-schema.org/draft/2020-12/schema").is_some());
    }

    #[test]
    fn references_are_found_wherever_they_stand() {
        let document = serde_json::json!({
            "$ref": "#/a",
            "b": [{"$ref": "other.json#/x"}, {"properties": {"$ref": {"$ref": "../up.yaml"}}}],
        });
        assert_eq!(
            Documents::references("api/main.yaml", &document),
            ["api/other.json", "up.yaml"]
        );
    }
}
