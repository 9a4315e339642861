//! Unions: rows of several resources of one shape.

use portcullis_core::Result;

use super::embed::is_read;
use super::{Reach, Resolver, Scope, kind_of, select};
use crate::grammar::syntax::{self, Parsed, Query, Select};
use crate::grammar::{refused, shown};
use crate::query::{Filter, Item, OrderBy, Read, Union};
use crate::schema::{Cast, Type, did_you_mean};

/// The column that tells of which resource a row is.
const ORIGIN: &str = "$resource";

impl Resolver<'_> {
    /// A read of a resource with others.
    pub(super) fn union(&mut self, resource: usize, query: &Query, union: &syntax::Union) -> Result<Read> {
        let union_refused = |problem: String| refused("union", &problem);
        let members = self.members(resource, &union.resources).map_err(union_refused)?;
        for (given, name) in [
            (query.having.is_some(), "having"),
            (query.after.is_some(), "after"),
            (query.before.is_some(), "before"),
        ] {
            if given {
                return Err(refused(name, "it doesn't go with `union`"));
            }
        }
        let everything = self.common(resource, &members);
        let items = self.shape(resource, query, &everything)?;
        let scope = Scope::of(query);
        let order = match scope.own(&scope.orders).first() {
            None => Vec::new(),
            Some(placed) => self
                .order(resource, &placed.what, &items)
                .map_err(|problem| refused(&placed.parameter, &problem))?,
        };
        let filter = self.member_filter(resource, &scope)?;
        let window = self.window(resource, &scope, None)?;
        let mut resolved = Vec::new();
        for member in members {
            let shape = self.shape(member, query, &everything)?;
            self.same_shape(resource, &items, member, &shape)
                .map_err(union_refused)?;
            for term in &order {
                self.has_column(resource, member, &term.by)
                    .map_err(|problem| refused("order", &problem))?;
            }
            let filter = self.member_filter(member, &scope)?;
            resolved.push(self.all(member, shape, filter));
        }
        Ok(Read {
            order,
            window,
            union: Some(Union {
                distinct: union.distinct,
                members: resolved,
            }),
            ..self.all(resource, items, filter)
        })
    }

    fn members(&self, resource: usize, names: &[String]) -> Parsed<Vec<usize>> {
        let mut members = Vec::new();
        for name in names {
            let found = self.api.resource(name).filter(|(_, found)| is_read(found));
            let Some((place, _)) = found else {
                let known = self
                    .api
                    .resources
                    .iter()
                    .filter(|known| is_read(known))
                    .map(|resource| &*resource.name);
                return Err(format!(
                    "there is no resource `{}`{}",
                    shown(name),
                    did_you_mean(name, known)
                ));
            };
            if place == resource || members.contains(&place) {
                return Err(format!("`{}` is part of it twice", shown(name)));
            }
            members.push(place);
        }
        Ok(members)
    }

    /// The names of the columns that all of them have, with the same type: what `*` stands for.
    fn common(&self, resource: usize, members: &[usize]) -> Vec<String> {
        let first = self.resource(resource);
        let columns = first.readable.iter().map(|place| &first.relation.columns[*place]);
        let in_all = |name: &str, kind: &Type| {
            members.iter().all(|member| {
                let member = self.resource(*member);
                let place = Reach::Shown(member).column(name);
                place.is_some_and(|place| member.relation.columns[place].kind == *kind)
            })
        };
        columns
            .filter(|column| in_all(column.name.as_str(), &column.kind))
            .map(|column| column.name.as_str().to_owned())
            .collect()
    }

    /// What a row of that member shows.
    fn shape(&self, resource: usize, query: &Query, everything: &[String]) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        for select in query.select.as_deref().unwrap_or(&[Select::Everything]) {
            match select {
                Select::Everything => {
                    let exposed = self.resource(resource);
                    items.extend(everything.iter().filter_map(|name| {
                        let place = Reach::Shown(exposed).column(name)?;
                        Some(select::column_item(place, name))
                    }));
                }
                Select::Field {
                    alias,
                    field,
                    cast: None,
                    aggregate: None,
                } if field.column == ORIGIN && field.steps.is_empty() => items.push(Item::Origin {
                    name: alias.as_deref().unwrap_or(ORIGIN).into(),
                }),
                Select::Field { aggregate: None, .. } => {
                    let item = self.item(resource, select).map_err(|problem| {
                        refused("select", &format!("of `{}`: {problem}", self.resource(resource).name))
                    })?;
                    items.push(item);
                }
                Select::Field { .. } | Select::Count { .. } | Select::Embed(_) => {
                    return Err(refused("select", "a union shows columns and `$resource` only"));
                }
            }
        }
        select::distinct(&mut items).map_err(|problem| refused("select", &problem))?;
        Ok(items)
    }

    fn member_filter(&mut self, member: usize, scope: &Scope<'_>) -> Result<Option<Filter>> {
        let deeper = scope.conditions.iter().find(|placed| !placed.path.is_empty());
        match deeper {
            Some(placed) => Err(refused(&placed.parameter, "a union has no embeds")),
            None => self.filter(member, &scope.conditions, &[]),
        }
    }

    /// Whether the items of a member hold what the first one's hold.
    fn same_shape(&self, first: usize, items: &[Item], member: usize, shape: &[Item]) -> Parsed<()> {
        let kind = |resource: usize, item: &Item| match item {
            Item::Field { field, cast, .. } => {
                Some(cast.map_or_else(|| kind_of(&self.resource(resource).relation, field), Cast::kind))
            }
            _ => None,
        };
        for (item, other) in items.iter().zip(shape) {
            if kind(first, item) != kind(member, other) {
                let name = match item {
                    Item::Field { name, .. } => name,
                    _ => ORIGIN,
                };
                let (first, member) = (&self.resource(first).name, &self.resource(member).name);
                let name = shown(name);
                return Err(format!(
                    "`{name}` of `{first}` and of `{member}` are of different types; cast them"
                ));
            }
        }
        Ok(())
    }

    fn has_column(&self, first: usize, member: usize, by: &OrderBy) -> Parsed<()> {
        let OrderBy::Field(field) = by else {
            return Ok(());
        };
        let name = self.resource(first).relation.columns[field.column].name.as_str();
        match Reach::Filtered(self.resource(member)).column(name) {
            Some(_) => Ok(()),
            None => Err(format!(
                "rows of `{}` can't be ordered by `{name}`",
                self.resource(member).name
            )),
        }
    }
}
