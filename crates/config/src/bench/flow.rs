//! What clients do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::defaults;
use super::step::Step;
use crate::schema::form;

/// What a client does, one step after another; it ends early at a step that fails. Short form: its steps, or the request of
/// the only one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("steps"))]
pub struct Flow {
    /// Its name in reports. By default the request of its first step.
    #[serde(default)]
    #[schemars(extend("format" = "label"))]
    pub name: Option<String>,
    /// How often it is chosen, compared with the others.
    #[serde(default = "defaults::weight")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub weight: u32,
    /// Its steps.
    #[schemars(length(min = 1, max = 100), transform = form::single)]
    pub steps: Vec<Step>,
}
