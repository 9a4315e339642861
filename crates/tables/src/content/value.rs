//! What a client writes for a column, as the value that is bound.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::value::RawValue;

use super::{document, json, temporal};
use crate::schema::{Engine, Type};
use crate::value::Value;

/// Characters of a number at the most: more digits than any engine keeps.
const MAX_NUMBER: usize = 2048;

/// The value that a JSON value is to a column of that type; `None` where the column doesn't take it.
pub(crate) fn from_json(engine: Engine, kind: &Type, raw: &RawValue) -> Option<Value> {
    let written = raw.get();
    match (written.as_bytes().first()?, kind) {
        (b'n', _) => Some(Value::Null),
        (_, Type::Json { .. }) => Some(Value::Json(written.to_owned())),
        (b't' | b'f', Type::Boolean | Type::Any) => Some(Value::Boolean(written == "true")),
        (b'-' | b'0'..=b'9', _) => from_number(kind, written),
        (b'"', Type::Bytes) => BASE64.decode(&*document::text(raw)?).ok().map(Value::Bytes),
        (b'"', _) => from_string(engine, kind, document::text(raw)?.into_owned()),
        (b'[', Type::Array(item)) => {
            let items = document::items(raw, usize::MAX - 1)?;
            let value = |item_raw: &&RawValue| {
                // An array of several dimensions has the type of one.
                let kind = if item_raw.get().starts_with('[') { kind } else { item };
                from_json(engine, kind, item_raw)
            };
            items.iter().map(value).collect::<Option<_>>().map(Value::List)
        }
        (b'{', Type::Composite) => Some(Value::Json(written.to_owned())),
        _ => None,
    }
}

/// The value that a text is to a column of that type, where the form has nothing but text: CSV, forms, URLs, tags. `None`
/// where the column doesn't take it.
pub fn from_text(engine: Engine, kind: &Type, text: &str) -> Option<Value> {
    match kind {
        Type::Boolean => match text {
            "true" | "TRUE" | "t" | "1" => Some(Value::Boolean(true)),
            "false" | "FALSE" | "f" | "0" => Some(Value::Boolean(false)),
            _ => None,
        },
        Type::Integer { .. } | Type::Real | Type::Decimal => json::is_number(text.as_bytes())
            .then(|| from_number(kind, text))
            .flatten(),
        Type::Numeric | Type::Any if json::is_number(text.as_bytes()) => from_number(kind, text),
        Type::Bytes => BASE64.decode(text).ok().map(Value::Bytes),
        Type::Json { .. } => document::parse(text.as_bytes())
            .is_ok()
            .then(|| Value::Json(text.to_owned())),
        Type::Composite => {
            from_json(engine, kind, document::parse(text.as_bytes()).ok()?).filter(|value| *value != Value::Null)
        }
        Type::Array(_) if text.starts_with('[') => from_json(engine, kind, document::parse(text.as_bytes()).ok()?),
        _ => from_string(engine, kind, text.to_owned()),
    }
}

/// What a column of that type takes, in words for a client.
pub(super) fn taken(kind: &Type) -> String {
    /// Words that are listed.
    const LISTED: usize = 20;
    match kind {
        Type::Enumeration(words) if words.len() <= LISTED => format!("one of `{}`", words.join("`, `")),
        Type::Array(item) => format!("an array, each item {}", taken(item)),
        _ => kind.description().to_owned(),
    }
}

fn from_number(kind: &Type, written: &str) -> Option<Value> {
    if written.len() > MAX_NUMBER {
        return None;
    }
    let real = || written.parse().ok().filter(|number: &f64| number.is_finite());
    match kind {
        Type::Integer { bytes, unsigned } => integer(written, *bytes, *unsigned),
        Type::Real => real().map(Value::Real),
        Type::Decimal => Some(Value::Text(written.to_owned())),
        Type::Numeric | Type::Any => match written.parse() {
            Ok(number) => Some(Value::Integer(number)),
            // An integer beyond 64 bits would silently lose digits.
            Err(_) if !written.contains(['.', 'e', 'E']) => None,
            Err(_) => real().map(Value::Real),
        },
        _ => None,
    }
}

fn integer(written: &str, bytes: u8, unsigned: bool) -> Option<Value> {
    let number: i128 = match written.parse() {
        Ok(number) => number,
        Err(_) => whole(written.parse().ok()?)?.into(),
    };
    let bits = u32::from(bytes) * 8;
    let range = if unsigned {
        0..(1_i128 << bits)
    } else {
        -(1_i128 << (bits - 1))..(1_i128 << (bits - 1))
    };
    if !range.contains(&number) {
        return None;
    }
    Some(i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Integer))
}

/// The integer that a number such as `1.0` or `1e3` is: JSON knows one kind of number.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[allow(
        clippy::cast_possible_truncation,
        reason = "it is whole and within 2^53, where every integer is exact"
    )]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

fn from_string(engine: Engine, kind: &Type, text: String) -> Option<Value> {
    // PostgreSQL has no text with that character.
    if engine == Engine::Postgres && text.contains('\0') {
        return None;
    }
    let text = match kind {
        Type::Uuid => temporal::uuid(&text)?,
        Type::Date => temporal::date(engine, &text)?,
        Type::Time => temporal::time(engine, &text)?,
        Type::Timestamp => temporal::timestamp(engine, &text)?,
        Type::Moment => temporal::moment(engine, &text)?,
        Type::Decimal if json::is_number(text.as_bytes()) && text.len() <= MAX_NUMBER => text,
        Type::Enumeration(words) if words.contains(&text) => text,
        Type::Array(_) if text.starts_with('{') => text,
        Type::Text | Type::Numeric | Type::Any | Type::Interval | Type::Range | Type::SearchVector | Type::Other => {
            text
        }
        _ => return None,
    };
    Some(Value::Text(text))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const PG: Engine = Engine::Postgres;

    fn integer_of(bytes: u8, unsigned: bool) -> Type {
        Type::Integer { bytes, unsigned }
    }

    fn states() -> Type {
        Type::Enumeration(vec!["new".to_owned(), "gone".to_owned()])
    }

    fn array() -> Type {
        Type::Array(Box::new(integer_of(4, false)))
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn read(kind: &Type, json: &str) -> Option<Value> {
        from_json(PG, kind, document::parse(json.as_bytes()).unwrap())
    }

    #[test]
    fn json_is_taken_by_the_type_of_the_column() {
        for (kind, json, expected) in [
            (Type::Boolean, "true", Value::Boolean(true)),
            (Type::Any, "false", Value::Boolean(false)),
            (integer_of(8, false), "9223372036854775807", Value::Integer(i64::MAX)),
            (integer_of(8, false), "1e3", Value::Integer(1000)),
            (integer_of(8, false), "-0", Value::Integer(0)),
            (
                integer_of(8, true),
                "18446744073709551615",
                text("18446744073709551615"),
            ),
            (integer_of(1, false), "-128", Value::Integer(-128)),
            (Type::Real, "1.5", Value::Real(1.5)),
            (
                Type::Decimal,
                "0.10000000000000000000001",
                text("0.10000000000000000000001"),
            ),
            (Type::Decimal, "\"12.50\"", text("12.50")),
            (Type::Numeric, "7", Value::Integer(7)),
            (Type::Numeric, "1e300", Value::Real(1e300)),
            (Type::Numeric, "\"x\"", text("x")),
            (Type::Text, "\"a\\n\\u00fc\"", text("a\n\u{fc}")),
            (Type::Bytes, "\"AP8=\"", Value::Bytes(vec![0, 255])),
            (
                Type::Uuid,
                "\"6F9619FF-8B86-D011-B42D-00C04FC964FF\"",
                text("6f9619ff-8b86-d011-b42d-00c04fc964ff"),
            ),
            (Type::Date, "\"2026-01-31\"", text("2026-01-31")),
            (
                Type::Moment,
                "\"2026-01-31T12:00:00+01:00\"",
                text("2026-01-31 11:00:00Z"),
            ),
            (
                Type::Json { binary: true },
                "{\"a\" : 1.0}",
                Value::Json("{\"a\" : 1.0}".to_owned()),
            ),
            (Type::Json { binary: true }, "\"x\"", Value::Json("\"x\"".to_owned())),
            (Type::Json { binary: true }, "null", Value::Null),
            (states(), "\"gone\"", text("gone")),
            (array(), "[1,null]", Value::List(vec![Value::Integer(1), Value::Null])),
            (
                array(),
                "[[1],[2]]",
                Value::List(vec![
                    Value::List(vec![Value::Integer(1)]),
                    Value::List(vec![Value::Integer(2)]),
                ]),
            ),
            (array(), "\"{1,2}\"", text("{1,2}")),
            (Type::Range, "\"[1,2)\"", text("[1,2)")),
            (Type::Composite, "{\"a\":1}", Value::Json("{\"a\":1}".to_owned())),
            (Type::Text, "null", Value::Null),
        ] {
            assert_eq!(read(&kind, json), Some(expected), "{json} as {kind:?}");
        }
    }

    #[test]
    fn json_that_the_column_does_not_take_is_refused() {
        let long = "1".repeat(MAX_NUMBER + 1);
        for (kind, json) in [
            (Type::Boolean, "1"),
            (Type::Boolean, "\"true\""),
            (integer_of(8, false), "9223372036854775808"),
            (integer_of(8, false), "1.5"),
            (integer_of(8, false), "1e300"),
            (integer_of(8, false), "\"1\""),
            (integer_of(8, false), "true"),
            (integer_of(8, true), "-1"),
            (integer_of(1, false), "128"),
            (integer_of(2, true), "65536"),
            (Type::Real, "1e999"),
            (Type::Real, "\"1\""),
            (Type::Decimal, "\"1,5\""),
            (Type::Decimal, "\"NaN\""),
            (Type::Decimal, long.as_str()),
            (Type::Numeric, "18446744073709551616"),
            (Type::Any, "[]"),
            (Type::Text, "1"),
            (Type::Text, "\"\\u0000\""),
            (Type::Text, "\"\\ud800\""),
            (Type::Bytes, "\"AP8\""),
            (Type::Bytes, "1"),
            (Type::Uuid, "\"x\""),
            (Type::Date, "20260131"),
            (states(), "\"other\""),
            (array(), "[1,\"x\"]"),
            (array(), "{}"),
            (Type::Other, "{}"),
            (Type::Composite, "\"(1,2)\""),
        ] {
            assert_eq!(read(&kind, json), None, "{json} as {kind:?}");
        }
    }

    #[test]
    fn text_is_taken_where_there_is_nothing_else() {
        for (kind, written, expected) in [
            (Type::Boolean, "t", Some(Value::Boolean(true))),
            (Type::Boolean, "yes", None),
            (integer_of(4, false), "12", Some(Value::Integer(12))),
            (integer_of(4, false), " 12", None),
            (integer_of(4, false), "", None),
            (Type::Real, "inf", None),
            (Type::Decimal, "1.50", Some(text("1.50"))),
            (Type::Numeric, "5", Some(Value::Integer(5))),
            (Type::Numeric, "007", Some(text("007"))),
            (Type::Text, "5", Some(text("5"))),
            (Type::Bytes, "AP8=", Some(Value::Bytes(vec![0, 255]))),
            (Type::Json { binary: true }, "[1]", Some(Value::Json("[1]".to_owned()))),
            (Type::Json { binary: true }, "[1", None),
            (array(), "[1]", Some(Value::List(vec![Value::Integer(1)]))),
            (array(), "{1}", Some(text("{1}"))),
        ] {
            assert_eq!(from_text(PG, &kind, written), expected, "{written} as {kind:?}");
        }
    }
}
