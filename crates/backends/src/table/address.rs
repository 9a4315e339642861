//! What a path leads to: the collection, or the row with a key.

use rusqlite::types::Value;

use super::percent;
use super::query::{Comparison, Filter, Test, parse_value};
use super::resource::{Place, Resource};
use super::schema::ValueType;

/// What a path leads to.
#[derive(Debug)]
pub(super) enum Address<'r> {
    /// All rows.
    Collection,
    /// The row for which all of these hold.
    Row(Vec<Filter<'r>>),
}

impl<'r> Address<'r> {
    /// Reads what of the path lies below the collection. `None` where there can't be a row: more than one segment
    /// below it, or a key that is no value of the key's columns.
    pub(super) fn parse(path: &str, base_segments: usize, resource: &'r Resource) -> Option<Address<'r>> {
        let path = path.strip_prefix('/').unwrap_or(path);
        if path.is_empty() {
            return (base_segments == 0).then_some(Address::Collection);
        }
        let mut below = path.split('/').skip(base_segments);
        match (below.next(), below.next()) {
            (None, _) => Some(Address::Collection),
            (Some(segment), None) => key_filters(segment, resource).map(Address::Row),
            (Some(_), Some(_)) => None,
        }
    }

    /// Which kind of thing it is.
    pub(super) fn place(&self) -> Place {
        match self {
            Address::Collection => Place::Collection,
            Address::Row(_) => Place::Row,
        }
    }
}

fn key_filters<'r>(segment: &str, resource: &'r Resource) -> Option<Vec<Filter<'r>>> {
    let columns = resource.at(resource.key());
    // A comma between two parts stands as it is; one inside of a part is encoded. A key of one part has none between.
    let parts: Vec<&str> = if columns.len() == 1 {
        vec![segment]
    } else {
        segment.split(',').collect()
    };
    if segment.is_empty() || columns.is_empty() || parts.len() != columns.len() {
        return None;
    }
    let filter = |(column, part): (_, &str)| {
        let column: &'r super::schema::Column = column;
        let value = parse_value(column, &percent::decode(part)?).ok()?;
        // `7.5` may be compared with an integer, but it is nobody's key.
        if column.value_type() == ValueType::Integer && !matches!(value, Value::Integer(_)) {
            return None;
        }
        Some(Filter {
            column,
            negated: false,
            test: Test::Compare(Comparison::Equal, value),
        })
    };
    columns.into_iter().zip(parts).map(filter).collect()
}
