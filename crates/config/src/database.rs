//! Databases.

mod url;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::url::DatabaseUrl;
pub(crate) use self::url::is_secret;
use crate::schema::form;
use crate::{defaults, units};

/// A database. Short form: its URL.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("url"))]
pub struct Database {
    /// `sqlite:PATH`, relative to the configuration file; the file is created where it is missing and there are
    /// `migrations`. `postgres://USER:PASSWORD@HOST:PORT/NAME`, or `mysql://…` for MariaDB and MySQL. A password is best put
    /// in by a variable, `postgres://shop:${SHOP_PASSWORD}@db/shop`, and is never shown. `?sslmode=` says how the server is
    /// spoken to: `disable` (the default for this machine), `require` or `verify-full` (the default for others).
    pub url: DatabaseUrl,
    /// A folder of `.sql` files, run in the order of their names, each once, at start.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub migrations: Option<PathBuf>,
    /// PostgreSQL: the schemas whose tables and functions can be used; the first is searched first. By default `public`.
    #[serde(default)]
    #[schemars(transform = form::items("database-name"), transform = form::single)]
    pub namespaces: Vec<String>,
    /// Connections to it.
    #[serde(default)]
    pub pool: Pool,
    /// Whether a pooler stands between that gives each transaction another connection, such as PgBouncer in its transaction
    /// mode: then nothing is kept on a connection.
    #[serde(default)]
    pub pooled: bool,
    /// PostgreSQL: the role that each transaction takes, by what is known of the caller.
    #[serde(default)]
    pub role: Option<DatabaseRole>,
    /// How long a statement may run (504).
    #[serde(default = "defaults::statement_timeout")]
    #[schemars(extend("format" = "timeout"))]
    pub statement_timeout: units::Duration,
    /// SQLite: how long a write waits for a lock that another process holds (503).
    #[serde(default = "defaults::busy_timeout")]
    pub busy_timeout: units::Duration,
    /// Statements that may wait for a connection; one more is refused (503).
    #[serde(default = "defaults::database_queue")]
    #[schemars(range(min = 1))]
    pub queue: u32,
    /// How often the database is asked whether its tables have changed. Requests never wait for it.
    #[serde(default = "defaults::schema_look")]
    #[schemars(extend("format" = "timeout"))]
    pub schema_look: units::Duration,
}

/// Connections to a database. Short form: how many.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("max"))]
pub struct Pool {
    /// Connections at the most, over all workers: by default 16. SQLite: connections that read, beside the one that writes, by
    /// default as many as there are cores, but 4 at the most.
    #[schemars(range(min = 1, max = 10_000))]
    pub max: Option<u32>,
    /// How long a request waits for a connection (503).
    #[schemars(extend("format" = "timeout"))]
    pub wait: units::Duration,
}

/// Which role a transaction takes (`SET LOCAL ROLE`). The caller's claims are there too, as the setting
/// `request.jwt.claims`, for policies of row security to read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseRole {
    /// The claim of the caller's token that names the role. A caller whose token has none has the role `anonymous`.
    #[serde(default = "defaults::role_claim")]
    #[schemars(length(min = 1))]
    pub claim: String,
    /// The roles that a claim may name; another one is refused (403).
    #[serde(default)]
    #[schemars(transform = form::items("database-name"), transform = form::single)]
    pub allowed: Vec<String>,
    /// The role of callers of whom nothing is known. Without it they are refused (401).
    #[serde(default)]
    #[schemars(extend("format" = "database-name"))]
    pub anonymous: Option<String>,
}

impl Default for Pool {
    fn default() -> Pool {
        defaults::database_pool()
    }
}
