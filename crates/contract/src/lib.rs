//! Whether documents are what they should be: JSON by a JSON Schema, requests and responses by an OpenAPI document.
//!
//! Nothing here does I/O, and nothing knows routes, policies or a configuration file.
