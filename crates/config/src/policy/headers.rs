//! Changes of header fields.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;

/// Changes of header fields.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Headers {
    /// On the way to the backend.
    pub request: HeaderChanges,
    /// On the way to the client.
    pub response: HeaderChanges,
}

/// Changes of header fields: first `remove`, then `set`, then `add`. Fields of framing and connection can't be touched.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderChanges {
    /// Fields to take out.
    #[schemars(transform = form::items("editable-field-name"))]
    pub remove: Vec<String>,
    /// Fields to put in place of those of their name. `{client_ip}`, `{request_id}`, `{host}`, `{scheme}`,
    /// `{consumer}`, `{route}` are put in.
    #[schemars(transform = form::keys("editable-field-name"), transform = form::values("field-value"))]
    pub set: BTreeMap<String, String>,
    /// Fields to put beside those of their name.
    #[schemars(transform = form::keys("editable-field-name"), transform = form::values("field-value"))]
    pub add: BTreeMap<String, String>,
}
