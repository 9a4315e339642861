//! One request, and what is done with its answer.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Pause;
use crate::anything::Anything;
use crate::schema::form;
use crate::service::StatusRange;

/// One request, and what is done with its answer. Short form: the request.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("request"))]
pub struct Step {
    /// Method and path: `GET /users/{{users.id}}`. The path is written as requests have it, percent-encoded.
    #[schemars(extend("format" = "bench-request"))]
    pub request: String,
    /// The name under which it is counted. By default the request, without its query.
    #[serde(default)]
    #[schemars(extend("format" = "label"))]
    pub route: Option<String>,
    /// Header fields, by their names, beside or in place of those of the file.
    #[serde(default)]
    #[schemars(transform = form::keys("bench-field-name"), transform = form::values("field-value"))]
    pub headers: BTreeMap<String, String>,
    /// Parameters of the query, as they are meant; they are encoded.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Its content. By default none.
    #[serde(default)]
    pub body: Option<Body>,
    /// Whether it proves who it is as `auth` of the file says.
    #[serde(default = "always")]
    pub auth: bool,
    /// What must be true of the answer. By default any status below 400 is right.
    #[serde(default)]
    pub expect: Expect,
    /// Values of the answer that later steps of the flow use, by name.
    #[serde(default)]
    #[schemars(transform = form::keys("name"))]
    pub capture: BTreeMap<String, Capture>,
    /// How long the client thinks before it goes on: `100ms`, or something between `50ms..200ms`.
    #[serde(default)]
    pub think: Option<Pause>,
}

fn always() -> bool {
    true
}

/// The content of a request. Short form: a text.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Body {
    /// A text.
    Text(String),
    /// JSON.
    Json(JsonBody),
    /// A form.
    Form(FormBody),
    /// A file.
    File(FileBody),
}

/// JSON.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonBody {
    /// Any value; placeholders stand in its texts.
    pub json: Anything,
}

/// A form, as browsers send it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FormBody {
    /// Its fields, as they are meant; they are encoded.
    pub form: BTreeMap<String, String>,
}

/// A file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileBody {
    /// The file, of 16 MiB at the most. Placeholders are not looked for in it.
    #[schemars(extend("format" = "path"))]
    pub file: PathBuf,
}

/// What must be true of an answer. Short form: its status.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("status"))]
pub struct Expect {
    /// Statuses that are right: `201`, or `200-299`. By default those below 400.
    #[schemars(transform = form::single)]
    pub status: Vec<StatusRange>,
    /// Fields that must be there, with exactly this value, or with any: `"*"`.
    #[schemars(transform = form::keys("field-name"))]
    pub headers: BTreeMap<String, String>,
    /// Texts that its content must have in it.
    #[schemars(transform = form::single)]
    pub contains: Vec<String>,
    /// Patterns that its content must match somewhere: regular expressions without look-around and back references.
    #[schemars(transform = form::single)]
    pub matches: Vec<String>,
    /// Values that its JSON must have, by the places where (JSON Pointer, RFC 6901): `/items/0/id: 5`.
    #[schemars(transform = form::keys("json-pointer"))]
    pub json: BTreeMap<String, Anything>,
}

/// A value that is taken from an answer. Short form: its place in the JSON.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Capture {
    /// The place in the JSON of the content (JSON Pointer, RFC 6901), such as `/items/0/id`.
    #[schemars(extend("format" = "json-pointer"))]
    Pointer(String),
    /// The same, written out.
    Json(FromJson),
    /// The value of a header field.
    Header(FromHeader),
    /// What a pattern finds in the content.
    Matches(FromMatch),
}

/// A value of the JSON of the content.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FromJson {
    /// Its place (JSON Pointer, RFC 6901), such as `/items/0/id`.
    #[schemars(extend("format" = "json-pointer"))]
    pub json: String,
}

/// The value of a header field.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FromHeader {
    /// The name of the field.
    #[schemars(extend("format" = "field-name"))]
    pub header: String,
}

/// What a pattern finds in the content.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FromMatch {
    /// The pattern. What its first group matches is taken, or all where it has none.
    #[schemars(length(min = 1))]
    pub matches: String,
}
