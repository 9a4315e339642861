//! Where the gate keeps what it is told to remember.

pub mod soft;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the gate keeps what it is told to remember: what must not be lost in the one store, and what may in the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stores {
    /// The durable store: keys that operators add (`api_key` with `store`), units used of a `quota`, and the answers that
    /// `idempotency` repeats. `sqlite:PATH`, relative to the configuration file; the file is created where it is missing, and
    /// nobody else may write it. By default `portcullis.db` in the folder that `state` names; without either, what needs the
    /// store can't be used.
    #[schemars(extend("format" = "sqlite-url"))]
    pub durable: Option<String>,
    /// The soft store, whose counts may be lost.
    pub soft: soft::SoftStore,
}
