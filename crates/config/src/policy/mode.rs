//! Whether a policy that judges refuses, or only tells.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether what is found wrong is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is counted and let pass: to see what would be refused.
    Report,
}
