//! Calls from pages of other origins.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults::policies as defaults;
use crate::schema::form;
use crate::units;

/// Which pages of other origins may call, from a browser.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// Origins: `https://app.example.com`, `https://*.example.com`, or `*` for every one.
    #[schemars(length(min = 1), transform = form::items("origin"), transform = form::single)]
    pub origins: Vec<String>,
    /// Methods beyond GET, HEAD and POST. By default those and PUT, PATCH, DELETE.
    #[serde(default = "defaults::cors_methods")]
    #[schemars(transform = form::items("method"))]
    pub methods: Vec<String>,
    /// Header fields that a page may send.
    #[serde(default = "defaults::cors_headers")]
    #[schemars(transform = form::items("field-name"))]
    pub headers: Vec<String>,
    /// Header fields that a page may read.
    #[serde(default)]
    #[schemars(transform = form::items("field-name"))]
    pub expose: Vec<String>,
    /// Whether cookies go along. Not with the origin `*`.
    #[serde(default)]
    pub credentials: bool,
    /// How long a browser may remember the answer.
    #[serde(default = "defaults::cors_max_age")]
    pub max_age: units::Duration,
}
