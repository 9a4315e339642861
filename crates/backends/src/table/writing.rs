//! What runs on the writing thread: every change wholly, or not at all.

use std::sync::Arc;

use portcullis_core::{Error, Result, codes};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::content::{self, Given, RowWriter};
use super::database::Database;
use super::failure;
use super::percent;
use super::query::Filter;
use super::reading;
use super::resource::Resource;
use super::schema::Column;
use super::sql::{Statement, Window};

/// A change, as statements that all run in one transaction.
pub(super) struct Change {
    /// Counts the rows that would be touched, where filters say which.
    guard: Option<Statement>,
    statements: Vec<Statement>,
    shape: Shape,
    shown: Option<Vec<usize>>,
    /// Whether the statements give rows, whose columns are the shown ones and then the key's.
    gives_rows: bool,
    key: Vec<usize>,
}

/// What a change is about, and so what its answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One row: an object. It must be there.
    Object,
    /// Any number of rows: an array.
    Array,
}

/// What became of a change.
pub(super) struct Changed {
    /// The rows, where they were asked for.
    pub(super) json: Option<Vec<u8>>,
    /// The address of the one row that was inserted, encoded as a segment of a path.
    pub(super) key: Option<String>,
}

impl Change {
    /// New rows. `shown` has the places of the columns that the answer shows, if it shows any.
    pub(super) fn insert(resource: &Resource, rows: Vec<Given>, shape: Shape, shown: Option<Vec<usize>>) -> Change {
        let key = if rows.len() == 1 {
            resource.key().to_vec()
        } else {
            Vec::new()
        };
        let mut returning = resource.at(shown.as_deref().unwrap_or_default());
        returning.extend(resource.at(&key));
        let insert = |row| Statement::insert(resource.relation(), named(resource, row), &returning);
        let statements = rows.into_iter().map(insert).collect();
        Change {
            guard: None,
            statements,
            shape,
            shown,
            gives_rows: !returning.is_empty(),
            key,
        }
    }

    /// Other values for the rows that the filters let through.
    pub(super) fn update(
        resource: &Resource,
        given: Given,
        filters: &[Filter<'_>],
        shape: Shape,
        shown: Option<Vec<usize>>,
    ) -> Change {
        let relation = resource.relation();
        let guard = guard(resource, filters, shape);
        if given.is_empty() {
            // A patch that names nothing changes nothing (RFC 7396 §2), but the row must be there.
            let places = shown.clone().unwrap_or_else(|| resource.visible().to_vec());
            let window = Window {
                limit: resource.max_affected.max(1),
                offset: 0,
            };
            let statements = vec![Statement::select(relation, &resource.at(&places), filters, &[], window)];
            return Change {
                guard,
                statements,
                shape,
                shown,
                gives_rows: true,
                key: Vec::new(),
            };
        }
        let returning = resource.at(shown.as_deref().unwrap_or_default());
        let statements = vec![Statement::update(relation, named(resource, given), filters, &returning)];
        Change {
            guard,
            statements,
            shape,
            gives_rows: !returning.is_empty(),
            shown,
            key: Vec::new(),
        }
    }

    /// No more of the rows that the filters let through.
    pub(super) fn delete(
        resource: &Resource,
        filters: &[Filter<'_>],
        shape: Shape,
        shown: Option<Vec<usize>>,
    ) -> Change {
        let returning = resource.at(shown.as_deref().unwrap_or_default());
        let statements = vec![Statement::delete(resource.relation(), filters, &returning)];
        let guard = guard(resource, filters, shape);
        Change {
            guard,
            statements,
            shape,
            gives_rows: !returning.is_empty(),
            shown,
            key: Vec::new(),
        }
    }
}

/// Makes a change.
///
/// # Errors
/// `resource_not_found` where the one row is not there, `bad_query` where more rows would be touched than the route
/// allows, and whatever rule of the data the change breaks. Nothing was changed then.
pub(super) async fn run(database: &Database, resource: &Arc<Resource>, change: Change) -> Result<Changed> {
    let resource = Arc::clone(resource);
    database
        .write(move |connection| make(connection, &resource, &change))
        .await
}

fn make(connection: &Connection, resource: &Resource, change: &Change) -> Result<Changed> {
    if let Some(guard) = &change.guard
        && reading::count_rows(connection, guard, resource)? > resource.max_affected
    {
        let detail = format!(
            "the filters match more than {} rows, the limit of one change",
            resource.max_affected
        );
        return Err(Error::new(&codes::BAD_QUERY).with_detail(detail));
    }
    let mut writer = match change.shape {
        Shape::Object => RowWriter::object(),
        Shape::Array => RowWriter::array(),
    };
    let failed = |error| failure::to_error(error, Some(resource));
    let shown = resource.at(change.shown.as_deref().unwrap_or_default());
    let (mut affected, mut key) = (0, None);
    for statement in &change.statements {
        let mut prepared = connection.prepare_cached(statement.text()).map_err(failed)?;
        let values = params_from_iter(statement.values());
        if !change.gives_rows {
            affected += prepared.execute(values).map_err(failed)?;
            continue;
        }
        let mut rows = prepared.query(values).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            affected += 1;
            if change.shown.is_some() {
                writer.write(row, &shown)?;
            }
            if !change.key.is_empty() {
                key = key_segment(row, shown.len(), change.key.len());
            }
        }
    }
    if change.shape == Shape::Object && affected == 0 {
        return Err(Error::new(&codes::RESOURCE_NOT_FOUND));
    }
    Ok(Changed {
        json: change.shown.is_some().then(|| writer.finish()),
        key,
    })
}

/// Counts one more than may be touched, so that a filter on a large table is not counted to its end.
fn guard(resource: &Resource, filters: &[Filter<'_>], shape: Shape) -> Option<Statement> {
    let limit = resource.max_affected.saturating_add(1);
    (shape == Shape::Array).then(|| Statement::count(resource.relation(), filters, Some(limit)))
}

fn named(resource: &Resource, given: Given) -> Vec<(&Column, Value)> {
    let columns = resource.relation().columns();
    given
        .into_iter()
        .map(|(place, value)| (&columns[place], value))
        .collect()
}

/// The segment of a path that addresses a row: the values of its key, with commas between.
fn key_segment(row: &Row<'_>, first: usize, count: usize) -> Option<String> {
    let mut segment = String::new();
    for at in first..first + count {
        if at > first {
            segment.push(',');
        }
        let value = row
            .get_ref(at)
            .expect("the statement has a column for each part of the key");
        percent::encode_into(&mut segment, &content::key_text(value)?);
    }
    Some(segment)
}
