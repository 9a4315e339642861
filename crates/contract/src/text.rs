//! Texts, such as parameters have, as the values that a schema expects.

use serde_json::{Number, Value};

use crate::schema::TypeHint;

/// A text as the value that a schema may want: a number or a truth value where it may be one and is written as JSON writes
/// it, and a text otherwise.
#[must_use]
pub fn typed(text: &str, hint: TypeHint) -> Value {
    if hint.may_be_number()
        && text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && let Ok(number) = serde_json::from_str::<Number>(text)
    {
        return Value::Number(number);
    }
    match text {
        "true" if hint.may_be_boolean() => Value::Bool(true),
        "false" if hint.may_be_boolean() => Value::Bool(false),
        "" | "null" if hint.may_be_null() && !hint.may_be_string() => Value::Null,
        text => Value::String(text.to_owned()),
    }
}

/// A text with its percent-encoding taken away; `None` where that is broken or leaves no UTF-8. In a query and in a form, a
/// plus sign is a space.
#[must_use]
pub fn decoded(text: &str, plus_is_space: bool) -> Option<String> {
    if plus_is_space && text.contains('+') {
        return crate::uri::decoded(&text.replace('+', "%20"));
    }
    crate::uri::decoded(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::{Compiler, Dialect, Direction, Documents};

    #[test]
    fn texts_are_what_a_schema_expects() {
        for (schema, text, expected) in [
            (json!({"type": "integer"}), "12", json!(12)),
            (json!({"type": "integer"}), "1x", json!("1x")),
            (json!({"type": "integer"}), "012", json!("012")),
            (json!({"type": "integer"}), "+1", json!("+1")),
            (json!({"type": "number"}), "-1.5e2", json!(-150.0)),
            (json!({"type": "string"}), "12", json!("12")),
            (json!({"type": "boolean"}), "true", json!(true)),
            (json!({"type": "boolean"}), "1", json!("1")),
            (json!({"type": ["null", "integer"]}), "", json!(null)),
            (json!({"enum": [1, 2]}), "2", json!(2)),
            (json!({"const": "2"}), "2", json!("2")),
        ] {
            let mut documents = Documents::default();
            documents.add("a", schema.clone()).unwrap();
            let mut compiler = Compiler::new(&documents, Dialect::Draft202012, false);
            let id = compiler.schema("a", "", Direction::Either).unwrap();
            let set = compiler.finish().unwrap();
            assert_eq!(typed(text, set.types(id)), expected, "{schema} {text}");
        }
    }

    #[test]
    fn encodings_are_taken_away() {
        assert_eq!(decoded("a+b%2B", true).as_deref(), Some("a b+"));
        assert_eq!(decoded("a+b%2B", false).as_deref(), Some("a+b+"));
        assert_eq!(decoded("%ff", true), None);
    }
}
