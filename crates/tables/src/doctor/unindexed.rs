//! Which questions no index helps, told from the schema alone: it is known before a question is asked the first time.
//!
//! Of a view nothing is told, since what lies below it isn't known. A condition that can't be looked up in an index, such
//! as `neq`, counts as none. Where a plan says that a table isn't read from end to end, the plan is right.

use super::part::{Lookup, Part, lookup, order_columns, parts};
use crate::api::{Api, Resource};
use crate::query::{Filter, Read};
use crate::schema::{Kind, Relation};

/// A table that a question would read from end to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unindexed {
    /// The resource, by its place in the API.
    pub resource: usize,
    /// Columns of the conditions or the order, none of which begins an index; none where there are no such.
    pub columns: Vec<usize>,
    /// What makes it read all.
    pub why: Why,
}

/// What makes a question read all of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// None of its conditions can be looked up.
    Filter,
    /// There is no condition, and the order is none that an index has.
    Order,
    /// Its rows are found by those of another table, for each of them anew.
    Join,
    /// There is neither condition nor limit.
    Whole,
}

/// The tables that a question would read from end to end.
pub fn unindexed(api: &Api, read: &Read) -> Vec<Unindexed> {
    parts(api, read).iter().filter_map(judged).collect()
}

/// The columns of a resource that can be filtered by and begin an index, in the order of the file.
pub fn indexed(resource: &Resource) -> impl Iterator<Item = usize> {
    let filterable = resource.filterable.iter().copied();
    filterable.filter(|column| begins_index(&resource.relation, *column, Lookup::Equal))
}

fn judged(part: &Part<'_>) -> Option<Unindexed> {
    let relation = &part.resource.relation;
    if relation.kind == Kind::View {
        return None;
    }
    let found = |columns: Vec<usize>, why| {
        Some(Unindexed {
            resource: part.place,
            columns,
            why,
        })
    };
    if part
        .conditions
        .iter()
        .any(|condition| is_supported(relation, condition))
    {
        return None;
    }
    if !part.joined.is_empty() {
        let any = part
            .joined
            .iter()
            .any(|column| begins_index(relation, *column, Lookup::Equal));
        return if any {
            None
        } else {
            found(part.joined.to_vec(), Why::Join)
        };
    }
    if !part.conditions.is_empty() {
        let mut columns = Vec::new();
        part.conditions
            .iter()
            .for_each(|condition| columns_of(condition, &mut columns));
        return found(columns, Why::Filter);
    }
    if !part.is_limited {
        return found(Vec::new(), Why::Whole);
    }
    match order_columns(part.order) {
        Some(columns) => match columns.first() {
            Some(first) if !begins_index(relation, *first, Lookup::Range) => found(columns, Why::Order),
            _ => None,
        },
        None => found(Vec::new(), Why::Order),
    }
}

/// Whether an index finds the rows that pass it.
fn is_supported(relation: &Relation, filter: &Filter) -> bool {
    match filter {
        Filter::And(all) => all.iter().any(|filter| is_supported(relation, filter)),
        // Of none, nothing passes.
        Filter::Or(any) => any.iter().all(|filter| is_supported(relation, filter)),
        Filter::Not(_) | Filter::Embedded { .. } => false,
        Filter::Keys { .. } => true,
        Filter::Test { .. } => lookup(filter).is_some_and(|(column, lookup)| begins_index(relation, column, lookup)),
    }
}

fn begins_index(relation: &Relation, column: usize, wanted: Lookup) -> bool {
    // The key of a table that is stored in its order has no index of its own.
    let is_tree = matches!(wanted, Lookup::Equal | Lookup::Range);
    if is_tree && relation.primary_key.first() == Some(&column) {
        return true;
    }
    relation.indexes.iter().filter(|index| !index.partial).any(|index| {
        let begins = index.columns.first() == Some(&Some(column));
        let holds = index.columns.contains(&Some(column));
        match (wanted, &*index.method) {
            (Lookup::Equal | Lookup::Range, "btree") | (Lookup::Equal, "hash") => begins,
            (Lookup::Content, "gin" | "gist" | "spgist" | "fts5" | "fulltext") => holds,
            _ => false,
        }
    })
}

fn columns_of(filter: &Filter, columns: &mut Vec<usize>) {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().for_each(|filter| columns_of(filter, columns)),
        Filter::Not(filter) => columns_of(filter, columns),
        Filter::Test { field, .. } if !columns.contains(&field.column) => columns.push(field.column),
        Filter::Test { .. } | Filter::Embedded { .. } | Filter::Keys { .. } => {}
    }
}
