//! A document of GraphQL (September 2025), reduced to what its limits are about.

use std::collections::HashMap;

use apollo_parser::{Parser, cst};
use portcullis_config::policy::graphql::{Cost, OperationKind};

use super::Wrong;

/// How deep anything may be nested for the parser, which needs stack for it: more than limits of depth may say.
const DEEPEST: usize = 200;

/// The most characters of the parser's words that clients are told.
const SHOWN: usize = 100;

/// A document.
#[derive(Debug)]
pub(super) struct Outline {
    pub(super) operations: Vec<Operation>,
    pub(super) fragments: Vec<Fragment>,
    /// The places of all fragments, each behind those that it spreads.
    pub(super) order: Vec<usize>,
}

/// An operation of a document.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) kind: OperationKind,
    pub(super) name: Option<String>,
    /// Directives of the operation itself and its variables.
    pub(super) directives: u64,
    /// What its variables are where a request doesn't say it.
    pub(super) defaults: HashMap<String, Given>,
    pub(super) selections: Vec<Selection>,
}

/// A named fragment.
#[derive(Debug)]
pub(super) struct Fragment {
    pub(super) directives: u64,
    pub(super) selections: Vec<Selection>,
}

/// Something that is selected.
#[derive(Debug)]
pub(super) enum Selection {
    Field(Field),
    /// A named fragment, by its place.
    Spread {
        fragment: usize,
        directives: u64,
    },
    Inline {
        directives: u64,
        selections: Vec<Selection>,
    },
}

/// A field that is selected.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) has_alias: bool,
    pub(super) introspects: bool,
    pub(super) directives: u64,
    /// What its arguments say of the number of its items.
    pub(super) sizes: Vec<Size>,
    pub(super) selections: Vec<Selection>,
}

/// What an argument says of the number of items.
#[derive(Debug)]
pub(super) enum Size {
    /// So many.
    Literal(u64),
    /// What the variable is, where the argument is one of those that say it; otherwise what the variable holds.
    Variable { name: String, is_count: bool },
}

/// What is known of a variable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// It is this number above 0.
    pub(super) count: Option<u64>,
    /// It holds arguments that say how many items there are, this many at the most.
    pub(super) within: Option<u64>,
}

/// Reads a document of at most so many tokens. `cost` says how the items of lists are counted.
///
/// # Errors
/// When it is none, has more tokens or nests deeper, or its fragments are missing, ambiguous or lead back to themselves.
pub(super) fn read(text: &str, tokens: usize, cost: &Cost) -> Result<Outline, Wrong> {
    let tree = Parser::new(text).recursion_limit(DEEPEST).token_limit(tokens).parse();
    if let Some(error) = tree.errors().find(|error| error.is_limit()) {
        let what = match tree.token_limit() {
            limit if limit.high > limit.limit => format!("the document has more than {tokens} tokens"),
            _ => format!(
                "the document nests deeper than {DEEPEST} levels at byte {}",
                error.index()
            ),
        };
        return Err(Wrong::TooMuch(what));
    }
    if let Some(error) = tree.errors().next() {
        let what: String = error.message().chars().take(SHOWN).collect();
        return Err(Wrong::Malformed(format!(
            "the document is malformed at byte {}: {what}",
            error.index()
        )));
    }
    let mut operations = Vec::new();
    let mut fragments = Vec::new();
    let mut names = HashMap::new();
    for definition in tree.document().definitions() {
        match definition {
            cst::Definition::OperationDefinition(operation) => operations.push(operation),
            cst::Definition::FragmentDefinition(fragment) => {
                let name = fragment.fragment_name().and_then(|name| name.name());
                let name = name
                    .ok_or_else(|| malformed("a fragment has no name"))?
                    .text()
                    .to_string();
                if names.insert(name, fragments.len()).is_some() {
                    return Err(malformed("two fragments have one name"));
                }
                fragments.push(fragment);
            }
            _ => return Err(malformed("the document defines more than operations and fragments")),
        }
    }
    let reader = Reader { names, cost };
    let operations = operations
        .iter()
        .map(|it| reader.operation(it))
        .collect::<Result<_, _>>()?;
    let fragments: Vec<Fragment> = fragments
        .iter()
        .map(|it| reader.fragment(it))
        .collect::<Result<_, _>>()?;
    let order = in_order(&fragments).ok_or_else(|| malformed("a fragment leads back to itself"))?;
    Ok(Outline {
        operations,
        fragments,
        order,
    })
}

/// Reads what the parser has found. It takes stack, for as many levels as the parser lets pass.
struct Reader<'a> {
    names: HashMap<String, usize>,
    cost: &'a Cost,
}

impl Reader<'_> {
    fn operation(&self, operation: &cst::OperationDefinition) -> Result<Operation, Wrong> {
        let kind = match operation.operation_type() {
            Some(kind) if kind.mutation_token().is_some() => OperationKind::Mutation,
            Some(kind) if kind.subscription_token().is_some() => OperationKind::Subscription,
            _ => OperationKind::Query,
        };
        let mut directives = count(operation.directives());
        let mut defaults = HashMap::new();
        let variables = operation.variable_definitions();
        for variable in variables
            .iter()
            .flat_map(cst::VariableDefinitions::variable_definitions)
        {
            directives += count(variable.directives());
            let name = variable.variable().and_then(|it| it.name());
            if let (Some(name), Some(value)) = (name, variable.default_value().and_then(|it| it.value())) {
                defaults.insert(name.text().to_string(), self.given(&value));
            }
        }
        Ok(Operation {
            kind,
            name: operation.name().map(|name| name.text().to_string()),
            directives,
            defaults,
            selections: self.selections(operation.selection_set().as_ref())?,
        })
    }

    fn fragment(&self, fragment: &cst::FragmentDefinition) -> Result<Fragment, Wrong> {
        Ok(Fragment {
            directives: count(fragment.directives()),
            selections: self.selections(fragment.selection_set().as_ref())?,
        })
    }

    fn selections(&self, set: Option<&cst::SelectionSet>) -> Result<Vec<Selection>, Wrong> {
        let selections = set.into_iter().flat_map(cst::SelectionSet::selections);
        selections.map(|selection| self.selection(&selection)).collect()
    }

    fn selection(&self, selection: &cst::Selection) -> Result<Selection, Wrong> {
        Ok(match selection {
            cst::Selection::Field(field) => {
                let name = field.name().ok_or_else(|| malformed("a field has no name"))?;
                let name = name.text();
                let mut sizes = Vec::new();
                for argument in field.arguments().iter().flat_map(cst::Arguments::arguments) {
                    if let (Some(name), Some(value)) = (argument.name(), argument.value()) {
                        self.sizes(&name.text(), &value, &mut sizes);
                    }
                }
                Selection::Field(Field {
                    has_alias: field.alias().is_some(),
                    introspects: matches!(name.as_str(), "__schema" | "__type"),
                    directives: count(field.directives()),
                    sizes,
                    selections: self.selections(field.selection_set().as_ref())?,
                })
            }
            cst::Selection::FragmentSpread(spread) => {
                let name = spread.fragment_name().and_then(|name| name.name());
                let fragment = name.and_then(|name| self.names.get(name.text().as_str()).copied());
                Selection::Spread {
                    fragment: fragment.ok_or_else(|| malformed("a fragment is spread that there is not"))?,
                    directives: count(spread.directives()),
                }
            }
            cst::Selection::InlineFragment(inline) => Selection::Inline {
                directives: count(inline.directives()),
                selections: self.selections(inline.selection_set().as_ref())?,
            },
        })
    }

    fn is_count(&self, name: &str) -> bool {
        self.cost.arguments.iter().any(|known| known == name)
    }

    /// What an argument, or a field of an object in it, says of the number of items.
    fn sizes(&self, name: &str, value: &cst::Value, out: &mut Vec<Size>) {
        let is_count = self.is_count(name);
        match value {
            cst::Value::Variable(variable) => {
                if let Some(name) = variable.name() {
                    let name = name.text().to_string();
                    out.push(Size::Variable { name, is_count });
                }
                return;
            }
            cst::Value::ObjectValue(object) => {
                for field in object.object_fields() {
                    if let (Some(name), Some(value)) = (field.name(), field.value()) {
                        self.sizes(&name.text(), &value, out);
                    }
                }
            }
            cst::Value::ListValue(list) => list.values().for_each(|value| self.sizes("", &value, out)),
            _ => {}
        }
        if is_count {
            out.push(Size::Literal(number(value).unwrap_or(u64::from(self.cost.default))));
        }
    }

    /// What a variable is by default. It holds no variables.
    fn given(&self, value: &cst::Value) -> Given {
        let mut sizes = Vec::new();
        self.sizes("", value, &mut sizes);
        let literals = sizes.into_iter().filter_map(|size| match size {
            Size::Literal(count) => Some(count),
            Size::Variable { .. } => None,
        });
        Given {
            count: number(value),
            within: literals.max(),
        }
    }
}

/// The number that a value is, if it is one above 0.
fn number(value: &cst::Value) -> Option<u64> {
    match value {
        // What is too large for an Int of GraphQL is too large for a list.
        cst::Value::IntValue(value) => match i32::try_from(value) {
            Ok(number) => u64::try_from(number).ok().filter(|number| *number > 0),
            Err(_) => Some(u64::MAX),
        },
        _ => None,
    }
}

fn count(directives: Option<cst::Directives>) -> u64 {
    directives.map_or(0, |directives| directives.directives().count() as u64)
}

/// The places of fragments, each behind those that it spreads; `None` where there is no such order. Fragments can be chained as
/// often as a document is long, so this takes no stack.
fn in_order(fragments: &[Fragment]) -> Option<Vec<usize>> {
    let mut users = vec![Vec::new(); fragments.len()];
    let mut waits_for = vec![0_usize; fragments.len()];
    for (user, fragment) in fragments.iter().enumerate() {
        let mut spread = Vec::new();
        spreads(&fragment.selections, &mut spread);
        waits_for[user] = spread.len();
        spread.into_iter().for_each(|used| users[used].push(user));
    }
    let mut order: Vec<usize> = (0..fragments.len()).filter(|place| waits_for[*place] == 0).collect();
    let mut next = 0;
    while let Some(used) = order.get(next).copied() {
        next += 1;
        for user in &users[used] {
            waits_for[*user] -= 1;
            if waits_for[*user] == 0 {
                order.push(*user);
            }
        }
    }
    (order.len() == fragments.len()).then_some(order)
}

/// All that selections spread, as often as they do.
fn spreads(selections: &[Selection], out: &mut Vec<usize>) {
    for selection in selections {
        match selection {
            Selection::Field(field) => spreads(&field.selections, out),
            Selection::Inline { selections, .. } => spreads(selections, out),
            Selection::Spread { fragment, .. } => out.push(*fragment),
        }
    }
}

fn malformed(what: &str) -> Wrong {
    Wrong::Malformed(what.to_owned())
}
