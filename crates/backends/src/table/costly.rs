//! Refusing what would read a large table from end to end.

use portcullis_core::{Error, Result, codes};
use portcullis_tables::api::Resource;
use portcullis_tables::content::Format;
use portcullis_tables::doctor::unindexed::{indexed, unindexed};
use portcullis_tables::query::Read;
use portcullis_tables::sql;

use super::Asked;
use super::count::row_form;
use super::negotiation::Form;

/// Columns that a refusal names.
const MOST_NAMED: usize = 20;

impl Asked<'_> {
    /// Refuses a question that no index helps where the table has too many rows for it. The schema tells which; where the
    /// plan of the same statement is known by now and reads no such table from end to end, the plan is right.
    ///
    /// # Errors
    /// `unindexed_query`, with columns that have an index.
    pub(super) fn refuse_costly(&self, read: &Read) -> Result<()> {
        let Some(most) = self.table.reject_full_scan else {
            return Ok(());
        };
        let found = unindexed(self.api, read);
        if found.is_empty() {
            return Ok(());
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
        let Some(found) = found.into_iter().find(|found| is_large(&resources[found.resource])) else {
            return Ok(());
        };
        let resource = &resources[found.resource];
        let form = row_form(self.api.schema().engine(), Form::Rows(Format::Json));
        let statement = sql::read(self.api, read, form)?;
        if let Some(plan) = self.table.open.plans().plan(&statement.text)
            && !plan
                .reads_all()
                .any(|relation| relation == resource.relation.name.as_str())
        {
            return Ok(());
        }
        Err(Error::new(&codes::UNINDEXED_QUERY).with_detail(detail(resource)))
    }
}

fn detail(resource: &Resource) -> String {
    let named = indexed(resource).take(MOST_NAMED);
    let named: Vec<String> = named
        .map(|column| format!("`{}`", resource.relation.columns[column].name.as_str()))
        .collect();
    match named.is_empty() {
        true => format!(
            "`{}` has no column that can be filtered by and has an index",
            resource.name
        ),
        false => format!(
            "of `{}` these columns have an index: {}",
            resource.name,
            named.join(", ")
        ),
    }
}
