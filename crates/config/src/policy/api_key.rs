//! Keys of consumers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;
use crate::secret::Secret;
use crate::units;

/// Lets in those who have one of the keys (401).
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApiKey {
    /// The header field that holds the key. By default `X-Api-Key`, when `query` is not given either. A value
    /// `Bearer KEY` in `Authorization` is understood.
    #[schemars(extend("format" = "field-name"))]
    pub header: Option<String>,
    /// The query parameter that holds the key.
    #[schemars(length(min = 1))]
    pub query: Option<String>,
    /// Who may enter.
    pub consumers: Vec<KeyHolder>,
    /// Whether those may enter, too, whom operators add while the gate runs (`/consumers` on the operators' listener). They are
    /// in the durable store, and the change of a key holds everywhere on the gate within five seconds.
    pub store: bool,
    /// Whether the key is handed on to the backend. By default it is taken out.
    pub keep: bool,
}

/// One who may enter: with a key, a hash of it, or several of these.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
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
    /// Several keys, each good in its own time: to change a key, add the new one and let the old one expire.
    #[serde(default)]
    #[schemars(transform = form::single)]
    pub keys: Vec<ConsumerKey>,
    /// What it may do, for rules and upstreams (`X-Consumer-Scopes`).
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What it is, for rules and upstreams (`X-Consumer-Roles`).
    #[serde(default)]
    pub roles: Vec<String>,
    /// From when on it may enter.
    #[serde(default)]
    pub not_before: Option<units::Moment>,
    /// Until when it may enter.
    #[serde(default)]
    pub expires: Option<units::Moment>,
}

/// One of several keys of a consumer. Short form: the key.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("key"))]
pub struct ConsumerKey {
    /// The key: only as a reference, `${VARIABLE}` or `file:PATH`. It is hashed when it is read.
    pub key: Option<Secret>,
    /// The SHA-256 of the key, 64 hexadecimal digits: `printf %s "$KEY" | sha256sum`.
    #[schemars(extend("format" = "sha256"))]
    pub sha256: Option<String>,
    /// From when on it is good.
    pub not_before: Option<units::Moment>,
    /// Until when it is good.
    pub expires: Option<units::Moment>,
}
