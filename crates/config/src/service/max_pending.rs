//! Requests that wait for a target.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;
use crate::{defaults, units};

/// Requests that wait while every target has all that `max_connections` allows. Short form: how many.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("requests"))]
pub struct MaxPending {
    /// How many at a time, over all workers (503 beyond it). With 0 nobody waits.
    pub requests: u32,
    /// For how long (503 then).
    #[schemars(extend("format" = "timeout"))]
    pub timeout: units::Duration,
}

impl Default for MaxPending {
    fn default() -> Self {
        defaults::max_pending()
    }
}
