//! What requests must be like, said by JSON Schemas.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults::policies as defaults;
use crate::policy::mode::Mode;
use crate::schema::form;
use crate::units;

/// Holds requests against JSON Schemas (draft 2020-12, and older ones that say so with `$schema`). A schema is the path of a JSON or
/// YAML file, perhaps with `#` and a JSON pointer into it; or the schema itself, as JSON in a text that begins with `{`. References
/// lead to files in the configuration's folder and below it; nothing is ever fetched.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Validate {
    /// The schema of the body (422). A body that is no JSON is refused (400), and one with a member that is there twice: what
    /// parsers may read differently is not judged. Methods without content (GET, HEAD, DELETE, OPTIONS, TRACE) may come without a body.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub body: Option<String>,
    /// The media types that a body may have (415). By default `application/json` and what ends in `+json` where there is a
    /// schema for it, and any otherwise. Types that aren't JSON pass by their name.
    #[serde(default)]
    #[schemars(transform = form::items("media-type"))]
    pub content_types: Vec<String>,
    /// The methods that a request may have (405). By default any.
    #[serde(default)]
    #[schemars(transform = form::items("method"))]
    pub methods: Vec<String>,
    /// Schemas of parameters in the query (400): one for each by its name, or one for all of them as an object. A number or a
    /// truth value is read as such where the schema asks for one, and a parameter that is there several times is a list.
    #[serde(default)]
    pub query: Option<Parameters>,
    /// What happens to parameters in the query that have no schema. Where one schema is for all, that is its own to say.
    #[serde(default)]
    pub unknown_query: Unknown,
    /// Schemas of header fields (400), as for the query; names are in lower case.
    #[serde(default)]
    pub headers: Option<Parameters>,
    /// Schemas of the variable parts of the route's path (400), as for the query.
    #[serde(default)]
    pub params: Option<Parameters>,
    /// The largest body (413): it is read whole before the request goes on.
    #[serde(default = "defaults::validated_body")]
    pub max_body: units::ByteSize,
    /// Whether `format` must hold too, for those that are known: dates and times, e-mail, host names, addresses, URIs, UUIDs,
    /// `int32`, `int64`. By default it says nothing, as the standard has it.
    #[serde(default)]
    pub formats: bool,
    /// Whether what is wrong is refused. In `report`, a request that can't be read whole passes unread.
    #[serde(default)]
    pub mode: Mode,
}

/// Schemas of parameters.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Parameters {
    /// One for each parameter, by its name. None of them has to be there.
    Each(BTreeMap<String, String>),
    /// One for all parameters, as an object. What must be there stands under `required`.
    All(String),
}

/// What happens to what nobody said anything about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// It passes.
    #[default]
    Allow,
    /// It is refused.
    Refuse,
}
