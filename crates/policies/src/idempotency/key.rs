//! The key that a client gives.

use portcullis_core::Headers;
use sfv::{BareItem, Item, Parser};

/// The longest key: a UUID has 36 characters.
const LONGEST: usize = 255;

/// The key in that field, if there is one: a string of Structured Fields (RFC 9651 §3.3.3), or text as it is where that is
/// allowed.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub(super) fn of(headers: &Headers, field: &str, bare: bool) -> Result<Option<Vec<u8>>, String> {
    let Some(value) = headers.get(field) else {
        return Ok(None);
    };
    if headers.get_all(field).nth(1).is_some() {
        return Err(format!("the request has more than one field {field}"));
    }
    let value = value.trim_ascii();
    let key = match string(value) {
        Some(key) => key,
        None if bare && is_bare(value) => value.to_vec(),
        None => return Err(format!("the field {field} must hold a key in double quotes")),
    };
    match key.len() {
        0 => Err("a key must not be empty".to_owned()),
        1..=LONGEST => Ok(Some(key)),
        _ => Err(format!("a key has at most {LONGEST} characters")),
    }
}

fn string(value: &[u8]) -> Option<Vec<u8>> {
    let item: Item = Parser::new(value).parse().ok()?;
    match item.bare_item {
        BareItem::String(key) => Some(key.as_str().as_bytes().to_vec()),
        _ => None,
    }
}

fn is_bare(value: &[u8]) -> bool {
    value
        .iter()
        .all(|byte| byte.is_ascii_graphic() && *byte != b'"' && *byte != b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(values: &[&str], bare: bool) -> Result<Option<String>, String> {
        let mut headers = Headers::new();
        for value in values {
            headers.append("idempotency-key", value);
        }
        let key = of(&headers, "Idempotency-Key", bare)?;
        Ok(key.map(|key| String::from_utf8_lossy(&key).into_owned()))
    }

    #[test]
    fn a_key_is_a_string_in_quotes() {
        let known = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(key(&[], false), Ok(None));
        assert_eq!(key(&["\"8e03978e-40d5\""], false), known("8e03978e-40d5"));
        assert_eq!(key(&[" \"a \\\" b\";v=1 "], false), known("a \" b"));
        assert_eq!(key(&["8e03978e-40d5"], true), known("8e03978e-40d5"));
        assert_eq!(key(&["\"a\""], true), known("a"));
    }

    #[test]
    fn whatever_else_is_refused() {
        let long = format!("\"{}\"", "x".repeat(LONGEST + 1));
        for value in [
            "",
            "8e03978e-40d5",
            "\"a",
            "\"a\" b",
            "\"\"",
            "\"\u{e9}\"",
            ":YQ==:",
            "1",
            "\"a\", \"b\"",
            &long,
        ] {
            assert!(key(&[value], false).is_err(), "{value}");
        }
        for value in ["", "\"a", "a b", "a, b", &"x".repeat(LONGEST + 1)] {
            assert!(key(&[value], true).is_err(), "{value}");
        }
        assert!(key(&["\"a\"", "\"a\""], false).is_err());
    }
}
