//! JSON objects in which no member is there twice, at any depth.
//!
//! Of two members with one name parsers take the first or the last one, so that two programs could see different claims in
//! one signature (RFC 8725 §3.10, RFC 7515 §4).

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How many arrays and objects may stand within each other.
const DEEPEST: u8 = 16;

/// The object that the bytes are; `None` when they are something else, or a member is there twice, or it is too deep.
pub(crate) fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    // As text, so that it is looked at once whether it is UTF-8, and not for each text in it.
    let mut deserializer = serde_json::Deserializer::from_str(std::str::from_utf8(bytes).ok()?);
    let value = Strict(DEEPEST).deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    match value {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

/// The members of an object as they follow each other, with texts where they stand: for headers, which are read for every token and
/// hold little. `None` as with [`object`], and for more than [`MOST_MEMBERS`].
pub(crate) fn members(bytes: &[u8]) -> Option<Vec<(Cow<'_, str>, Member<'_>)>> {
    let mut deserializer = serde_json::Deserializer::from_str(std::str::from_utf8(bytes).ok()?);
    let members = deserializer.deserialize_map(Members).ok()?;
    deserializer.end().ok()?;
    Some(members)
}

/// The most members of a header: each is compared with all before it.
const MOST_MEMBERS: usize = 32;

/// What a member of a header holds.
pub(crate) enum Member<'j> {
    Text(Cow<'j, str>),
    Other(Value),
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, Member<'de>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found: Self::Value = Vec::with_capacity(4);
        while let Some(name) = members.next_key_seed(Flat)? {
            let Member::Text(name) = name else {
                return Err(A::Error::custom("a name is a text"));
            };
            if found.len() == MOST_MEMBERS || found.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom("there are too many members, or one is there twice"));
            }
            found.push((name, members.next_value_seed(Flat)?));
        }
        Ok(found)
    }
}

/// Takes a text where it stands, and anything else as [`Strict`] does.
struct Flat;

impl<'de> DeserializeSeed<'de> for Flat {
    type Value = Member<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Member<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Flat {
    type Value = Member<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Member<'de>, E> {
        Ok(Member::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Member<'de>, E> {
        Ok(Member::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Member<'de>, E> {
        BELOW.visit_unit().map(Member::Other)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Member<'de>, E> {
        BELOW.visit_bool(value).map(Member::Other)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Member<'de>, E> {
        BELOW.visit_u64(value).map(Member::Other)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Member<'de>, E> {
        BELOW.visit_i64(value).map(Member::Other)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Member<'de>, E> {
        BELOW.visit_f64(value).map(Member::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Member<'de>, A::Error> {
        BELOW.visit_seq(items).map(Member::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Member<'de>, A::Error> {
        BELOW.visit_map(members).map(Member::Other)
    }
}

/// What stands within the object.
const BELOW: Strict = Strict(DEEPEST - 1);

/// Takes any value, with so many levels below it.
#[derive(Clone, Copy)]
struct Strict(u8);

impl Strict {
    fn below<E: Error>(self) -> Result<Strict, E> {
        self.0
            .checked_sub(1)
            .map(Strict)
            .ok_or_else(|| E::custom("it is too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
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

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("it is no number"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        // The claims of a token are a dozen or so, and what stands within them is little.
        let mut map = Map::with_capacity(if self.0 == DEEPEST { 16 } else { 0 });
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(below)?;
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is there twice"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_json_is() {
        let text = r#" {"a": [1, -2, 2.5, true, null, "x\u00e9", {}], "b": {"a": 18446744073709551615}} "#;
        let expected: Value = serde_json::from_str(text).expect("it is JSON");
        assert_eq!(object(text.as_bytes()).map(Value::Object), Some(expected));
    }

    #[test]
    fn it_refuses_what_could_be_read_in_two_ways() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"b":{"a":1,"c":2,"a":3}}"#,
            r#"{"b":[{"a":1,"a":3}]}"#,
            r#"{"a":1}{"a":1}"#,
            r#"{"a":1} x"#,
            r#"{"a":1,}"#,
            r#"{a:1}"#,
            r#"{"a":NaN}"#,
            r#"{"a":1e999}"#,
            r#"{"a":01}"#,
            r#"{"a":"\ud800"}"#,
            "{\"a\":\"\n\"}",
            "\u{feff}{}",
            "[]",
            "\"a\"",
            "1",
            "",
        ] {
            assert_eq!(object(text.as_bytes()), None, "{text}");
            assert!(members(text.as_bytes()).is_none(), "{text}");
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), None);
        assert_eq!(object(b"{\"a\":\"\xc0\xaf\"}"), None);
    }

    #[test]
    fn members_are_those_of_the_object() {
        let text = r#" {"a": "x", "\u0062": "\u00e9", "c": [1, {"d": null}], "e": -1.5, "f": true} "#;
        let object = object(text.as_bytes()).expect("it is an object");
        let members = members(text.as_bytes()).expect("it has members");
        assert_eq!(members.len(), object.len());
        for (name, member) in members {
            match member {
                Member::Text(text) => assert_eq!(object[&*name], *text),
                Member::Other(value) => assert_eq!(object[&*name], value),
            }
        }
        let many = |count: usize| {
            let members: Vec<_> = (0..count).map(|nth| format!("\"{nth}\":{nth}")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(super::members(many(MOST_MEMBERS).as_bytes()).is_some());
        assert!(super::members(many(MOST_MEMBERS + 1).as_bytes()).is_none());
    }

    #[test]
    fn depth_has_a_limit() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(object(nested(usize::from(DEEPEST) - 1).as_bytes()).is_some());
        assert!(object(nested(usize::from(DEEPEST)).as_bytes()).is_none());
        assert!(members(nested(usize::from(DEEPEST) - 1).as_bytes()).is_some());
        assert!(members(nested(usize::from(DEEPEST)).as_bytes()).is_none());
        assert!(object("[".repeat(1_000_000).as_bytes()).is_none());
        assert!(object("{\"a\":".repeat(1_000_000).as_bytes()).is_none());
    }
}
