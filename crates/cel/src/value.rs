//! What expressions are worth, and what hosts give them to work with.

mod compare;
mod constant;
mod json;

use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

pub(crate) use constant::Constant;

use crate::time::{Duration, Timestamp};

/// A value, which may borrow from the program and from what the host gave. It lives on one thread.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that is not negative.
    Uint(u64),
    /// A number of IEEE 754's binary64.
    Double(f64),
    /// Text.
    String(Shared<'a, str>),
    /// Bytes.
    Bytes(Shared<'a, [u8]>),
    /// A moment.
    Timestamp(Timestamp),
    /// How long something takes.
    Duration(Duration),
    /// A type, by its name.
    Type(&'static str),
    /// A list.
    List(List<'a>),
    /// A map.
    Map(Map<'a>),
    /// A record of the host's.
    Record(&'a dyn Record),
}

/// Text or bytes that are borrowed, or shared by the values that came from one.
pub enum Shared<'a, T: ?Sized> {
    /// Of the program or the host.
    Borrowed(&'a T),
    /// Made during the evaluation.
    Made(Rc<T>),
}

/// What a list is made of.
#[derive(Clone)]
pub enum List<'a> {
    /// Made during the evaluation.
    Made(Rc<[Value<'a>]>),
    /// Of the host.
    Host(&'a dyn Sequence),
    /// Written in the expression.
    #[doc(hidden)]
    Constant(&'a [Constant]),
}

/// What a map is made of.
#[derive(Clone)]
pub enum Map<'a> {
    /// Made during the evaluation; no key is there twice.
    Made(Rc<[(Value<'a>, Value<'a>)]>),
    /// Of the host.
    Host(&'a dyn Mapping),
    /// Written in the expression.
    #[doc(hidden)]
    Constant(&'a [(Constant, Constant)]),
}

/// A record of the host's, whose fields are fetched when an expression wants them.
pub trait Record {
    /// The field at that place of its [`crate::RecordType`].
    fn field(&self, place: usize) -> Value<'_>;
}

/// A list of the host's.
pub trait Sequence {
    /// How many elements it has.
    fn len(&self) -> usize;

    /// Whether it has none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at that place, from 0.
    fn get(&self, place: usize) -> Option<Value<'_>>;
}

/// A map of the host's, whose keys are text.
pub trait Mapping {
    /// The value of a key.
    fn get(&self, key: &str) -> Option<Value<'_>>;

    /// Its keys, each once, in an order that stays.
    fn keys(&self) -> Vec<Shared<'_, str>>;

    /// What looking a key up or listing them costs, in steps of an evaluation.
    fn cost(&self) -> usize;
}

impl<'a> Value<'a> {
    /// Text that is borrowed.
    pub fn text(text: &'a str) -> Value<'a> {
        Value::String(Shared::Borrowed(text))
    }

    /// The name of the value's type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null_type",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Uint(_) => "uint",
            Value::Double(_) => "double",
            Value::String(_) => "string",
            Value::Bytes(_) => "bytes",
            Value::Timestamp(_) => "google.protobuf.Timestamp",
            Value::Duration(_) => "google.protobuf.Duration",
            Value::Type(_) => "type",
            Value::List(_) => "list",
            Value::Map(_) => "map",
            Value::Record(_) => "record",
        }
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::String(text.into())
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl<'a> List<'a> {
    /// How many elements it has.
    pub fn len(&self) -> usize {
        match self {
            List::Made(elements) => elements.len(),
            List::Host(elements) => elements.len(),
            List::Constant(elements) => elements.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at that place, from 0.
    pub fn get(&self, place: usize) -> Option<Value<'a>> {
        match self {
            List::Made(elements) => elements.get(place).cloned(),
            List::Host(elements) => elements.get(place),
            List::Constant(elements) => elements.get(place).map(Constant::value),
        }
    }

    /// Its elements, in order.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> {
        (0..self.len()).filter_map(|place| self.get(place))
    }
}

impl<'a> Map<'a> {
    /// The value of a key, which for a number may be written as another type of number.
    pub fn get(&self, key: &Value<'_>) -> Option<Value<'a>> {
        match self {
            Map::Made(entries) => entries
                .iter()
                .find(|(own, _)| own.same_key(key))
                .map(|(_, value)| value.clone()),
            Map::Host(host) => match key {
                Value::String(key) => host.get(key),
                _ => None,
            },
            Map::Constant(entries) => entries
                .iter()
                .find(|(own, _)| own.value().same_key(key))
                .map(|(_, value)| value.value()),
        }
    }

    /// Its keys, each once.
    pub fn keys(&self) -> Vec<Value<'a>> {
        match self {
            Map::Made(entries) => entries.iter().map(|(key, _)| key.clone()).collect(),
            Map::Host(host) => host.keys().into_iter().map(Value::String).collect(),
            Map::Constant(entries) => entries.iter().map(|(key, _)| key.value()).collect(),
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        match self {
            Map::Made(entries) => entries.len(),
            Map::Host(host) => host.keys().len(),
            Map::Constant(entries) => entries.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What looking a key up costs, in steps.
    pub(crate) fn cost(&self) -> usize {
        match self {
            Map::Made(entries) => entries.len(),
            Map::Host(host) => host.cost(),
            Map::Constant(entries) => entries.len(),
        }
    }
}

impl<T: ?Sized> Clone for Shared<'_, T> {
    fn clone(&self) -> Self {
        match self {
            Shared::Borrowed(value) => Shared::Borrowed(value),
            Shared::Made(value) => Shared::Made(Rc::clone(value)),
        }
    }
}

impl<T: ?Sized> Deref for Shared<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Shared::Borrowed(value) => value,
            Shared::Made(value) => value,
        }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Shared<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<'a> From<&'a str> for Shared<'a, str> {
    fn from(text: &'a str) -> Self {
        Shared::Borrowed(text)
    }
}

impl From<String> for Shared<'_, str> {
    fn from(text: String) -> Self {
        Shared::Made(text.into())
    }
}

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Map<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.keys().into_iter().map(|key| {
                let value = self.get(&key);
                (key, value)
            }))
            .finish()
    }
}

impl fmt::Debug for dyn Record + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Record")
    }
}
