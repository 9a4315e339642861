//! Groups: computations over rows, and conditions on them.

use portcullis_core::Result;

use super::kind_of;
use crate::api::{Api, Resource};
use crate::grammar::syntax::{Condition, Operation, Parsed};
use crate::grammar::{literal, refused, shown};
use crate::query::{Aggregate, Comparison, Having, Item, Read};
use crate::schema::{Cast, Type, did_you_mean};
use crate::value::Value;

/// Puts the conditions on groups into a read.
pub(super) fn check(api: &Api, read: &mut Read, having: Option<&Condition>) -> Result<()> {
    let Some(having) = having else {
        return Ok(());
    };
    let resource = &api.resources[read.resource];
    if !read.items.iter().any(|item| matches!(item, Item::Aggregate { .. })) {
        return Err(refused("having", "it goes with computations in `select`"));
    }
    let resolver = Conditions {
        api,
        resource,
        items: &read.items,
    };
    let resolved = resolver
        .resolve(having)
        .map_err(|problem| refused("having", &problem))?;
    read.having = Some(resolved);
    Ok(())
}

struct Conditions<'a> {
    api: &'a Api,
    resource: &'a Resource,
    items: &'a [Item],
}

impl Conditions<'_> {
    fn resolve(&self, condition: &Condition) -> Parsed<Having> {
        let (having, negated) = match condition {
            Condition::Group { negated, any, parts } => {
                let parts = parts
                    .iter()
                    .map(|part| self.resolve(part))
                    .collect::<Parsed<Vec<Having>>>()?;
                (if *any { Having::Or(parts) } else { Having::And(parts) }, *negated)
            }
            Condition::Test {
                field,
                negated,
                operation,
            } => {
                let Operation::Compare(comparison, None, text) = operation else {
                    return Err("groups are compared by eq, neq, gt, gte, lt and lte".to_owned());
                };
                if !field.steps.is_empty() {
                    return Err("a computation has no path".to_owned());
                }
                (self.test(&field.column, *comparison, text)?, *negated)
            }
        };
        Ok(if negated { Having::Not(Box::new(having)) } else { having })
    }

    fn test(&self, name: &str, comparison: Comparison, text: &str) -> Parsed<Having> {
        let aggregates = self.items.iter().enumerate().filter_map(|(place, item)| match item {
            Item::Aggregate { name, .. } => Some((place, &**name, item)),
            _ => None,
        });
        let Some((place, _, item)) = aggregates.clone().find(|(_, known, _)| *known == name) else {
            let suggestion = did_you_mean(name, aggregates.map(|(_, known, _)| known));
            return Err(format!(
                "no computation in `select` is named `{}`{suggestion}",
                shown(name)
            ));
        };
        Ok(Having::Test(place, comparison, self.value(item, text)?))
    }

    /// The value as what the computation gives.
    fn value(&self, item: &Item, text: &str) -> Parsed<Value> {
        let engine = self.api.schema.engine();
        let Item::Aggregate {
            function,
            field,
            inner_cast,
            cast,
            ..
        } = item
        else {
            return Err("it is no computation".to_owned());
        };
        let kind = match (cast, function, field) {
            (Some(cast), _, _) => cast.kind(),
            (None, Aggregate::Minimum | Aggregate::Maximum, Some(field)) => {
                inner_cast.map_or_else(|| kind_of(&self.resource.relation, field), Cast::kind)
            }
            (None, Aggregate::Count, _) => Type::Integer {
                bytes: 8,
                unsigned: false,
            },
            // Sums and averages are wider than what they are of.
            _ => Type::Numeric,
        };
        match literal(&kind, text, engine)? {
            Value::Text(_) if kind == Type::Numeric => Err(format!("`{}` is not a number", shown(text))),
            value => Ok(value),
        }
    }
}
