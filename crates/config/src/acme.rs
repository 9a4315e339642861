//! Certificates that an authority issues to the gate by itself.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;
use crate::secret::Secret;
use crate::{defaults, units};

/// A certificate that is ordered, and renewed in time, from an authority that speaks ACME (RFC 8555).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acme {
    /// The names that the certificate is for. The authority must reach this gate by each of them.
    #[schemars(length(min = 1, max = 100), transform = form::items("domain-name"))]
    pub domains: Vec<String>,
    /// Where the authority may write to when something is wrong with a certificate: an address of electronic mail.
    #[serde(default)]
    #[schemars(extend("format" = "mail-address"))]
    pub contact: Option<String>,
    /// That you have read and accept the authority's terms of service. It issues nothing otherwise.
    #[serde(default)]
    pub accept_terms: bool,
    /// The authority: the URL of its directory.
    #[serde(default = "defaults::acme_directory")]
    #[schemars(extend("format" = "https-url"))]
    pub directory: String,
    /// A PEM file of authorities to trust for the directory itself, in place of the system's.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub ca: Option<PathBuf>,
    /// How the authority sees that a name is ours.
    #[serde(default)]
    pub challenge: Challenge,
    /// A folder for the account, certificates and their keys. Gates that share it share the certificates.
    #[serde(default = "defaults::acme_storage")]
    #[schemars(extend("format" = "path"))]
    pub storage: PathBuf,
    /// How long before its end a certificate is renewed. By default a third of its lifetime, or earlier where the
    /// authority asks for it.
    #[serde(default)]
    #[schemars(extend("format" = "timeout"))]
    pub renew_before: Option<units::Duration>,
    /// The account at the authority that orders are counted for, where the authority wants one.
    #[serde(default)]
    pub external_account: Option<ExternalAccount>,
}

/// How the authority sees that a name is ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Challenge {
    /// It does a TLS handshake with port 443 of the name, which must lead to this listener (RFC 8737).
    #[default]
    #[serde(rename = "tls_alpn")]
    TlsAlpn,
    /// It sends a request to port 80 of the name, which must lead to a listener of ours without TLS.
    #[serde(rename = "http")]
    Http,
}

/// What an authority gave to bind our account to one that it has already (RFC 8555, section 7.3.4).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalAccount {
    /// The name of the key.
    #[schemars(length(min = 1))]
    pub key_id: String,
    /// The key, in base64url, as authorities give it.
    pub key: Secret,
}
