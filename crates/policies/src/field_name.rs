//! Field names that the configuration gives.

use portcullis_core::headers::is_token;
use portcullis_core::{Known, Name};

/// A field name from the configuration, looked up among the well-known ones once.
#[derive(Clone, Debug)]
pub struct FieldName {
    text: Box<str>,
    known: Option<Known>,
}

impl FieldName {
    /// The name, in any case.
    ///
    /// # Errors
    /// Says so, when the text is not a field name.
    pub fn new(text: &str) -> Result<FieldName, String> {
        if !is_token(text.as_bytes()) {
            return Err(format!(
                "`{text}` is not the name of a header field: write letters, digits and hyphens"
            ));
        }
        Ok(FieldName {
            text: text.into(),
            known: Known::from_name(text.as_bytes()),
        })
    }

    /// The name to look for or to write.
    pub fn name(&self) -> Name<'_> {
        match self.known {
            Some(known) => Name::Cased(known, &self.text),
            None => Name::Other(&self.text),
        }
    }

    /// Which well-known name it is.
    pub fn known(&self) -> Option<Known> {
        self.known
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is the same name, in whatever case.
    pub fn is(&self, other: &FieldName) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }
}
