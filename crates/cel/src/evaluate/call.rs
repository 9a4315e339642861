//! Calls of functions.

use regex::Regex;

use crate::check::Node;
use crate::evaluate::{Evaluation, convert, text};
use crate::functions::{Function, Part};
use crate::problem::Failure;
use crate::time::Zone;
use crate::value::Value;

/// The most arguments that a function takes, with its receiver.
const MOST: usize = 4;

impl<'a> Evaluation<'a> {
    pub(super) fn call(&mut self, function: Function, arguments: &'a [Node]) -> Result<Value<'a>, Failure> {
        let mut values = [const { Value::Null }; MOST];
        for (value, argument) in values.iter_mut().zip(arguments) {
            *value = self.evaluate(argument)?;
        }
        let values = &mut values[..arguments.len().min(MOST)];
        if let Some(result) = text::call(self, function, values) {
            return result;
        }
        let Some(value) = values.first_mut().map(|value| std::mem::replace(value, Value::Null)) else {
            return Err(Failure::WrongType("a function"));
        };
        match function {
            Function::Size => self.size(&value),
            Function::ToInt => convert::to_int(&value),
            Function::ToUint => convert::to_uint(&value),
            Function::ToDouble => convert::to_double(&value),
            Function::ToBool => convert::to_bool(&value),
            Function::ToTimestamp => convert::to_timestamp(&value),
            Function::ToDuration => self.as_duration(&value),
            Function::ToString => self.as_string(value),
            Function::ToBytes => self.as_bytes(value),
            Function::Dyn => Ok(value),
            Function::TypeOf => Ok(Value::Type(value.type_name())),
            // The others are nodes of their own, or functions of text.
            _ => Err(Failure::WrongType("a function")),
        }
    }

    fn size(&mut self, value: &Value<'a>) -> Result<Value<'a>, Failure> {
        let size = match value {
            Value::String(text) => {
                self.charge_bytes(text.len())?;
                text.chars().count()
            }
            Value::Bytes(bytes) => bytes.len(),
            Value::List(list) => list.len(),
            Value::Map(map) => {
                self.charge(map.cost())?;
                map.len()
            }
            _ => return Err(Failure::WrongType("`size`")),
        };
        i64::try_from(size).map(Value::Int).map_err(|_| Failure::OutOfRange)
    }

    pub(super) fn matches(&mut self, of: &'a Node, regex: &'a Regex) -> Result<Value<'a>, Failure> {
        let Value::String(text) = self.evaluate(of)? else {
            return Err(Failure::WrongType("`matches`"));
        };
        // The time is linear in the text, times the pattern where its states don't fit into the cache.
        self.charge(text.len() * (regex.as_str().len() / 16 + 1) / 32)?;
        Ok(Value::Bool(regex.is_match(&text)))
    }

    pub(super) fn part_of_time(&mut self, part: Part, of: &'a Node, zone: &'a Zone) -> Result<Value<'a>, Failure> {
        let time = match self.evaluate(of)? {
            Value::Timestamp(time) => time,
            Value::Duration(duration) => {
                const SECOND: i64 = 1_000_000_000;
                return Ok(Value::Int(match part {
                    Part::Hours => duration.whole(3600 * SECOND),
                    Part::Minutes => duration.whole(60 * SECOND),
                    Part::Seconds => duration.whole(SECOND),
                    Part::Milliseconds => duration.milliseconds(),
                    _ => return Err(Failure::WrongType("a part of a date")),
                }));
            }
            _ => return Err(Failure::WrongType("a part of a time")),
        };
        let civil = zone.civil(time);
        Ok(Value::Int(match part {
            Part::FullYear => civil.year,
            // The language counts months, and days but for the date, from 0.
            Part::Month => civil.month - 1,
            Part::Date => civil.day,
            Part::DayOfMonth => civil.day - 1,
            Part::DayOfWeek => civil.weekday,
            Part::DayOfYear => civil.day_of_year,
            Part::Hours => civil.hour,
            Part::Minutes => civil.minute,
            Part::Seconds => civil.second,
            Part::Milliseconds => civil.milliseconds,
        }))
    }
}
