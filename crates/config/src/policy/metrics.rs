//! Counters for each route.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Counters and a histogram of durations for each route.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Whether to leave the route out.
    pub off: bool,
}
