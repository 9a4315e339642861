//! Cookies that backends set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;

/// Hardens the cookies that backends set: attributes that are missing are added. Nothing that a backend said more strictly is
/// loosened. Of several that apply to a route, the last one counts. Short form: `true` or `false`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("enabled"))]
pub struct Cookies {
    /// Whether it is done: `false` takes a route out of what another set says.
    pub enabled: bool,
    /// `Secure`, for clients that came by HTTPS: browsers send the cookie by nothing else.
    pub secure: bool,
    /// `HttpOnly`: scripts of the page don't see the cookie.
    pub http_only: bool,
    /// `SameSite`, where the backend says none: which requests of other sites carry the cookie.
    pub same_site: SameSite,
    /// Names of cookies that pass as they are, such as one that scripts must read.
    pub except: Vec<String>,
}

/// Which requests of other sites carry a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SameSite {
    /// When a person follows a link.
    Lax,
    /// None.
    Strict,
    /// It is left to the browser, most of which take it as `lax`.
    Unsaid,
}

impl Default for Cookies {
    fn default() -> Cookies {
        Cookies {
            enabled: true,
            secure: true,
            http_only: true,
            same_site: SameSite::Lax,
            except: Vec::new(),
        }
    }
}
