//! JSON pointers (RFC 6901), for documents and for messages.

use std::fmt::Write as _;

use serde_json::Value;

/// The value that a pointer leads to, with all that stands above it, the outermost first.
pub(crate) fn follow<'a>(root: &'a Value, pointer: &str) -> Option<(&'a Value, Vec<&'a Value>)> {
    let mut above = Vec::new();
    let mut value = root;
    if pointer.is_empty() {
        return Some((value, above));
    }
    for token in pointer.strip_prefix('/')?.split('/') {
        above.push(value);
        let token = unescaped(token);
        value = match value {
            Value::Object(members) => members.get(&token)?,
            // RFC 6901 §4: no leading zeros, so that each item has one name.
            Value::Array(items) if token == "0" || !token.starts_with(['0', '+']) => {
                items.get(token.parse::<usize>().ok()?)?
            }
            _ => return None,
        };
    }
    Some((value, above))
}

/// Adds a member's name to a pointer.
pub(crate) fn push(pointer: &mut String, name: &str) {
    pointer.push('/');
    for character in name.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// Adds an item's number to a pointer.
pub(crate) fn push_index(pointer: &mut String, index: usize) {
    let _ = write!(pointer, "/{index}");
}

fn unescaped(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pointers_lead_to_one_value() {
        let document = json!({"a/b": [{"~": 1}], "": 2});
        let found = |pointer: &str| follow(&document, pointer).map(|(value, _)| value.clone());
        assert_eq!(found(""), Some(document.clone()));
        assert_eq!(found("/a~1b/0/~0"), Some(json!(1)));
        assert_eq!(found("/"), Some(json!(2)));
        for pointer in ["a", "/a~1b/00", "/a~1b/1", "/a~1b/-", "/a~1b/+0", "/x"] {
            assert_eq!(found(pointer), None, "{pointer}");
        }
    }
}
