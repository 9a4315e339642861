//! What a file says in its one long form: the check of the structure makes it, and the types are read from it.
//!
//! It borrows from the tree and the schema what it can: of tens of thousands of routes, each text would be copied otherwise.

use std::borrow::Cow;

use serde::de::value::{Error, MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::effective::is_telling;
use crate::secret::MASK;

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Written<'a> {
    /// Stands for what is wrong and has been reported.
    Wrong,
    /// `null`, where JSON is written.
    Nothing,
    Switch(bool),
    Number(i64),
    /// A number with a fraction, or one that is too large for the others; only where JSON is written.
    Decimal(f64),
    Text(Cow<'a, str>),
    /// A text that must not be shown.
    Secret(Hidden),
    List(Vec<Written<'a>>),
    /// Keys, each once, and values.
    Group(Vec<(&'a str, Written<'a>)>),
}

/// The text of a secret.
#[derive(Clone)]
pub(crate) struct Hidden(pub(crate) String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(MASK)
    }
}

impl Written<'_> {
    /// Whether nothing in it is wrong.
    pub(crate) fn is_sound(&self) -> bool {
        match self {
            Written::Wrong => false,
            Written::List(items) => items.iter().all(Written::is_sound),
            Written::Group(entries) => entries.iter().all(|(_, value)| value.is_sound()),
            Written::Nothing | Written::Switch(_) | Written::Number(_) | Written::Decimal(_) => true,
            Written::Text(_) | Written::Secret(_) => true,
        }
    }

    /// The whole of it as JSON, with its secrets: for our own memory, and for nothing else.
    pub(crate) fn to_json_with_secrets(&self) -> Vec<u8> {
        serde_json::to_vec(&Form {
            value: self,
            masked: false,
            of_fields: false,
        })
        .expect("it holds nothing that JSON can't")
    }

    /// The whole of it as JSON without its secrets, and without the values of header fields that may hold some.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&Form {
            value: self,
            masked: true,
            of_fields: false,
        })
        .expect("it holds nothing that JSON can't")
    }
}

/// A value on its way to JSON.
struct Form<'w> {
    value: &'w Written<'w>,
    masked: bool,
    /// Whether it is a group of header fields.
    of_fields: bool,
}

impl Serialize for Form<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let masked = self.masked;
        match self.value {
            Written::Wrong | Written::Nothing => serializer.serialize_unit(),
            Written::Switch(switch) => serializer.serialize_bool(*switch),
            Written::Number(number) => serializer.serialize_i64(*number),
            Written::Decimal(number) => serializer.serialize_f64(*number),
            Written::Text(text) => serializer.serialize_str(text),
            Written::Secret(_) if masked => serializer.serialize_str(MASK),
            Written::Secret(secret) => serializer.serialize_str(&secret.0),
            Written::List(items) => serializer.collect_seq(items.iter().map(|value| Form {
                value,
                masked,
                of_fields: false,
            })),
            Written::Group(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    if masked && self.of_fields && matches!(value, Written::Text(_)) && is_telling(key) {
                        map.serialize_entry(key, MASK)?;
                        continue;
                    }
                    let of_fields = matches!(*key, "headers" | "set" | "add");
                    map.serialize_entry(
                        key,
                        &Form {
                            value,
                            masked,
                            of_fields,
                        },
                    )?;
                }
                map.end()
            }
        }
    }
}

impl<'de> IntoDeserializer<'de, Error> for Written<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Written<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Written::Wrong | Written::Nothing => visitor.visit_unit(),
            Written::Decimal(number) => visitor.visit_f64(number),
            Written::Switch(switch) => visitor.visit_bool(switch),
            Written::Number(number) => match u64::try_from(number) {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_i64(number),
            },
            Written::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Written::Text(Cow::Owned(text)) | Written::Secret(Hidden(text)) => visitor.visit_string(text),
            Written::List(items) => {
                let mut items = SeqDeserializer::new(items.into_iter());
                let value = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(value)
            }
            Written::Group(entries) => {
                let mut entries = MapDeserializer::new(entries.into_iter());
                let value = visitor.visit_map(&mut entries)?;
                entries.end()?;
                Ok(value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Written::Wrong | Written::Nothing => visitor.visit_none(),
            value => visitor.visit_some(value),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Written::Text(text) => text.into_deserializer().deserialize_enum(name, variants, visitor),
            Written::Group(entries) => {
                let entries = MapDeserializer::new(entries.into_iter());
                visitor.visit_enum(MapAccessDeserializer::new(entries))
            }
            other => other.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Written<'static> {
        let key = Written::Secret(Hidden("hunter2".to_owned()));
        let fields = vec![
            ("X-Token", Written::Text("correct horse".into())),
            ("X-Team", Written::Text("blue".into())),
        ];
        Written::Group(vec![("key", key), ("set", Written::Group(fields))])
    }

    #[test]
    fn secrets_are_masked_where_they_are_shown() {
        let shown = String::from_utf8(group().to_json()).expect("it is text");
        assert_eq!(shown, r#"{"key":"***","set":{"X-Token":"***","X-Team":"blue"}}"#);
        assert!(!format!("{:?}", group()).contains("hunter2"));
    }

    #[test]
    fn what_is_kept_has_them() {
        let kept = String::from_utf8(group().to_json_with_secrets()).expect("it is text");
        assert!(kept.contains("hunter2") && kept.contains("correct horse"), "{kept}");
    }
}
