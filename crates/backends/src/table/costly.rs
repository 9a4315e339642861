//! Refusing what would read a large table from end to end.

use portcullis_core::{Error, Result, codes};
use portcullis_tables::api::Resource;
use portcullis_tables::content::Format;
use portcullis_tables::doctor::unindexed::{indexed, unindexed};
use portcullis_tables::grammar;
use portcullis_tables::query::{Filter, Read};
use portcullis_tables::sql::{self, RowForm};

use super::Asked;

/// Columns that a refusal names.
const MOST_NAMED: usize = 20;

impl Asked<'_> {
    /// Refuses a question that no index helps where the table has too many rows for it. The schema tells which; where the
    /// plan of the same statement is known by now and reads no such table from end to end, the plan is right.
    ///
    /// # Errors
    /// `unindexed_query`, with columns that have an index.
    pub(super) fn refuse_costly(&self, read: &Read) -> Result<()> {
        let Some(resource) = self.costly(read) else {
            return Ok(());
        };
        let statement = sql::read(self.api, read, RowForm::of(Format::Json))?;
        let relation = resource.relation.name.as_str();
        let plan = self.table.open.plans().plan(&statement.text);
        if plan.is_some_and(|plan| !plan.reads_all().any(|read| read == relation)) {
            return Ok(());
        }
        Err(refusal(resource))
    }

    /// The same of a change of the rows that a filter lets through. To change all rows, a route has to allow it.
    ///
    /// # Errors
    /// `unindexed_query`, with columns that have an index.
    pub(super) fn refuse_costly_change(&self, resource: usize, filter: Option<&Filter>) -> Result<()> {
        let (Some(filter), Some(_)) = (filter, self.table.reject_full_scan) else {
            return Ok(());
        };
        let rule = grammar::rule(self.api, resource, &self.caller);
        let read = Read::all(resource, Vec::new(), Some(filter.clone()), rule);
        self.costly(&read).map_or(Ok(()), |resource| Err(refusal(resource)))
    }

    /// The resource whose table is too large to be read whole, as a question would by what the schema tells.
    fn costly(&self, read: &Read) -> Option<&Resource> {
        let most = self.table.reject_full_scan?;
        let found = unindexed(self.api, read);
        if found.is_empty() {
            return None;
        }
        // The newest numbers: those of the API are as old as itself.
        let schema = self.table.open.database().schema();
        let resources = self.api.resources();
        let is_large = |resource: &Resource| {
            let relation = &resource.relation;
            let name = format!("{}.{}", relation.namespace.as_str(), relation.name.as_str());
            let newest = schema.relation(&name).and_then(|(_, relation)| relation.estimated_rows);
            newest.or(relation.estimated_rows).is_some_and(|rows| rows >= most)
        };
        let found = found.into_iter().find(|found| is_large(&resources[found.resource]))?;
        Some(&resources[found.resource])
    }
}

fn refusal(resource: &Resource) -> Error {
    let named = indexed(resource).take(MOST_NAMED);
    let named: Vec<String> = named
        .map(|column| format!("`{}`", resource.relation.columns[column].name.as_str()))
        .collect();
    let detail = if named.is_empty() {
        format!(
            "`{}` has no column that can be filtered by and has an index",
            resource.name
        )
    } else {
        format!(
            "of `{}` these columns have an index: {}",
            resource.name,
            named.join(", ")
        )
    };
    Error::new(&codes::UNINDEXED_QUERY).with_detail(detail)
}
