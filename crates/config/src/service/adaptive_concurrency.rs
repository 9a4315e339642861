//! How many requests a service has in progress, found by latency.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults;

/// A limit for the requests that a service has in progress on this node, which follows what the service can take: it rises while
/// answers are as quick as ever, and falls when they take longer because requests wait for each other. What exceeds it is
/// answered at once (503 `upstream_overloaded`). A request counts until the head of its response is there; what streams on is limited
/// by `max_connections`. Several nodes share a service by this without knowing of each other. `adaptive_concurrency: {}` takes all
/// defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdaptiveConcurrency {
    /// The least limit. The limit begins here, and what is measured here counts as the time of an answer that waited for
    /// nothing; so it should be what the service can take at any time.
    #[schemars(range(min = 1))]
    pub min: u32,
    /// The limit never exceeds this.
    #[schemars(range(min = 1))]
    pub max: u32,
}

impl Default for AdaptiveConcurrency {
    fn default() -> Self {
        defaults::adaptive_concurrency()
    }
}

impl AdaptiveConcurrency {
    /// What can't be meant, and where.
    pub(crate) fn contradictions(&self) -> Option<(&'static str, String)> {
        (self.max < self.min).then(|| ("max", format!("is less than `min`, which is {}", self.min)))
    }
}
