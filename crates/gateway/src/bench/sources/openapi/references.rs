//! Following references in a description, within its own documents.

use portcullis_contract::schema::Documents;
use serde_json::Value;

/// The longest chain of references.
const LONGEST: usize = 32;

/// The documents of a description.
pub(super) struct Pages<'d> {
    documents: &'d Documents,
    main: &'d str,
}

impl<'d> Pages<'d> {
    pub(super) fn new(documents: &'d Documents, main: &'d str) -> Pages<'d> {
        Pages { documents, main }
    }

    /// What a value refers to; itself, where it refers to nothing that is known, or to itself.
    pub(super) fn follow(&self, value: &'d Value) -> &'d Value {
        let mut reached = value;
        for _ in 0..LONGEST {
            let Some(reference) = reached.get("$ref").and_then(Value::as_str) else {
                return reached;
            };
            match self.at(reference) {
                Some(next) => reached = next,
                None => return value,
            }
        }
        value
    }

    // A reference in another document of the description starts from there. Most descriptions are one document, so names are
    // taken from the main one's folder, and what isn't found is left out with that reason.
    fn at(&self, reference: &str) -> Option<&'d Value> {
        let (name, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let name = if name.is_empty() {
            self.main
        } else {
            name.trim_start_matches("./")
        };
        let folder = self.main.rfind('/').map_or("", |at| &self.main[..=at]);
        let document = self
            .documents
            .get(name)
            .or_else(|| self.documents.get(&format!("{folder}{name}")))?;
        let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8().ok()?;
        document.pointer(&pointer)
    }
}
