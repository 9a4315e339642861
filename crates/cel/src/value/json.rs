//! JSON as values, without a copy.

use serde_json::{Map as Object, Value as Json};

use super::{List, Map, Mapping, Sequence, Shared, Value};

impl<'a> From<&'a Json> for Value<'a> {
    /// A number that is whole is an int, or a uint where it is too large for that.
    fn from(json: &'a Json) -> Value<'a> {
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => Value::Int(number),
                (None, Some(number)) => Value::Uint(number),
                (None, None) => number.as_f64().map_or(Value::Null, Value::Double),
            },
            Json::String(text) => Value::text(text),
            Json::Array(elements) => Value::List(List::Host(elements)),
            Json::Object(members) => Value::Map(Map::Host(members)),
        }
    }
}

impl Sequence for Vec<Json> {
    fn len(&self) -> usize {
        self.len()
    }

    fn get(&self, place: usize) -> Option<Value<'_>> {
        self.as_slice().get(place).map(Value::from)
    }
}

impl Mapping for Object<String, Json> {
    fn get(&self, key: &str) -> Option<Value<'_>> {
        self.get(key).map(Value::from)
    }

    fn keys(&self) -> Vec<Shared<'_, str>> {
        self.keys().map(|key| Shared::Borrowed(key.as_str())).collect()
    }

    fn cost(&self) -> usize {
        // A key is found by its hash, but all are listed by a macro.
        self.len() / 8
    }
}

/// Texts that a host keeps.
impl Sequence for Box<[Box<str>]> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn get(&self, place: usize) -> Option<Value<'_>> {
        (**self).get(place).map(|text| Value::text(text))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::program::{Environment, Program, Variables};
    use crate::types::Type;

    struct Claims(Json);

    impl Variables for Claims {
        fn get(&self, _place: usize) -> Value<'_> {
            (&self.0).into()
        }
    }

    #[test]
    fn members_are_values() {
        let claims = Claims(serde_json::json!({
            "sub": "ann", "age": 41, "share": 0.5, "large": u64::MAX, "none": null, "groups": ["a", {"b": [1]}],
        }));
        let environment = Environment::new().with("claims", Type::map(Type::Dyn));
        for text in [
            "claims.sub == 'ann' && claims.age + 1 == 42 && claims.share < 1 && claims.large > 1u",
            "claims.none == null && has(claims.none) && !has(claims.nothing)",
            "'a' in claims.groups && claims.groups[1].b == [1] && size(claims) == 6",
            "claims.exists(name, name.startsWith('gr'))",
        ] {
            let program = Program::compile(&environment, text).unwrap();
            assert!(matches!(program.evaluate(&claims), Ok(Value::Bool(true))), "{text}");
        }
    }
}
