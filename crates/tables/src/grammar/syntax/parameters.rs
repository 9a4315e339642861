//! The parameters of a query: what each is for.

use std::borrow::Cow;

use super::scanner::Scanner;
use super::{Budget, Condition, Parsed, Placed, Select, Term, condition, order, select, split_list};
use crate::api::Limits;
use crate::grammar::refused;
use crate::percent;

/// A query, as far as it can be understood without the tables.
#[derive(Debug, Default)]
pub(in crate::grammar) struct Query {
    /// `select`; `None` where it isn't given.
    pub(in crate::grammar) select: Option<Vec<Select>>,
    pub(in crate::grammar) conditions: Vec<Placed<Condition>>,
    pub(in crate::grammar) orders: Vec<Placed<Vec<Term>>>,
    pub(in crate::grammar) limits: Vec<Placed<u64>>,
    pub(in crate::grammar) offsets: Vec<Placed<u64>>,
    pub(in crate::grammar) having: Option<Condition>,
    pub(in crate::grammar) union: Option<Union>,
    pub(in crate::grammar) after: Option<String>,
    pub(in crate::grammar) before: Option<String>,
    /// `columns`: what of a content is taken.
    pub(in crate::grammar) columns: Option<Vec<String>>,
    /// `on_conflict`: the key by which a new row is found to be there already.
    pub(in crate::grammar) on_conflict: Option<Vec<String>>,
}

/// `union=a,b` or `union=distinct(a,b)`.
#[derive(Debug)]
pub(in crate::grammar) struct Union {
    pub(in crate::grammar) distinct: bool,
    pub(in crate::grammar) resources: Vec<String>,
}

/// The parameters that are no columns. A column of such a name is filtered with its name in quotes.
pub(in crate::grammar) const PARAMETERS: [&str; 10] = [
    "select",
    "order",
    "limit",
    "offset",
    "having",
    "union",
    "after",
    "before",
    "columns",
    "on_conflict",
];

/// A column's name as the parameter that filters by it: in quotes where it is another parameter's, or has what isn't taken
/// for a part of a name.
pub(in crate::grammar) fn of_column(name: &str) -> Cow<'_, str> {
    let is_plain = |character: char| character.is_alphanumeric() || matches!(character, '_' | '$');
    let is_taken = PARAMETERS.contains(&name) || matches!(name, "and" | "or");
    if !name.is_empty() && name.chars().all(is_plain) && !is_taken {
        return Cow::Borrowed(name);
    }
    Cow::Owned(format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// Reads pairs of names and values, decoded.
///
/// # Errors
/// `bad_query`, naming the parameter.
pub(in crate::grammar) fn parse<'p>(
    pairs: impl Iterator<Item = (&'p str, &'p str)>,
    limits: &Limits,
) -> portcullis_core::Result<Query> {
    let mut query = Query::default();
    let mut budget = Budget::new(limits);
    for (name, value) in pairs {
        query
            .read(name, value, &mut budget)
            .map_err(|problem| refused(name, &problem))?;
    }
    Ok(query)
}

/// Reads a rule of the file: filters only. `+` stands for itself there.
pub(in crate::grammar) fn parse_rule(text: &str, limits: &Limits) -> Parsed<Vec<Placed<Condition>>> {
    let mut query = Query::default();
    let mut budget = Budget::new(limits);
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text| percent::decode(text).ok_or_else(|| format!("`{pair}`: its percent-encoding is broken"));
        let (name, value) = (decoded(name)?, decoded(value)?);
        let before = query.conditions.len();
        query
            .read(&name, &value, &mut budget)
            .map_err(|problem| format!("`{pair}`: {problem}"))?;
        if query.conditions.len() == before {
            return Err(format!("`{pair}`: rows are told by filters alone"));
        }
    }
    Ok(query.conditions)
}

impl Query {
    fn read(&mut self, name: &str, value: &str, budget: &mut Budget) -> Parsed<()> {
        match name {
            "select" => once(&mut self.select, select::parse(value, budget)?),
            "columns" => once(&mut self.columns, names(value, budget)?),
            "on_conflict" => once(&mut self.on_conflict, names(value, budget)?),
            "having" => once(&mut self.having, condition::parse_group(value, false, false, budget)?),
            "union" => once(&mut self.union, union(value, budget)?),
            "after" => once(&mut self.after, cursor(value)?),
            "before" => once(&mut self.before, cursor(value)?),
            _ => self.read_placed(name, value, budget),
        }
    }

    fn read_placed(&mut self, name: &str, value: &str, budget: &mut Budget) -> Parsed<()> {
        let mut scanner = Scanner::new(name);
        let mut path = Vec::new();
        loop {
            let quoted = scanner.peek() == Some('"');
            let word = scanner.name()?;
            if scanner.at_end() && !quoted {
                match word.as_str() {
                    "order" => return place_once(&mut self.orders, name, path, order::parse(value, budget)?),
                    "limit" => return place_once(&mut self.limits, name, path, number(value)?),
                    "offset" => return place_once(&mut self.offsets, name, path, offset(value)?),
                    "and" | "or" => {
                        let negated = path.pop_if(|last: &mut String| *last == "not").is_some();
                        let group = condition::parse_group(value, negated, word == "or", budget)?;
                        place(&mut self.conditions, name, path, group);
                        return Ok(());
                    }
                    _ => {}
                }
            }
            if scanner.eat(".") {
                budget.node()?;
                path.push(word);
                continue;
            }
            let (steps, as_text) = scanner.path()?;
            scanner.expect_end()?;
            let (negated, operation) = condition::parse_test(value, budget)?;
            let field = super::Field {
                column: word,
                steps,
                as_text,
            };
            let test = Condition::Test {
                field,
                negated,
                operation,
            };
            place(&mut self.conditions, name, path, test);
            return Ok(());
        }
    }
}

fn once<T>(place: &mut Option<T>, what: T) -> Parsed<()> {
    match place.replace(what) {
        None => Ok(()),
        Some(_) => Err("it stands there twice".to_owned()),
    }
}

fn place<T>(list: &mut Vec<Placed<T>>, parameter: &str, path: Vec<String>, what: T) {
    list.push(Placed {
        parameter: parameter.to_owned(),
        path,
        what,
    });
}

fn place_once<T>(list: &mut Vec<Placed<T>>, parameter: &str, path: Vec<String>, what: T) -> Parsed<()> {
    if list.iter().any(|earlier| earlier.path == path) {
        return Err("it stands there twice".to_owned());
    }
    place(list, parameter, path, what);
    Ok(())
}

fn number(value: &str) -> Parsed<u64> {
    value.trim().parse().map_err(|_| "it is not a whole number".to_owned())
}

/// Less than nothing is left out where nothing is.
fn offset(value: &str) -> Parsed<u64> {
    match value.strip_prefix('-') {
        Some(digits) => number(digits).map(|_| 0),
        None => number(value),
    }
}

/// A cursor is as long as the values of an order are, encoded twice.
fn cursor(value: &str) -> Parsed<String> {
    if value.is_empty() || value.len() > 64 * 1024 {
        return Err("it is no cursor".to_owned());
    }
    Ok(value.to_owned())
}

fn names(value: &str, budget: &mut Budget) -> Parsed<Vec<String>> {
    let mut scanner = Scanner::new(value);
    let mut names = Vec::new();
    loop {
        budget.listed()?;
        scanner.blanks();
        names.push(scanner.name()?);
        scanner.blanks();
        if scanner.at_end() {
            return Ok(names);
        }
        scanner.expect(",")?;
    }
}

fn union(value: &str, budget: &mut Budget) -> Parsed<Union> {
    let inner = value.strip_prefix("distinct(").and_then(|rest| rest.strip_suffix(')'));
    let resources = split_list(inner.unwrap_or(value))?;
    for resource in &resources {
        budget.node()?;
        if resource.is_empty() {
            return Err("it takes resources: union=a,b or union=distinct(a,b)".to_owned());
        }
    }
    Ok(Union {
        distinct: inner.is_some(),
        resources,
    })
}
