//! How the server would execute a statement.

use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_tables::statement::Statement;
use portcullis_tables::value::Value;
use tokio_postgres::{Error, Row};

use super::connection::{Connection, Ready};
use super::values::Parameter;

/// Names of prepared statements, which the connections behind a pooler must not share.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The plan of a statement with its values. Without any, where it takes some: the one plan for whatever values. In JSON.
pub(super) async fn explain(connection: &Connection, statement: &Statement) -> Result<String, Error> {
    let client = &connection.client;
    client.batch_execute("begin read only").await?;
    let plan = if statement.values.is_empty() && takes_values(&statement.text) {
        generic(connection, &statement.text).await
    } else {
        let text = format!("explain (format json) {}", statement.text);
        ask(connection, &text, &statement.values).await
    };
    client.batch_execute("rollback").await?;
    plan
}

async fn generic(connection: &Connection, text: &str) -> Result<String, Error> {
    let name = format!("portcullis_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    ask(connection, "set local plan_cache_mode = force_generic_plan", &[]).await?;
    ask(connection, &format!("prepare {name} as {text}"), &[]).await?;
    let count = "select cardinality(parameter_types)::int4 from pg_catalog.pg_prepared_statements where name = $1";
    let rows = rows(connection, count, &[Value::Text(name.clone())]).await?;
    let values: i32 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
    let nulls = vec!["null"; usize::try_from(values).unwrap_or(0)].join(", ");
    let nulls = if nulls.is_empty() { nulls } else { format!("({nulls})") };
    let plan = ask(connection, &format!("explain (format json) execute {name}{nulls}"), &[]).await;
    if plan.is_ok() {
        ask(connection, &format!("deallocate {name}"), &[]).await?;
    }
    plan
}

/// Whether there is a placeholder, or what looks like one.
fn takes_values(text: &str) -> bool {
    text.as_bytes()
        .windows(2)
        .any(|pair| pair[0] == b'$' && pair[1].is_ascii_digit())
}

async fn ask(connection: &Connection, text: &str, values: &[Value]) -> Result<String, Error> {
    let rows = rows(connection, text, values).await?;
    let document = rows.first().map(|row| row.try_get::<_, Document>(0)).transpose()?;
    Ok(document.map(|document| document.0).unwrap_or_default())
}

/// A statement that goes by itself, in the extended protocol: it can be one only.
async fn rows(connection: &Connection, text: &str, values: &[Value]) -> Result<Vec<Row>, Error> {
    use futures_util::TryStreamExt as _;
    let values = values
        .iter()
        .map(|value| Parameter(std::borrow::Cow::Borrowed(value)))
        .collect();
    let stream = connection.execute(&Ready::Unnamed(text.into()), values).await?;
    stream.try_collect().await
}

/// JSON as its text.
struct Document(String);

impl<'r> tokio_postgres::types::FromSql<'r> for Document {
    fn from_sql(
        _: &tokio_postgres::types::Type,
        bytes: &'r [u8],
    ) -> Result<Document, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Document(String::from_utf8(bytes.to_vec())?))
    }

    fn accepts(_: &tokio_postgres::types::Type) -> bool {
        true
    }
}
