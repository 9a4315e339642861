//! What runs on a reading thread.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::{Error, Result, codes};
use rusqlite::{Connection, params_from_iter};
use sha2::{Digest as _, Sha256};

use super::content::RowWriter;
use super::database::Database;
use super::failure;
use super::query::{Filter, Query};
use super::resource::Resource;
use super::sql::{Statement, Window};

/// What an answer shows. It is made whole on the reading thread, so that no worker spends time on a large one.
pub(super) struct Representation {
    /// The rows: an array of objects, or one object.
    pub(super) json: Vec<u8>,
    /// The entity tag.
    pub(super) tag: String,
    /// Which rows of a collection these are.
    pub(super) range: Option<String>,
}

impl Representation {
    fn new(json: Vec<u8>, range: Option<String>) -> Representation {
        let digest = Sha256::new()
            .chain_update(&json)
            .chain_update(range.as_deref().unwrap_or_default())
            .finalize();
        // A weak one: the same rows written in other words would be as good (RFC 9110 §8.8.1).
        let tag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(&digest[..16]));
        Representation { json, tag, range }
    }
}

/// The rows that a query asks for, but no more than the route allows; and how many there are in all, where `count`
/// asks for it.
pub(super) async fn list(
    database: &Database,
    resource: &Arc<Resource>,
    query: Query<'_>,
    count: bool,
) -> Result<Representation> {
    let offset = query.offset;
    let window = Window {
        limit: query.limit.unwrap_or(resource.max_rows).min(resource.max_rows),
        offset,
    };
    let relation = resource.relation();
    let select = Statement::select(
        relation,
        &resource.at(&query.select),
        &query.filters,
        &query.order,
        window,
    );
    let count = count.then(|| Statement::count(relation, &query.filters, None));
    let (places, resource) = (query.select, Arc::clone(resource));
    database
        .read(move |connection| {
            // Rows and their number are of the same state of the table.
            let together = count.is_some().then(|| connection.unchecked_transaction()).transpose();
            let _together = together.map_err(|error| failure::to_error(error, None))?;
            let mut writer = RowWriter::array();
            write_rows(connection, &select, &resource, &places, &mut writer)?;
            let total = count
                .map(|count| count_rows(connection, &count, &resource))
                .transpose()?;
            let range = content_range(offset, writer.rows(), total);
            Ok(Representation::new(writer.finish(), Some(range)))
        })
        .await
}

/// The row with that key, as an object.
///
/// # Errors
/// `resource_not_found`.
pub(super) async fn row(
    database: &Database,
    resource: &Arc<Resource>,
    key: &[Filter<'_>],
    places: Vec<usize>,
) -> Result<Representation> {
    let window = Window { limit: 1, offset: 0 };
    let select = Statement::select(resource.relation(), &resource.at(&places), key, &[], window);
    let resource = Arc::clone(resource);
    database
        .read(move |connection| {
            let mut writer = RowWriter::object();
            write_rows(connection, &select, &resource, &places, &mut writer)?;
            if writer.rows() == 0 {
                return Err(Error::new(&codes::RESOURCE_NOT_FOUND));
            }
            Ok(Representation::new(writer.finish(), None))
        })
        .await
}

/// `0-24/3573`, with a star for what is not known, as PostgREST has it.
fn content_range(offset: u64, rows: u64, total: Option<u64>) -> String {
    let total = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
    match rows {
        0 => format!("*/{total}"),
        rows => format!("{offset}-{}/{total}", offset.saturating_add(rows - 1)),
    }
}

/// Writes the rows that a statement gives, whose columns are those at `places`.
pub(super) fn write_rows(
    connection: &Connection,
    statement: &Statement,
    resource: &Resource,
    places: &[usize],
    writer: &mut RowWriter,
) -> Result<()> {
    let failed = |error| failure::to_error(error, Some(resource));
    let columns = resource.at(places);
    let mut prepared = connection.prepare_cached(statement.text()).map_err(failed)?;
    let mut rows = prepared.query(params_from_iter(statement.values())).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        writer.write(row, &columns)?;
    }
    Ok(())
}

/// The number that a counting statement gives.
pub(super) fn count_rows(connection: &Connection, statement: &Statement, resource: &Resource) -> Result<u64> {
    let failed = |error| failure::to_error(error, Some(resource));
    let mut prepared = connection.prepare_cached(statement.text()).map_err(failed)?;
    let count: i64 = prepared
        .query_row(params_from_iter(statement.values()), |row| row.get(0))
        .map_err(failed)?;
    Ok(u64::try_from(count).expect("count(*) is never negative"))
}
