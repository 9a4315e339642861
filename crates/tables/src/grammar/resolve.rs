//! Resolving a query against an API: names become places, texts become values.

mod embed;
mod field;
mod filter;
mod group;
mod order;
mod select;
mod test;
mod union;
mod window;

use portcullis_core::Result;

pub(crate) use self::field::kind_of;
pub(super) use self::field::{Reach, resolve_field};
pub(super) use self::test::{check, resolve_test};
use super::syntax::{Budget, Condition, Placed, Query, Select, Term};
use super::{Caller, Change, refused, template};
use crate::api::{Api, Resource};
use crate::query::{Embed, Filter, Item, Read};

/// What a request reads.
pub(super) fn read(api: &Api, resource: usize, query: &Query, caller: &Caller<'_>) -> Result<Read> {
    for (given, name) in [
        (query.columns.is_some(), "columns"),
        (query.on_conflict.is_some(), "on_conflict"),
    ] {
        if given {
            return Err(refused(name, "it goes with new rows only"));
        }
    }
    let mut resolver = Resolver::new(api, caller);
    if let Some(union) = &query.union {
        return resolver.union(resource, query, union);
    }
    let mut read = resolver.node(resource, query.select.as_deref(), &Scope::of(query), None)?;
    group::check(api, &mut read, query.having.as_ref())?;
    window::place(api, &mut read, query)?;
    Ok(read)
}

/// What a change says of rows. Embeds in what it shows may have filters of their own.
pub(super) fn change(api: &Api, resource: usize, query: &Query, caller: &Caller<'_>) -> Result<Change> {
    let given = [
        (query.having.is_some(), "having"),
        (query.union.is_some(), "union"),
        (query.after.is_some(), "after"),
        (query.before.is_some(), "before"),
        (query.orders.iter().any(|order| order.path.is_empty()), "order"),
        (query.limits.iter().any(|limit| limit.path.is_empty()), "limit"),
        (query.offsets.iter().any(|offset| offset.path.is_empty()), "offset"),
    ];
    if let Some((_, name)) = given.iter().find(|(given, _)| *given) {
        return Err(refused(name, "it goes with reading a collection only"));
    }
    let mut resolver = Resolver::new(api, caller);
    let mut scope = Scope::of(query);
    let conditions = std::mem::take(&mut scope.conditions);
    let (own, deeper): (Vec<_>, Vec<_>) = conditions.into_iter().partition(|placed| placed.path.is_empty());
    scope.conditions = deeper;
    let shown = resolver.node(resource, query.select.as_deref(), &scope, None)?;
    if shown.items.iter().any(|item| matches!(item, Item::Aggregate { .. })) {
        return Err(refused("select", "a change shows rows, not computations over them"));
    }
    // A change's own rows are told by its own columns: what is embedded is looked up after it.
    let filter = resolver.filter(resource, &own, &[])?;
    let names = |names: &Option<Vec<String>>, parameter| match names {
        None => Ok(None),
        Some(names) => resolver.writable(resource, names, parameter).map(Some),
    };
    Ok(Change {
        filter,
        items: shown.items,
        columns: names(&query.columns, "columns")?,
        on_conflict: names(&query.on_conflict, "on_conflict")?,
    })
}

/// What of a query belongs to a resource and to its embeds: of each path, the names before `depth` led here.
#[derive(Clone, Default)]
struct Scope<'q> {
    depth: usize,
    conditions: Vec<&'q Placed<Condition>>,
    orders: Vec<&'q Placed<Vec<Term>>>,
    limits: Vec<&'q Placed<u64>>,
    offsets: Vec<&'q Placed<u64>>,
}

/// An embed, as it is resolved from the parent: how, and whether there is one row at the most.
#[derive(Clone, Copy)]
struct Parent {
    to_one: bool,
}

struct Resolver<'a> {
    api: &'a Api,
    caller: &'a Caller<'a>,
    budget: Budget,
}

impl<'q> Scope<'q> {
    fn of(query: &'q Query) -> Scope<'q> {
        Scope {
            depth: 0,
            conditions: query.conditions.iter().collect(),
            orders: query.orders.iter().collect(),
            limits: query.limits.iter().collect(),
            offsets: query.offsets.iter().collect(),
        }
    }

    /// What belongs to the resource itself.
    fn own<T>(&self, placed: &[&'q Placed<T>]) -> Vec<&'q Placed<T>> {
        placed
            .iter()
            .filter(|placed| placed.path.len() == self.depth)
            .copied()
            .collect()
    }

    /// What belongs to each of these embeds and below.
    fn below(&self, embeds: &[&super::syntax::Embed]) -> Result<Vec<Scope<'q>>> {
        let mut scopes: Vec<Scope<'q>> = embeds
            .iter()
            .map(|_| Scope {
                depth: self.depth + 1,
                ..Scope::default()
            })
            .collect();
        macro_rules! share {
            ($($list:ident)*) => {$(
                for placed in &self.$list {
                    if let Some(name) = placed.path.get(self.depth) {
                        let embed = embed::named(embeds, name).map_err(|problem| refused(&placed.parameter, &problem))?;
                        scopes[embed].$list.push(placed);
                    }
                }
            )*};
        }
        share!(conditions orders limits offsets);
        Ok(scopes)
    }
}

impl<'a> Resolver<'a> {
    fn new(api: &'a Api, caller: &'a Caller<'a>) -> Resolver<'a> {
        Resolver {
            api,
            caller,
            budget: Budget::new(&api.limits),
        }
    }

    fn resource(&self, place: usize) -> &'a Resource {
        &self.api.resources[place]
    }

    /// One resource of a query: the one that is asked for, or an embedded one.
    fn node(
        &mut self,
        resource: usize,
        select: Option<&[Select]>,
        scope: &Scope<'_>,
        parent: Option<Parent>,
    ) -> Result<Read> {
        let items = self.items(resource, select, scope)?;
        let filter = self.filter(resource, &scope.own(&scope.conditions), &items)?;
        let order = match scope.own(&scope.orders).first() {
            None => Vec::new(),
            Some(placed) => self
                .order(resource, &placed.what, &items)
                .map_err(|problem| refused(&placed.parameter, &problem))?,
        };
        let window = self.window(resource, scope, parent)?;
        Ok(Read {
            order,
            window,
            ..self.all(resource, items, filter)
        })
    }

    /// All of these rows that the caller may see.
    fn all(&self, resource: usize, items: Vec<Item>, filter: Option<Filter>) -> Read {
        Read::all(
            resource,
            items,
            filter,
            template::rule(self.resource(resource), self.caller),
        )
    }

    /// All of the conditions together.
    fn filter(&mut self, resource: usize, conditions: &[&Placed<Condition>], items: &[Item]) -> Result<Option<Filter>> {
        let mut filters = Vec::new();
        for placed in conditions {
            let filter = self.condition(resource, &placed.what, items);
            filters.push(filter.map_err(|problem| refused(&placed.parameter, &problem))?);
        }
        Ok(match filters.len() {
            0 | 1 => filters.pop(),
            _ => Some(Filter::And(filters)),
        })
    }
}

/// The embeds among the items, with their places.
fn embeds(items: &[Item]) -> impl Iterator<Item = (usize, &Embed)> {
    items.iter().enumerate().filter_map(|(place, item)| match item {
        Item::Embed(embed) => Some((place, &**embed)),
        _ => None,
    })
}
