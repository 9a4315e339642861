//! Services that are left alone as a whole.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Percent;
use crate::{defaults, units};

/// When a service is left alone as a whole, so that it can recover, and clients are answered at once (503 `circuit_open`, with
/// `Retry-After`) instead of waiting for a failure. A failure is an attempt without a connection, one that broke off, one whose time was
/// over, and one with the status 502, 503 or 504. `circuit_breaker: {}` takes all defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CircuitBreaker {
    /// So large a share of failures opens the circuit: nothing is sent then.
    pub errors: Percent,
    /// With fewer attempts than this in a `window` it stays closed, whatever failed.
    #[schemars(range(min = 1))]
    pub min_requests: u32,
    /// How far back attempts count, a second at least.
    #[schemars(extend("format" = "timeout"))]
    pub window: units::Duration,
    /// For how long nothing is sent. After that a few requests are, as probes.
    #[schemars(extend("format" = "timeout"))]
    pub open: units::Duration,
    /// How many probes are sent. When all of them have passed the circuit closes; when one fails it opens again.
    #[schemars(range(min = 1))]
    pub probes: u32,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        defaults::circuit_breaker()
    }
}
