//! Signed requests.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults::policies as defaults;
use crate::secret::Secret;
use crate::units;

/// Lets in those who sign their requests (HTTP Message Signatures, RFC 9421; 401), with a shared secret or a key of their own. Nobody
/// on the way can change what is signed, or send it a second time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hmac {
    /// Who may enter, and by which key.
    #[schemars(length(min = 1))]
    pub consumers: Vec<Signer>,
    /// What must be signed at the least: names of fields in lower case, or derived components such as `@method` (RFC 9421, section
    /// 2.2). `@target-uri` covers `@scheme`, `@authority`, `@path` and `@query`; `@request-target` the latter two. A body must be covered by
    /// `content-digest` in any case, and is compared with it.
    #[serde(default = "defaults::hmac_covered")]
    #[schemars(length(min = 1, max = 32))]
    pub covered: Vec<String>,
    /// How old a signature may be: signers must say when it was made (`created`).
    #[serde(default = "defaults::hmac_max_age")]
    pub max_age: units::Duration,
    /// How far ahead of ours a signer's clock may be.
    #[serde(default = "defaults::hmac_leeway")]
    pub leeway: units::Duration,
    /// Whether a signed request may come twice. Signers whose requests are alike within a second add a `nonce`. What has been seen is
    /// remembered by each node for itself.
    #[serde(default)]
    pub replay: Replay,
    /// The `tag` that signatures must have, which tells what they are for. By default any or none.
    #[serde(default)]
    pub tag: Option<String>,
    /// The largest body: it is read whole before the request goes on.
    #[serde(default = "defaults::hmac_body")]
    pub max_body: units::ByteSize,
    /// Whether the signature is handed on to the backend. By default it is taken out.
    #[serde(default)]
    pub keep: bool,
}

/// One who signs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// The name, for logs, rules and upstreams (`X-Consumer`). One may have several keys, each in an entry of its own.
    #[schemars(extend("format" = "label"))]
    pub name: String,
    /// The name of the key, as signatures give it (`keyid`).
    #[schemars(length(min = 1, max = 256))]
    pub key_id: String,
    /// How it signs. A signature that says otherwise is refused.
    pub algorithm: SignatureAlgorithm,
    /// The shared secret of 32 bytes at the least, for `hmac-sha256`: only as a reference, `${VARIABLE}` or `file:PATH`.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// The public key as a PEM file, for all others. It is read with the configuration.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub public_key: Option<PathBuf>,
    /// What it may do, for rules and upstreams (`X-Consumer-Scopes`).
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What it is, for rules and upstreams (`X-Consumer-Roles`).
    #[serde(default)]
    pub roles: Vec<String>,
}

/// How requests are signed, by the names of RFC 9421, section 6.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the registered names say it")]
pub enum SignatureAlgorithm {
    HmacSha256,
    Ed25519,
    EcdsaP256Sha256,
    EcdsaP384Sha384,
    RsaPssSha512,
    #[serde(rename = "rsa-v1_5-sha256")]
    RsaV15Sha256,
}

/// Whether a signed request may come twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// No: the second one is refused (401).
    #[default]
    Refuse,
    /// Yes, for as long as its signature is good.
    Allow,
}
