//! The tables that a question reads, with what decides how their rows are found.

use crate::api::{Api, Join, Resource};
use crate::query::{Comparison, Field, Is, OrderBy, Quantifier};
use crate::query::{Filter, Item, Order, Read, Test};

/// One table of a question.
pub(super) struct Part<'q> {
    /// The resource, by its place in the API.
    pub(super) place: usize,
    pub(super) resource: &'q Resource,
    /// Columns that have the values of another table's row.
    pub(super) joined: &'q [usize],
    /// Conditions that all must hold.
    pub(super) conditions: Vec<&'q Filter>,
    pub(super) order: &'q [Order],
    pub(super) items: &'q [Item],
    /// Whether reading ends at a number of rows.
    pub(super) is_limited: bool,
}

/// How a condition could be looked up in an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// By one value, or several.
    Equal,
    /// By where values begin and end.
    Range,
    /// In an index that is made for what columns contain.
    Content,
    /// Not at all.
    None,
}

/// All tables of a question: its own first, then those that are embedded or united with it.
pub(super) fn parts<'q>(api: &'q Api, read: &'q Read) -> Vec<Part<'q>> {
    let mut found = Vec::new();
    add(api, read, &[], &mut found);
    found
}

fn add<'q>(api: &'q Api, read: &'q Read, joined: &'q [usize], found: &mut Vec<Part<'q>>) {
    let resource = &api.resources()[read.resource];
    let computes = read.items.iter().any(|item| matches!(item, Item::Aggregate { .. }));
    let mut conditions = Vec::new();
    read.filter
        .iter()
        .chain(&read.rule)
        .for_each(|filter| flatten(filter, &mut conditions));
    found.push(Part {
        place: read.resource,
        resource,
        joined,
        conditions,
        order: &read.order,
        items: &read.items,
        is_limited: read.window.limit.is_some() && !computes,
    });
    for item in &read.items {
        let Item::Embed(embed) = item else { continue };
        match &resource.relationships[embed.relationship].join {
            Join::Direct { there, .. } => add(api, &embed.read, there, found),
            Join::Through {
                between, from, there, ..
            } => {
                found.push(Part {
                    place: *between,
                    resource: &api.resources()[*between],
                    joined: from,
                    conditions: embed.through_rule.iter().collect(),
                    order: &[],
                    items: &[],
                    is_limited: false,
                });
                add(api, &embed.read, there, found);
            }
        }
    }
    for member in read.union.iter().flat_map(|union| &union.members) {
        add(api, member, &[], found);
    }
}

fn flatten<'q>(filter: &'q Filter, conditions: &mut Vec<&'q Filter>) {
    match filter {
        Filter::And(all) => all.iter().for_each(|filter| flatten(filter, conditions)),
        one => conditions.push(one),
    }
}

/// The column that a condition tests, and how an index could answer it.
pub(super) fn lookup(filter: &Filter) -> Option<(usize, Lookup)> {
    let Filter::Test { field, test } = filter else {
        return None;
    };
    if !field.path.is_empty() {
        return None;
    }
    let lookup = match test {
        Test::Compare(Comparison::Equal, _) | Test::In(_) | Test::Is(Is::Null) => Lookup::Equal,
        Test::Quantified(Comparison::Equal, Quantifier::Any, _) => Lookup::Equal,
        Test::Compare(Comparison::NotEqual, _) | Test::Quantified(Comparison::NotEqual, ..) => Lookup::None,
        Test::Compare(..) | Test::Quantified(_, Quantifier::All, _) => Lookup::Range,
        Test::Search(_) | Test::Contain(..) | Test::Range(..) => Lookup::Content,
        // An index of three-letter pieces answers patterns.
        Test::Like { .. } | Test::QuantifiedLike { .. } | Test::Match { .. } => Lookup::Content,
        Test::Quantified(..) | Test::Is(_) | Test::Distinct(_) => Lookup::None,
    };
    Some((field.column, lookup))
}

/// The columns that an order goes by, and whether they run the same way, so that one index can have them in that order.
pub(super) fn order_columns(order: &[Order]) -> Option<Vec<usize>> {
    let same_way = order.windows(2).all(|pair| pair[0].descending == pair[1].descending);
    let columns = order.iter().map(|term| match &term.by {
        OrderBy::Field(Field { column, path, .. }) if path.is_empty() => Some(*column),
        _ => None,
    });
    columns.collect::<Option<Vec<_>>>().filter(|_| same_way)
}
