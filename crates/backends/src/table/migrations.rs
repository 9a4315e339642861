//! Migrations: `.sql` files of a folder, run in the order of their names, forward only. Each runs in one transaction
//! together with its record, so that it ran wholly and is recorded, or neither.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Batch, Connection, Error, OptionalExtension as _, TransactionBehavior};
use sha2::{Digest as _, Sha256};

use super::schema::MIGRATIONS_TABLE;

/// Migrations in one folder.
const MAX_FILES: usize = 10_000;
/// Bytes of one migration.
const MAX_BYTES: u64 = 16 << 20;

/// One file.
struct Migration {
    name: String,
    sql: String,
    sha256: String,
}

/// Runs what has not run yet.
///
/// # Errors
/// Names the file, the line and the reason, in one line.
pub(super) fn run(connection: &mut Connection, folder: &Path) -> Result<(), String> {
    let migrations = read(folder)?;
    connection
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS portcullis_migrations \
             (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT",
        )
        .map_err(|error| format!("the migrations can't be recorded: {error}"))?;
    let pending = compare(migrations, &recorded(connection)?)?;
    let guard = Guard::install(connection).map_err(|error| error.to_string())?;
    for migration in pending {
        apply(connection, &migration, &guard).map_err(|failure| {
            let file = folder.join(&migration.name);
            let line = failure.line.map(|line| format!(":{line}")).unwrap_or_default();
            format!("{}{line}: {}", file.display(), failure.reason.replace('\n', " "))
        })?;
    }
    connection
        .authorizer(None::<fn(AuthContext<'_>) -> Authorization>)
        .map_err(|error| error.to_string())
}

/// How many have not run yet. Changes nothing.
///
/// # Errors
/// As [`run`], but for failures of the migrations themselves.
pub(super) fn pending(connection: &Connection, folder: &Path) -> Result<usize, String> {
    Ok(compare(read(folder)?, &recorded(connection)?)?.len())
}

/// Those that have not run yet, unless what ran is not the beginning of what there is.
fn compare(migrations: Vec<Migration>, recorded: &[(String, String)]) -> Result<Vec<Migration>, String> {
    let mut migrations = migrations.into_iter();
    for (name, sha256) in recorded {
        match migrations.next() {
            Some(migration) if migration.name == *name => {
                if migration.sha256 != *sha256 {
                    return Err(format!(
                        "{name}: the migration was changed after it ran; restore it and add a new one"
                    ));
                }
            }
            Some(migration) if migration.name < *name => {
                let early = migration.name;
                return Err(format!(
                    "{early}: the migration comes before {name}, which ran already; rename it"
                ));
            }
            _ => {
                return Err(format!(
                    "{name}: the migration ran earlier and is missing now; restore it"
                ));
            }
        }
    }
    Ok(migrations.collect())
}

fn read(folder: &Path) -> Result<Vec<Migration>, String> {
    let in_folder = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(in_folder)? {
        let name = entry.map_err(in_folder)?.file_name();
        let name = name
            .into_string()
            .map_err(|name| format!("{}: the name is not UTF-8", name.display()))?;
        if name.ends_with(".sql") {
            names.push(name);
        }
        if names.len() > MAX_FILES {
            return Err(format!(
                "{}: there are more than {MAX_FILES} migrations",
                folder.display()
            ));
        }
    }
    names.sort_unstable();
    names.into_iter().map(|name| read_file(folder, name)).collect()
}

fn read_file(folder: &Path, name: String) -> Result<Migration, String> {
    let path = folder.join(&name);
    let in_file = |error: std::io::Error| format!("{}: {error}", path.display());
    if std::fs::metadata(&path).map_err(in_file)?.len() > MAX_BYTES {
        return Err(format!(
            "{}: the file is larger than {} MiB",
            path.display(),
            MAX_BYTES >> 20
        ));
    }
    let sql = std::fs::read_to_string(&path).map_err(in_file)?;
    let mut sha256 = String::with_capacity(64);
    for byte in Sha256::digest(&sql) {
        write!(sha256, "{byte:02x}").expect("a String takes every write");
    }
    Ok(Migration { name, sql, sha256 })
}

fn recorded(connection: &Connection) -> Result<Vec<(String, String)>, String> {
    let read = || -> rusqlite::Result<Vec<(String, String)>> {
        if !connection.table_exists(None::<&str>, MIGRATIONS_TABLE)? {
            return Ok(Vec::new());
        }
        let mut statement = connection.prepare("SELECT name, sha256 FROM portcullis_migrations ORDER BY name")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    };
    read().map_err(|error| format!("the record of migrations can't be read: {error}"))
}

/// Why a migration did not run.
struct Failure {
    /// The line of the statement at fault, from 1; nothing where it is none of the migration's own.
    line: Option<usize>,
    reason: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let reason = match error {
            // Its own text repeats the rest of the file.
            Error::SqlInputError { msg, .. } => msg,
            other => other.to_string(),
        };
        Failure { line: None, reason }
    }
}

fn apply(connection: &mut Connection, migration: &Migration, guard: &Guard) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process that starts at the same time may have been first.
    let ran: Option<String> = transaction
        .query_row(
            "SELECT sha256 FROM portcullis_migrations WHERE name = ?1",
            [&migration.name],
            |row| row.get(0),
        )
        .optional()?;
    if ran.as_ref() == Some(&migration.sha256) {
        return Ok(());
    }
    guard.around(|| execute(&transaction, &migration.sql))?;
    transaction.execute(
        "INSERT INTO portcullis_migrations (name, sha256, applied_at) \
         VALUES (?1, ?2, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
        [&migration.name, &migration.sha256],
    )?;
    transaction.commit()?;
    Ok(())
}

/// Runs one statement after another.
fn execute(connection: &Connection, sql: &str) -> Result<(), Failure> {
    let mut batch = Batch::new(connection, sql);
    // Where the statement begins that comes next.
    let mut start = 0;
    loop {
        let mut statement = match batch.next() {
            Ok(Some(statement)) => statement,
            Ok(None) => return Ok(()),
            Err(error) => {
                let at = match &error {
                    Error::SqlInputError { sql: rest, offset, .. } => {
                        sql.len().saturating_sub(rest.len()) + usize::try_from(*offset).unwrap_or_default()
                    }
                    _ => first_word(sql, start),
                };
                return Err(failed(sql, at, error));
            }
        };
        let text = statement.expanded_sql().unwrap_or_default();
        let begin = sql[start..].find(&text).map_or(start, |skipped| start + skipped);
        statement
            .raw_query()
            .next()
            .map_err(|error| failed(sql, first_word(sql, begin), error))?;
        start = (begin + text.len()).min(sql.len());
    }
}

fn failed(sql: &str, at: usize, error: Error) -> Failure {
    let before = &sql.as_bytes()[..at.min(sql.len())];
    Failure {
        line: Some(before.iter().filter(|byte| **byte == b'\n').count() + 1),
        ..Failure::from(error)
    }
}

/// Where what follows `at` begins, behind white space and comments.
fn first_word(sql: &str, at: usize) -> usize {
    let mut rest = sql.get(at..).unwrap_or_default();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
        let comment = if rest.starts_with("--") {
            rest.find('\n')
        } else if rest.starts_with("/*") {
            rest.find("*/").map(|end| end + 2)
        } else {
            None
        };
        match comment {
            Some(length) => rest = &rest[length..],
            None => return sql.len() - rest.len(),
        }
    }
}

/// Keeps a migration from ending our transaction, after which it could run by halves, and from attaching files, which
/// reaches out of its database. It stands only around the migration's own statements.
struct Guard(Arc<AtomicBool>);

impl Guard {
    fn install(connection: &mut Connection) -> rusqlite::Result<Guard> {
        let standing = Arc::new(AtomicBool::new(false));
        let guard = Guard(Arc::clone(&standing));
        connection.authorizer(Some(move |context: AuthContext<'_>| match context.action {
            AuthAction::Transaction { .. } | AuthAction::Attach { .. } | AuthAction::Detach { .. }
                if standing.load(Ordering::Relaxed) =>
            {
                Authorization::Deny
            }
            _ => Authorization::Allow,
        }))?;
        Ok(guard)
    }

    fn around<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.store(true, Ordering::Relaxed);
        let outcome = work();
        self.0.store(false, Ordering::Relaxed);
        outcome
    }
}
