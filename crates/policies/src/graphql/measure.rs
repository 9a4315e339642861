//! What an operation asks for, in numbers.
//!
//! A fragment is measured once, however often it is spread, so that the work is no more than the document is long, while the numbers
//! are those of the operation with all its fragments in place. What is too large for a number stays at the largest.

use std::collections::HashMap;

use portcullis_config::policy::graphql::Cost;
use serde_json::{Map, Value};

use super::document::{Given, Operation, Outline, Selection, Size};

/// What selections ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) depth: u64,
    pub(super) cost: u64,
    pub(super) aliases: u64,
    pub(super) directives: u64,
    /// The fields at the top.
    pub(super) fields: u64,
    pub(super) introspects: bool,
}

impl Measure {
    fn add(&mut self, other: Measure) {
        self.depth = self.depth.max(other.depth);
        self.cost = self.cost.saturating_add(other.cost);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.fields = self.fields.saturating_add(other.fields);
        self.introspects |= other.introspects;
    }
}

/// The variables of a request, as far as they say how many items lists have.
#[derive(Debug)]
pub(super) struct Variables<'r> {
    given: HashMap<&'r str, Given>,
    /// The number of items where nothing says it.
    default: u64,
}

impl<'r> Variables<'r> {
    pub(super) fn new(variables: &'r Map<String, Value>, cost: &Cost) -> Variables<'r> {
        let given = variables.iter().map(|(name, value)| {
            let given = Given {
                count: number(value),
                within: within(value, cost),
            };
            (name.as_str(), given)
        });
        Variables {
            given: given.collect(),
            default: u64::from(cost.default),
        }
    }
}

/// The numbers of an operation.
pub(super) fn operation(outline: &Outline, operation: &Operation, variables: &Variables<'_>) -> Measure {
    let mut measurer = Measurer {
        operation,
        variables,
        fragments: vec![Measure::default(); outline.fragments.len()],
    };
    for place in &outline.order {
        let fragment = &outline.fragments[*place];
        let mut measure = measurer.selections(&fragment.selections);
        measure.directives = measure.directives.saturating_add(fragment.directives);
        measurer.fragments[*place] = measure;
    }
    let mut measure = measurer.selections(&operation.selections);
    measure.directives = measure.directives.saturating_add(operation.directives);
    measure
}

struct Measurer<'m> {
    operation: &'m Operation,
    variables: &'m Variables<'m>,
    /// Of those that were measured already.
    fragments: Vec<Measure>,
}

impl Measurer<'_> {
    fn selections(&self, selections: &[Selection]) -> Measure {
        let mut sum = Measure::default();
        for selection in selections {
            let (mut measure, directives) = match selection {
                Selection::Spread { fragment, directives } => (self.fragments[*fragment], *directives),
                Selection::Inline { directives, selections } => (self.selections(selections), *directives),
                Selection::Field(field) => {
                    let below = self.selections(&field.selections);
                    let measure = Measure {
                        depth: below.depth + 1,
                        cost: below.cost.saturating_mul(self.items(&field.sizes)).saturating_add(1),
                        aliases: below.aliases.saturating_add(u64::from(field.has_alias)),
                        fields: 1,
                        introspects: below.introspects | field.introspects,
                        ..below
                    };
                    (measure, field.directives)
                }
            };
            measure.directives = measure.directives.saturating_add(directives);
            sum.add(measure);
        }
        sum
    }

    /// How often what stands in a field is there.
    fn items(&self, sizes: &[Size]) -> u64 {
        sizes.iter().filter_map(|size| self.size(size)).max().unwrap_or(1)
    }

    fn size(&self, size: &Size) -> Option<u64> {
        let (name, is_count) = match size {
            Size::Literal(count) => return Some(*count),
            Size::Variable { name, is_count } => (name.as_str(), is_count),
        };
        let given = self
            .variables
            .given
            .get(name)
            .or_else(|| self.operation.defaults.get(name));
        let given = given.copied().unwrap_or_default();
        let count = is_count.then(|| given.count.unwrap_or(self.variables.default));
        count.max(given.within)
    }
}

/// The number that a value is, if it is one above 0. Fractions are none to GraphQL.
fn number(value: &Value) -> Option<u64> {
    match value.as_f64() {
        // A whole number may be written with a point.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "what is beyond stays at the largest"
        )]
        Some(number) if number >= 1.0 => Some(number as u64),
        _ => None,
    }
}

/// The largest of the arguments in a value. Its nesting was limited when it was read.
fn within(value: &Value, cost: &Cost) -> Option<u64> {
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let is_count = cost.arguments.iter().any(|known| known == name);
                let own = is_count.then(|| number(value).unwrap_or(u64::from(cost.default)));
                own.max(within(value, cost))
            });
            members.max().flatten()
        }
        Value::Array(items) => items.iter().map(|item| within(item, cost)).max().flatten(),
        _ => None,
    }
}
