//! Another service that says who may enter.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::on_failure::OnFailure;
use crate::defaults::policies as defaults;
use crate::schema::form;
use crate::units;

/// Asks a service about each request, and lets it in when that answers 2xx. 401, 403 and redirects go to the client; all else,
/// and no answer, is a failure (503, `guard_unavailable`). Short form: the service's name.
///
/// The question is a GET of `path` with the request's `request_headers`, and `X-Forwarded-Method`, `-Uri`, `-Host`, `-Proto` and
/// `-For` that tell what was asked by whom. With `body` it is a POST with the request's content.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("service"))]
pub struct Forward {
    /// The name of a service under `services`. Its timeouts, retries and limits hold for questions, too.
    #[schemars(extend("x-names" = "services"))]
    pub service: String,
    /// Path and perhaps query of the question.
    #[serde(default = "defaults::forward_path")]
    #[schemars(extend("format" = "check-path"))]
    pub path: String,
    /// The fields of the request that the service is shown.
    #[serde(default = "defaults::forward_request_headers")]
    #[schemars(transform = form::items("field-name"))]
    pub request_headers: Vec<String>,
    /// The fields of its answer that the backend is shown. What clients send under these names is removed; a name that is in
    /// `request_headers`, too, is replaced when the service has let the request in.
    #[serde(default)]
    #[schemars(transform = form::items("editable-field-name"))]
    pub response_headers: Vec<String>,
    /// The field of its answer that names the consumer. Without it, or where the answer has none, a request is let in and nobody
    /// says who it is.
    #[serde(default)]
    #[schemars(extend("format" = "field-name"))]
    pub consumer_header: Option<String>,
    /// The field of its answer that lists the consumer's scopes, with spaces or commas between.
    #[serde(default)]
    #[schemars(extend("format" = "field-name"))]
    pub scopes_header: Option<String>,
    /// The field of its answer that lists the consumer's roles, with spaces or commas between.
    #[serde(default)]
    #[schemars(extend("format" = "field-name"))]
    pub roles_header: Option<String>,
    /// Asks only about requests with this field; others are left to the route's other ways of authentication. By default it asks
    /// about all, and so is the last but `oidc` and `anonymous` to be asked.
    #[serde(default)]
    #[schemars(extend("format" = "field-name"))]
    pub when_header: Option<String>,
    /// Shows the service the content of requests, up to this size, at most 16 MiB; what has more is refused (413). By default
    /// it sees none. The content lies in memory meanwhile.
    #[serde(default)]
    pub body: Option<units::ByteSize>,
    /// How long the service may take. It holds up each request for as long.
    #[serde(default = "defaults::forward_timeout")]
    #[schemars(extend("format" = "timeout"))]
    pub timeout: units::Duration,
    /// Remembers who was let in. By default each request is asked about.
    #[serde(default)]
    pub cache: Option<ForwardCache>,
    /// What is done while the service gives no answer, or none that is one.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Whether `Authorization`, and the field that `when_header` names, are handed on to the backend. By default they are taken
    /// out of requests that the service lets in. Cookies are always handed on.
    #[serde(default)]
    pub keep: bool,
}

/// For how long an answer that lets in holds for the same question.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardCache {
    /// For how long: somebody who was locked out meanwhile still gets in.
    #[schemars(extend("format" = "timeout"))]
    pub r#for: units::Duration,
    /// What makes a question another one, beside the values of all `request_headers` and of `when_header`. By default all of it.
    /// Leave out only what the service never looks at.
    #[serde(default = "defaults::forward_cache_by")]
    pub by: Vec<ForwardFact>,
}

/// What the service is told of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForwardFact {
    /// The method.
    Method,
    /// The host.
    Host,
    /// The path without the query.
    Path,
    /// Path and query.
    Uri,
    /// The client's address, and by what it reaches us.
    Client,
}
