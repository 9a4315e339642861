//! From an expression as it is written to one that can be evaluated: names become places, types are checked, and what is
//! constant is reckoned once.

mod call;
mod macros;
mod node;

pub(crate) use node::{Comprehension, Node, Quantity};

use crate::evaluate::Evaluation;
use crate::problem::Problem;
use crate::program::{Environment, STEPS};
use crate::syntax::{Binary, Expression, Form, Literal, Unary};
use crate::types::{RecordType, Type};
use crate::value::Constant;

/// An expression that can be evaluated.
pub(crate) struct Checked {
    pub(crate) node: Node,
    pub(crate) r#type: Type,
    /// For each variable, whether it is used.
    pub(crate) used: Vec<bool>,
}

/// Checks a whole expression.
pub(crate) fn check(environment: &Environment, expression: &Expression) -> Result<Checked, Problem> {
    let mut checker = Checker {
        environment,
        used: vec![false; environment.names().count()],
        locals: Vec::new(),
    };
    let Typed { node, r#type } = checker.check(expression)?;
    Ok(Checked {
        node,
        r#type,
        used: checker.used,
    })
}

/// A part of the expression, checked.
struct Typed {
    node: Node,
    r#type: Type,
}

impl Typed {
    fn new(node: Node, r#type: Type) -> Typed {
        Typed { node, r#type }
    }

    /// The part, as a constant if all that it is made of is.
    fn folded(node: Node, r#type: Type) -> Typed {
        if !node.is_over_constants() {
            return Typed::new(node, r#type);
        }
        // What fails, fails when it is evaluated: another part of the expression may make that irrelevant.
        let constant = Evaluation::new(&(), STEPS).evaluate(&node).ok();
        let constant = constant.as_ref().and_then(Constant::of);
        Typed::new(constant.map_or(node, Node::Constant), r#type)
    }
}

struct Checker<'e> {
    environment: &'e Environment,
    used: Vec<bool>,
    /// The variables of macros that are in scope, innermost last.
    locals: Vec<(String, Type)>,
}

impl Checker<'_> {
    fn check(&mut self, expression: &Expression) -> Result<Typed, Problem> {
        match &expression.form {
            Form::Literal(literal) => Ok(of_literal(literal)),
            Form::Name { name, absolute } => self.name(expression.at, name, *absolute),
            Form::Select { of, field } => self.select(expression, of, field),
            Form::Index { of, index } => self.index(expression.at, of, index),
            Form::Call {
                of,
                function,
                arguments,
            } => self.call(expression.at, of.as_deref(), function, arguments),
            Form::List(elements) => self.list(elements),
            Form::Map(entries) => self.map(entries),
            Form::Unary { operator, operand } => self.unary(expression.at, *operator, operand),
            Form::Binary { operator, left, right } => {
                let (left, right) = (self.check(left)?, self.check(right)?);
                binary(expression.at, *operator, left, right)
            }
            Form::Logical { operator, operands } => {
                let mut nodes = Vec::with_capacity(operands.len());
                for operand in operands {
                    nodes.push(self.boolean(operand, operator.symbol())?);
                }
                Ok(Typed::folded(Node::Logical(*operator, nodes.into()), Type::Bool))
            }
            Form::Conditional {
                condition,
                then,
                otherwise,
            } => {
                let condition = self.boolean(condition, "?")?;
                let (then, otherwise) = (self.check(then)?, self.check(otherwise)?);
                let Some(r#type) = then.r#type.joined(&otherwise.r#type) else {
                    let message = format!(
                        "one branch of `?` is {} and the other {}",
                        a(&then.r#type),
                        a(&otherwise.r#type)
                    );
                    return Err(Problem::new(expression.at, message));
                };
                let parts = Box::new([condition, then.node, otherwise.node]);
                Ok(Typed::folded(Node::Conditional(parts), r#type))
            }
        }
    }

    fn name(&mut self, at: usize, name: &str, absolute: bool) -> Result<Typed, Problem> {
        if !absolute && let Some(place) = self.locals.iter().rposition(|(known, _)| known == name) {
            return Ok(Typed::new(Node::Local(place), self.locals[place].1.clone()));
        }
        if let Some(found) = self.global(name) {
            return Ok(found);
        }
        let locals = self.locals.iter().map(|(name, _)| name.as_str());
        let close = closest(name, self.environment.names().chain(locals));
        Err(Problem::new(at, format!("there is no variable `{name}`{close}")))
    }

    /// A variable of the environment, or a type.
    fn global(&mut self, name: &str) -> Option<Typed> {
        if let Some((place, r#type)) = self.environment.find(name) {
            self.used[place] = true;
            return Some(Typed::new(Node::Variable(place), r#type.clone()));
        }
        const TYPES: &[&str] = &[
            "bool",
            "bytes",
            "double",
            "google.protobuf.Duration",
            "google.protobuf.Timestamp",
            "int",
            "list",
            "map",
            "null_type",
            "string",
            "type",
            "uint",
        ];
        let found = TYPES.iter().find(|known| **known == name)?;
        Some(Typed::new(Node::Constant(Constant::Type(found)), Type::Type))
    }

    fn select(&mut self, expression: &Expression, of: &Expression, field: &str) -> Result<Typed, Problem> {
        // Names with dots are those of types and of variables that are declared so.
        if let Some((first, whole, absolute)) = qualified(expression)
            && (absolute || !self.locals.iter().any(|(known, _)| known == first))
            && let Some(found) = self.global(&whole)
        {
            return Ok(found);
        }
        let of = self.check(of)?;
        match of.r#type.clone() {
            Type::Record(record) => {
                let (place, r#type) = field_of(expression.at, &record, field)?;
                Ok(Typed::new(Node::Field(of.node.into(), place), r#type))
            }
            r#type => {
                let value = value_of_key(expression.at, &r#type, field)?;
                Ok(Typed::folded(Node::Key(of.node.into(), field.into()), value))
            }
        }
    }

    /// `has(a.b)`: whether there is that field or key.
    fn has(&mut self, at: usize, argument: &Expression) -> Result<Typed, Problem> {
        let Form::Select { of, field } = &argument.form else {
            return Err(Problem::new(at, "`has` takes a field, such as `has(claims.email)`"));
        };
        let of = self.check(of)?;
        match of.r#type.clone() {
            Type::Record(record) => {
                let (place, _) = field_of(argument.at, &record, field)?;
                Ok(Typed::new(Node::HasField(of.node.into(), place), Type::Bool))
            }
            r#type => {
                value_of_key(argument.at, &r#type, field)?;
                Ok(Typed::folded(
                    Node::HasKey(of.node.into(), field.as_str().into()),
                    Type::Bool,
                ))
            }
        }
    }

    fn index(&mut self, at: usize, of: &Expression, index: &Expression) -> Result<Typed, Problem> {
        let (of, place) = (self.check(of)?, self.check(index)?);
        let r#type = match &of.r#type {
            Type::List(element) if place.r#type.is_number() || place.r#type == Type::Dyn => (**element).clone(),
            Type::Map(key, value) if key.comparable(&place.r#type) => (**value).clone(),
            Type::Dyn => Type::Dyn,
            of => {
                let message = format!("{} has no places that {} could name", a(of), a(&place.r#type));
                return Err(Problem::new(at, message));
            }
        };
        Ok(Typed::folded(Node::Index(Box::new([of.node, place.node])), r#type))
    }

    fn list(&mut self, elements: &[Expression]) -> Result<Typed, Problem> {
        let mut nodes = Vec::with_capacity(elements.len());
        let mut joined: Option<Type> = None;
        for element in elements {
            let element = self.check(element)?;
            nodes.push(element.node);
            joined = Some(joined.map_or(element.r#type.clone(), |joined| {
                joined.joined(&element.r#type).unwrap_or(Type::Dyn)
            }));
        }
        Ok(Typed::folded(
            Node::List(nodes.into()),
            Type::list(joined.unwrap_or(Type::Dyn)),
        ))
    }

    fn map(&mut self, entries: &[(Expression, Expression)]) -> Result<Typed, Problem> {
        let mut nodes = Vec::with_capacity(entries.len());
        let mut joined: Option<(Type, Type)> = None;
        for (key, value) in entries {
            let at = key.at;
            let (key, value) = (self.check(key)?, self.check(value)?);
            if !matches!(
                key.r#type,
                Type::Bool | Type::Int | Type::Uint | Type::String | Type::Dyn
            ) {
                return Err(Problem::new(
                    at,
                    format!("{} can't be the key of a map", a(&key.r#type)),
                ));
            }
            nodes.push((key.node, value.node));
            joined = Some(match joined {
                None => (key.r#type, value.r#type),
                Some((keys, values)) => (
                    keys.joined(&key.r#type).unwrap_or(Type::Dyn),
                    values.joined(&value.r#type).unwrap_or(Type::Dyn),
                ),
            });
        }
        let (key, value) = joined.unwrap_or((Type::Dyn, Type::Dyn));
        Ok(Typed::folded(
            Node::Map(nodes.into()),
            Type::Map(key.into(), value.into()),
        ))
    }

    fn unary(&mut self, at: usize, operator: Unary, operand: &Expression) -> Result<Typed, Problem> {
        if operator == Unary::Not {
            let node = self.boolean(operand, "!")?;
            return Ok(Typed::folded(Node::Not(node.into()), Type::Bool));
        }
        let operand = self.check(operand)?;
        match operand.r#type {
            Type::Int | Type::Double | Type::Duration | Type::Dyn => {
                Ok(Typed::folded(Node::Negate(operand.node.into()), operand.r#type))
            }
            other => Err(Problem::new(at, format!("`-` can't turn {} round", a(&other)))),
        }
    }

    /// A part that must be true or false.
    fn boolean(&mut self, expression: &Expression, operator: &str) -> Result<Node, Problem> {
        let Typed { node, r#type } = self.check(expression)?;
        if !Type::Bool.accepts(&r#type) {
            let message = format!("`{operator}` takes a bool, and this is {}", a(&r#type));
            return Err(Problem::new(expression.at, message));
        }
        Ok(node)
    }
}

fn of_literal(literal: &Literal) -> Typed {
    let (constant, r#type) = match literal {
        Literal::Null => (Constant::Null, Type::Null),
        Literal::Bool(value) => (Constant::Bool(*value), Type::Bool),
        Literal::Int(value) => (Constant::Int(*value), Type::Int),
        Literal::Uint(value) => (Constant::Uint(*value), Type::Uint),
        Literal::Double(value) => (Constant::Double(*value), Type::Double),
        Literal::String(text) => (Constant::String(text.as_str().into()), Type::String),
        Literal::Bytes(bytes) => (Constant::Bytes(bytes.as_slice().into()), Type::Bytes),
    };
    Typed::new(Node::Constant(constant), r#type)
}

fn binary(at: usize, operator: Binary, left: Typed, right: Typed) -> Result<Typed, Problem> {
    let r#type = type_of_binary(operator, &left.r#type, &right.r#type).ok_or_else(|| {
        let (symbol, left, right) = (operator.symbol(), a(&left.r#type), a(&right.r#type));
        let message = match operator {
            Binary::Equal | Binary::Unequal => {
                format!("`{symbol}` compares {left} with {right}, which are never equal")
            }
            Binary::In => format!("`in` can't look for {left} in {right}"),
            _ => format!("`{symbol}` doesn't go between {left} and {right}"),
        };
        Problem::new(at, message)
    })?;
    let sides = Box::new([left.node, right.node]);
    let node = match operator {
        Binary::Equal | Binary::Unequal => Node::Equal(operator == Binary::Equal, sides),
        Binary::In => Node::In(sides),
        Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => Node::Order(operator, sides),
        _ => Node::Arithmetic(operator, sides),
    };
    Ok(Typed::folded(node, r#type))
}

fn type_of_binary(operator: Binary, left: &Type, right: &Type) -> Option<Type> {
    use Type::{Bool, Bytes, Double, Duration, Dyn, Int, List, Map, String, Timestamp, Uint};
    let r#type = match (operator, left, right) {
        (Binary::Equal | Binary::Unequal, ..) => return left.comparable(right).then_some(Bool),
        (Binary::In, _, Dyn) => Bool,
        (Binary::In, _, List(element)) => return element.comparable(left).then_some(Bool),
        (Binary::In, _, Map(key, _)) => return key.comparable(left).then_some(Bool),
        (Binary::In, ..) => return None,
        (Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual, ..) => {
            let ordered = |r#type: &Type| {
                r#type.is_number() || matches!(r#type, Bool | String | Bytes | Timestamp | Duration | Dyn)
            };
            return (ordered(left) && ordered(right) && left.comparable(right)).then_some(Bool);
        }
        (_, Dyn, _) | (_, _, Dyn) => Dyn,
        (Binary::Remainder, Int, Int) => Int,
        (Binary::Remainder, Uint, Uint) => Uint,
        (Binary::Remainder, ..) => return None,
        (_, Int, Int) => Int,
        (_, Uint, Uint) => Uint,
        (_, Double, Double) => Double,
        (Binary::Add, String, String) => String,
        (Binary::Add, Bytes, Bytes) => Bytes,
        (Binary::Add, List(one), List(other)) => Type::list(one.joined(other).unwrap_or(Dyn)),
        (Binary::Add, Timestamp, Duration) | (Binary::Add, Duration, Timestamp) => Timestamp,
        (Binary::Subtract, Timestamp, Duration) => Timestamp,
        (Binary::Add | Binary::Subtract, Duration, Duration) => Duration,
        (Binary::Subtract, Timestamp, Timestamp) => Duration,
        _ => return None,
    };
    Some(r#type)
}

fn field_of(at: usize, record: &RecordType, field: &str) -> Result<(usize, Type), Problem> {
    let found = record.fields.iter().position(|(name, _)| *name == field);
    found
        .map(|place| (place, record.fields[place].1.clone()))
        .ok_or_else(|| {
            let close = closest(field, record.fields.iter().map(|(name, _)| *name));
            Problem::new(at, format!("`{}` has no field `{field}`{close}", record.name))
        })
}

/// The type of what a map has at a key that is text.
fn value_of_key(at: usize, of: &Type, field: &str) -> Result<Type, Problem> {
    match of {
        Type::Map(key, value) if key.accepts(&Type::String) => Ok((**value).clone()),
        Type::Dyn => Ok(Type::Dyn),
        other => Err(Problem::new(at, format!("{} has no field `{field}`", a(other)))),
    }
}

/// The parts of `a.b.c`: its first name, the whole, and whether a dot precedes it.
fn qualified(expression: &Expression) -> Option<(&str, String, bool)> {
    match &expression.form {
        Form::Name { name, absolute } => Some((name, name.clone(), *absolute)),
        Form::Select { of, field } => {
            let (first, mut whole, absolute) = qualified(of)?;
            whole.push('.');
            whole.push_str(field);
            Some((first, whole, absolute))
        }
        _ => None,
    }
}

/// A type with its article.
fn a(r#type: &Type) -> String {
    match r#type {
        Type::Null => "null".to_owned(),
        Type::Record(record) => format!("`{}`", record.name),
        Type::Int => "an int".to_owned(),
        Type::Dyn => "a value of any type".to_owned(),
        other => format!("a {other}"),
    }
}

/// A hint at the name that was likely meant.
fn closest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let distances = known.map(|known| (strsim::damerau_levenshtein(name, known), known));
    match distances
        .min()
        .filter(|(distance, known)| *distance <= 2 && *distance < known.len())
    {
        Some((_, known)) => format!("; is `{known}` meant?"),
        None => String::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
