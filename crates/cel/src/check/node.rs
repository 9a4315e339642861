//! Expressions as they are evaluated.

use ipnet::IpNet;
use regex::Regex;

use crate::functions::{Function, Part};
use crate::syntax::{Binary, Logical};
use crate::time::Zone;
use crate::value::Constant;

/// An expression whose names are places.
#[derive(Debug)]
pub(crate) enum Node {
    Constant(Constant),
    /// A variable of the environment.
    Variable(usize),
    /// A variable of a macro.
    Local(usize),
    /// A field of a record.
    Field(Box<Node>, usize),
    HasField(Box<Node>, usize),
    /// The value of a map's key.
    Key(Box<Node>, Box<str>),
    HasKey(Box<Node>, Box<str>),
    Index(Box<[Node; 2]>),
    Not(Box<Node>),
    Negate(Box<Node>),
    /// `==` when true, or else `!=`.
    Equal(bool, Box<[Node; 2]>),
    Order(Binary, Box<[Node; 2]>),
    In(Box<[Node; 2]>),
    Arithmetic(Binary, Box<[Node; 2]>),
    Logical(Logical, Box<[Node]>),
    Conditional(Box<[Node; 3]>),
    List(Box<[Node]>),
    Map(Box<[(Node, Node)]>),
    Call(Function, Box<[Node]>),
    /// A text against a pattern that is known.
    Matches(Box<Node>, Box<Regex>),
    /// An address against networks that are known.
    InNetwork(Box<Node>, Box<[IpNet]>),
    /// A part of a moment in a zone, or of a duration.
    Time(Part, Box<Node>, Box<Zone>),
    Comprehension(Box<Comprehension>),
}

/// What a macro does with each element of a list, or key of a map.
#[derive(Debug)]
pub(crate) struct Comprehension {
    pub(crate) quantity: Quantity,
    pub(crate) range: Node,
    /// How many macros it stands within; each local variable has its place.
    pub(crate) place: usize,
    /// Whether there are two variables: index and element, or key and value.
    pub(crate) paired: bool,
    /// What an element must be to be taken.
    pub(crate) filter: Option<Node>,
    pub(crate) body: Node,
}

/// What becomes of the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// Whether the body is true for all.
    All,
    /// Whether it is for any.
    Exists,
    /// Whether it is for exactly one.
    ExistsOne,
    /// The list of what the body is.
    Map,
    /// The list of those for which it is true.
    Filter,
}

impl Node {
    /// Whether it is made of constants, and so is one.
    pub(crate) fn is_over_constants(&self) -> bool {
        let all = |nodes: &[Node]| nodes.iter().all(|node| matches!(node, Node::Constant(_)));
        let one = |node: &Node| matches!(node, Node::Constant(_));
        match self {
            Node::Constant(_) | Node::Variable(_) | Node::Local(_) | Node::Comprehension(_) => false,
            Node::Field(of, _) | Node::HasField(of, _) | Node::Key(of, _) | Node::HasKey(of, _) => one(of),
            Node::Not(of) | Node::Negate(of) | Node::Matches(of, _) | Node::InNetwork(of, _) | Node::Time(_, of, _) => {
                one(of)
            }
            Node::Index(sides) | Node::Equal(_, sides) | Node::Order(_, sides) | Node::In(sides) => all(&**sides),
            Node::Arithmetic(_, sides) => all(&**sides),
            Node::Conditional(parts) => all(&**parts),
            Node::Logical(_, nodes) | Node::List(nodes) | Node::Call(_, nodes) => all(nodes),
            Node::Map(entries) => entries.iter().all(|(key, value)| one(key) && one(value)),
        }
    }
}
