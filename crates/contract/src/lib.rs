//! Whether documents are what they should be: JSON by a JSON Schema, requests and responses by an OpenAPI document.
//!
//! Nothing here does I/O, and nothing knows routes, policies or a configuration file. A reference leads to a document
//! that was given, or it is an error: nothing is ever fetched.

pub mod json;
pub mod openapi;
pub mod pairs;
pub mod schema;
pub mod text;
pub mod yaml;

mod number;
mod pattern;
mod pointer;
mod sameness;
mod uri;
