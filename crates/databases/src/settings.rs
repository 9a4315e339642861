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

/// Which driver a URL is for. MariaDB and MySQL have one: which of them it is, the server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    Sqlite,
    Postgres,
    MySql,
}

impl Settings {
    /// Which driver it is for.
    ///
    /// # Errors
    /// The URL has a scheme that there is no driver for.
    pub fn kind(&self) -> Result<Kind, String> {
        match self.url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Kind::Sqlite),
            Some("postgres" | "postgresql") => Ok(Kind::Postgres),
            Some("mysql" | "mariadb") => Ok(Kind::MySql),
            // The URL may hold a password: it is not repeated.
            _ => Err("the URL begins with none of `sqlite:`, `postgres://` and `mysql://`".to_owned()),
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
