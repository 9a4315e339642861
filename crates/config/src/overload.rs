//! What the node itself can take.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units;

/// What the node itself can take. Beyond it requests are sent away at once (503 `overloaded`), those of routes with `priority: low`
/// first and those with `priority: high` last, so that the others are answered in time. By default nothing is sent away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Overload {
    /// Requests in progress on the node, over all workers, until the last byte of the response: tunnels and streams too.
    /// Requests of low priority are sent away from 80 % of it on, of normal priority from 100 %, of high priority from 120 %.
    #[schemars(range(min = 1))]
    pub requests: Option<u32>,
    /// How late the event loop of a worker may be, for 100 ms or longer: how long a request waits before anybody looks at it.
    /// Of the worker's requests a growing share is sent away while it is later; those of low priority from half of it on, of
    /// high priority from twice as much.
    #[schemars(extend("format" = "timeout"))]
    pub lag: Option<units::Duration>,
}
