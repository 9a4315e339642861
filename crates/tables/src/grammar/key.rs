//! Keys of rows in paths: `/orders/7`, `/lines/7,3`.

use std::borrow::Cow;

use portcullis_core::{Error, Result, codes};

use super::{literal, syntax};
use crate::api::{Api, Resource};
use crate::percent;
use crate::query::Filter;
use crate::schema::{Engine, Type};
use crate::value::Value;

/// The values of the key's columns, out of a path's segment as it came. Of a key of several columns they stand with
/// commas between; one that has a comma itself has it encoded, or is in quotes.
///
/// # Errors
/// `resource_not_found` for what can't be the key of any row.
pub fn key(api: &Api, resource: usize, segment: &str) -> Result<Vec<Value>> {
    let resource = &api.resources[resource];
    values(resource, segment, api.schema.engine()).ok_or_else(|| Error::new(&codes::RESOURCE_NOT_FOUND))
}

/// The filter that lets the row with that key through.
pub fn filter_of_key(api: &Api, resource: usize, values: &[Value]) -> Filter {
    let columns = &api.resources[resource].key;
    let tests = columns.iter().zip(values);
    let mut tests: Vec<Filter> = tests
        .map(|(column, value)| Filter::equal(*column, value.clone()))
        .collect();
    match tests.len() {
        1 => tests.remove(0),
        _ => Filter::And(tests),
    }
}

/// The segment of a path that leads to the row with that key; `None` where a value has no form in a path.
pub fn path_of_key(values: &[Value]) -> Option<String> {
    let mut path = String::new();
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            path.push(',');
        }
        let text = match value {
            Value::Boolean(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
            Value::Integer(number) => Cow::Owned(number.to_string()),
            Value::Real(number) => Cow::Owned(number.to_string()),
            Value::Text(text) => Cow::Borrowed(text.as_str()),
            _ => return None,
        };
        // An empty segment leads to the collection.
        if text.is_empty() && values.len() == 1 {
            return None;
        }
        percent::encode_into(&mut path, &text);
    }
    Some(path)
}

fn values(resource: &Resource, segment: &str, engine: Engine) -> Option<Vec<Value>> {
    let columns = &resource.key;
    let parts: Vec<Cow<'_, str>> = if columns.len() == 1 {
        vec![percent::decode(segment)?]
    } else if segment.contains(['"']) || segment.contains("%22") {
        let decoded = percent::decode(segment)?;
        syntax::split_list(&decoded).ok()?.into_iter().map(Cow::Owned).collect()
    } else {
        segment.split(',').map(percent::decode).collect::<Option<_>>()?
    };
    if segment.is_empty() || columns.is_empty() || parts.len() != columns.len() {
        return None;
    }
    let value = |(column, part): (&usize, &Cow<'_, str>)| {
        let kind = &resource.relation.columns[*column].kind;
        let value = literal(kind, part, engine).ok()?;
        // `7.5` may be compared with an integer, but it is nobody's key.
        let fits = !matches!((kind, &value), (Type::Integer { .. }, Value::Real(_)));
        fits.then_some(value)
    };
    columns.iter().zip(&parts).map(value).collect()
}
