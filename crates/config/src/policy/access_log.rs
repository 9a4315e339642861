//! A line for each request.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A line for each request, written by a thread of its own. When that can't keep up, lines are dropped and counted;
/// requests never wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessLog {
    /// Writes nothing: for a route that shall be left out.
    pub off: bool,
    /// A file to append to, relative to the configuration file. By default standard output.
    #[schemars(extend("format" = "path"))]
    pub file: Option<PathBuf>,
    /// A template such as `{client} "{method} {path}" {status} {bytes_out} {duration_ms}`. By default a JSON object.
    #[schemars(length(min = 1))]
    pub template: Option<String>,
}
