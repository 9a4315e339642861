//! The driver against a real server.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod migrating;
mod plans;
mod reading;
mod schema;
mod surviving;
mod types;
mod writing;

use std::sync::Arc;

use portcullis_core::{Error, Result};
use portcullis_servers::shared_mariadb;
use portcullis_tables::content::Format;
use portcullis_tables::output::{Output, Outputs, Shown};
use portcullis_tables::schema::Type;
use portcullis_tables::statement::{Access, Expect, Failure, Fewer, Outcome, Statement, Step};
use portcullis_tables::value::Value;

use crate::Database;
use crate::tests::{name_of, script, settings};

const INTEGER: Type = Type::Integer {
    bytes: 8,
    unsigned: false,
};

/// A database of its own on the shared server, after that SQL.
fn database(sql: &str) -> Arc<Database> {
    let server = shared_mariadb();
    let name = server.fresh_database().unwrap();
    server.run_sql(&name, sql).unwrap();
    Database::open(settings(&server.url_for(&name))).unwrap()
}

/// What the client mariadb says on the shared server.
fn ask(database: &Database, sql: &str) -> String {
    let name = name_of(database.settings());
    shared_mariadb().run_sql(name, sql).unwrap().trim_end().to_owned()
}

fn statement(text: &str, values: Vec<Value>, outputs: Outputs) -> Statement {
    Statement {
        text: text.into(),
        values,
        outputs,
    }
}

fn step(text: &str, values: Vec<Value>) -> Step {
    Step::of(statement(text, values, Outputs::NONE))
}

fn columns(columns: &[(&str, Type)], hidden: usize, checked: bool) -> Outputs {
    let shown = columns
        .iter()
        .map(|(name, kind)| Output::new(name, kind.clone()))
        .collect();
    Outputs {
        shown: if columns.is_empty() {
            Shown::Nothing
        } else {
            Shown::Columns(shown)
        },
        hidden,
        checked,
    }
}

async fn write(database: &Database, steps: Vec<Step>) -> Result<Vec<Outcome>> {
    database.run(script(Access::ReadWrite, steps), Format::Json).await
}

/// The whole answer of one statement that reads.
async fn read(database: &Database, statement: Statement) -> Result<String> {
    let script = script(Access::ReadOnly, vec![Step::of(statement)]);
    let (_, answer) = database.read(script, Format::Json, usize::MAX).await?;
    assert!(answer.rest.is_none());
    Ok(String::from_utf8(answer.outcome.body.to_vec()).unwrap())
}

/// One number that a statement gives.
async fn number(database: &Database, text: &str) -> i64 {
    let body = read(
        database,
        statement(text, Vec::new(), columns(&[("n", INTEGER)], 0, false)),
    )
    .await
    .unwrap();
    body.trim_start_matches("[{\"n\":")
        .trim_end_matches("}]")
        .parse()
        .unwrap()
}

fn least(rows: u64, fewer: Fewer) -> Expect {
    Expect {
        least: rows,
        fewer: Box::new(fewer),
        most: u64::MAX,
    }
}

fn missing() -> Fewer {
    Fewer::Fails(Failure::NotFound)
}

fn code(error: &Error) -> &'static str {
    error.code().name
}
