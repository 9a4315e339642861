//! Signed tokens, verified here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::defaults::policies as defaults;
use crate::schema::form;
use crate::secret::Secret;
use crate::units;

/// Lets in those who have a signed token (JWT, RFC 7519; 401). For one issuer, say what it is here; for several, list them under
/// `issuers`. Short form: the list.
///
/// The token stands in `Authorization` as `Bearer TOKEN`, unless `header`, `cookie` or `query` say otherwise. Without a token, or
/// with one that doesn't have three parts, the request is asked for another credential that the route understands.
///
/// A token is verified by the rules of RFC 8725: each key has one algorithm, keys that a token brings along are not looked at, and
/// what could be read in two ways is refused. Encrypted tokens are not supported. Until the keys of an issuer could be fetched, its
/// tokens are refused with 503 (`guard_unavailable`).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = closed, transform = form::short("issuers"))]
pub struct Jwt {
    /// The one issuer.
    #[serde(flatten)]
    pub only: Issuer,
    /// Several issuers. Each token is judged by the one that its `iss` names, and by no other.
    #[serde(default)]
    pub issuers: Vec<Issuer>,
    /// A header field that holds the token, in place of `Authorization`. There it stands alone, without `Bearer`.
    #[serde(default)]
    #[schemars(extend("format" = "field-name"))]
    pub header: Option<String>,
    /// A cookie that holds the token. Then the route needs `csrf`, too: browsers send cookies along with what others make them ask.
    #[serde(default)]
    #[schemars(extend("format" = "cookie-name"))]
    pub cookie: Option<String>,
    /// A query parameter that holds the token. It may be written to logs of others on the way: use it where nothing else is possible.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub query: Option<String>,
    /// Whether the token is handed on to the backend. By default it is taken out.
    #[serde(default)]
    pub keep: bool,
}

/// One who issues tokens, and what they must say. Its keys come from one of `discovery`, `jwks` and `keys`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// What `iss` must say, letter by letter. By default anything, where there is one issuer; with `discovery`, what that says.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub issuer: Option<String>,
    /// The issuer's URL for OpenID Connect Discovery, as it stands in `iss`; `/.well-known/openid-configuration` is added. The
    /// document must name that issuer, and tells where its keys are.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub discovery: Option<String>,
    /// Where its keys are (a JWK Set, RFC 7517): an `https` URL, from where they are fetched again and again, or the path of a
    /// file, which is read with the configuration. `http` is for this machine only.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub jwks: Option<String>,
    /// Its keys, one by one.
    #[serde(default)]
    pub keys: Vec<TokenKey>,
    /// Which algorithms its keys may be used with. By default the one that each key names or has by its type; for an RSA key that
    /// names none that is RS256, for a secret HS256. Keys that can do none of these are left out.
    #[serde(default)]
    #[schemars(transform = form::choices(ALGORITHMS), transform = form::single)]
    pub algorithms: Vec<String>,
    /// Whom its tokens must be for: one of these must be in `aud`.
    #[serde(default)]
    #[schemars(transform = form::single)]
    pub audience: Vec<String>,
    /// Takes tokens whomever they are for. One that was given to another service opens this one then, too: any of the issuer's
    /// other services could use the tokens that it is sent.
    #[serde(default)]
    pub any_audience: bool,
    /// How far the issuer's clock may differ from ours.
    #[serde(default = "defaults::jwt_leeway")]
    pub leeway: units::Duration,
    /// Takes tokens that don't say when they expire (`exp`), too. Such a one opens for ever, whoever has found it.
    #[serde(default)]
    pub any_expiry: bool,
    /// What `typ` may say where it is there, without `application/`. Tokens that say what they are for are not taken for anything
    /// else.
    #[serde(default = "defaults::jwt_types")]
    #[schemars(transform = form::single)]
    pub types: Vec<String>,
    /// Claims that must be there beside these, whatever they say.
    #[serde(default)]
    #[schemars(transform = form::single)]
    pub required_claims: Vec<String>,
    /// The claim that names the consumer, for logs, rules and upstreams (`X-Consumer`): up to 256 visible ASCII characters. Here
    /// and below, `a.b` is `b` within `a`, unless there is a claim of the whole name.
    #[serde(default = "defaults::jwt_name_claim")]
    pub name_claim: String,
    /// The claim that says what the consumer may do (`X-Consumer-Scopes`): a list, or a text with spaces between. By default
    /// `scope`, or else `scp`.
    #[serde(default)]
    pub scopes_claim: Option<String>,
    /// The claim that says what the consumer is (`X-Consumer-Roles`): a list, or a text with spaces between.
    #[serde(default)]
    pub roles_claim: Option<String>,
    /// Header fields in which the backend is told claims. Texts, numbers and truth values are written as they are, anything else
    /// as JSON. What clients send under these names is removed.
    #[serde(default)]
    #[schemars(transform = form::keys("editable-field-name"))]
    pub forward_claims: BTreeMap<String, String>,
    /// A PEM file of authorities to trust in place of the system's, where keys are fetched.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub ca: Option<PathBuf>,
    /// How often keys are fetched, where the server doesn't say (`Cache-Control: max-age`, from a minute to an hour). A token that
    /// names an unknown key makes them be fetched at once, every ten seconds at the most.
    #[serde(default = "defaults::jwt_refresh")]
    #[schemars(extend("format" = "timeout"))]
    pub refresh: units::Duration,
    /// For how long keys are good while they can't be fetched again.
    #[serde(default = "defaults::jwt_max_stale")]
    #[schemars(extend("format" = "timeout"))]
    pub max_stale: units::Duration,
}

/// A key: public, or shared with the issuer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenKey {
    /// A file with the public key in PEM (`BEGIN PUBLIC KEY`).
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub pem: Option<PathBuf>,
    /// A secret for HS256, HS384 or HS512: 32, 48 or 64 bytes at least. Whoever knows it can make tokens.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// Its name (`kid`). Tokens that name another key are not verified by it.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1024))]
    pub id: Option<String>,
    /// The one algorithm that it is used with. By default as `algorithms` of the issuer says.
    #[serde(default)]
    #[schemars(extend("enum" = ALGORITHMS))]
    pub algorithm: Option<String>,
}

/// The names of the algorithms that there are. `none` is none.
const ALGORITHMS: &[&str] = &[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512",
];

/// What stands in a group within another one is known there, and nothing else is.
fn closed(schema: &mut Schema) {
    schema.remove("unevaluatedProperties");
    schema.insert("additionalProperties".to_owned(), json!(false));
}
