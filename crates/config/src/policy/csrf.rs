//! Requests that other pages make browsers send.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;

/// Refuses requests that a page of another origin made a browser send, with the cookies, password or certificate that browsers
/// send along by themselves (cross-site request forgery; 403, `request_forged`). Write `csrf: {}` beside `oidc`, and wherever else
/// cookies say who it is.
///
/// It judges requests that change something (any method but GET, HEAD, OPTIONS and TRACE) by what browsers say of where they come
/// from: `Sec-Fetch-Site`, or else `Origin`, or else `Referer`. GET must change nothing: that is the services' part. What carries
/// no such credential passes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Csrf {
    /// Other origins whose pages may send such requests: `https://app.example.com`, each written out.
    #[schemars(transform = form::items("origin"))]
    pub trusted_origins: Vec<String>,
    /// Lets requests pass that don't say where they come from. Every browser of today does; programs that keep cookies often don't.
    pub allow_missing_origin: bool,
}
