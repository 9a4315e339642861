//! The types that expressions have before they are evaluated.

use std::fmt;
use std::sync::Arc;

/// The type of a variable, or of a part of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// Not known before evaluation; whatever is done with it is checked then.
    Dyn,
    /// The type of `null` alone.
    Null,
    /// True or false.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A whole number of 64 bits that is not negative.
    Uint,
    /// A number of IEEE 754's binary64.
    Double,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// A moment.
    Timestamp,
    /// How long something takes.
    Duration,
    /// The type of types, which are values too.
    Type,
    /// A list of such elements.
    List(Arc<Type>),
    /// A map from such keys to such values.
    Map(Arc<Type>, Arc<Type>),
    /// A record of the host's, or null.
    Record(Arc<RecordType>),
}

/// What a record of the host's has.
#[derive(Debug, PartialEq)]
pub struct RecordType {
    /// What it is called in messages.
    pub name: &'static str,
    /// Its fields; the place of one is what [`crate::Record::field`] is asked for.
    pub fields: Vec<(&'static str, Type)>,
}

impl Type {
    /// A list of such elements.
    pub fn list(element: Type) -> Type {
        Type::List(Arc::new(element))
    }

    /// A map from text to such values.
    pub fn map(value: Type) -> Type {
        Type::Map(Arc::new(Type::String), Arc::new(value))
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::Uint | Type::Double)
    }

    /// Whether a value of the one type may be where the other is wanted.
    pub(crate) fn accepts(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Dyn, _) | (_, Type::Dyn) => true,
            (Type::List(one), Type::List(other)) => one.accepts(other),
            (Type::Map(key, value), Type::Map(other_key, other_value)) => {
                key.accepts(other_key) && value.accepts(other_value)
            }
            _ => self == other,
        }
    }

    /// Whether two values of these types could be equal.
    pub(crate) fn comparable(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::List(one), Type::List(other)) => one.comparable(other),
            (Type::Map(key, value), Type::Map(other_key, other_value)) => {
                key.comparable(other_key) && value.comparable(other_value)
            }
            // Records have no equality of their own, but may be null.
            (Type::Record(_), Type::Record(_)) => false,
            (Type::Record(_), Type::Null) | (Type::Null, Type::Record(_)) => true,
            _ => self.is_number() && other.is_number() || self.accepts(other),
        }
    }

    /// The type of what may be of either type; `None` where they don't go together.
    pub(crate) fn joined(&self, other: &Type) -> Option<Type> {
        match (self, other) {
            (one, other) if one == other => Some(one.clone()),
            (record @ Type::Record(_), Type::Null) | (Type::Null, record @ Type::Record(_)) => Some(record.clone()),
            (Type::List(one), Type::List(other)) => Some(Type::list(one.joined(other).unwrap_or(Type::Dyn))),
            (one, other) if one.accepts(other) => Some(Type::Dyn),
            _ => None,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Dyn => f.write_str("dyn"),
            Type::Null => f.write_str("null"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Uint => f.write_str("uint"),
            Type::Double => f.write_str("double"),
            Type::String => f.write_str("string"),
            Type::Bytes => f.write_str("bytes"),
            Type::Timestamp => f.write_str("timestamp"),
            Type::Duration => f.write_str("duration"),
            Type::Type => f.write_str("type"),
            Type::List(element) => write!(f, "list({element})"),
            Type::Map(key, value) => write!(f, "map({key}, {value})"),
            Type::Record(record) => f.write_str(record.name),
        }
    }
}
