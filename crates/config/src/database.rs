//! Databases.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;
use crate::{defaults, units};

/// A database. Short form: its URL.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("url"))]
pub struct Database {
    /// `sqlite:PATH`, relative to the configuration file. The file is created where it is missing.
    #[schemars(extend("format" = "database-url"))]
    pub url: String,
    /// A folder of `.sql` files, run in the order of their names, each once, at start.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub migrations: Option<PathBuf>,
    /// How long a statement may run (504).
    #[serde(default = "defaults::statement_timeout")]
    #[schemars(extend("format" = "timeout"))]
    pub statement_timeout: units::Duration,
    /// How long a write waits for a lock that another process holds (503).
    #[serde(default = "defaults::busy_timeout")]
    pub busy_timeout: units::Duration,
    /// Statements that may wait for a connection; one more is refused (503).
    #[serde(default = "defaults::database_queue")]
    #[schemars(range(min = 1))]
    pub queue: u32,
}
