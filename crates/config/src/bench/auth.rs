//! How requests prove who they are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// How requests prove who they are. What has to be fetched first, such as a token of OAuth, is a step of `setup` that
/// captures it, and a header field that puts it in.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Auth {
    /// A token.
    Bearer(Bearer),
    /// A name and a password.
    Basic(Basic),
    /// A key in a field of its own.
    ApiKey(ApiKey),
}

/// A token: `Authorization: Bearer …` (RFC 6750).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bearer {
    /// The token.
    pub bearer: Secret,
}

/// A name and a password: `Authorization: Basic …` (RFC 7617).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The name and the password.
    pub basic: Login,
}

/// A name and a password.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The name; it has no colon.
    #[schemars(length(min = 1))]
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A key in a field of its own.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// The field and the key.
    pub api_key: Key,
}

/// A field and a key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The name of the field.
    #[serde(default = "key_header")]
    #[schemars(extend("format" = "bench-field-name"))]
    pub header: String,
    /// The key.
    pub key: Secret,
}

/// The field of a key: the one in which the gate's policy `api_key` looks by default.
fn key_header() -> String {
    "X-Api-Key".to_owned()
}
