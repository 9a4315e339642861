//! Fields that tell browsers to be careful.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults::policies as defaults;
use crate::listener::Hsts;
use crate::schema::form;

/// Fields of responses that tell browsers to be careful. Each is put in where the backend has not said it itself, in answers
/// of the gate, too. An empty text leaves one out. Of several that apply to a route, the last one counts. Short form: `true` or
/// `false`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("enabled"))]
pub struct SecurityHeaders {
    /// Whether it is done: `false` takes a route out of what another set says.
    pub enabled: bool,
    /// `Content-Security-Policy`: from where a page may load what. By default from its own origin alone, without scripts in the
    /// page itself, and no other site may frame it.
    pub content_security_policy: String,
    /// `Content-Security-Policy-Report-Only`: a policy to try. By default none.
    pub content_security_policy_report_only: String,
    /// `Strict-Transport-Security`, for requests that came by HTTPS only: for how long browsers speak nothing else to the host.
    /// By default a year, without subdomains. The listener's `tls.hsts` says it for all of its routes.
    pub hsts: Hsts,
    /// `X-Frame-Options`, for browsers that do not know `frame-ancestors`: by default `DENY`.
    pub frame_options: String,
    /// `Referrer-Policy`: by default only the origin is told to other sites, and nothing from HTTPS to HTTP.
    pub referrer_policy: String,
    /// `Permissions-Policy`: by default no page may use camera, place, microphone, payments or USB.
    pub permissions_policy: String,
    /// `Cross-Origin-Opener-Policy`: by default `same-origin`.
    pub opener_policy: String,
    /// `Cross-Origin-Resource-Policy`: who may embed it without CORS. By default `same-origin`.
    pub resource_policy: String,
    /// `X-Content-Type-Options: nosniff`: the type that is said is the type that counts.
    pub no_sniff: bool,
}

impl Default for SecurityHeaders {
    fn default() -> SecurityHeaders {
        SecurityHeaders {
            enabled: true,
            content_security_policy: defaults::content_security_policy(),
            content_security_policy_report_only: String::new(),
            hsts: defaults::hsts(),
            frame_options: "DENY".to_owned(),
            referrer_policy: "strict-origin-when-cross-origin".to_owned(),
            permissions_policy: defaults::permissions_policy(),
            opener_policy: "same-origin".to_owned(),
            resource_policy: "same-origin".to_owned(),
            no_sniff: true,
        }
    }
}
