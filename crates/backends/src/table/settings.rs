//! From what the file says of a database to what it is opened with.

use std::path::Path;
use std::thread;

use portcullis_config::database::Database as Config;
use portcullis_config::defaults;
use portcullis_databases::settings::{Kind, Settings};

/// What the database of that name is opened with; relative paths start from `base`.
///
/// # Errors
/// The URL is of no engine that there is a driver for.
pub fn of(name: &str, config: &Config, base: &Path) -> Result<Settings, String> {
    let mut settings = Settings {
        name: name.to_owned(),
        url: config.url.expose().to_owned(),
        namespaces: config.namespaces.clone(),
        migrations: config.migrations.as_ref().map(|folder| base.join(folder)),
        connections: 0,
        queue: usize::try_from(config.queue).unwrap_or(usize::MAX).max(1),
        wait: config.pool.wait.0,
        statement_timeout: config.statement_timeout.0,
        busy_timeout: config.busy_timeout.0,
        pooled: config.pooled,
        look: config.schema_look.0,
    };
    let kind = settings.kind()?;
    if kind == Kind::Sqlite {
        settings.url = sqlite(&settings.url, base)?;
    }
    let written = config.pool.max.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
    settings.connections = written.unwrap_or_else(|| match kind {
        Kind::Sqlite => {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            cores.min(defaults::SQLITE_CONNECTIONS)
        }
        Kind::Postgres | Kind::MySql => defaults::DATABASE_CONNECTIONS as usize,
    });
    Ok(settings)
}

/// The URL of a file, with an absolute path. Relative ones start from the folder of the configuration.
fn sqlite(url: &str, base: &Path) -> Result<String, String> {
    let path = url.strip_prefix("sqlite:").unwrap_or_default();
    if path.is_empty() || path.starts_with("//") || path == ":memory:" {
        return Err(format!("`{url}` is not a database URL of the form sqlite:PATH"));
    }
    let path = std::path::absolute(base.join(path)).map_err(|error| error.to_string())?;
    let path = path.to_str().ok_or("the path of the database is no UTF-8")?;
    Ok(format!("sqlite:{path}"))
}
