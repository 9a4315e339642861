//! What a database is opened with.

use std::path::PathBuf;
use std::time::Duration;

/// What a database is opened with.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Its name in the file, for messages.
    pub name: String,
    /// Where it is: `sqlite:PATH` (absolute by now), `postgres://…` or `mysql://…`. It may hold a password, so nothing
    /// prints it.
    pub url: String,
    /// The namespaces that are looked at; empty for the engine's usual one.
    pub namespaces: Vec<String>,
    /// A folder of migrations.
    pub migrations: Option<PathBuf>,
    /// Connections at the most, over all workers. SQLite: threads that read.
    pub connections: usize,
    /// Requests that may wait for a connection; one more is refused.
    pub queue: usize,
    /// How long a request waits for a connection.
    pub wait: Duration,
    /// How long a statement may run where its script doesn't say less.
    pub statement_timeout: Duration,
    /// SQLite: how long a write waits for a lock that another process holds.
    pub busy_timeout: Duration,
    /// Whether a pooler that gives each transaction another connection stands between (PgBouncer): then nothing is kept
    /// on a connection, neither prepared statements nor settings.
    pub pooled: bool,
    /// How often the database is asked whether its schema changed.
    pub look: Duration,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("name", &self.name).finish_non_exhaustive()
    }
}
