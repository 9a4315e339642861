//! From values of one type to those of another.

use crate::evaluate::Evaluation;
use crate::problem::Failure;
use crate::time::Timestamp;
use crate::value::{Shared, Value};

/// 2^63 and 2^64, which a double holds exactly.
const INTS: f64 = 9_223_372_036_854_775_808.0;
const UINTS: f64 = 18_446_744_073_709_551_616.0;

pub(super) fn to_int<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::Uint(number) => i64::try_from(*number).map_err(|_| Failure::OutOfRange),
        // The smallest int is left out, as other implementations do.
        #[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
        Value::Double(number) if *number > -INTS && *number < INTS => Ok(number.trunc() as i64),
        Value::Double(_) => Err(Failure::OutOfRange),
        Value::String(text) => text.parse().map_err(|_| Failure::Unreadable("int")),
        Value::Timestamp(time) => Ok(time.seconds()),
        _ => Err(Failure::WrongType("`int`")),
    }
    .map(Value::Int)
}

pub(super) fn to_uint<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    match value {
        Value::Uint(number) => Ok(*number),
        Value::Int(number) => u64::try_from(*number).map_err(|_| Failure::OutOfRange),
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range is checked"
        )]
        Value::Double(number) if *number > -1.0 && *number < UINTS => Ok(number.trunc() as u64),
        Value::Double(_) => Err(Failure::OutOfRange),
        Value::String(text) => text.parse().map_err(|_| Failure::Unreadable("uint")),
        _ => Err(Failure::WrongType("`uint`")),
    }
    .map(Value::Uint)
}

pub(super) fn to_double<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    match value {
        Value::Double(number) => Ok(*number),
        Value::Int(number) => Ok(*number as f64),
        Value::Uint(number) => Ok(*number as f64),
        Value::String(text) => text.parse().map_err(|_| Failure::Unreadable("double")),
        _ => Err(Failure::WrongType("`double`")),
    }
    .map(Value::Double)
}

pub(super) fn to_bool<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    match value {
        Value::Bool(value) => Ok(*value),
        Value::String(text) => match &**text {
            "true" | "True" | "TRUE" | "t" | "1" => Ok(true),
            "false" | "False" | "FALSE" | "f" | "0" => Ok(false),
            _ => Err(Failure::Unreadable("bool")),
        },
        _ => Err(Failure::WrongType("`bool`")),
    }
    .map(Value::Bool)
}

pub(super) fn to_timestamp<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    match value {
        Value::Timestamp(time) => Ok(*time),
        Value::Int(seconds) => Timestamp::from_seconds(*seconds).ok_or(Failure::OutOfRange),
        Value::String(text) => text.parse().map_err(|()| Failure::Unreadable("timestamp")),
        _ => Err(Failure::WrongType("`timestamp`")),
    }
    .map(Value::Timestamp)
}

impl<'a> Evaluation<'a> {
    pub(super) fn as_duration(&mut self, value: &Value<'a>) -> Result<Value<'a>, Failure> {
        match value {
            Value::Duration(duration) => Ok(*duration),
            Value::String(text) => {
                self.charge_bytes(text.len())?;
                text.parse().map_err(|()| Failure::Unreadable("duration"))
            }
            _ => Err(Failure::WrongType("`duration`")),
        }
        .map(Value::Duration)
    }

    pub(super) fn as_string(&mut self, value: Value<'a>) -> Result<Value<'a>, Failure> {
        Ok(match value {
            Value::String(_) => value,
            Value::Bool(value) => Value::text(if value { "true" } else { "false" }),
            Value::Int(number) => number.to_string().into(),
            Value::Uint(number) => number.to_string().into(),
            Value::Double(number) => number.to_string().into(),
            Value::Timestamp(time) => time.to_string().into(),
            Value::Duration(duration) => duration.to_string().into(),
            Value::Bytes(bytes) => {
                self.charge_bytes(bytes.len())?;
                let text = std::str::from_utf8(&bytes).map_err(|_| Failure::Unreadable("UTF-8"))?;
                text.to_owned().into()
            }
            _ => return Err(Failure::WrongType("`string`")),
        })
    }

    pub(super) fn as_bytes(&mut self, value: Value<'a>) -> Result<Value<'a>, Failure> {
        match value {
            Value::Bytes(_) => Ok(value),
            Value::String(Shared::Borrowed(text)) => Ok(Value::Bytes(Shared::Borrowed(text.as_bytes()))),
            Value::String(text) => {
                self.charge_bytes(text.len())?;
                Ok(Value::Bytes(Shared::Made(text.as_bytes().into())))
            }
            _ => Err(Failure::WrongType("`bytes`")),
        }
    }
}
