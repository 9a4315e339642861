//! How the database finds rows by a column, as far as its indexes tell.

use crate::api::Resource;
use crate::schema::Index;

/// What an index does for a filter of one column, in the words of `x-index`: `primary` (it leads the primary key),
/// `covering` (an index that it leads holds all that can be read), `seek` (it leads an index; the rest of each row is looked
/// up), `none` (all rows are gone through).
pub(super) fn class(resource: &Resource, column: usize) -> &'static str {
    let relation = &resource.relation;
    if relation.primary_key.first() == Some(&column) {
        return "primary";
    }
    let leads = |index: &&Index| {
        // A partial index is of use for some values only, and only these methods find one value.
        !index.partial
            && matches!(&*index.method, "" | "btree" | "hash")
            && index.columns.first() == Some(&Some(column))
    };
    let mut class = "none";
    for index in relation.indexes.iter().filter(leads) {
        let holds = |place: &usize| index.columns.contains(&Some(*place)) || index.included.contains(place);
        if resource.readable.iter().all(holds) {
            return "covering";
        }
        class = "seek";
    }
    class
}
