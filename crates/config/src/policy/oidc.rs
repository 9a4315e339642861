//! Login for browsers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults::policies as defaults;
use crate::schema::form;
use crate::secret::Secret;
use crate::units;

/// Lets in people who have logged in at an OpenID provider: the authorization code flow with PKCE, and a session in an encrypted
/// cookie of this gate. Whoever has none is sent to the provider when a browser opens a page; any other request is refused (401).
/// While the provider can't be asked, nobody new enters (503, `guard_unavailable`).
///
/// The route must have the paths of `callback` and `logout`, too: the gate answers them. Use it with TLS only, for browsers keep
/// its cookies for nothing else, and with `csrf`, for they send cookies along with what other pages make them ask.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// The provider's URL, as it stands in `iss` of its tokens; `/.well-known/openid-configuration` is added.
    pub issuer: String,
    /// The name by which the gate is known to the provider.
    #[schemars(length(min = 1))]
    pub client_id: String,
    /// The password of the gate at the provider. Without it the gate is a public client.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// What sessions are encrypted by: 32 random bytes or more, the same on all gates that share sessions. Of a list the first
    /// encrypts and the others still decrypt, so that it can be changed while people are logged in.
    #[schemars(length(min = 1, max = 8), transform = form::single)]
    pub secret: Vec<Secret>,
    /// What the provider is asked for. `openid` is always asked for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// More parameters of the request for authorization, such as `prompt` or `audience`.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// The path to which the provider sends people back. Tell the provider this URL on each host.
    #[serde(default = "defaults::oidc_callback")]
    #[schemars(extend("format" = "check-path"))]
    pub callback: String,
    /// The path that ends a session, here and, where the provider has a page for that, there.
    #[serde(default = "defaults::oidc_logout")]
    #[schemars(extend("format" = "check-path"))]
    pub logout: String,
    /// The path to which people come after they logged out.
    #[serde(default = "defaults::oidc_after_logout")]
    #[schemars(extend("format" = "check-path"))]
    pub after_logout: String,
    /// How browsers reach this gate: `https://app.example`. By default as the request says: scheme and host.
    #[serde(default)]
    #[schemars(extend("format" = "origin"))]
    pub origin: Option<String>,
    /// The name of the session's cookie, behind `__Host-`. Policies that don't share sessions need different ones.
    #[serde(default = "defaults::oidc_cookie")]
    #[schemars(extend("format" = "cookie-name"))]
    pub cookie: String,
    /// How long a session lasts, whatever happens.
    #[serde(default = "defaults::oidc_lifetime")]
    #[schemars(extend("format" = "timeout"))]
    pub lifetime: units::Duration,
    /// How long a session lasts while nobody uses it.
    #[serde(default = "defaults::oidc_idle")]
    #[schemars(extend("format" = "timeout"))]
    pub idle: units::Duration,
    /// The claim that names the consumer, for logs, rules and upstreams (`X-Consumer`). Here and below, `a.b` is `b` within `a`,
    /// unless there is a claim of the whole name.
    #[serde(default = "defaults::oidc_name_claim")]
    pub name_claim: String,
    /// The claim that says what the consumer may do (`X-Consumer-Scopes`). Where the token has no `scope`, that is what the provider
    /// granted.
    #[serde(default = "defaults::scopes_claim")]
    pub scopes_claim: String,
    /// The claim that says what the consumer is (`X-Consumer-Roles`).
    #[serde(default)]
    pub roles_claim: Option<String>,
    /// A PEM file of authorities to trust in place of the system's, where the provider is asked.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub ca: Option<PathBuf>,
}
