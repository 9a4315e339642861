//! Targets that are left alone for what requests met.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Percent;
use crate::{defaults, units};

/// When a target is left alone for a while because of what requests met. A failure is a connection that could not be made, one that
/// broke off, a time that was over, and the statuses 502, 503 and 504. The only target of a service is never left
/// alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Outlier {
    /// Leave no target alone, whatever requests meet.
    pub off: bool,
    /// So many failures in a row. With 0 they don't matter.
    pub consecutive: u32,
    /// So large a share of failures in an `interval`. By default it doesn't matter.
    pub error_rate: Option<Percent>,
    /// A mean latency in an `interval` of more than so many times the median of the other targets'. By default it doesn't
    /// matter.
    #[schemars(range(min = 2, max = 1000))]
    pub latency: Option<u32>,
    /// How many requests to a target in an `interval` are enough to judge it by `error_rate` and `latency`.
    #[schemars(range(min = 1))]
    pub min_requests: u32,
    /// How often `error_rate` and `latency` are judged. Each interval without anything against a target makes the next
    /// ejection shorter by `eject` again.
    #[schemars(extend("format" = "timeout"))]
    pub interval: units::Duration,
    /// How long a target is left alone the first time. Each time that soon follows is longer by as much.
    #[schemars(extend("format" = "timeout"))]
    pub eject: units::Duration,
    /// How long it is at the most.
    #[schemars(extend("format" = "timeout"))]
    pub max_eject: units::Duration,
    /// The share of the targets that may be left alone at a time. One may always be, and one never is.
    pub max_ejected: Percent,
}

impl Default for Outlier {
    fn default() -> Self {
        defaults::outlier()
    }
}
