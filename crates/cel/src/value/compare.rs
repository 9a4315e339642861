//! Equality and order of values, across the types of numbers.

use std::cmp::Ordering;

use super::{List, Map, Value};
use crate::problem::Failure;

impl Value<'_> {
    /// Whether they are equal: numbers by what they are worth, and nothing equals a value of another type.
    /// `charge` is told how much work comparing is.
    pub(crate) fn equals(
        &self,
        other: &Value<'_>,
        charge: &mut impl FnMut(usize) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        Ok(match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(one), Value::Bool(other)) => one == other,
            (Value::String(one), Value::String(other)) => {
                charge(one.len().min(other.len()) / 64)?;
                **one == **other
            }
            (Value::Bytes(one), Value::Bytes(other)) => {
                charge(one.len().min(other.len()) / 64)?;
                **one == **other
            }
            (Value::Timestamp(one), Value::Timestamp(other)) => one == other,
            (Value::Duration(one), Value::Duration(other)) => one == other,
            (Value::Type(one), Value::Type(other)) => one == other,
            (Value::List(one), Value::List(other)) => return lists(one, other, charge),
            (Value::Map(one), Value::Map(other)) => return maps(one, other, charge),
            _ => numbers(self, other) == Some(Some(Ordering::Equal)),
        })
    }

    /// Which comes first; `Ok(None)` when neither does, as with NaN.
    pub(crate) fn order(&self, other: &Value<'_>) -> Result<Option<Ordering>, Failure> {
        Ok(Some(match (self, other) {
            (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
            (Value::String(one), Value::String(other)) => (**one).cmp(&**other),
            (Value::Bytes(one), Value::Bytes(other)) => (**one).cmp(&**other),
            (Value::Timestamp(one), Value::Timestamp(other)) => one.cmp(other),
            (Value::Duration(one), Value::Duration(other)) => one.cmp(other),
            _ => return numbers(self, other).ok_or(Failure::WrongType("a comparison")),
        }))
    }

    /// Whether they are the same key of a map.
    pub(crate) fn same_key(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Value::String(one), Value::String(other)) => **one == **other,
            (Value::Bool(one), Value::Bool(other)) => one == other,
            _ => numbers(self, other) == Some(Some(Ordering::Equal)),
        }
    }
}

fn lists(
    one: &List<'_>,
    other: &List<'_>,
    charge: &mut impl FnMut(usize) -> Result<(), Failure>,
) -> Result<bool, Failure> {
    if one.len() != other.len() {
        return Ok(false);
    }
    for (one, other) in one.iter().zip(other.iter()) {
        charge(1)?;
        if !one.equals(&other, charge)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn maps(
    one: &Map<'_>,
    other: &Map<'_>,
    charge: &mut impl FnMut(usize) -> Result<(), Failure>,
) -> Result<bool, Failure> {
    charge(one.cost() + other.cost())?;
    let keys = one.keys();
    if keys.len() != other.len() {
        return Ok(false);
    }
    for key in keys {
        charge(one.cost() + other.cost())?;
        let (Some(one), Some(other)) = (one.get(&key), other.get(&key)) else {
            return Ok(false);
        };
        if !one.equals(&other, charge)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How two numbers compare; `None` when one is no number.
fn numbers(one: &Value<'_>, other: &Value<'_>) -> Option<Option<Ordering>> {
    Some(match (one, other) {
        (Value::Int(one), Value::Int(other)) => Some(one.cmp(other)),
        (Value::Uint(one), Value::Uint(other)) => Some(one.cmp(other)),
        (Value::Double(one), Value::Double(other)) => one.partial_cmp(other),
        (Value::Int(one), Value::Uint(other)) => Some(i128::from(*one).cmp(&i128::from(*other))),
        (Value::Uint(one), Value::Int(other)) => Some(i128::from(*one).cmp(&i128::from(*other))),
        (Value::Int(one), Value::Double(other)) => whole_and_double(i128::from(*one), *other),
        (Value::Uint(one), Value::Double(other)) => whole_and_double(i128::from(*one), *other),
        (Value::Double(one), Value::Int(other)) => whole_and_double(i128::from(*other), *one).map(Ordering::reverse),
        (Value::Double(one), Value::Uint(other)) => whole_and_double(i128::from(*other), *one).map(Ordering::reverse),
        _ => return None,
    })
}

/// Compares on one line of numbers, where what a double can't tell apart is one number: so do other implementations.
fn whole_and_double(whole: i128, double: f64) -> Option<Ordering> {
    (whole as f64).partial_cmp(&double)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// 2^63, which a double holds exactly.
    const INTS: f64 = 9_223_372_036_854_775_808.0;

    #[test]
    fn numbers_compare_by_what_they_are_worth() {
        use Ordering::{Equal, Greater, Less};
        for (one, other, expected) in [
            (Value::Int(1), Value::Uint(1), Some(Equal)),
            (Value::Int(-1), Value::Uint(u64::MAX), Some(Less)),
            (Value::Int(1), Value::Double(1.5), Some(Less)),
            (Value::Int(-1), Value::Double(-1.5), Some(Greater)),
            (Value::Int(i64::MAX), Value::Double(INTS), Some(Equal)),
            (Value::Int(i64::MIN), Value::Double(-INTS), Some(Equal)),
            (Value::Uint(u64::MAX), Value::Double(2.0 * INTS), Some(Equal)),
            (Value::Double(f64::NEG_INFINITY), Value::Int(i64::MIN), Some(Less)),
            (Value::Double(f64::NAN), Value::Int(0), None),
            (Value::Double(f64::NAN), Value::Double(f64::NAN), None),
        ] {
            assert_eq!(one.order(&other).unwrap(), expected, "{one:?} {other:?}");
        }
    }
}
