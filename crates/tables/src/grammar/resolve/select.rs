//! What rows show.

use std::collections::{HashMap, HashSet};

use portcullis_core::Result;

use super::{Reach, Resolver, Scope, kind_of, resolve_field};
use crate::grammar::syntax::{self, Parsed, Select};
use crate::grammar::{refused, shown};
use crate::query::{Aggregate, Field, Item, Step};
use crate::schema::{Cast, Type};

impl Resolver<'_> {
    /// The items of a resource; without `select`, all columns that can be read.
    pub(super) fn items(&mut self, resource: usize, select: Option<&[Select]>, scope: &Scope<'_>) -> Result<Vec<Item>> {
        let Some(select) = select else {
            scope.below(&[])?;
            return Ok(self.everything(resource));
        };
        let embeds: Vec<&syntax::Embed> = select
            .iter()
            .filter_map(|select| match select {
                Select::Embed(embed) => Some(embed),
                _ => None,
            })
            .collect();
        let mut scopes = scope.below(&embeds)?.into_iter();
        let mut items = Vec::new();
        for select in select {
            match select {
                Select::Everything => items.extend(self.everything(resource)),
                Select::Embed(embed) => {
                    let scope = scopes.next().expect("each embed has its scope");
                    items.push(self.embed(resource, embed, &scope)?);
                }
                other => items.push(
                    self.item(resource, other)
                        .map_err(|problem| refused("select", &problem))?,
                ),
            }
        }
        distinct(&mut items).map_err(|problem| refused("select", &problem))?;
        Ok(items)
    }

    fn everything(&self, resource: usize) -> Vec<Item> {
        let resource = self.resource(resource);
        let item = |place: &usize| column_item(*place, resource.relation.columns[*place].name.as_str());
        resource.readable.iter().map(item).collect()
    }

    /// A column or a computation.
    pub(super) fn item(&self, resource: usize, select: &Select) -> Parsed<Item> {
        let exposed = self.resource(resource);
        match select {
            Select::Count { alias, cast } => {
                self.may_aggregate(resource)?;
                Ok(count(alias.as_deref(), *cast))
            }
            Select::Field {
                alias,
                field,
                cast,
                aggregate: None,
            } => match resolve_field(Reach::Shown(exposed), field) {
                Ok(resolved) => Ok(Item::Field {
                    name: alias.as_deref().unwrap_or_else(|| own_name(field)).into(),
                    field: resolved,
                    cast: *cast,
                }),
                // What `count()` was before it had parentheses.
                Err(_) if field.column == "count" && field.steps.is_empty() => {
                    self.may_aggregate(resource)?;
                    Ok(count(alias.as_deref(), *cast))
                }
                Err(problem) => Err(problem),
            },
            Select::Field {
                alias,
                field,
                cast,
                aggregate: Some((function, outer)),
            } => {
                self.may_aggregate(resource)?;
                let resolved = resolve_field(Reach::Shown(exposed), field)?;
                let kind = cast.map_or_else(|| kind_of(&exposed.relation, &resolved), Cast::kind);
                check_aggregate(*function, &kind, &field.column)?;
                Ok(Item::Aggregate {
                    function: *function,
                    field: Some(resolved),
                    inner_cast: *cast,
                    cast: *outer,
                    name: alias.as_deref().unwrap_or_else(|| aggregate_name(*function)).into(),
                })
            }
            Select::Everything | Select::Embed(_) => Err("a column is expected".to_owned()),
        }
    }

    fn may_aggregate(&self, resource: usize) -> Parsed<()> {
        if self.resource(resource).aggregates {
            return Ok(());
        }
        Err("computations over rows are not allowed here".to_owned())
    }
}

/// A column under its own name.
pub(super) fn column_item(column: usize, name: &str) -> Item {
    Item::Field {
        field: Field::of(column),
        name: name.into(),
        cast: None,
    }
}

fn count(alias: Option<&str>, cast: Option<Cast>) -> Item {
    Item::Aggregate {
        function: Aggregate::Count,
        field: None,
        inner_cast: None,
        cast,
        name: alias.unwrap_or("count").into(),
    }
}

/// A field's name in the answer: the column's, or the last member's that its path names.
fn own_name(field: &syntax::Field) -> &str {
    let last = field.steps.iter().rev().find_map(|step| match step {
        Step::Member(name) => Some(name.as_str()),
        Step::Item(_) => None,
    });
    last.unwrap_or(&field.column)
}

fn aggregate_name(function: Aggregate) -> &'static str {
    match function {
        Aggregate::Count => "count",
        Aggregate::Sum => "sum",
        Aggregate::Average => "avg",
        Aggregate::Minimum => "min",
        Aggregate::Maximum => "max",
    }
}

fn check_aggregate(function: Aggregate, kind: &Type, column: &str) -> Parsed<()> {
    let is_number = matches!(
        kind,
        Type::Integer { .. } | Type::Real | Type::Decimal | Type::Numeric | Type::Interval | Type::Any
    );
    let is_ordered = !matches!(
        kind,
        Type::Json { .. } | Type::Boolean | Type::Bytes | Type::Composite | Type::SearchVector | Type::Uuid
    );
    let fits = match function {
        Aggregate::Count => true,
        Aggregate::Sum | Aggregate::Average => is_number,
        Aggregate::Minimum | Aggregate::Maximum => is_ordered,
    };
    if fits {
        return Ok(());
    }
    let (column, name) = (shown(column), aggregate_name(function));
    Err(format!(
        "`{name}` doesn't go with `{column}`, which holds {}; a cast may help",
        kind.description()
    ))
}

/// Leaves out what stands there twice, and refuses a name that stands there for two things.
pub(super) fn distinct(items: &mut Vec<Item>) -> Parsed<()> {
    // What stands there twice has the same name, so that only those need to be compared.
    let mut places: HashMap<Box<str>, usize> = HashMap::with_capacity(items.len());
    let mut kept: Vec<Item> = Vec::with_capacity(items.len());
    for item in items.drain(..) {
        let place = places.entry(name_of(&item).into()).or_insert(kept.len());
        if kept.get(*place) != Some(&item) {
            kept.push(item);
        }
    }
    *items = kept;
    let mut names = HashSet::with_capacity(items.len());
    for name in names_of(items) {
        if !names.insert(name) {
            let name = shown(name);
            return Err(format!(
                "`{name}` would stand for two things; name one of them otherwise: NAME:{name}"
            ));
        }
    }
    Ok(())
}

fn name_of(item: &Item) -> &str {
    match item {
        Item::Field { name, .. } | Item::Aggregate { name, .. } | Item::Origin { name } => name,
        Item::Embed(embed) => &embed.name,
    }
}

/// The names of all members of a row, of what is spread into it too.
fn names_of(items: &[Item]) -> Vec<&str> {
    let mut names = Vec::new();
    for item in items {
        match item {
            Item::Field { name, .. } | Item::Aggregate { name, .. } | Item::Origin { name } => names.push(&**name),
            Item::Embed(embed) if embed.spread => names.extend(names_of(&embed.read.items)),
            Item::Embed(embed) if embed.is_shown() => names.push(&*embed.name),
            Item::Embed(_) => {}
        }
    }
    names
}
