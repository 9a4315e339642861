//! Tokens that their issuer is asked about.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults::policies as defaults;
use crate::schema::form;
use crate::secret::Secret;
use crate::units;

/// Lets in those whose bearer token its issuer calls active (RFC 7662; 401). What the issuer says is remembered for a short time.
/// While it can't be asked, nobody whose token isn't known enters (503, `guard_unavailable`).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Introspect {
    /// The name of a service under `services`: the issuer. Reach it by TLS, for tokens are sent to it.
    #[schemars(extend("x-names" = "services"))]
    pub service: String,
    /// The path of its introspection endpoint.
    #[serde(default = "defaults::introspect_path")]
    #[schemars(extend("format" = "check-path"))]
    pub path: String,
    /// The host that the issuer is asked as, for one that serves several. By default the name of the service.
    #[serde(default)]
    #[schemars(extend("format" = "authority"))]
    pub host: Option<String>,
    /// The name by which the gate is known to the issuer.
    pub client_id: String,
    /// The password of the gate at the issuer (`client_secret_basic`).
    pub client_secret: Secret,
    /// What kind of token it is, for an issuer that searches several places.
    #[serde(default)]
    pub token_type_hint: Option<String>,
    /// Which `iss` the answer must have. By default it is not looked at: whom we ask is said by `service`.
    #[serde(default)]
    pub issuer: Option<String>,
    /// The token must be for one of these: `aud` of the answer. By default it may be for anybody.
    #[serde(default)]
    #[schemars(transform = form::single)]
    pub audience: Vec<String>,
    /// The member of the answer that names the consumer, for logs, rules and upstreams (`X-Consumer`). By default the first that is
    /// there of `sub`, `username` and `client_id`. Here and below, `a.b` is `b` within `a`, unless there is a member of the whole
    /// name.
    #[serde(default)]
    pub name_claim: Option<String>,
    /// The member that says what the consumer may do (`X-Consumer-Scopes`): a text with spaces between, or a list.
    #[serde(default = "defaults::scopes_claim")]
    pub scopes_claim: String,
    /// The member that says what the consumer is (`X-Consumer-Roles`): a text with spaces between, or a list.
    #[serde(default)]
    pub roles_claim: Option<String>,
    /// For how long answers are remembered.
    #[serde(default)]
    pub cache: IntrospectCache,
    /// How long the issuer may take.
    #[serde(default = "defaults::introspect_timeout")]
    #[schemars(extend("format" = "timeout"))]
    pub timeout: units::Duration,
    /// Whether the token is handed on to the backend. By default it is taken out.
    #[serde(default)]
    pub keep: bool,
}

/// For how long the issuer's answers are remembered.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IntrospectCache {
    /// How long an active token stays one without another question, at most until it expires: for as long a token that was taken
    /// back still opens. `0s` asks each time. At most an hour.
    pub r#for: units::Duration,
    /// How long a token that is no good stays so without another question.
    pub refused: units::Duration,
}

impl Default for IntrospectCache {
    fn default() -> IntrospectCache {
        IntrospectCache {
            r#for: defaults::introspect_cache(),
            refused: defaults::introspect_cache_refused(),
        }
    }
}
