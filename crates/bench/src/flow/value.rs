//! What is put in place of a placeholder.

/// A value that came from data, from an answer or by chance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    text: Box<str>,
    kind: Kind,
}

/// Whether a value is a text, or something else that JSON knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A number, `true`, `false`, `null`, a list or an object, as JSON writes it.
    Json,
}

/// A value that somebody else keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen<'v> {
    pub(crate) text: &'v str,
    pub(crate) kind: Kind,
}

impl Value {
    /// A text.
    pub fn text(text: &str) -> Value {
        Value {
            text: text.into(),
            kind: Kind::Text,
        }
    }

    /// What JSON has: a text without its quotes, and anything else as JSON writes it.
    pub fn json(value: &serde_json::Value) -> Value {
        match value {
            serde_json::Value::String(text) => Value::text(text),
            other => Value {
                text: other.to_string().into(),
                kind: Kind::Json,
            },
        }
    }

    /// How it is written in a text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn seen(&self) -> Seen<'_> {
        Seen {
            text: &self.text,
            kind: self.kind,
        }
    }
}
