//! What an expression is worth for given variables, within a number of steps.

mod arithmetic;
mod call;
mod comprehension;
mod convert;
mod network;
mod text;

use std::cmp::Ordering;
use std::rc::Rc;

pub(crate) use network::read as read_network;

use crate::check::Node;
use crate::problem::Failure;
use crate::program::Variables;
use crate::syntax::{Binary, Logical};
use crate::value::{List, Map, Value};

/// One evaluation: what it may still cost, and the variables of the macros that it is in.
pub(crate) struct Evaluation<'a> {
    variables: &'a dyn Variables,
    steps: u64,
    locals: Vec<Value<'a>>,
}

impl<'a> Evaluation<'a> {
    pub(crate) fn new(variables: &'a dyn Variables, steps: u64) -> Evaluation<'a> {
        Evaluation {
            variables,
            steps,
            locals: Vec::new(),
        }
    }

    /// What the node is worth. Every node costs a step, and what does more work than that costs more.
    pub(crate) fn evaluate(&mut self, node: &'a Node) -> Result<Value<'a>, Failure> {
        self.charge(1)?;
        match node {
            Node::Constant(constant) => Ok(constant.value()),
            Node::Variable(place) => Ok(self.variables.get(*place)),
            Node::Local(place) => self.locals.get(*place).cloned().ok_or(Failure::WrongType("a variable")),
            Node::Field(of, place) => match self.evaluate(of)? {
                Value::Record(record) => Ok(record.field(*place)),
                _ => Err(Failure::WrongType("a field")),
            },
            Node::HasField(of, place) => match self.evaluate(of)? {
                Value::Record(record) => Ok(Value::Bool(!matches!(record.field(*place), Value::Null))),
                _ => Err(Failure::WrongType("`has`")),
            },
            Node::Key(of, key) => {
                let of = self.evaluate(of)?;
                self.key(&of, key)?.ok_or_else(|| Failure::NoSuchKey(key.clone()))
            }
            Node::HasKey(of, key) => {
                let of = self.evaluate(of)?;
                Ok(Value::Bool(self.key(&of, key)?.is_some()))
            }
            Node::Index(sides) => self.index(sides),
            Node::Not(of) => Ok(Value::Bool(!self.truth(of)?)),
            Node::Negate(of) => {
                let of = self.evaluate(of)?;
                arithmetic::negate(&of)
            }
            Node::Equal(wanted, sides) => {
                let [left, right] = self.both(sides)?;
                let equal = left.equals(&right, &mut |steps| self.charge(steps))?;
                Ok(Value::Bool(equal == *wanted))
            }
            Node::Order(operator, sides) => self.order(*operator, sides),
            Node::In(sides) => self.is_in(sides),
            Node::Arithmetic(operator, sides) => {
                let [left, right] = self.both(sides)?;
                self.arithmetic(*operator, left, right)
            }
            Node::Logical(operator, operands) => self.logical(*operator, operands),
            Node::Conditional(parts) => {
                let [condition, then, otherwise] = &**parts;
                if self.truth(condition)? {
                    self.evaluate(then)
                } else {
                    self.evaluate(otherwise)
                }
            }
            Node::List(elements) => {
                let elements: Result<Vec<_>, _> = elements.iter().map(|element| self.evaluate(element)).collect();
                Ok(Value::List(List::Made(elements?.into())))
            }
            Node::Map(entries) => self.map(entries),
            Node::Comprehension(comprehension) => self.comprehension(comprehension),
            Node::Call(function, arguments) => self.call(*function, arguments),
            Node::Matches(of, regex) => self.matches(of, regex),
            Node::InNetwork(of, networks) => self.in_network(of, networks),
            Node::Time(part, of, zone) => self.part_of_time(*part, of, zone),
        }
    }

    /// Takes steps from what the evaluation may cost.
    fn charge(&mut self, steps: usize) -> Result<(), Failure> {
        match self.steps.checked_sub(steps as u64) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => {
                self.steps = 0;
                Err(Failure::TooCostly)
            }
        }
    }

    /// Charges for going through so many bytes.
    fn charge_bytes(&mut self, bytes: usize) -> Result<(), Failure> {
        self.charge(bytes / 32)
    }

    fn truth(&mut self, node: &'a Node) -> Result<bool, Failure> {
        match self.evaluate(node)? {
            Value::Bool(value) => Ok(value),
            _ => Err(Failure::WrongType("a condition")),
        }
    }

    fn both(&mut self, sides: &'a [Node; 2]) -> Result<[Value<'a>; 2], Failure> {
        let [left, right] = sides;
        Ok([self.evaluate(left)?, self.evaluate(right)?])
    }

    /// One operand that decides is enough, whatever fails in the others.
    fn logical(&mut self, operator: Logical, operands: &'a [Node]) -> Result<Value<'a>, Failure> {
        let decisive = operator == Logical::Or;
        let mut failure = None;
        for operand in operands {
            match self.truth(operand) {
                Ok(value) if value == decisive => return Ok(Value::Bool(decisive)),
                Ok(_) => {}
                Err(Failure::TooCostly) => return Err(Failure::TooCostly),
                Err(failed) => failure = failure.or(Some(failed)),
            }
        }
        failure.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn order(&mut self, operator: Binary, sides: &'a [Node; 2]) -> Result<Value<'a>, Failure> {
        let [left, right] = self.both(sides)?;
        if let (Value::String(left), Value::String(right)) = (&left, &right) {
            self.charge_bytes(left.len().min(right.len()))?;
        }
        let order = left.order(&right)?;
        Ok(Value::Bool(match operator {
            Binary::Less => order == Some(Ordering::Less),
            Binary::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Binary::Greater => order == Some(Ordering::Greater),
            _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }))
    }

    fn is_in(&mut self, sides: &'a [Node; 2]) -> Result<Value<'a>, Failure> {
        let [wanted, within] = self.both(sides)?;
        match within {
            Value::List(list) => {
                for element in list.iter() {
                    self.charge(1)?;
                    if element.equals(&wanted, &mut |steps| self.charge(steps))? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            Value::Map(map) => {
                self.charge(map.cost())?;
                Ok(Value::Bool(map.get(&wanted).is_some()))
            }
            _ => Err(Failure::WrongType("`in`")),
        }
    }

    /// The value of a map's key that is a name.
    fn key(&mut self, of: &Value<'a>, key: &'a str) -> Result<Option<Value<'a>>, Failure> {
        let Value::Map(map) = of else {
            return Err(Failure::WrongType("a field"));
        };
        self.charge(map.cost())?;
        Ok(map.get(&Value::text(key)))
    }

    fn index(&mut self, sides: &'a [Node; 2]) -> Result<Value<'a>, Failure> {
        let [of, index] = self.both(sides)?;
        match of {
            Value::List(list) => list.get(place(&index)?).ok_or(Failure::NoSuchIndex),
            Value::Map(map) => {
                self.charge(map.cost())?;
                map.get(&index).ok_or_else(|| Failure::NoSuchKey(shown(&index)))
            }
            _ => Err(Failure::WrongType("an index")),
        }
    }

    fn map(&mut self, entries: &'a [(Node, Node)]) -> Result<Value<'a>, Failure> {
        let mut made: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let key = self.evaluate(key)?;
            if !matches!(key, Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::String(_)) {
                return Err(Failure::WrongType("a key of a map"));
            }
            self.charge(made.len())?;
            if made.iter().any(|(known, _)| known.same_key(&key)) {
                return Err(Failure::KeyTwice);
            }
            let value = self.evaluate(value)?;
            made.push((key, value));
        }
        Ok(Value::Map(Map::Made(Rc::from(made))))
    }
}

/// The place in a list that a number names.
fn place(index: &Value<'_>) -> Result<usize, Failure> {
    match index {
        Value::Int(index) => usize::try_from(*index).map_err(|_| Failure::NoSuchIndex),
        Value::Uint(index) => usize::try_from(*index).map_err(|_| Failure::NoSuchIndex),
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range is checked first"
        )]
        Value::Double(index) if index.fract() == 0.0 && (0.0..=1e15).contains(index) => Ok(*index as usize),
        Value::Double(_) => Err(Failure::NoSuchIndex),
        _ => Err(Failure::WrongType("an index")),
    }
}

/// The start of a key, for messages.
fn shown(key: &Value<'_>) -> Box<str> {
    match key {
        Value::String(text) => text.chars().take(40).collect::<String>().into(),
        Value::Int(number) => number.to_string().into(),
        Value::Uint(number) => number.to_string().into(),
        Value::Bool(value) => value.to_string().into(),
        other => other.type_name().into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
