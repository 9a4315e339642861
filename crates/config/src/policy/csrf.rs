//! Requests that other pages make browsers send.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults::policies as defaults;
use crate::schema::form;
use crate::secret::Secret;

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
    /// Asks for a token, too. By default none is needed.
    pub token: Option<CsrfToken>,
}

/// A token that a page reads from a cookie and shows in a field, which pages of other origins can't. It is given to browsers that
/// open a page, and proves, too, that a request without an origin comes from ours.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CsrfToken {
    /// What tokens are signed by: 32 random bytes or more, the same on all gates. Of a list the first signs and the others still
    /// verify.
    #[schemars(length(min = 1, max = 8), transform = form::single)]
    pub secret: Vec<Secret>,
    /// The field in which it is shown.
    #[serde(default = "defaults::csrf_header")]
    #[schemars(extend("format" = "field-name"))]
    pub header: String,
    /// The name of the cookie, behind `__Host-`.
    #[serde(default = "defaults::csrf_cookie")]
    #[schemars(extend("format" = "cookie-name"))]
    pub cookie: String,
    /// The cookie of the session that a token is for, as it is called whole. Name one whose value stays for as long as the session
    /// lasts, which that of `oidc` doesn't. By default a token is for the browser.
    #[serde(default)]
    #[schemars(extend("format" = "cookie-name"))]
    pub session_cookie: Option<String>,
}
