//! Sums, differences, products and quotients. What doesn't fit is a failure, never wrapped round.

use crate::evaluate::Evaluation;
use crate::problem::Failure;
use crate::syntax::Binary;
use crate::value::{List, Shared, Value};

impl<'a> Evaluation<'a> {
    pub(super) fn arithmetic(
        &mut self,
        operator: Binary,
        left: Value<'a>,
        right: Value<'a>,
    ) -> Result<Value<'a>, Failure> {
        match (left, right) {
            (Value::Int(left), Value::Int(right)) => int(operator, left, right),
            (Value::Uint(left), Value::Uint(right)) => uint(operator, left, right),
            (Value::Double(left), Value::Double(right)) => double(operator, left, right),
            (left, right) if operator == Binary::Add => self.add(left, right),
            (left, right) if operator == Binary::Subtract => subtract(&left, &right),
            _ => Err(wrong(operator)),
        }
    }

    fn add(&mut self, left: Value<'a>, right: Value<'a>) -> Result<Value<'a>, Failure> {
        match (left, right) {
            (Value::String(left), Value::String(right)) => {
                self.charge_bytes(left.len() + right.len())?;
                let mut sum = String::with_capacity(left.len() + right.len());
                sum.push_str(&left);
                sum.push_str(&right);
                Ok(sum.into())
            }
            (Value::Bytes(left), Value::Bytes(right)) => {
                self.charge_bytes(left.len() + right.len())?;
                Ok(Value::Bytes(Shared::Made([&*left, &*right].concat().into())))
            }
            (Value::List(left), Value::List(right)) => {
                self.charge(left.len() + right.len())?;
                Ok(Value::List(List::Made(left.iter().chain(right.iter()).collect())))
            }
            (Value::Timestamp(time), Value::Duration(duration))
            | (Value::Duration(duration), Value::Timestamp(time)) => {
                time.plus(duration).map(Value::Timestamp).ok_or(Failure::OutOfRange)
            }
            (Value::Duration(left), Value::Duration(right)) => {
                left.plus(right).map(Value::Duration).ok_or(Failure::OutOfRange)
            }
            _ => Err(wrong(Binary::Add)),
        }
    }
}

fn subtract<'a>(left: &Value<'a>, right: &Value<'a>) -> Result<Value<'a>, Failure> {
    let difference = match (left, right) {
        (Value::Timestamp(time), Value::Duration(duration)) => time.minus(*duration).map(Value::Timestamp),
        (Value::Timestamp(time), Value::Timestamp(earlier)) => time.since(*earlier).map(Value::Duration),
        (Value::Duration(left), Value::Duration(right)) => left.minus(*right).map(Value::Duration),
        _ => return Err(wrong(Binary::Subtract)),
    };
    difference.ok_or(Failure::OutOfRange)
}

/// The number or duration with the other sign.
pub(super) fn negate<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    match value {
        Value::Int(value) => value.checked_neg().map(Value::Int).ok_or(Failure::OutOfRange),
        Value::Double(value) => Ok(Value::Double(-value)),
        Value::Duration(value) => value.negated().map(Value::Duration).ok_or(Failure::OutOfRange),
        _ => Err(Failure::WrongType("`-`")),
    }
}

fn int<'a>(operator: Binary, left: i64, right: i64) -> Result<Value<'a>, Failure> {
    let result = match operator {
        Binary::Add => left.checked_add(right),
        Binary::Subtract => left.checked_sub(right),
        Binary::Multiply => left.checked_mul(right),
        Binary::Divide | Binary::Remainder if right == 0 => return Err(Failure::DivisionByZero),
        Binary::Divide => left.checked_div(right),
        Binary::Remainder => left.checked_rem(right),
        _ => return Err(wrong(operator)),
    };
    result.map(Value::Int).ok_or(Failure::OutOfRange)
}

fn uint<'a>(operator: Binary, left: u64, right: u64) -> Result<Value<'a>, Failure> {
    let result = match operator {
        Binary::Add => left.checked_add(right),
        Binary::Subtract => left.checked_sub(right),
        Binary::Multiply => left.checked_mul(right),
        Binary::Divide | Binary::Remainder if right == 0 => return Err(Failure::DivisionByZero),
        Binary::Divide => left.checked_div(right),
        Binary::Remainder => left.checked_rem(right),
        _ => return Err(wrong(operator)),
    };
    result.map(Value::Uint).ok_or(Failure::OutOfRange)
}

fn double<'a>(operator: Binary, left: f64, right: f64) -> Result<Value<'a>, Failure> {
    Ok(Value::Double(match operator {
        Binary::Add => left + right,
        Binary::Subtract => left - right,
        Binary::Multiply => left * right,
        Binary::Divide => left / right,
        _ => return Err(wrong(operator)),
    }))
}

fn wrong(operator: Binary) -> Failure {
    Failure::WrongType(match operator {
        Binary::Add => "`+`",
        Binary::Subtract => "`-`",
        Binary::Multiply => "`*`",
        Binary::Divide => "`/`",
        _ => "`%`",
    })
}
