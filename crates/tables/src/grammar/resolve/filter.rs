//! Conditions.

use super::{Reach, Resolver, embeds, kind_of, resolve_field, resolve_test};
use crate::grammar::syntax::{Condition, Operation, Parsed};
use crate::query::{Filter, Is, Item};

impl Resolver<'_> {
    /// A condition on rows of the resource, or on whether its embeds have rows.
    pub(super) fn condition(&mut self, resource: usize, condition: &Condition, items: &[Item]) -> Parsed<Filter> {
        let (filter, negated) = match condition {
            Condition::Group { negated, any, parts } => {
                let parts = parts
                    .iter()
                    .map(|part| self.condition(resource, part, items))
                    .collect::<Parsed<Vec<Filter>>>()?;
                (if *any { Filter::Or(parts) } else { Filter::And(parts) }, *negated)
            }
            Condition::Test {
                field,
                negated,
                operation,
            } => {
                if let Operation::Is(is @ (Is::Null | Is::NotNull)) = operation
                    && field.steps.is_empty()
                    && let Some((item, _)) = embeds(items).find(|(_, embed)| *embed.name == *field.column)
                {
                    let present = (*is == Is::NotNull) != *negated;
                    return Ok(Filter::Embedded { item, present });
                }
                let exposed = self.resource(resource);
                let field = resolve_field(Reach::Filtered(exposed), field)?;
                let kind = kind_of(&exposed.relation, &field);
                let engine = self.api.schema.engine();
                let test = resolve_test(&kind, operation, engine, exposed.patterns, &mut self.budget)?;
                (Filter::Test { field, test }, *negated)
            }
        };
        Ok(if negated { Filter::Not(Box::new(filter)) } else { filter })
    }
}
