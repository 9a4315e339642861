//! gRPC from browsers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;

/// Lets pages call gRPC servers: translates between gRPC-Web and gRPC. Other requests pass as they are. Of several that
/// apply to a route, the last one counts. Short form: `true` or `false`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("enabled"))]
pub struct GrpcWeb {
    /// Whether it is done: `false` takes a route out of what another set says.
    pub enabled: bool,
}

impl Default for GrpcWeb {
    fn default() -> GrpcWeb {
        GrpcWeb { enabled: true }
    }
}
