//! Migrations of SQLite. Each runs in one transaction together with its record, so that it ran wholly and is recorded,
//! or neither.

use std::path::Path;

use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::{Batch, Connection, Error, OptionalExtension as _, Transaction, TransactionBehavior};

use super::connection::Session;
use crate::migrations::{self, Failure, Migration, TABLE, line_of};

/// Runs what has not run yet.
///
/// # Errors
/// Names the file, the line and the reason, in one line.
pub(super) fn run(session: &Session, folder: &Path) -> Result<(), String> {
    session
        .connection
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS portcullis_migrations \
             (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT",
        )
        .map_err(|error| format!("the migrations can't be recorded: {error}"))?;
    for migration in pending(session, folder)? {
        apply(session, &migration).map_err(|failure| failure.describe(folder, &migration.name))?;
    }
    Ok(())
}

/// Those that have not run yet. Changes nothing.
///
/// # Errors
/// As [`run`], but for failures of the migrations themselves.
pub(super) fn pending(session: &Session, folder: &Path) -> Result<Vec<Migration>, String> {
    let recorded =
        recorded(&session.connection).map_err(|error| format!("the record of migrations can't be read: {error}"))?;
    migrations::pending(folder, &recorded)
}

fn recorded(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    if !connection.table_exists(None::<&str>, TABLE)? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT name, sha256 FROM portcullis_migrations ORDER BY name")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
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

fn apply(session: &Session, migration: &Migration) -> Result<(), Failure> {
    let transaction = Transaction::new_unchecked(&session.connection, TransactionBehavior::Immediate)?;
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
    session.migrating(|| execute(&transaction, &migration.sql))?;
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
    Failure {
        line: Some(line_of(sql, at)),
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
