//! What a database of PostgreSQL holds, found in a few questions that are asked at once.

mod queries;
mod relations;
mod routines;
mod types;
mod views;

use futures_util::future::{try_join, try_join4};
use portcullis_tables::schema::{Engine, FoundSchema, Schema};
use tokio_postgres::types::{ToSql, Type as WireType};
use tokio_postgres::{Client, Error, Row};

use self::relations::Relations;
use self::types::Types;
use crate::migrations;

/// One state of the database is read, and nothing is written. Names come with their namespace, since none is searched.
const BEGIN: &str = "begin isolation level repeatable read read only; set local search_path = ''";

/// Reads the schema.
pub(super) async fn inspect(client: &Client, namespaces: &[String]) -> Result<Schema, Error> {
    let names = namespaces.to_vec();
    let names: (&(dyn ToSql + Sync), WireType) = (&names, WireType::TEXT_ARRAY);
    let migrations: (&(dyn ToSql + Sync), WireType) = (&migrations::TABLE, WireType::TEXT);
    let one = [names.clone()];
    let two = [names, migrations];
    client.batch_execute(BEGIN).await?;
    let relations = try_join4(
        client.query_typed(queries::RELATIONS, &two),
        client.query_typed(queries::COLUMNS, &one),
        client.query_typed(queries::KEYS, &one),
        client.query_typed(queries::INDEXES, &one),
    );
    let others = try_join4(
        client.query_typed(queries::TYPES, &one),
        client.query_typed(queries::ROUTINES, &one),
        client.query_typed(queries::VIEWS, &one),
        client.batch_execute("commit"),
    );
    let ((relations, columns, keys, indexes), (types, routines, views, ())) = try_join(relations, others).await?;
    let found = put_together(
        namespaces,
        &Answers {
            relations,
            columns,
            keys,
            indexes,
            types,
            routines,
            views,
        },
    )?;
    Ok(Schema::new(Engine::Postgres, found))
}

/// A text that is another one when the schema is. It costs the database little enough to be asked every few seconds.
pub(super) async fn digest(client: &Client, namespaces: &[String]) -> Result<String, Error> {
    let names = namespaces.to_vec();
    let rows = client
        .query_typed(queries::DIGEST, &[(&names, WireType::TEXT_ARRAY)])
        .await?;
    rows.first().map_or_else(|| Ok(String::new()), |row| row.try_get(0))
}

struct Answers {
    relations: Vec<Row>,
    columns: Vec<Row>,
    keys: Vec<Row>,
    indexes: Vec<Row>,
    types: Vec<Row>,
    routines: Vec<Row>,
    views: Vec<Row>,
}

fn put_together(namespaces: &[String], answers: &Answers) -> Result<FoundSchema, Error> {
    let types = Types::new(&answers.types)?;
    let mut relations = Relations::new(&answers.relations, &answers.columns, &types)?;
    relations.add_keys(&answers.keys)?;
    relations.add_indexes(&answers.indexes)?;
    views::add_keys(&mut relations, &answers.views)?;
    let routines = routines::found(&answers.routines, &relations, &types)?;
    Ok(FoundSchema {
        namespaces: namespaces.to_vec(),
        relations: relations.finish(),
        routines,
    })
}
