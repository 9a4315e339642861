//! Values that stand in the expression itself.

use super::{List, Map, Shared, Value};
use crate::time::{Duration, Timestamp};

/// A value that a compiled expression holds.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "only this crate makes any")]
pub enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Box<str>),
    Bytes(Box<[u8]>),
    Timestamp(Timestamp),
    Duration(Duration),
    Type(&'static str),
    List(Box<[Constant]>),
    Map(Box<[(Constant, Constant)]>),
}

impl Constant {
    /// Its value, without a copy.
    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Constant::Null => Value::Null,
            Constant::Bool(value) => Value::Bool(*value),
            Constant::Int(value) => Value::Int(*value),
            Constant::Uint(value) => Value::Uint(*value),
            Constant::Double(value) => Value::Double(*value),
            Constant::String(text) => Value::String(Shared::Borrowed(text)),
            Constant::Bytes(bytes) => Value::Bytes(Shared::Borrowed(bytes)),
            Constant::Timestamp(value) => Value::Timestamp(*value),
            Constant::Duration(value) => Value::Duration(*value),
            Constant::Type(name) => Value::Type(name),
            Constant::List(elements) => Value::List(List::Constant(elements)),
            Constant::Map(entries) => Value::Map(Map::Constant(entries)),
        }
    }

    /// The value, to be kept; `None` for what only a host has.
    pub(crate) fn of(value: &Value<'_>) -> Option<Constant> {
        Some(match value {
            Value::Null => Constant::Null,
            Value::Bool(value) => Constant::Bool(*value),
            Value::Int(value) => Constant::Int(*value),
            Value::Uint(value) => Constant::Uint(*value),
            Value::Double(value) => Constant::Double(*value),
            Value::String(text) => Constant::String((**text).into()),
            Value::Bytes(bytes) => Constant::Bytes((**bytes).into()),
            Value::Timestamp(value) => Constant::Timestamp(*value),
            Value::Duration(value) => Constant::Duration(*value),
            Value::Type(name) => Constant::Type(name),
            Value::List(list) => Constant::List(list.iter().map(|it| Constant::of(&it)).collect::<Option<_>>()?),
            Value::Map(map) => {
                let keys = map.keys();
                let entry = |key: &Value<'_>| Some((Constant::of(key)?, Constant::of(&map.get(key)?)?));
                Constant::Map(keys.iter().map(entry).collect::<Option<_>>()?)
            }
            Value::Record(_) => return None,
        })
    }
}
