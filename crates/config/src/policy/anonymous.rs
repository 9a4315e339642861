//! Those who show nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;

/// Lets in those who show no credential of any kind that the route understands. Without it they are refused (401). One
/// that is wrong or has expired is refused all the same. Of several that apply to a
/// route, the last one counts. Short form: `true` or `false`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("enabled"))]
pub struct Anonymous {
    /// Whether they are let in: `false` takes a route out of what another set says.
    pub enabled: bool,
    /// What they are called, to backends (`X-Consumer`), limits and rules. By default they are nobody.
    #[schemars(extend("format" = "label"))]
    pub name: Option<String>,
    /// What they are, for rules.
    pub roles: Vec<String>,
}

impl Default for Anonymous {
    fn default() -> Anonymous {
        Anonymous {
            enabled: true,
            name: None,
            roles: Vec::new(),
        }
    }
}
