//! The contract of an API: its OpenAPI description.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults::policies as defaults;
use crate::policy::mode::Mode;
use crate::policy::validate::Unknown;
use crate::schema::form;
use crate::units;

/// Holds requests, and responses if asked to, against an OpenAPI description of version 3.0 or 3.1 (or 2.0, which is converted).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("document"))]
pub struct OpenApi {
    /// The description, a JSON or YAML file. It may refer to files in the configuration's folder, its own, and below; nothing is ever
    /// fetched.
    #[schemars(extend("format" = "path"))]
    pub document: String,
    /// What requests have before the paths of the description. By default the paths of its `servers`, if they have any.
    #[serde(default)]
    #[schemars(extend("format" = "path-prefix"))]
    pub strip: Option<String>,
    /// Whether what is wrong with a request is refused: another method (405), wrong parameters (400), another media type (415), a body
    /// that is none (400) or breaks its schema (422).
    #[serde(default)]
    pub mode: Mode,
    /// What becomes of responses that break the contract.
    #[serde(default)]
    pub responses: Responses,
    /// What becomes of requests for paths that the description doesn't have (404).
    #[serde(default = "defaults::unknown_paths")]
    pub unknown_paths: Unknown,
    /// What becomes of parameters in the query that the description doesn't have (400).
    #[serde(default)]
    pub unknown_query: Unknown,
    /// The largest body that is judged. A larger one of a request is refused (413); a larger one of a response is handed on and
    /// counted.
    #[serde(default = "defaults::validated_body")]
    pub max_body: units::ByteSize,
    /// Whether `format` must hold, too, as for `validate`.
    #[serde(default)]
    pub formats: bool,
}

/// What becomes of responses that break the contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Responses {
    /// Nobody looks.
    #[default]
    Ignore,
    /// They are counted and handed on.
    Report,
    /// The client gets 502 (`response_invalid`) instead.
    Enforce,
}
