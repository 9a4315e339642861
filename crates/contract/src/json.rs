//! JSON as strictly as a guard must read it.
//!
//! What two parsers may read differently is refused: a member that is there twice (RFC 8259 §4 leaves open which one
//! counts), and numbers that no one can hold. So what was judged here is what the server behind will see.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The deepest nesting that can be asked for: what the parser itself allows without a large stack.
pub const DEEPEST: usize = 120;

/// The most characters of a name that a message repeats.
const SHOWN: usize = 64;

/// Why a text is no JSON that may pass, for the one who sent it. It repeats no values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

/// Reads a whole text. Lists and groups may stand in each other up to `depth` levels, at most [`DEEPEST`].
///
/// # Errors
/// When it is no JSON (RFC 8259) in UTF-8, a group has a member twice, it nests deeper, or a number is beyond what a
/// double can hold.
pub fn parse(text: &[u8], depth: usize) -> Result<Value, Malformed> {
    let mut parser = serde_json::Deserializer::from_slice(text);
    let level = Level(depth.min(DEEPEST));
    let value = level.deserialize(&mut parser).and_then(|value| {
        parser.end()?;
        Ok(value)
    });
    value.map_err(|error| Malformed(error.to_string()))
}

/// A name or a text as a message shows it: cut off when it is long.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// How many levels may follow.
#[derive(Clone, Copy)]
struct Level(usize);

impl Level {
    fn below<E: serde::de::Error>(self) -> Result<Level, E> {
        let below = self.0.checked_sub(1).map(Level);
        below.ok_or_else(|| E::custom("it nests too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number is too large"));
        number.map(Value::Number)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut group = Map::new();
        while let Some(Name(name)) = members.next_key()? {
            if group.contains_key(&name) {
                let message = format!("the member `{}` is there twice", shown(&name));
                return Err(A::Error::custom(message));
            }
            group.insert(name, members.next_value_seed(below)?);
        }
        Ok(Value::Object(group))
    }
}

/// A member's name.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        String::deserialize(deserializer).map(Name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn what_is_json_is_read_as_others_read_it() {
        for text in [
            "null",
            " [1, -2, 0.5, 1e300, 18446744073709551615, true, \"\\ud83d\\ude00 a\"] ",
            r#"{"a": {"b": [{}]}, "c": ""}"#,
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text.as_bytes(), 10).unwrap(), expected);
        }
    }

    #[test]
    fn what_parsers_may_read_differently_is_refused() {
        for (text, reason) in [
            (r#"{"a": 1, "a": 2}"#, "`a` is there twice"),
            (r#"{"a": 1, "\u0061": 2}"#, "`a` is there twice"),
            (r#"[{"b": {"a": 1, "a": 1}}]"#, "twice"),
            ("", "EOF"),
            ("{} {}", "trailing"),
            ("{'a': 1}", "key must be a string"),
            ("[1,]", "trailing comma"),
            ("NaN", "expected"),
            ("1e400", "range"),
            ("\"\\ud800\"", "hex escape"),
            ("\u{feff}{}", "expected value"),
            ("[[[[[[]]]]]]", "too deep"),
            ("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}", "too deep"),
        ] {
            let error = parse(text.as_bytes(), 5).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(parse(b"\"\xff\"", 5).is_err());
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes(), usize::MAX).is_err());
    }

    #[test]
    fn a_long_name_is_not_repeated() {
        let name = "n".repeat(10_000);
        let error = parse(format!(r#"{{"{name}": 1, "{name}": 2}}"#).as_bytes(), 5).unwrap_err();
        assert!(error.to_string().len() < 200, "{error}");
    }
}
