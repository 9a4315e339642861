//! Parameters, in the styles in which they are written (OpenAPI 3.1 §4.8.12.2).

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::MaybeSchema;
use crate::pairs::{Pair, Unreadable, pairs};
use crate::schema::{SchemaId, SchemaSet, Verdict};
use crate::text::{decoded, typed};
use crate::{json, pointer};

/// The most that is told of one message.
const MOST: usize = 20;

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Part {
    Path,
    Query,
    Header,
    Cookie,
}

impl Part {
    /// Its word in descriptions.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Part::Path => "path",
            Part::Query => "query",
            Part::Header => "header",
            Part::Cookie => "cookie",
        }
    }
}

/// A parameter, or a field of a response.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) part: Part,
    pub(super) name: String,
    pub(super) required: bool,
    pub(super) style: Style,
    pub(super) explode: bool,
    /// Whether the value is JSON: it was described by `content`.
    pub(super) json: bool,
    pub(super) schema: MaybeSchema,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Form,
    Simple,
    SpaceDelimited,
    PipeDelimited,
    DeepObject,
    /// `label` and `matrix`, which nobody uses: only whether the parameter is there is looked at.
    Other,
}

/// What a message has.
pub struct Given<'g> {
    /// What the variable parts of the path hold.
    pub path: &'g [(&'g str, String)],
    /// The query as it was written.
    pub query: &'g str,
    /// The values of a field, several of them joined by commas.
    pub header: &'g dyn Fn(&str) -> Option<String>,
    /// The value of a cookie.
    pub cookie: &'g dyn Fn(&str) -> Option<String>,
}

/// One thing that is wrong with parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where the parameter stands.
    pub part: Part,
    /// Its name and the place in it, as a JSON pointer.
    pub pointer: String,
    /// What is wrong, without values.
    pub what: String,
}

/// Why a parameter has no value.
enum NoValue {
    Missing,
    Wrong(String),
    /// It is there, and not understood.
    Unread,
}

/// What is wrong with the parameters of a message. With `unknown_query`, parameters of the query that nobody described are.
pub(super) fn judge(
    parameters: &[Parameter],
    set: &SchemaSet,
    given: &Given<'_>,
    unknown_query: bool,
    steps: u64,
) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let query = match pairs(given.query) {
        Ok(query) => query,
        Err(error) => {
            wrong.push(Wrong {
                part: Part::Query,
                pointer: String::new(),
                what: error.words().to_owned(),
            });
            return wrong;
        }
    };
    for parameter in parameters {
        match parameter.value(set, given, &query) {
            Ok(value) => parameter.check(set, &value, steps, &mut wrong),
            Err(NoValue::Missing) if parameter.required => wrong.push(parameter.wrong("it is missing".to_owned())),
            Err(NoValue::Wrong(what)) => wrong.push(parameter.wrong(what)),
            Err(NoValue::Missing | NoValue::Unread) => {}
        }
    }
    if unknown_query {
        refuse_unknown(parameters, set, &query, &mut wrong);
    }
    wrong.truncate(MOST);
    wrong
}

fn refuse_unknown(parameters: &[Parameter], set: &SchemaSet, query: &[Pair<'_>], wrong: &mut Vec<Wrong>) {
    let of_query = || parameters.iter().filter(|parameter| parameter.part == Part::Query);
    let names: HashSet<&str> = of_query().flat_map(|parameter| parameter.own_names(set)).collect();
    for pair in query {
        let before = pair
            .name
            .split_once('[')
            .map_or(pair.name.as_str(), |(before, _)| before);
        let deep = || of_query().any(|it| it.style == Style::DeepObject && it.name == before);
        if !names.contains(pair.name.as_str()) && !deep() && wrong.len() < MOST {
            let mut place = String::new();
            pointer::push(&mut place, &json::shown(&pair.name));
            wrong.push(Wrong {
                part: Part::Query,
                pointer: place,
                what: "no such parameter is known".to_owned(),
            });
        }
    }
}

impl Parameter {
    fn wrong(&self, what: String) -> Wrong {
        let mut place = String::new();
        pointer::push(&mut place, &self.name);
        Wrong {
            part: self.part,
            pointer: place,
            what,
        }
    }

    fn check(&self, set: &SchemaSet, value: &Value, steps: u64, wrong: &mut Vec<Wrong>) {
        let Some(schema) = self.schema else { return };
        match set.check(schema, value, steps) {
            Verdict::Valid => {}
            Verdict::Undecided => wrong.push(self.wrong("it takes too long to be checked".to_owned())),
            Verdict::Invalid => {
                for violation in set.violations(schema, value, steps, MOST) {
                    let mut found = self.wrong(violation.what);
                    found.pointer.push_str(&violation.pointer);
                    wrong.push(found);
                }
            }
        }
    }

    /// The names that it has in a query.
    fn own_names<'s>(&'s self, set: &'s SchemaSet) -> Vec<&'s str> {
        match self.schema {
            Some(schema) if self.is_spread(set, schema) => set.member_names(schema),
            _ => vec![self.name.as_str()],
        }
    }

    /// Whether each member of the value is a parameter of its own.
    fn is_spread(&self, set: &SchemaSet, schema: SchemaId) -> bool {
        let hint = set.types(schema);
        let scalar = hint.may_be_string() || hint.may_be_number() || hint.may_be_boolean() || hint.may_be_array();
        self.style == Style::Form && self.explode && !self.json && hint.may_be_object() && !scalar
    }

    fn value(&self, set: &SchemaSet, given: &Given<'_>, query: &[Pair<'_>]) -> Result<Value, NoValue> {
        let single = match self.part {
            Part::Query => return self.of_query(set, query),
            Part::Path => {
                let found = given.path.iter().find(|(name, _)| *name == self.name);
                found.map(|(_, value)| value.clone())
            }
            Part::Header => (given.header)(&self.name),
            Part::Cookie => (given.cookie)(&self.name),
        };
        let text = single.ok_or(NoValue::Missing)?;
        if self.json {
            return json::parse(text.as_bytes(), json::DEEPEST).map_err(|error| NoValue::Wrong(error.to_string()));
        }
        if self.style == Style::Other {
            return Err(NoValue::Unread);
        }
        let Some(schema) = self.schema else {
            return Ok(Value::String(text));
        };
        Ok(delimited(
            set,
            schema,
            &text,
            ',',
            self.explode && self.style == Style::Simple,
            |part| Some(part.to_owned()),
        )
        .unwrap_or(Value::Null))
    }

    fn of_query(&self, set: &SchemaSet, query: &[Pair<'_>]) -> Result<Value, NoValue> {
        let schema = self.schema;
        if self.style == Style::DeepObject {
            return self.deep(set, query);
        }
        if let Some(schema) = schema.filter(|schema| self.is_spread(set, *schema)) {
            return self.spread(set, schema, query);
        }
        let mut own = query.iter().filter(|pair| pair.name == self.name);
        let first = own.next().ok_or(NoValue::Missing)?;
        let decode = |pair: &Pair<'_>| pair.value().map_err(unreadable);
        if self.json {
            let text = decode(first)?;
            if own.next().is_some() {
                return Err(only_once());
            }
            return json::parse(text.as_bytes(), json::DEEPEST).map_err(|error| NoValue::Wrong(error.to_string()));
        }
        let Some(schema) = schema else {
            return decode(first).map(Value::String);
        };
        let hint = set.types(schema);
        if hint.may_be_array() && self.explode && self.style == Style::Form {
            let scalar = hint.may_be_string() || hint.may_be_number() || hint.may_be_boolean();
            let rest: Vec<&Pair<'_>> = own.collect();
            if rest.is_empty() && scalar {
                return Ok(typed(&decode(first)?, hint));
            }
            let items = set.item_types(schema);
            let all = std::iter::once(first).chain(rest);
            return all.map(|pair| Ok(typed(&decode(pair)?, items))).collect();
        }
        if own.next().is_some() {
            return Err(only_once());
        }
        let (raw, delimiter) = match self.style {
            Style::SpaceDelimited => (first.raw.replace("%20", "+"), '+'),
            Style::PipeDelimited => (first.raw.replace("%7C", "|").replace("%7c", "|"), '|'),
            _ => (first.raw.to_owned(), ','),
        };
        let value = delimited(set, schema, &raw, delimiter, false, |part| decoded(part, true));
        value.ok_or_else(|| unreadable(Unreadable::Encoding))
    }

    /// `name[member]=value`. What is nested deeper has no meaning in the standard, and is not read.
    fn deep(&self, set: &SchemaSet, query: &[Pair<'_>]) -> Result<Value, NoValue> {
        let mut members = Map::new();
        let mut unread = false;
        for pair in query {
            let inner = pair
                .name
                .strip_prefix(&self.name)
                .and_then(|rest| rest.strip_prefix('['));
            let Some(inner) = inner else { continue };
            match inner.strip_suffix(']') {
                Some(member) if !member.is_empty() && !member.contains(['[', ']']) => {
                    let value = pair.value().map_err(unreadable)?;
                    self.add_member(set, &mut members, member, &value)?;
                }
                _ => unread = true,
            }
        }
        match (unread, members.is_empty()) {
            (true, _) => Err(NoValue::Unread),
            (false, true) => Err(NoValue::Missing),
            (false, false) => Ok(Value::Object(members)),
        }
    }

    /// Each member as a parameter of its own.
    fn spread(&self, set: &SchemaSet, schema: SchemaId, query: &[Pair<'_>]) -> Result<Value, NoValue> {
        let names = set.member_names(schema);
        let mut members = Map::new();
        for pair in query
            .iter()
            .filter(|pair| names.binary_search(&pair.name.as_str()).is_ok())
        {
            let value = pair.value().map_err(unreadable)?;
            self.add_member(set, &mut members, &pair.name, &value)?;
        }
        if members.is_empty() {
            return Err(NoValue::Missing);
        }
        Ok(Value::Object(members))
    }

    /// Adds a member; one that is there already makes a list, where it may be one.
    fn add_member(
        &self,
        set: &SchemaSet,
        members: &mut Map<String, Value>,
        name: &str,
        text: &str,
    ) -> Result<(), NoValue> {
        let Some(schema) = self.schema else { return Ok(()) };
        add_member(set, schema, members, name, text).map_err(|()| only_once())
    }
}

/// Adds a member of a group that is written as pairs: in a query or a form. One that is there several times is a list.
pub(super) fn add_member(
    set: &SchemaSet,
    schema: SchemaId,
    members: &mut Map<String, Value>,
    name: &str,
    text: &str,
) -> Result<(), ()> {
    let hint = set.member_types(schema, name);
    let is_list = hint.may_be_array();
    let scalar = hint.may_be_string() || hint.may_be_number() || hint.may_be_boolean();
    match members.get_mut(name) {
        Some(Value::Array(items)) if is_list => items.push(typed(text, set.member_item_types(schema, name))),
        Some(_) if !is_list => return Err(()),
        Some(first) => {
            let second = typed(text, set.member_item_types(schema, name));
            *first = Value::Array(vec![std::mem::take(first), second]);
        }
        None if is_list && !scalar => {
            let item = typed(text, set.member_item_types(schema, name));
            members.insert(name.to_owned(), Value::Array(vec![item]));
        }
        None => {
            members.insert(name.to_owned(), typed(text, hint));
        }
    }
    Ok(())
}

/// A value of which the parts stand between delimiters: a list, a group as `name,value,…` or, spread, as `name=value,…`.
fn delimited(
    set: &SchemaSet,
    schema: SchemaId,
    raw: &str,
    delimiter: char,
    spread: bool,
    decode: impl Fn(&str) -> Option<String>,
) -> Option<Value> {
    let hint = set.types(schema);
    let scalar = hint.may_be_string() || hint.may_be_number() || hint.may_be_boolean();
    if scalar || (!hint.may_be_array() && !hint.may_be_object()) {
        return Some(typed(&decode(raw)?, hint));
    }
    let parts = raw.split(delimiter).map(decode);
    let parts: Vec<String> = parts.collect::<Option<_>>()?;
    if hint.may_be_array() {
        let items = set.item_types(schema);
        return Some(parts.iter().map(|part| typed(part, items)).collect());
    }
    let mut members = Map::new();
    if spread {
        for part in &parts {
            let (name, text) = part.split_once('=').unwrap_or((part, ""));
            members.insert(name.to_owned(), typed(text, set.member_types(schema, name)));
        }
    } else {
        for pair in parts.chunks(2) {
            let text = pair.get(1).map_or("", String::as_str);
            members.insert(pair[0].clone(), typed(text, set.member_types(schema, &pair[0])));
        }
    }
    Some(Value::Object(members))
}

fn unreadable(error: Unreadable) -> NoValue {
    NoValue::Wrong(error.words().to_owned())
}

fn only_once() -> NoValue {
    NoValue::Wrong("it may be there only once".to_owned())
}
