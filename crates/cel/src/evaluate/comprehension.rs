//! Macros over lists and maps.

use crate::check::{Comprehension, Quantity};
use crate::evaluate::Evaluation;
use crate::problem::Failure;
use crate::value::{List, Value};

/// What was found so far.
#[derive(Default)]
struct Found<'a> {
    /// For how many elements the body was true.
    count: usize,
    /// Whether the answer is known whatever follows.
    decided: bool,
    /// The first failure, which counts unless an element decides.
    failure: Option<Failure>,
    list: Vec<Value<'a>>,
}

impl<'a> Evaluation<'a> {
    pub(super) fn comprehension(&mut self, comprehension: &'a Comprehension) -> Result<Value<'a>, Failure> {
        let range = self.evaluate(&comprehension.range)?;
        let locals = self.locals.len();
        let found = self.go_through(comprehension, &range);
        self.locals.truncate(locals);
        let found = found?;
        match comprehension.quantity {
            Quantity::All | Quantity::Exists if found.decided => {
                Ok(Value::Bool(comprehension.quantity == Quantity::Exists))
            }
            _ if found.failure.is_some() => Err(found.failure.unwrap_or(Failure::TooCostly)),
            Quantity::All => Ok(Value::Bool(true)),
            Quantity::Exists => Ok(Value::Bool(false)),
            Quantity::ExistsOne => Ok(Value::Bool(found.count == 1)),
            Quantity::Map | Quantity::Filter => Ok(Value::List(List::Made(found.list.into()))),
        }
    }

    fn go_through(&mut self, comprehension: &'a Comprehension, range: &Value<'a>) -> Result<Found<'a>, Failure> {
        let mut found = Found::default();
        match range {
            Value::List(list) => {
                for (index, element) in list.iter().enumerate() {
                    let index = i64::try_from(index).map_err(|_| Failure::OutOfRange)?;
                    let pair = if comprehension.paired {
                        [Value::Int(index), element]
                    } else {
                        [element, Value::Null]
                    };
                    if self.step(comprehension, pair, &mut found)? {
                        break;
                    }
                }
            }
            Value::Map(map) => {
                self.charge(map.cost())?;
                for key in map.keys() {
                    let value = if comprehension.paired {
                        self.charge(map.cost())?;
                        map.get(&key).unwrap_or(Value::Null)
                    } else {
                        Value::Null
                    };
                    if self.step(comprehension, [key, value], &mut found)? {
                        break;
                    }
                }
            }
            _ => return Err(Failure::WrongType("a macro over a list or map")),
        }
        Ok(found)
    }

    /// Takes one element, and tells whether that was the last one needed.
    fn step(
        &mut self,
        comprehension: &'a Comprehension,
        [first, second]: [Value<'a>; 2],
        found: &mut Found<'a>,
    ) -> Result<bool, Failure> {
        self.charge(1)?;
        self.locals.truncate(comprehension.place);
        self.locals.push(first);
        if comprehension.paired {
            self.locals.push(second);
        }
        if let Some(filter) = &comprehension.filter
            && !self.truth(filter)?
        {
            return Ok(false);
        }
        if comprehension.quantity == Quantity::Map {
            let value = self.evaluate(&comprehension.body)?;
            found.list.push(value);
            return Ok(false);
        }
        match self.truth(&comprehension.body) {
            Ok(value) => {
                found.count += usize::from(value);
                if comprehension.quantity == Quantity::Filter && value {
                    found.list.extend(self.locals.get(comprehension.place).cloned());
                }
                found.decided = match comprehension.quantity {
                    Quantity::All => !value,
                    Quantity::Exists => value,
                    _ => false,
                };
            }
            Err(failure @ Failure::TooCostly) => return Err(failure),
            Err(failure) => found.failure = found.failure.take().or(Some(failure)),
        }
        Ok(found.decided)
    }
}
