//! JSON Schema: the dialect of 2020-12, what older drafts say otherwise, and that of OpenAPI 3.0.
//!
//! Schemas are compiled together into one [`SchemaSet`], in which each schema stands once however often it is referred
//! to: documents of thousands of operations share their parts. A check is limited in its steps, since a document of a few
//! hundred bytes can make some schemas branch for ever, and says when it came to no end.

mod check;
mod compile;
mod dialect;
mod documents;
mod formats;
mod hints;
mod node;
mod seen;

pub use check::{SchemaSet, Verdict, Violation};
pub use compile::{Compiler, SchemaId};
pub use dialect::Dialect;
pub use documents::{Documents, NotLoaded};
pub use hints::TypeHint;

use std::fmt;

/// What is wrong with a schema: where and what, for the one who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The document, and the JSON pointer to the place in it.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl std::error::Error for Problem {}

/// Who sends what is checked. It decides whether members that only the other side sets are required.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Nothing is known of it.
    #[default]
    Either,
    /// A client: what is `readOnly` need not be there.
    Request,
    /// A server: what is `writeOnly` need not be there.
    Response,
}
