//! JSON as arguments: `{"a": {"b": [1, 2]}}` is `json.a.b=1` and `json.a.b=2`, so that a rule can name what is in a list.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::seclang::transaction::Transaction;
use crate::seclang::variable::Name;

/// The longest name of an argument, in bytes.
const LONGEST_PATH: usize = 8 << 10;

/// Reads a body. An error says what is wrong with it.
pub(in crate::seclang) fn read(transaction: &mut Transaction, content: &[u8]) -> Result<(), String> {
    let mut path = b"json".to_vec();
    let depth = transaction.rules.settings.json_depth;
    let mut deserializer = serde_json::Deserializer::from_slice(content);
    let place = Place {
        transaction,
        path: &mut path,
        depth,
    };
    place
        .deserialize(&mut deserializer)
        .map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())
}

/// A place in the document.
struct Place<'p> {
    transaction: &'p mut Transaction,
    path: &'p mut Vec<u8>,
    depth: usize,
}

impl Place<'_> {
    fn value<E: Error>(self, text: &[u8]) -> Result<(), E> {
        match self.transaction.argument(Name::ArgsPost, self.path, text) {
            true => Ok(()),
            false => Err(E::custom("too many values")),
        }
    }

    /// The place within this one.
    fn within<E: Error>(&mut self, name: &[u8]) -> Result<Place<'_>, E> {
        self.path.push(b'.');
        self.path.extend_from_slice(name);
        if self.path.len() > LONGEST_PATH {
            return Err(E::custom("a name is too long"));
        }
        self.item()
    }

    /// An item of the list at this place, which has the same name.
    fn item<E: Error>(&mut self) -> Result<Place<'_>, E> {
        let depth = self
            .depth
            .checked_sub(1)
            .ok_or_else(|| E::custom("it is nested too deep"))?;
        Ok(Place {
            transaction: &mut *self.transaction,
            path: &mut *self.path,
            depth,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.value(if value { b"true" } else { b"false" })
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.value(value.to_string().as_bytes())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.value(value.to_string().as_bytes())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.value(value.to_string().as_bytes())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.value(value.as_bytes())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.value(b"")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let length = self.path.len();
        while items.next_element_seed(self.item()?)?.is_some() {
            self.path.truncate(length);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        let length = self.path.len();
        while let Some(name) = fields.next_key::<std::borrow::Cow<'de, str>>()? {
            let place = self.within(name.as_bytes())?;
            fields.next_value_seed(place)?;
            self.path.truncate(length);
        }
        Ok(())
    }
}
