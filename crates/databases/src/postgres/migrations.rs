//! Running migrations: one file at a time, each in a transaction of its own, which holds a lock that every gate of the
//! cluster takes. So each file runs once, wholly or not at all, whoever starts first.

use std::path::Path;

use tokio_postgres::error::ErrorPosition;
use tokio_postgres::{Client, Error};

use super::failure::describe;
use crate::migrations::{Failure, Migration, TABLE, line_of, pending};

/// The lock's key: `portcull` in ASCII. It ends with the transaction, so that it holds through a pooler too.
const LOCK: &str = "select pg_advisory_xact_lock(8102099357864587372)";

/// Runs what has not run yet.
///
/// # Errors
/// One line: the file, and what is wrong with it.
pub(super) async fn run(client: &Client, folder: &Path) -> Result<(), String> {
    let failed = |error: Error| format!("migrations can't be recorded: {}", describe(&error));
    // What a transaction that began has found left: others may have run some of it meanwhile.
    let mut left: Option<(usize, std::vec::IntoIter<Migration>)> = None;
    loop {
        client.batch_execute("begin read write").await.map_err(failed)?;
        client.batch_execute(LOCK).await.map_err(failed)?;
        let create = format!(
            "create table if not exists public.{TABLE} \
             (name text primary key, sha256 text not null, applied_at timestamptz not null default now())"
        );
        client.batch_execute(&create).await.map_err(failed)?;
        let recorded = recorded(client).await.map_err(failed)?;
        let mut rest = match left.take() {
            Some((count, rest)) if count == recorded.len() => rest,
            _ => pending(folder, &recorded)?.into_iter(),
        };
        let Some(migration) = rest.next() else {
            return client.batch_execute("commit").await.map_err(failed);
        };
        apply(client, &migration)
            .await
            .map_err(|failure| failure.describe(folder, &migration.name))?;
        left = Some((recorded.len() + 1, rest));
    }
}

/// Whether something has not run yet.
///
/// # Errors
/// One line: what can't be read, or that what ran is not the beginning of what there is.
pub(super) async fn are_pending(client: &Client, folder: &Path) -> Result<bool, String> {
    let failed = |error: Error| format!("the record of migrations can't be read: {}", describe(&error));
    let there = format!("select to_regclass('public.{TABLE}') is not null");
    let there: bool = client
        .query_one(&there, &[])
        .await
        .and_then(|row| row.try_get(0))
        .map_err(failed)?;
    let recorded = if there {
        recorded(client).await.map_err(failed)?
    } else {
        Vec::new()
    };
    Ok(!pending(folder, &recorded)?.is_empty())
}

async fn recorded(client: &Client) -> Result<Vec<(String, String)>, Error> {
    let text = format!("select name, sha256 from public.{TABLE} order by name collate \"C\"");
    let rows = client.query_typed(&text, &[]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn apply(client: &Client, migration: &Migration) -> Result<(), Failure> {
    let failure = |error: Error| Failure {
        line: None,
        reason: describe(&error),
    };
    let before = transaction(client).await.map_err(failure)?;
    client.batch_execute(&migration.sql).await.map_err(|error| Failure {
        line: line(&error, &migration.sql),
        reason: describe(&error),
    })?;
    if transaction(client).await.map_err(failure)? != before {
        return Err(Failure {
            line: None,
            reason: "the migration ends its transaction, which is ours to end".to_owned(),
        });
    }
    let record = format!("insert into public.{TABLE} (name, sha256) values ($1, $2)");
    client
        .execute(&record, &[&migration.name, &migration.sha256])
        .await
        .map_err(failure)?;
    client.batch_execute("commit").await.map_err(failure)?;
    // What the migration set for the session must not outlive it.
    client.batch_execute("discard all").await.map_err(failure)
}

/// The transaction's number, which it gets by being asked for it.
async fn transaction(client: &Client) -> Result<String, Error> {
    client
        .query_one("select pg_current_xact_id()::text", &[])
        .await?
        .try_get(0)
}

/// The line that the server points at. It counts characters, from 1.
fn line(error: &Error, sql: &str) -> Option<usize> {
    let ErrorPosition::Original(position) = error.as_db_error()?.position()? else {
        return None;
    };
    let character = usize::try_from(*position).ok()?.saturating_sub(1);
    let at = sql.char_indices().nth(character).map_or(sql.len(), |(at, _)| at);
    Some(line_of(sql, at))
}
