//! A schema as it runs.

use serde_json::{Number, Value};

use crate::number;
use crate::pattern::Pattern;
use crate::sameness::Constants;

use super::Direction;
use super::formats::Format;

/// Where a node stands in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeId(pub(super) u32);

/// Which resource (a document, or what has a `$id` in one) a node belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ResourceId(pub(super) u32);

/// One schema.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) resource: ResourceId,
    /// Which types a value may have.
    pub(super) types: Types,
    /// Which types may pass at all, by what it refers to as well.
    pub(super) accepts: Types,
    /// What else must hold: what costs little first, and `unevaluated…` last.
    pub(super) rules: Box<[Rule]>,
    /// Whether one of the rules is `unevaluated…`.
    pub(super) tracks: bool,
    /// Whether `null` passes, whatever the rules say.
    pub(super) null_passes: bool,
}

/// The types of JSON as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Types(pub(super) u8);

impl Types {
    pub(super) const NONE: Types = Types(0);
    pub(super) const NULL: Types = Types(1);
    pub(super) const BOOLEAN: Types = Types(2);
    pub(super) const OBJECT: Types = Types(4);
    pub(super) const ARRAY: Types = Types(8);
    pub(super) const STRING: Types = Types(16);
    pub(super) const INTEGER: Types = Types(32);
    /// Numbers with a fraction.
    pub(super) const FRACTION: Types = Types(64);
    /// Numbers, those without a fraction too.
    pub(super) const NUMBER: Types = Types(64 | 32);
    pub(super) const ANY: Types = Types(127);

    /// The type of a value. A number without a fraction is an integer, however it was written.
    pub(crate) fn of(value: &Value) -> Types {
        match value {
            Value::Null => Types::NULL,
            Value::Bool(_) => Types::BOOLEAN,
            Value::Object(_) => Types::OBJECT,
            Value::Array(_) => Types::ARRAY,
            Value::String(_) => Types::STRING,
            Value::Number(value) if number::is_integer(value) => Types::INTEGER,
            Value::Number(_) => Types::FRACTION,
        }
    }

    /// The type by its word.
    pub(super) fn of_word(word: &str) -> Option<Types> {
        Some(match word {
            "null" => Types::NULL,
            "boolean" => Types::BOOLEAN,
            "object" => Types::OBJECT,
            "array" => Types::ARRAY,
            "string" => Types::STRING,
            "integer" => Types::INTEGER,
            "number" => Types::NUMBER,
            _ => return None,
        })
    }

    pub(super) fn with(self, other: Types) -> Types {
        Types(self.0 | other.0)
    }

    pub(super) fn and(self, other: Types) -> Types {
        Types(self.0 & other.0)
    }

    pub(super) fn overlaps(self, other: Types) -> bool {
        self.0 & other.0 != 0
    }

    /// The words, for a message.
    pub(super) fn words(self) -> String {
        const WORDS: [(Types, &str); 7] = [
            (Types::OBJECT, "an object"),
            (Types::ARRAY, "an array"),
            (Types::STRING, "a string"),
            (Types::FRACTION, "a number"),
            (Types::INTEGER, "an integer"),
            (Types::BOOLEAN, "a boolean"),
            (Types::NULL, "null"),
        ];
        let named = WORDS.iter().filter(|(types, _)| self.overlaps(*types));
        let named = named.filter(|(types, _)| *types != Types::INTEGER || !self.overlaps(Types::FRACTION));
        named.map(|(_, word)| *word).collect::<Vec<_>>().join(" or ")
    }
}

/// One thing that must hold.
#[derive(Debug)]
pub(super) enum Rule {
    Const(Constants),
    Enum(Constants),
    Minimum(Number),
    Maximum(Number),
    ExclusiveMinimum(Number),
    ExclusiveMaximum(Number),
    MultipleOf(Number),
    MinLength(u64),
    MaxLength(u64),
    Pattern(Pattern),
    Format(Format),
    MinItems(u64),
    MaxItems(u64),
    UniqueItems,
    MinProperties(u64),
    MaxProperties(u64),
    Required(Box<[Box<str>]>),
    DependentRequired(Box<[Dependent]>),
    Ref(NodeId),
    DynamicRef(Box<DynamicRef>),
    AllOf(Box<[NodeId]>),
    AnyOf(Box<[NodeId]>),
    OneOf(Box<[NodeId]>),
    Not(NodeId),
    If(Box<Condition>),
    DependentSchemas(Box<[(Box<str>, NodeId)]>),
    PropertyNames(NodeId),
    Members(Box<Members>),
    Items(Box<Items>),
    Contains(Box<Contains>),
    UnevaluatedProperties(NodeId),
    UnevaluatedItems(NodeId),
}

/// A member's name, and those that must be there beside it.
pub(super) type Dependent = (Box<str>, Box<[Box<str>]>);

/// `$dynamicRef` (JSON Schema Core §8.2.3.2).
#[derive(Debug)]
pub(super) struct DynamicRef {
    /// Where it leads when nobody on the way has such an anchor.
    pub(super) target: NodeId,
    /// The anchor's name, until the anchors are known.
    pub(super) name: Option<(String, Direction)>,
    /// The resources that have one.
    pub(super) anchors: Box<[(ResourceId, NodeId)]>,
}

/// `if`, `then`, `else`.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) condition: NodeId,
    pub(super) then: Option<NodeId>,
    pub(super) otherwise: Option<NodeId>,
}

/// `properties`, `patternProperties`, `additionalProperties`.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// Sorted by name.
    pub(super) named: Box<[(Box<str>, NodeId)]>,
    pub(super) patterns: Box<[(Pattern, NodeId)]>,
    pub(super) others: Option<NodeId>,
}

impl Members {
    pub(super) fn named(&self, name: &str) -> Option<NodeId> {
        let at = self.named.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        Some(self.named[at].1)
    }
}

/// `prefixItems`, `items`.
#[derive(Debug)]
pub(super) struct Items {
    pub(super) first: Box<[NodeId]>,
    pub(super) rest: Option<NodeId>,
}

/// `contains`, `minContains`, `maxContains`.
#[derive(Debug)]
pub(super) struct Contains {
    pub(super) item: NodeId,
    pub(super) min: u64,
    pub(super) max: Option<u64>,
    /// Whether what matched counts as evaluated (from 2020-12 on).
    pub(super) evaluates: bool,
}
