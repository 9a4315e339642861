//! The functions there are, what they take, and what they give. What they do is in [`crate::evaluate`].

mod table;

pub(crate) use table::OVERLOADS;

use crate::types::Type;

/// A function; one of several overloads is chosen by its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Size,
    ToInt,
    ToUint,
    ToDouble,
    ToString,
    ToBytes,
    ToBool,
    ToTimestamp,
    ToDuration,
    Dyn,
    TypeOf,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    LowerAscii,
    UpperAscii,
    Trim,
    Split,
    Join,
    Replace,
    Substring,
    IndexOf,
    LastIndexOf,
    CharAt,
    Reverse,
    InNetwork,
    Time(Part),
}

/// What of a moment or duration is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    FullYear,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

/// One way to call a function.
pub(crate) struct Overload {
    pub(crate) name: &'static str,
    pub(crate) function: Function,
    pub(crate) style: Style,
    /// What it takes, the receiver first.
    pub(crate) takes: &'static [Shape],
    pub(crate) gives: Shape,
}

/// How a call is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `f(a)`
    Global,
    /// `a.f()`
    Method,
    /// Either.
    Both,
}

/// A family of types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Any,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    Type,
    AnyList,
    AnyMap,
    Strings,
}

impl Shape {
    /// Whether a value of the type may be given.
    pub(crate) fn takes(self, given: &Type) -> bool {
        match (self, given) {
            (Shape::Any, _) | (_, Type::Dyn) | (Shape::AnyList, Type::List(_)) | (Shape::AnyMap, Type::Map(..)) => true,
            (Shape::AnyList | Shape::AnyMap, _) => false,
            (shape, given) => shape.as_type().accepts(given),
        }
    }

    /// The type of what a function gives.
    pub(crate) fn as_type(self) -> Type {
        match self {
            Shape::Any | Shape::AnyList | Shape::AnyMap => Type::Dyn,
            Shape::Bool => Type::Bool,
            Shape::Int => Type::Int,
            Shape::Uint => Type::Uint,
            Shape::Double => Type::Double,
            Shape::String => Type::String,
            Shape::Bytes => Type::Bytes,
            Shape::Timestamp => Type::Timestamp,
            Shape::Duration => Type::Duration,
            Shape::Type => Type::Type,
            Shape::Strings => Type::list(Type::String),
        }
    }
}
