//! Running migrations. One gate of a cluster runs them, by a lock of the server. Statements that define tables commit what
//! was done before by themselves; so a file can't be taken back as a whole, and what is recorded tells how far it came: its
//! line is written before its first statement, in the same transaction, and completed after the last. Where a file fails
//! before anything was committed, its line is gone with it. Else the line stays, incomplete, and no gate runs anything until
//! somebody has set the database right.

use std::path::Path;

use mysql_async::Error;
use mysql_async::prelude::Queryable as _;

use super::failure::describe;
use super::session::Session;
use crate::migrations::{Failure, Migration, TABLE, pending};

/// How long another gate may take with its migrations.
const WAIT_SECONDS: u32 = 600;

/// A line of the record: name, digest, and whether all of the file was run.
type Recorded = (String, String, bool);

/// Runs what has not run yet.
///
/// # Errors
/// One line: the file, and what is wrong with it.
pub(super) async fn run(session: &mut Session, folder: &Path) -> Result<(), String> {
    let failed = |error: Error| format!("migrations can't be recorded: {}", describe(&error));
    let connection = session.connection();
    // The lock is the server's: so its name has the database's.
    let lock = format!("SELECT GET_LOCK(CONCAT(MD5(DATABASE()), ' {TABLE}'), {WAIT_SECONDS})");
    let locked: Option<Option<u8>> = connection.query_first(lock).await.map_err(failed)?;
    if locked.flatten() != Some(1) {
        return Err("migrations can't begin: another one runs them all the time".to_owned());
    }
    let create = format!(
        "CREATE TABLE IF NOT EXISTS {TABLE} (name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, \
         sha256 CHAR(64) CHARACTER SET ascii NOT NULL, applied_at TIMESTAMP NULL) ENGINE = InnoDB"
    );
    connection.query_drop(create).await.map_err(failed)?;
    for migration in pending(folder, &recorded(session).await?)? {
        apply(session, &migration)
            .await
            .map_err(|failure| failure.describe(folder, &migration.name))?;
    }
    // It goes with the connection, which is closed after this.
    Ok(())
}

/// Whether something has not run yet.
///
/// # Errors
/// One line: what can't be read, that what ran is not the beginning of what there is, or that something ran in half.
pub(super) async fn are_pending(session: &mut Session, folder: &Path) -> Result<bool, String> {
    let question = format!(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '{TABLE}'"
    );
    let there: Option<u64> = session
        .connection()
        .query_first(question)
        .await
        .map_err(|error| unreadable(&error))?;
    let recorded = if there == Some(1) {
        recorded(session).await?
    } else {
        Vec::new()
    };
    Ok(!pending(folder, &recorded)?.is_empty())
}

/// What ran.
async fn recorded(session: &mut Session) -> Result<Vec<(String, String)>, String> {
    let question = format!("SELECT name, sha256, applied_at IS NOT NULL FROM {TABLE} ORDER BY name");
    let lines: Vec<Recorded> = session
        .connection()
        .query(question)
        .await
        .map_err(|error| unreadable(&error))?;
    let mut complete = Vec::with_capacity(lines.len());
    for (name, sha256, is_complete) in lines {
        if !is_complete {
            return Err(format!(
                "{name}: the migration ran in part and failed; bring the database to where it was before and delete the \
                 line from the table {TABLE}, or to where it should be and set the line's applied_at"
            ));
        }
        complete.push((name, sha256));
    }
    Ok(complete)
}

async fn apply(session: &mut Session, migration: &Migration) -> Result<(), Failure> {
    let failure = |error: Error| Failure {
        line: None,
        reason: describe(&error),
    };
    let connection = session.connection();
    connection.query_drop("SET autocommit = 1").await.map_err(failure)?;
    connection
        .query_drop("START TRANSACTION READ WRITE")
        .await
        .map_err(failure)?;
    let insert = format!("INSERT INTO {TABLE} (name, sha256, applied_at) VALUES (?, ?, NULL)");
    connection
        .exec_drop(insert, (&migration.name, &migration.sha256))
        .await
        .map_err(failure)?;
    if let Err((count, error)) = statements(session, &migration.sql).await {
        return Err(take_back(session, migration, count, &error).await);
    }
    let connection = session.connection();
    let update = format!("UPDATE {TABLE} SET applied_at = CURRENT_TIMESTAMP WHERE name = ?");
    connection
        .exec_drop(update, (&migration.name,))
        .await
        .map_err(failure)?;
    connection.query_drop("COMMIT").await.map_err(failure)?;
    // What the migration set for the session must not outlive it.
    session.begin_anew().await.map_err(failure)
}

/// Runs all statements of a file; the server finds where each ends. Tells how many were done before one failed.
async fn statements(session: &mut Session, sql: &str) -> Result<(), (usize, Error)> {
    let mut count = 0;
    let mut result = match session.connection().query_iter(sql).await {
        Ok(result) => result,
        // A file of comments only.
        Err(Error::Server(error)) if error.code == 1065 => return Ok(()),
        Err(error) => return Err((count, error)),
    };
    loop {
        // The rows of one statement; behind them comes what the next one came to.
        match result.next().await {
            Ok(Some(_)) => {}
            Ok(None) if result.is_empty() => break,
            Ok(None) => count += 1,
            Err(error) => return Err((count + 1, error)),
        }
    }
    match result.drop_result().await {
        // Behind the last semicolon there may be comments.
        Err(Error::Server(error)) if error.code == 1065 => Ok(()),
        ended => ended.map_err(|error| (count + 1, error)),
    }
}

/// Takes back what can be, and says what became of the file.
async fn take_back(session: &mut Session, migration: &Migration, count: usize, error: &Error) -> Failure {
    let connection = session.connection();
    let question = format!("SELECT COUNT(*) FROM {TABLE} WHERE name = ?");
    let rolled_back = connection.query_drop("ROLLBACK").await;
    let left: Result<Option<u64>, Error> = connection.exec_first(question, (&migration.name,)).await;
    let statement = format!("statement {}: {}", count + 1, describe(error));
    let all_gone = match (rolled_back, left) {
        (Ok(()), Ok(Some(0))) => true,
        // The first statement committed the line, and failed: nothing else had been done.
        (Ok(()), Ok(Some(_))) if count == 0 => {
            let delete = format!("DELETE FROM {TABLE} WHERE name = ?");
            connection.exec_drop(delete, (&migration.name,)).await.is_ok()
        }
        _ => false,
    };
    let became = if all_gone {
        "nothing of the file has happened"
    } else {
        "statements before it were committed by themselves and stay"
    };
    Failure {
        line: None,
        reason: format!("{statement}; {became}"),
    }
}

fn unreadable(error: &Error) -> String {
    format!("the record of migrations can't be read: {}", describe(error))
}
