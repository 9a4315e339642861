//! Cursors: where a row stands in an order, as a text that clients hand back.
//!
//! A cursor is JSON in base64url: a digest of what was asked, and the values of the order's terms and of the key in one
//! row. Whoever changes it gets another place among rows that they may see anyway, since it adds a condition and takes
//! none away; so it needs no signature.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::api::{Api, Resource};
use crate::grammar::{kind_of, literal};
use crate::query::{OrderBy, Read};
use crate::schema::{Engine, Type};
use crate::value::Value;

/// The cursor of a row of that read: the hidden columns that the statement gives, which are the order's terms and then
/// the key's columns. `None` where they aren't all there, or a value can't be written.
pub fn write(api: &Api, read: &Read, values: &[Value]) -> Option<String> {
    if values.len() != kinds(api, read).len() {
        return None;
    }
    let mut members = vec![Json::String(digest(api, read))];
    for value in values {
        members.push(match value {
            Value::Null => Json::Null,
            Value::Boolean(truth) => Json::Bool(*truth),
            Value::Integer(number) => Json::from(*number),
            Value::Real(number) => Json::from(*number),
            Value::Text(text) | Value::Json(text) => Json::String(text.clone()),
            // An array of one tells bytes from a text.
            Value::Bytes(bytes) => Json::Array(vec![Json::String(STANDARD.encode(bytes))]),
            Value::List(_) | Value::Of { .. } | Value::AllOf { .. } => return None,
        });
    }
    Some(URL_SAFE_NO_PAD.encode(Json::Array(members).to_string()))
}

/// The values of a cursor of that read; `None` where it is none.
pub(crate) fn parse(api: &Api, read: &Read, text: &str) -> Option<Vec<Value>> {
    let decoded = URL_SAFE_NO_PAD.decode(text).ok()?;
    let Json::Array(members) = serde_json::from_slice(&decoded).ok()? else {
        return None;
    };
    let kinds = kinds(api, read);
    let (first, values) = members.split_first()?;
    if first.as_str() != Some(digest(api, read).as_str()) || values.len() != kinds.len() {
        return None;
    }
    let engine = api.schema().engine();
    kinds
        .iter()
        .zip(values)
        .map(|(kind, value)| value_of(kind, value, engine))
        .collect()
}

/// What each value of a cursor is of: the order's terms, then what makes the order total. In this order the statement
/// gives them ([`crate::sql::order_terms`]).
fn kinds(api: &Api, read: &Read) -> Vec<Type> {
    let resource = &api.resources()[read.resource];
    let mut kinds: Vec<Type> = read
        .order
        .iter()
        .map(|term| kind_of_term(api, resource, read, &term.by))
        .collect();
    kinds.extend(tie_break(resource, read).map(|column| resource.relation.columns[column].kind.clone()));
    if resource.relation.primary_key.is_empty() && resource.relation.rowid.is_some() {
        kinds.push(Type::Integer {
            bytes: 8,
            unsigned: false,
        });
    }
    kinds
}

/// Whether the rows of a resource have a place of their own in every order, and clients may know it: a key of columns
/// that can be read, or SQLite's rowid.
pub(crate) fn is_possible(resource: &Resource) -> bool {
    let relation = &resource.relation;
    !resource.key.is_empty() || (relation.primary_key.is_empty() && relation.rowid.is_some())
}

/// The columns that make an order total: those of the key that it doesn't go by already.
fn tie_break<'r>(resource: &'r Resource, read: &'r Read) -> impl Iterator<Item = usize> + 'r {
    let named = |column: usize| {
        read.order.iter().any(|term| match &term.by {
            OrderBy::Field(field) => field.path.is_empty() && field.column == column,
            OrderBy::Embedded(..) | OrderBy::Item(_) => false,
        })
    };
    resource.key.iter().copied().filter(move |column| !named(*column))
}

fn kind_of_term(api: &Api, resource: &Resource, read: &Read, by: &OrderBy) -> Type {
    match by {
        OrderBy::Field(field) => kind_of(&resource.relation, field),
        OrderBy::Embedded(item, field) => match read.items.get(*item) {
            Some(crate::query::Item::Embed(embed)) => kind_of(&api.resources()[embed.read.resource].relation, field),
            _ => Type::Any,
        },
        OrderBy::Item(_) => Type::Any,
    }
}

/// What a cursor belongs to: the resource, its order, and which rows were asked for.
fn digest(api: &Api, read: &Read) -> String {
    let name = &api.resources()[read.resource].name;
    let asked = format!("{name}\n{:?}\n{:?}", read.order, read.filter);
    let digest = Sha256::digest(asked.as_bytes());
    URL_SAFE_NO_PAD.encode(&digest[..9])
}

fn value_of(kind: &Type, value: &Json, engine: Engine) -> Option<Value> {
    // SQLite's columns hold values of any type, whatever they are declared as.
    let is_loose = engine == Engine::Sqlite;
    let is_number = matches!(
        kind,
        Type::Integer { .. } | Type::Real | Type::Decimal | Type::Numeric | Type::Boolean | Type::Any
    );
    match value {
        Json::Null => Some(Value::Null),
        Json::Bool(truth) => (is_loose || *kind == Type::Boolean).then_some(Value::Boolean(*truth)),
        Json::Number(number) if is_loose || is_number => match number.as_i64() {
            Some(number) => Some(Value::Integer(number)),
            None => number.as_f64().filter(|number| number.is_finite()).map(Value::Real),
        },
        Json::Number(_) | Json::Object(_) => None,
        Json::String(text) if is_loose => Some(Value::Text(text.clone())),
        Json::String(text) => literal(kind, text, engine).ok(),
        Json::Array(items) => match items.as_slice() {
            [Json::String(text)] if is_loose || *kind == Type::Bytes => STANDARD.decode(text).ok().map(Value::Bytes),
            _ => None,
        },
    }
}
