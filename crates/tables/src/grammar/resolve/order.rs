//! `order`.

use super::embed::has_aggregate;
use super::{Reach, Resolver, embeds, resolve_field};
use crate::grammar::shown;
use crate::grammar::syntax::{self, Parsed, Term};
use crate::query::{Field, Item, Order, OrderBy};
use crate::schema::did_you_mean;

impl Resolver<'_> {
    /// The terms of an order. One that stands there twice has no say the second time.
    pub(super) fn order(&self, resource: usize, terms: &[Term], items: &[Item]) -> Parsed<Vec<Order>> {
        let mut order: Vec<Order> = Vec::new();
        for term in terms {
            let by = match &term.embed {
                None => self.own_term(resource, &term.field, items)?,
                Some(name) => self.embedded_term(resource, name, &term.field, items)?,
            };
            if order.iter().all(|earlier| earlier.by != by) {
                order.push(Order {
                    by,
                    descending: term.descending,
                    nulls: term.nulls,
                });
            }
        }
        Ok(order)
    }

    fn own_term(&self, resource: usize, field: &syntax::Field, items: &[Item]) -> Parsed<OrderBy> {
        let grouped = has_aggregate(items);
        let resolved = resolve_field(Reach::Filtered(self.resource(resource)), field);
        if !grouped {
            return resolved.map(OrderBy::Field);
        }
        // A group has no columns but those that it is made by.
        if field.steps.is_empty() {
            for (place, item) in items.iter().enumerate() {
                match item {
                    Item::Aggregate { name, .. } if **name == *field.column => return Ok(OrderBy::Item(place)),
                    Item::Field { name, .. } if **name == *field.column => return Ok(OrderBy::Item(place)),
                    _ => {}
                }
            }
        }
        let resolved = resolved?;
        let place = items
            .iter()
            .position(|item| matches!(item, Item::Field { field, .. } if *field == resolved));
        place.map(OrderBy::Item).ok_or_else(|| {
            let name = shown(&field.column);
            format!("groups can't be ordered by `{name}`, which is not in `select`")
        })
    }

    fn embedded_term(&self, resource: usize, name: &str, field: &syntax::Field, items: &[Item]) -> Parsed<OrderBy> {
        let Some((place, embed)) = embeds(items).find(|(_, embed)| *embed.name == *name) else {
            let suggestion = did_you_mean(name, embeds(items).map(|(_, embed)| &*embed.name));
            return Err(format!("`{}` is not embedded by `select`{suggestion}", shown(name)));
        };
        let relationship = &self.resource(resource).relationships[embed.relationship];
        if !relationship.to_one {
            return Err(format!(
                "there may be several of `{}`, so that rows have no order by it",
                shown(name)
            ));
        }
        let target = Reach::Filtered(self.resource(relationship.target));
        let by_alias = || alias_of(&embed.read.items, &field.column).filter(|_| field.steps.is_empty());
        match resolve_field(target, field) {
            Ok(field) => Ok(OrderBy::Embedded(place, field)),
            Err(problem) => match by_alias() {
                Some(field) if self.resource(relationship.target).filterable.contains(&field.column) => {
                    Ok(OrderBy::Embedded(place, field))
                }
                _ => Err(problem),
            },
        }
    }
}

/// The field that an answer shows under that name.
fn alias_of(items: &[Item], alias: &str) -> Option<Field> {
    items.iter().find_map(|item| match item {
        Item::Field {
            field,
            name,
            cast: None,
        } if **name == *alias => Some(field.clone()),
        _ => None,
    })
}
