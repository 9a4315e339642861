//! JSON with placeholders in its strings.

use serde_json::Value;

use super::escape::{self, Place};
use super::scope::Scope;
use super::text::Text;

/// How deep values may be nested: as deep as what reads JSON follows.
const DEEPEST: usize = 100;

/// The text of a value. A string that is a placeholder and nothing else becomes the value itself, with its own kind.
///
/// # Errors
/// When a placeholder says nothing that is known, with the way to the string as a JSON Pointer.
pub(crate) fn text(value: &Value, scope: &Scope) -> Result<Text, String> {
    let mut out = Text::default();
    let mut pointer = String::new();
    push(&mut out, value, scope, &mut pointer, DEEPEST).map_err(|message| match pointer.as_str() {
        "" => message,
        pointer => format!("{pointer}: {message}"),
    })?;
    Ok(out)
}

fn push(out: &mut Text, value: &Value, scope: &Scope, pointer: &mut String, depth: usize) -> Result<(), String> {
    if depth == 0 {
        return Err(format!("values are nested more than {DEEPEST} levels deep"));
    }
    let start = pointer.len();
    match value {
        Value::String(string) => push_string(out, string, scope)?,
        Value::Array(items) => {
            out.push_fixed("[");
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_fixed(",");
                }
                pointer.push_str(&format!("/{index}"));
                push(out, item, scope, pointer, depth - 1)?;
                pointer.truncate(start);
            }
            out.push_fixed("]");
        }
        Value::Object(members) => {
            out.push_fixed("{");
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push_fixed(",");
                }
                if name.contains("{{") {
                    return Err(format!(
                        "a placeholder stands in values only, and not in a name such as `{name}`"
                    ));
                }
                let mut key = String::from("\"");
                escape::json(&mut key, name);
                key.push_str("\":");
                out.push_fixed(&key);
                pointer.push_str(&format!("/{}", name.replace('~', "~0").replace('/', "~1")));
                push(out, member, scope, pointer, depth - 1)?;
                pointer.truncate(start);
            }
            out.push_fixed("}");
        }
        other => out.push_fixed(&other.to_string()),
    }
    Ok(())
}

fn push_string(out: &mut Text, string: &str, scope: &Scope) -> Result<(), String> {
    let text = Text::parse(string, Place::JsonString, scope)?;
    let is_value = text.is_one_value();
    if !is_value {
        out.push_fixed("\"");
    }
    out.append(text);
    if !is_value {
        out.push_fixed("\"");
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::{Strategy, any, prop, prop_oneof};
    use proptest::{prop_assert_eq, proptest};
    use serde_json::json;

    use super::super::Iteration;
    use super::super::data::{DataSet, Order, Rows};
    use super::*;

    fn scope(name: &str) -> Scope {
        let rows = Rows::from_json(
            json!([{"name": name, "age": 36, "tags": ["a", "b"]}])
                .to_string()
                .as_bytes(),
        );
        Scope::new(vec![DataSet::new("user", rows.unwrap(), Order::InTurn).unwrap()])
    }

    fn made(value: &Value, scope: &Scope) -> Value {
        let text = text(value, scope).unwrap().make(&mut Iteration::default()).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn values_keep_their_kind() {
        let form = json!({"who": "{{user.name}}", "age": "{{user.age}}", "tags": "{{user.tags}}", "text": "{{user.age}} years", "n": [1, null, 2.5, true]});
        let expected =
            json!({"who": "Ada", "age": 36, "tags": ["a", "b"], "text": "36 years", "n": [1, null, 2.5, true]});
        assert_eq!(made(&form, &scope("Ada")), expected);
    }

    #[test]
    fn the_place_of_what_is_wrong_is_told() {
        let form = json!({"order": {"a/b": ["{{user.nam}}"]}});
        let message = text(&form, &scope("Ada")).unwrap_err();
        assert!(
            message.starts_with("/order/a~1b/0: the data `user` has no column `nam`"),
            "{message}"
        );
    }

    #[test]
    fn names_of_members_have_no_placeholders() {
        let message = text(&json!({"{{user.name}}": 1}), &scope("Ada")).unwrap_err();
        assert!(message.contains("in values only"), "{message}");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            "[^{]*".prop_map(Value::String),
            any::<i32>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            prop::strategy::Just(Value::Null),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[^{]*", inner, 0..4).prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_value_breaks_out(name in ".*") {
            let form = json!({"a": "{{user.name}}", "b": "x{{user.name}}y"});
            let expected = json!({"a": name, "b": format!("x{name}y")});
            prop_assert_eq!(made(&form, &scope(&name)), expected);
        }

        #[test]
        fn json_without_placeholders_stays(value in value()) {
            prop_assert_eq!(made(&value, &Scope::default()), value);
        }
    }
}
