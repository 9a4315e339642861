//! How many requests may be in progress at a time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults::policies as defaults;
use crate::policy::rate_limit::RateLimitKey;
use crate::schema::form;
use crate::units;

/// How many requests of a client may be in progress at a time (429, `too_many_in_progress`). Counted exactly over all workers
/// of this node, and through reloads. Short form: the limit.
///
/// A request is in progress until the last byte of its answer is there, or the client has gone. WebSockets and streams count
/// for as long as they are open.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("limit"))]
pub struct Concurrency {
    /// How many may be in progress.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub limit: u32,
    /// What tells clients apart. Of several, such as `[consumer, route]`, each combination has its own count.
    #[serde(default = "defaults::concurrency_by")]
    #[schemars(length(min = 1, max = 4), transform = form::single)]
    pub by: Vec<RateLimitKey>,
    /// How many more may wait for their turn, in the order in which they came. By default none.
    #[serde(default)]
    #[schemars(range(max = 1000))]
    pub queue: u16,
    /// How long they wait; then they are refused.
    #[serde(default = "defaults::concurrency_wait")]
    #[schemars(extend("format" = "timeout"))]
    pub wait: units::Duration,
}
