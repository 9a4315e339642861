//! Keys of consumers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// Lets in those who have one of the keys (401).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// The header field that holds the key. By default `X-Api-Key`, when `query` is not given either. A value
    /// `Bearer KEY` in `Authorization` is understood.
    #[serde(default)]
    #[schemars(extend("format" = "field-name"))]
    pub header: Option<String>,
    /// The query parameter that holds the key. It is taken out before the request goes on.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub query: Option<String>,
    /// Who may enter.
    #[schemars(length(min = 1))]
    pub consumers: Vec<KeyHolder>,
}

/// One who may enter: with a key, or a hash of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyHolder {
    /// The name, for logs and for upstreams (`X-Consumer`).
    #[schemars(extend("format" = "label"))]
    pub name: String,
    /// The key: only as a reference, `${VARIABLE}` or `file:PATH`. It is hashed when it is read.
    #[serde(default)]
    pub key: Option<Secret>,
    /// The SHA-256 of the key, 64 hexadecimal digits: `printf %s "$KEY" | sha256sum`.
    #[serde(default)]
    #[schemars(extend("format" = "sha256"))]
    pub sha256: Option<String>,
}
