//! What must hold of a run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;

/// What must hold of a run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Objective {
    /// Of all requests: `p99 < 50ms`.
    Of(String),
    /// Of routes, by their names: `orders: p99 < 20ms`.
    #[schemars(transform = form::keys("label"))]
    ByRoute(BTreeMap<String, String>),
}
