//! OpenAPI: what an API's description says of its requests and responses.
//!
//! Versions 3.0 and 3.1, and 2.0 (Swagger) as far as it says the same. A description is imported whole: what it can't mean is a
//! problem then, not when a request comes.

mod body;
mod cursor;
mod import;
mod parameter;
mod paths;
mod swagger;

use std::sync::Arc;

use crate::schema::{Documents, Problem, SchemaId, SchemaSet};
pub use body::{Content, Media, form, plain};
use parameter::Parameter;
pub use parameter::{Given, Part, Wrong};
use paths::Paths;

/// What an API promises and asks for.
#[derive(Debug)]
pub struct Contract {
    set: Arc<SchemaSet>,
    paths: Paths,
    operations: Vec<Operation>,
    /// Paths of the API's servers, the longest first, without a slash at the end.
    prefixes: Vec<String>,
}

/// One method of a path.
#[derive(Debug)]
pub struct Operation {
    /// Its `operationId`, or method and path.
    pub name: String,
    parameters: Vec<Parameter>,
    /// What a request may hold.
    pub body: Option<RequestBody>,
    responses: Vec<(StatusPattern, Answer)>,
}

/// What a request may hold.
#[derive(Debug)]
pub struct RequestBody {
    /// Whether there must be content.
    pub required: bool,
    /// The kinds of content.
    pub content: Content,
}

/// What a response must be like.
#[derive(Debug)]
pub struct Answer {
    headers: Vec<Parameter>,
    /// The kinds of content; `None` where the description says nothing of it.
    pub content: Option<Content>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StatusPattern {
    Exactly(u16),
    /// The first digit.
    Class(u16),
    Any,
}

/// What a description says of a method and a path.
#[derive(Debug)]
pub enum Found<'c> {
    /// The operation, and what the variable parts of the path hold.
    Operation(&'c Operation, Vec<(&'c str, String)>),
    /// The path is known; these are its methods, for `Allow`.
    OtherMethods(String),
    /// There is no such path.
    Nothing,
}

impl Contract {
    /// Imports the description of that URI. With `formats`, `format` is something that must hold.
    ///
    /// # Errors
    /// All that is wrong with it, up to a number.
    pub fn import(documents: &Documents, uri: &str, formats: bool) -> Result<Contract, Vec<Problem>> {
        import::import(documents, uri, formats)
    }

    /// The schemas of the description.
    #[must_use]
    pub fn schemas(&self) -> &Arc<SchemaSet> {
        &self.set
    }

    /// How many operations there are.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.operations.len()
    }

    /// What the description says of a method and a path, in its normal form. Without a `prefix` to take off, those of the
    /// description's servers are.
    #[must_use]
    pub fn find(&self, method: &str, path: &str, prefix: Option<&str>) -> Found<'_> {
        let prefixes = match &prefix {
            Some(prefix) => std::slice::from_ref(prefix)
                .iter()
                .map(|prefix| prefix.trim_end_matches('/'))
                .collect(),
            None => self.prefixes.iter().map(String::as_str).collect::<Vec<_>>(),
        };
        for prefix in prefixes {
            let below = path
                .strip_prefix(prefix)
                .filter(|below| below.is_empty() || below.starts_with('/'));
            let Some((found, variables)) = below.and_then(|below| self.paths.find(below)) else {
                continue;
            };
            // RFC 9110 §9.3.2: HEAD is GET without content.
            let wanted = found.methods.get(method);
            let wanted = wanted.or_else(|| found.methods.get("GET").filter(|_| method == "HEAD"));
            return match wanted {
                Some(target) => {
                    let variables = target.names().zip(variables).collect();
                    Found::Operation(&self.operations[target.operation], variables)
                }
                None => Found::OtherMethods(found.methods.keys().cloned().collect::<Vec<_>>().join(", ")),
            };
        }
        Found::Nothing
    }
}

impl Operation {
    /// What is wrong with the parameters of a request.
    #[must_use]
    pub fn wrong_parameters(&self, set: &SchemaSet, given: &Given<'_>, unknown_query: bool, steps: u64) -> Vec<Wrong> {
        parameter::judge(&self.parameters, set, given, unknown_query, steps)
    }

    /// What a response with that status must be like; `None` where there may be none.
    #[must_use]
    pub fn answer(&self, status: u16) -> Option<&Answer> {
        let of = |pattern: StatusPattern| self.responses.iter().find(|(known, _)| *known == pattern);
        let found = of(StatusPattern::Exactly(status))
            .or_else(|| of(StatusPattern::Class(status / 100)))
            .or_else(|| of(StatusPattern::Any));
        found.map(|(_, answer)| answer)
    }
}

impl Answer {
    /// What is wrong with the fields of a response.
    #[must_use]
    pub fn wrong_headers(&self, set: &SchemaSet, given: &Given<'_>, steps: u64) -> Vec<Wrong> {
        parameter::judge(&self.headers, set, given, false, steps)
    }
}

/// A schema, and whether it is there at all.
type MaybeSchema = Option<SchemaId>;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
