//! Those whom a certificate names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lets in those who are known by the certificate that they showed, on a listener with `tls.client_certificates`. Whoever
/// shows none is asked for another credential that the route understands; one that names nobody here is refused (401).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mtls {
    /// Who is known, and by what. The first one that fits counts.
    #[serde(default)]
    pub consumers: Vec<CertificateHolder>,
    /// Takes the name of whoever is not among `consumers` from the certificate itself: its first alternative name of that
    /// kind. By default such are refused. Choose this where the listener's authority vouches for nobody but those who may enter.
    #[serde(default)]
    pub others_by: Option<NamedBy>,
}

/// One who is known by a certificate. All that is said of the certificate must be true of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateHolder {
    /// The name, for logs, rules and upstreams (`X-Consumer`).
    #[schemars(extend("format" = "label"))]
    pub name: String,
    /// An alternative name of the certificate that is a URI, such as a SPIFFE identity.
    #[serde(default)]
    pub uri: Option<String>,
    /// An alternative name of the certificate that is a host.
    #[serde(default)]
    pub dns: Option<String>,
    /// An alternative name of the certificate that is an address of electronic mail.
    #[serde(default)]
    pub mail: Option<String>,
    /// The subject in the form of RFC 4514: `CN=ann,O=Example`.
    #[serde(default)]
    pub subject: Option<String>,
    /// The SHA-256 of the certificate, 64 hexadecimal digits. It changes with each renewal.
    #[serde(default)]
    #[schemars(extend("format" = "sha256"))]
    pub sha256: Option<String>,
    /// What it may do, for rules and upstreams (`X-Consumer-Scopes`).
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What it is, for rules and upstreams (`X-Consumer-Roles`).
    #[serde(default)]
    pub roles: Vec<String>,
}

/// What in a certificate names its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NamedBy {
    /// The first URI.
    Uri,
    /// The first host.
    Dns,
    /// The first address of electronic mail.
    Mail,
}
