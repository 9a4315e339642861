//! A value that must not be seen.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

/// A text that is used and never shown: `Debug`, `Display` and `Serialize` give `***`.
///
/// In the file it is only ever a reference, `${VARIABLE}` or `file:PATH`; [`crate::parse`] refuses any other, and puts in
/// what the reference stands for.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

/// What is shown in a secret's place.
pub(crate) const MASK: &str = "***";

impl Secret {
    /// A secret that did not come from a file.
    pub fn new(text: String) -> Self {
        Secret(text)
    }

    /// The text itself, for its one use. Don't log it, don't keep it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "secret",
            "pattern": r"^(\$\{[A-Za-z_][A-Za-z0-9_]*([:]-.*|[:]\?.*)?\}|file:.+)$",
            "examples": ["${API_KEY}", "file:secrets/api-key"],
        })
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cannot_be_printed() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret} {secret:?} {secret:#?}"), "*** *** ***");
        assert_eq!(serde_json::json!(secret), "***");
        assert_eq!(secret.expose(), "hunter2");
    }
}
