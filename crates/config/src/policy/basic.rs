//! Names and passwords.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults::policies as defaults;
use crate::units;

/// Lets in those who have a name and a password (the Basic scheme, RFC 7617; 401). Passwords travel as they are: use it with
/// TLS only.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// What the browser tells the person who is asked.
    #[serde(default = "defaults::basic_realm")]
    #[schemars(length(min = 1, max = 100))]
    pub realm: String,
    /// Who may enter.
    #[serde(default)]
    pub users: Vec<PasswordHolder>,
    /// A file with one `NAME:HASH` in each line, as `htpasswd -B` writes it. It is read with the configuration.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub file: Option<PathBuf>,
    /// For how long a password that was verified is known again without the work of verifying it. What is kept of it is a keyed
    /// hash, in memory. `0s` verifies it with each request, at some ten milliseconds or more of a processor.
    #[serde(default = "defaults::basic_remember")]
    pub remember: units::Duration,
    /// Whether the credential is handed on to the backend. By default it is taken out.
    #[serde(default)]
    pub keep: bool,
}

/// One who may enter with a password.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordHolder {
    /// The name, also for logs, rules and upstreams (`X-Consumer`).
    #[schemars(extend("format" = "label"))]
    pub name: String,
    /// The password as Argon2id (`$argon2id$…`) or bcrypt (`$2b$…`, `$2y$…`) hash it. Never the password itself.
    pub hash: String,
    /// What it may do, for rules and upstreams (`X-Consumer-Scopes`).
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What it is, for rules and upstreams (`X-Consumer-Roles`).
    #[serde(default)]
    pub roles: Vec<String>,
}
