//! Rules of the file: filters in which facts of the caller stand as `{consumer}` and `{claims.NAME}`.
//!
//! A fact is put in after the rule was taken apart, as a value of its column's type: so whatever a claim says, it can
//! be nothing but a value. Where a fact is missing or doesn't fit, the whole rule is false.

use serde_json::Value as Json;

use super::resolve::{Reach, check, kind_of, resolve_field, resolve_test};
use super::syntax::{self, Budget, Condition, Operation, Parsed, placeholder};
use super::{Caller, literal};
use crate::api::{Limits, Resource, Rule};
use crate::query::{Field, Filter, Test};
use crate::schema::{Engine, Relation, Type};
use crate::value::Value;

/// A filter of the file in which facts of the caller are still to be put.
#[derive(Debug)]
pub struct Template {
    node: Node,
    engine: Engine,
    limits: Limits,
}

#[derive(Debug)]
enum Node {
    /// Nothing is missing.
    Ready(Filter),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// A test in whose value facts are missing.
    Open {
        field: Field,
        kind: Type,
        operation: Operation,
    },
}

/// No row: what remains where no rule is for a caller, or a fact is missing.
fn nothing() -> Filter {
    Filter::Or(Vec::new())
}

/// Which rows of a resource the caller may see and change.
pub(super) fn rule(resource: &Resource, caller: &Caller<'_>) -> Option<Filter> {
    if resource.rules.is_empty() {
        return None;
    }
    match rule_for(resource, caller) {
        None => Some(nothing()),
        Some(rule) => rule.rows.as_ref().map(|template| template.bind(caller)),
    }
}

/// Whether a rule is for the caller, or there is none to keep anybody out. Which rows it lets through is another matter.
pub fn admits(resource: &Resource, caller: &Caller<'_>) -> bool {
    resource.rules.is_empty() || rule_for(resource, caller).is_some()
}

/// The first rule that is for the caller.
fn rule_for<'r>(resource: &'r Resource, caller: &Caller<'_>) -> Option<&'r Rule> {
    let is_one =
        |wanted: &[Box<str>], has: &dyn Fn(&str) -> bool| wanted.is_empty() || wanted.iter().any(|one| has(one));
    resource.rules.iter().find(|rule| {
        let consumer = caller.consumer;
        is_one(&rule.roles, &|role| {
            consumer.is_some_and(|consumer| consumer.has_role(role))
        }) && is_one(&rule.scopes, &|scope| {
            consumer.is_some_and(|consumer| consumer.has_scope(scope))
        })
    })
}

impl Template {
    /// Reads a rule about rows of that relation; it may name all of its columns.
    ///
    /// # Errors
    /// What is wrong with it, for the author of the file.
    pub(crate) fn parse(relation: &Relation, text: &str, engine: Engine) -> Result<Template, String> {
        // A rule is the file's own: what clients are limited to is no measure for it.
        let limits = Limits::default();
        let conditions = syntax::parse_rule(text, &limits)?;
        let mut budget = Budget::new(&limits);
        let mut nodes = Vec::new();
        for placed in &conditions {
            if !placed.path.is_empty() {
                return Err(format!(
                    "`{}`: a rule names columns of its own table only",
                    placed.parameter
                ));
            }
            let node = compile(relation, &placed.what, engine, &mut budget);
            nodes.push(node.map_err(|problem| format!("`{}`: {problem}", placed.parameter))?);
        }
        if nodes.is_empty() {
            return Err("a rule without a condition lets every row through; leave `rows` out for that".to_owned());
        }
        Ok(Template {
            node: Node::And(nodes),
            engine,
            limits,
        })
    }

    /// The filter for that caller.
    pub(crate) fn bind(&self, caller: &Caller<'_>) -> Filter {
        self.node(&self.node, caller).unwrap_or_else(nothing)
    }

    /// `None` where a fact is missing.
    fn node(&self, node: &Node, caller: &Caller<'_>) -> Option<Filter> {
        let all = |nodes: &[Node]| {
            nodes
                .iter()
                .map(|node| self.node(node, caller))
                .collect::<Option<Vec<Filter>>>()
        };
        Some(match node {
            Node::Ready(filter) => filter.clone(),
            Node::And(nodes) if nodes.len() == 1 => self.node(&nodes[0], caller)?,
            Node::And(nodes) => Filter::And(all(nodes)?),
            Node::Or(nodes) => Filter::Or(all(nodes)?),
            Node::Not(node) => Filter::Not(Box::new(self.node(node, caller)?)),
            Node::Open { field, kind, operation } => Filter::Test {
                field: field.clone(),
                test: self.test(kind, operation, caller)?,
            },
        })
    }

    fn test(&self, kind: &Type, operation: &Operation, caller: &Caller<'_>) -> Option<Test> {
        let plain = |text: &str| filled(text, caller, str::to_owned);
        let listed = |text: &str| {
            let items = list_of(text, caller)?;
            (items.len() <= self.limits.max_listed).then_some(())?;
            let value = |item: &String| literal(kind, item, self.engine).ok();
            items.iter().map(value).collect::<Option<Vec<Value>>>()
        };
        let operation = match operation {
            Operation::InPlaceholder(text) => return listed(text).map(Test::In),
            Operation::Compare(comparison, Some(quantifier), text) => {
                return Some(Test::Quantified(*comparison, *quantifier, listed(text)?));
            }
            Operation::Compare(comparison, None, text) => Operation::Compare(*comparison, None, plain(text)?),
            Operation::Distinct(text) => Operation::Distinct(plain(text)?),
            Operation::In(texts) => Operation::In(texts.iter().map(|text| plain(text)).collect::<Option<_>>()?),
            Operation::Like {
                insensitive,
                quantifier: None,
                pattern,
            } => Operation::Like {
                insensitive: *insensitive,
                quantifier: None,
                pattern: filled(pattern, caller, escaped)?,
            },
            _ => return None,
        };
        resolve_test(kind, &operation, self.engine, true, &mut Budget::new(&self.limits)).ok()
    }
}

fn compile(relation: &Relation, condition: &Condition, engine: Engine, budget: &mut Budget) -> Parsed<Node> {
    let (node, negated) = match condition {
        Condition::Group { negated, any, parts } => {
            let parts = parts
                .iter()
                .map(|part| compile(relation, part, engine, budget))
                .collect::<Parsed<Vec<Node>>>()?;
            (if *any { Node::Or(parts) } else { Node::And(parts) }, *negated)
        }
        Condition::Test {
            field,
            negated,
            operation,
        } => {
            let field = resolve_field(Reach::File(relation), field)?;
            let kind = kind_of(relation, &field);
            let node = if is_open(operation)? {
                check(&kind, operation, engine, true)?;
                Node::Open {
                    field,
                    kind,
                    operation: operation.clone(),
                }
            } else {
                let test = resolve_test(&kind, operation, engine, true, budget)?;
                Node::Ready(Filter::Test { field, test })
            };
            (node, *negated)
        }
    };
    Ok(if negated { Node::Not(Box::new(node)) } else { node })
}

/// Whether facts of the caller are to be put into its value.
fn is_open(operation: &Operation) -> Parsed<bool> {
    let has_one = |text: &str| {
        text.match_indices('{')
            .any(|(place, _)| placeholder(&text[place..]).is_some())
    };
    match operation {
        Operation::InPlaceholder(text) | Operation::Compare(_, Some(_), text) => match placeholder(text) {
            Some((_, "")) => Ok(true),
            _ if has_one(text) => Err("a list is one placeholder, or has none".to_owned()),
            _ => Ok(false),
        },
        Operation::Compare(_, None, text) | Operation::Distinct(text) => Ok(has_one(text)),
        Operation::Like {
            pattern,
            quantifier: None,
            ..
        } => Ok(has_one(pattern)),
        Operation::In(texts) => Ok(texts.iter().any(|text| has_one(text))),
        Operation::Is(_) => Ok(false),
        // In a regular expression, a search or a document, a value could be more than a value.
        Operation::Like { pattern: text, .. }
        | Operation::Match { pattern: text, .. }
        | Operation::Search { words: text, .. }
        | Operation::Contain(_, text)
        | Operation::Range(_, text) => match has_one(text) {
            false => Ok(false),
            true => Err("a placeholder goes with eq, neq, gt, gte, lt, lte, isdistinct, in, like and ilike".to_owned()),
        },
    }
}

/// The text with all facts in their places.
fn filled(text: &str, caller: &Caller<'_>, form: impl Fn(&str) -> String) -> Option<String> {
    let mut whole = String::new();
    let mut rest = text;
    while let Some(place) = rest.find('{') {
        whole.push_str(&rest[..place]);
        match placeholder(&rest[place..]) {
            Some((name, after)) => {
                whole.push_str(&form(&scalar(fact(name, caller)?)?));
                rest = after;
            }
            None => {
                whole.push('{');
                rest = &rest[place + 1..];
            }
        }
    }
    whole.push_str(rest);
    Some(whole)
}

/// The items of the list that a placeholder stands for; one that is no list is a list of it.
fn list_of(text: &str, caller: &Caller<'_>) -> Option<Vec<String>> {
    let (name, _) = placeholder(text)?;
    match fact(name, caller)? {
        Json::Array(items) => items.into_iter().map(scalar).collect(),
        one => Some(vec![scalar(one)?]),
    }
}

/// What is known of the caller under that name.
fn fact(name: &str, caller: &Caller<'_>) -> Option<Json> {
    let consumer = caller.consumer?;
    let Some(path) = name.strip_prefix("claims.") else {
        return Some(Json::String(consumer.name.to_string()));
    };
    // A claim may itself have dots in its name, as those that are URLs do.
    if let Some(claim) = consumer.claims.get(path) {
        return Some(claim.clone());
    }
    let mut names = path.split('.');
    let mut claim = consumer.claims.get(names.next()?)?;
    for name in names {
        claim = claim.as_object()?.get(name)?;
    }
    Some(claim.clone())
}

fn scalar(fact: Json) -> Option<String> {
    match fact {
        Json::String(text) => Some(text),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// A text that stands for itself in a pattern.
fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    for character in text.chars() {
        if matches!(character, '*' | '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}
