//! What messages may hold, by its media type.

use serde_json::{Map, Value};

use super::MaybeSchema;
use super::parameter::add_member;
use crate::pairs::pairs;
use crate::schema::{SchemaId, SchemaSet};
use crate::text::typed;

/// The kinds of content that a message may have.
#[derive(Debug, Default)]
pub struct Content(pub(super) Vec<Media>);

/// One kind of content.
#[derive(Debug)]
pub struct Media {
    /// A media type in lower case without parameters; `*` stands for any.
    pub range: String,
    /// What it must be like.
    pub schema: MaybeSchema,
}

impl Content {
    /// The kind to which a media type belongs, the most specific one.
    #[must_use]
    pub fn of(&self, media_type: &str) -> Option<&Media> {
        let kind = media_type.split('/').next().unwrap_or_default();
        let find = |wanted: &str| self.0.iter().find(|media| media.range == wanted);
        find(media_type)
            .or_else(|| find(&format!("{kind}/*")))
            .or_else(|| find("*/*"))
    }

    /// All kinds, for a message.
    #[must_use]
    pub fn ranges(&self) -> String {
        self.0
            .iter()
            .map(|media| media.range.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A form (`application/x-www-form-urlencoded`) as the value that its schema describes.
///
/// # Errors
/// Says what is wrong with it.
pub fn form(set: &SchemaSet, schema: SchemaId, text: &str) -> Result<Value, String> {
    let mut members = Map::new();
    for pair in pairs(text).map_err(|error| error.words().to_owned())? {
        let value = pair.value().map_err(|error| error.words().to_owned())?;
        add_member(set, schema, &mut members, &pair.name, &value)
            .map_err(|()| format!("the member `{}` is there twice", crate::json::shown(&pair.name)))?;
    }
    Ok(Value::Object(members))
}

/// A plain text as the value that its schema describes.
#[must_use]
pub fn plain(set: &SchemaSet, schema: SchemaId, text: &str) -> Value {
    typed(text, set.types(schema))
}
