//! What is done while something that guards is away.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of a request when it can't be found out whether it is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It is refused (503, `guard_unavailable`).
    #[default]
    Deny,
    /// It is let in, as if there were no guard.
    Admit,
}
