//! Plans of statements, made on a copy of the schema in memory: with its statistics the planner decides there as it does
//! over the file, and an index that is tried out is made in no time, since there is nothing to be indexed.

use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, Result, params_from_iter};

use super::connection::Session;
use super::execute;
use crate::plans::{Answered, Question};

/// Tables in which `ANALYZE` leaves its numbers, and their columns.
const STATISTICS: [(&str, &str); 2] = [
    ("sqlite_stat1", "tbl, idx, stat"),
    ("sqlite_stat4", "tbl, idx, neq, nlt, ndlt, sample"),
];

/// How long one plan may take.
const LONGEST: Duration = Duration::from_secs(5);

/// A copy of the schema, for plans.
pub(super) fn copy(from: &Session) -> Result<Session> {
    let from = &from.connection;
    let to = Session::new(Connection::open_in_memory()?, Duration::ZERO)?;
    // Tables that an extension keeps for itself come with the extension's own. Views are last: they name all else.
    let mut statement = from.prepare(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND type IN ('table', 'index', 'view') \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         AND name NOT IN (SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow') \
         ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END, rowid",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // What can't be made there, such as a table of an extension that isn't loaded, no statement can read either.
        let _ = to.connection.execute_batch(row.get_ref(0)?.as_str()?);
    }
    // Makes the tables of statistics, which are empty.
    to.connection.execute_batch("ANALYZE")?;
    for (table, columns) in STATISTICS {
        if from.table_exists(Some("main"), table)? && to.connection.table_exists(Some("main"), table)? {
            statistics(from, &to.connection, table, columns)?;
        }
    }
    // A table without numbers is taken for one of a million rows, which errs on the safe side.
    to.connection.execute_batch("ANALYZE sqlite_schema")?;
    Ok(to)
}

fn statistics(from: &Connection, to: &Connection, table: &str, columns: &str) -> Result<()> {
    to.execute(&format!("DELETE FROM {table}"), [])?;
    let count = columns.split(',').count();
    let places = vec!["?"; count].join(", ");
    let mut insert = to.prepare(&format!("INSERT INTO {table} ({columns}) VALUES ({places})"))?;
    let mut statement = from.prepare(&format!("SELECT {columns} FROM main.{table}"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let values = (0..count)
            .map(|at| row.get::<_, Value>(at))
            .collect::<Result<Vec<_>>>()?;
        insert.execute(params_from_iter(values))?;
    }
    Ok(())
}

/// The plan that answers a question.
pub(super) fn answer(session: &Session, question: &Question) -> Answered {
    let text = |error: rusqlite::Error| error.to_string();
    let _running = session.limit(LONGEST);
    let Some(index) = &question.index else {
        return execute::plan(session, &question.text).map(Some).map_err(text);
    };
    let connection = &session.connection;
    connection.execute_batch("SAVEPOINT imagined").map_err(text)?;
    let plan = connection
        .execute_batch(index)
        .and_then(|()| execute::plan(session, &question.text));
    connection
        .execute_batch("ROLLBACK TO imagined; RELEASE imagined")
        .map_err(text)?;
    plan.map(Some).map_err(text)
}
