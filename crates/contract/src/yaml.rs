//! Documents as people write them: YAML 1.2, of which JSON is a part.
//!
//! Scalars mean what the core schema says (YAML 1.2.2 §10.3), so that `no` is a text. Aliases are followed, for descriptions
//! of APIs have them, and counted each time, so that a small file can't become a large one.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Number, Value};

use crate::json;

/// The deepest nesting.
const DEEPEST: usize = json::DEEPEST;

/// The most values in a document, with those that aliases repeat.
const MOST: usize = 4_000_000;

/// Reads a document that is JSON or YAML.
///
/// # Errors
/// Says what is wrong and where, for the one who wrote it.
pub fn parse(text: &str) -> Result<Value, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with(['{', '[']) {
        // Most that looks like JSON is JSON, and reading that is a hundred times faster. A member that is there twice is
        // wrong in both.
        match json::parse(text.as_bytes(), DEEPEST) {
            Ok(value) => return Ok(value),
            Err(error) if text.len() > 1024 * 1024 => return Err(error.to_string()),
            Err(_) => {}
        }
    }
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        count: 0,
    };
    reader.document()
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, (Value, usize)>,
    count: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), String> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let (line, column) = (error.marker().line(), error.marker().col() + 1);
                Err(format!("line {line}, column {column}: {}", error.info()))
            }
            None => Err("it ends too early".to_owned()),
        }
    }

    fn document(&mut self) -> Result<Value, String> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return root.ok_or_else(|| "it is empty".to_owned()),
                Event::DocumentStart(_) if root.is_some() => return Err(at(span, "a second document begins here")),
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                event => root = Some(self.value(event, span, DEEPEST)?),
            }
        }
    }

    fn value(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Value, String> {
        let before = self.count;
        self.take(1, span)?;
        let depth = depth.checked_sub(1).ok_or_else(|| at(span, "it nests too deep"))?;
        let (value, anchor) = match event {
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor);
                let (value, count) = known
                    .cloned()
                    .ok_or_else(|| at(span, "the alias stands within its own anchor"))?;
                self.take(count, span)?;
                return Ok(value);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = style != ScalarStyle::Plain || tag.is_some_and(|tag| is_text(&tag));
                let value = if is_text {
                    Value::String(text.into_owned())
                } else {
                    plain(&text)
                };
                (value, anchor)
            }
            Event::SequenceStart(anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.group(depth)?, anchor),
            _ => return Err(at(span, "there is no value here")),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), self.count - before));
        }
        Ok(value)
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Value::Array(items));
            }
            items.push(self.value(event, span, depth)?);
        }
    }

    fn group(&mut self, depth: usize) -> Result<Value, String> {
        let mut members = Map::new();
        loop {
            let (event, span) = self.next()?;
            // A key is its text, whatever it looks like: `200:` in a description is the member "200".
            let name = match event {
                Event::MappingEnd => return Ok(Value::Object(members)),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(at(span, "a key is a single text")),
            };
            let (event, of_value) = self.next()?;
            let value = self.value(event, of_value, depth)?;
            if members.insert(name.clone(), value).is_some() {
                return Err(at(span, &format!("the key `{}` is there twice", json::shown(&name))));
            }
        }
    }

    fn take(&mut self, count: usize, span: Span) -> Result<(), String> {
        self.count += count;
        if self.count > MOST {
            return Err(at(span, &format!("it has more than {MOST} values")));
        }
        Ok(())
    }
}

fn at(span: Span, what: &str) -> String {
    format!("line {}, column {}: {what}", span.start.line(), span.start.col() + 1)
}

fn is_text(tag: &Tag) -> bool {
    tag.suffix == "str"
}

/// A plain scalar by the core schema (YAML 1.2.2 §10.3.2).
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let number = number(text).map(Value::Number);
    number.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let whole = text.parse::<i64>().ok().map(Number::from);
        let whole = whole.or_else(|| {
            unsigned
                .parse::<u64>()
                .ok()
                .filter(|_| !text.starts_with('-'))
                .map(Number::from)
        });
        return whole.or_else(|| Number::from_f64(text.parse().ok()?));
    }
    let is_float = unsigned
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    if !is_float || !unsigned.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Number::from_f64(text.parse().ok()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_mean_what_the_core_schema_says() {
        let text = "a: 1\nb: 1.5\nc: 'true'\nd: true\ne: no\nf: ~\ng: 1.2.3\nh: -0x1\ni: 2026-11-22\nj: 1e3\nk: 0x10\nl: '200'\n200: .5\nm: .\nn: !!str 5\n";
        let expected = json!({
            "a": 1, "b": 1.5, "c": "true", "d": true, "e": "no", "f": null, "g": "1.2.3", "h": "-0x1",
            "i": "2026-11-22", "j": 1000.0, "k": 16, "l": "200", "200": 0.5, "m": ".", "n": "5",
        });
        assert_eq!(parse(text).unwrap(), expected);
        assert_eq!(parse("{\"a\": [1, {b: c}]}").unwrap(), json!({"a": [1, {"b": "c"}]}));
    }

    #[test]
    fn aliases_are_followed_and_counted() {
        assert_eq!(
            parse("a: &x {b: 1}\nc: *x").unwrap(),
            json!({"a": {"b": 1}, "c": {"b": 1}})
        );
        let mut bomb = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n".to_owned();
        for level in 1..12 {
            let below = format!("*a{}", level - 1);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![below; 10].join(",")));
        }
        assert!(parse(&bomb).unwrap_err().contains("more than"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, reason) in [
            ("", "empty"),
            ("a: 1\na: 2", "line 2, column 1: the key `a` is there twice"),
            ("a: [", "line"),
            ("a: 1\n---\nb: 1", "second document"),
            ("[a]: 1", "single text"),
            ("{\"a\": 1, \"a\": 2}", "twice"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        assert!(parse(&deep).is_err());
    }
}
