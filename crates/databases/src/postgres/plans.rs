//! Plans of statements as they are with whatever values, and as they would be with an index that there is not.
//!
//! Indexes are imagined by the extension HypoPG, in the memory of one connection: nobody else sees them.

use std::time::Duration;

use portcullis_tables::output::Outputs;
use portcullis_tables::statement::Statement;
use tokio_postgres::Error;

use super::connection::Connection;
use super::explain;
use super::failure::describe;
use crate::plans::{Answered, Question};

/// How long one plan may take.
const LONGEST: Duration = Duration::from_secs(10);

/// Answers one question after the other.
///
/// # Errors
/// The connection is lost.
pub(super) async fn answers(connection: &Connection, questions: &[Question]) -> Result<Vec<Answered>, String> {
    let hypopg = namespace(connection).await.map_err(|error| describe(&error))?;
    let mut answers = Vec::with_capacity(questions.len());
    for question in questions {
        let answer = tokio::time::timeout(LONGEST, answer(connection, hypopg.as_deref(), question)).await;
        let answer = answer.map_err(|_| "the server is silent".to_owned())?;
        if connection.is_closed() {
            return Err("the connection is lost".to_owned());
        }
        answers.push(answer.map_err(|error| describe(&error)));
    }
    Ok(answers)
}

/// Where the functions of HypoPG are, where it is installed in this database.
async fn namespace(connection: &Connection) -> Result<Option<String>, Error> {
    let rows = connection
        .client
        .query(
            "select quote_ident(n.nspname) from pg_catalog.pg_extension e \
             join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = 'hypopg'",
            &[],
        )
        .await?;
    rows.first().map(|row| row.try_get(0)).transpose()
}

async fn answer(connection: &Connection, hypopg: Option<&str>, question: &Question) -> Result<Option<String>, Error> {
    let Some(index) = &question.index else {
        return plan(connection, question).await.map(Some);
    };
    let Some(namespace) = hypopg else { return Ok(None) };
    let client = &connection.client;
    client
        .query(&format!("select {namespace}.hypopg_create_index($1)::text"), &[index])
        .await?;
    let plan = plan(connection, question).await;
    client
        .batch_execute(&format!("select {namespace}.hypopg_reset()"))
        .await?;
    plan.map(Some)
}

async fn plan(connection: &Connection, question: &Question) -> Result<String, Error> {
    let statement = Statement {
        text: question.text.clone(),
        values: Vec::new(),
        outputs: Outputs::NONE,
    };
    let plan = explain::explain(connection, &statement).await;
    if plan.is_err() {
        // It may have ended within its transaction.
        connection.client.batch_execute("rollback").await?;
    }
    plan
}
