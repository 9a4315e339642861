//! What requests are worth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the requests of a route are worth while the node is at its limit; see `overload`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// They are sent away last: health checks of others, logins, payments.
    High,
    /// They are sent away when the node is at its limit.
    #[default]
    Normal,
    /// They are sent away before the node is at its limit: reports, crawlers, prefetching.
    Low,
}
