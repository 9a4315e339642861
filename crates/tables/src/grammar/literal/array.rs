//! Arrays as PostgreSQL writes them: `{a,"b c",NULL}`, and arrays in them.

use super::literal;
use crate::schema::{Engine, Type};
use crate::value::Value;

/// PostgreSQL's own limit.
const MAX_DIMENSIONS: usize = 6;

/// The items of an array of that type.
pub(super) fn parse(item: &Type, text: &str, engine: Engine) -> Option<Vec<Value>> {
    let mut rest = text.strip_prefix('{')?;
    let items = items(item, &mut rest, engine, 1)?;
    rest.is_empty().then_some(items)
}

/// Reads items up to the closing brace, and the brace.
fn items(item: &Type, rest: &mut &str, engine: Engine, depth: usize) -> Option<Vec<Value>> {
    let mut values = Vec::new();
    *rest = rest.trim_start();
    if let Some(after) = rest.strip_prefix('}') {
        *rest = after;
        return Some(values);
    }
    loop {
        *rest = rest.trim_start();
        let value = if let Some(inner) = rest.strip_prefix('{') {
            if depth == MAX_DIMENSIONS {
                return None;
            }
            *rest = inner;
            Value::List(items(item, rest, engine, depth + 1)?)
        } else {
            one(item, rest, engine)?
        };
        values.push(value);
        *rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            *rest = after;
            return Some(values);
        }
        *rest = rest.strip_prefix(',')?;
    }
}

fn one(item: &Type, rest: &mut &str, engine: Engine) -> Option<Value> {
    let mut text = String::new();
    if let Some(quoted) = rest.strip_prefix('"') {
        let mut characters = quoted.char_indices();
        loop {
            match characters.next()? {
                (place, '"') => {
                    *rest = &quoted[place + 1..];
                    break;
                }
                (_, '\\') => text.push(characters.next()?.1),
                (_, other) => text.push(other),
            }
        }
        return literal(item, &text, engine).ok();
    }
    let end = rest.find([',', '}', '{', '"'])?;
    let (bare, after) = rest.split_at(end);
    *rest = after;
    let bare = bare.trim_end();
    if bare.is_empty() {
        return None;
    }
    if bare.eq_ignore_ascii_case("null") {
        return Some(Value::Null);
    }
    let mut characters = bare.chars();
    while let Some(character) = characters.next() {
        text.push(if character == '\\' {
            characters.next()?
        } else {
            character
        });
    }
    literal(item, &text, engine).ok()
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::schema::{Engine, Type};

    #[test]
    fn arrays_are_taken_apart() {
        for (text, expected) in [
            ("{}", "[]"),
            ("{ }", "[]"),
            ("{a}", "[Text(\"a\")]"),
            ("{a, b }", "[Text(\"a\"), Text(\"b\")]"),
            (r#"{"a,b","c\"d"}"#, r#"[Text("a,b"), Text("c\"d")]"#),
            ("{NULL,\"NULL\"}", "[Null, Text(\"NULL\")]"),
            ("{{a},{b}}", "[List([Text(\"a\")]), List([Text(\"b\")])]"),
            ("{%plan%,*}", "[Text(\"%plan%\"), Text(\"*\")]"),
            ("{a", "no"),
            ("{a,}", "no"),
            ("{a}b", "no"),
            ("{a\"b\"}", "no"),
            ("a", "no"),
            ("{\"a}", "no"),
            ("{{{{{{{a}}}}}}}", "no"),
        ] {
            let values = parse(&Type::Text, text, Engine::Postgres);
            let values = values.map_or_else(|| "no".to_owned(), |values| format!("{values:?}"));
            assert_eq!(values, expected, "{text}");
        }
        let integer = Type::Integer {
            bytes: 4,
            unsigned: false,
        };
        assert!(parse(&integer, "{1, 2}", Engine::Postgres).is_some());
        assert!(parse(&integer, "{1,x}", Engine::Postgres).is_none());
    }
}
