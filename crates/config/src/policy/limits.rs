//! How large a request may be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units;

/// How large a request may be.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes of the body (413).
    pub body: units::ByteSize,
}
