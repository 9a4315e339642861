//! A value that keeps a schema, made up as plainly as can be.

use serde_json::{Map, Number, Value, json};

use super::references::Pages;

/// The deepest nesting of a value that is made up.
const DEEPEST: usize = 16;

/// The most values in one that is made up.
const MOST: usize = 10_000;

/// The longest text and list that is made up.
const LONGEST: u64 = 4096;

/// A value of a schema: its example, default, first choice; otherwise the smallest of its type, with what it requires.
///
/// # Errors
/// Says what no value is made up for: patterns, negations, schemas that need themselves.
pub(super) fn sample<'d>(pages: &Pages<'d>, schema: &'d Value) -> Result<Value, String> {
    Sampler { pages, left: MOST }.value(schema, 0)
}

struct Sampler<'s, 'd> {
    pages: &'s Pages<'d>,
    left: usize,
}

impl<'d> Sampler<'_, 'd> {
    fn value(&mut self, schema: &'d Value, depth: usize) -> Result<Value, String> {
        let schema = self.pages.follow(schema);
        if schema.get("$ref").is_some() {
            return Err("its schema refers to itself, or to what isn't there".to_owned());
        }
        if depth > DEEPEST || self.left == 0 {
            return Err("its schema needs a value that is too deep or too large".to_owned());
        }
        self.left -= 1;
        if let Some(told) = told(schema) {
            return Ok(told);
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return self.merged(schema, parts, depth);
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(parts) = schema[choice].as_array() {
                let base = self.typed(schema, depth).unwrap_or(Value::Null);
                let mut made = parts.iter().map(|part| self.value(part, depth + 1));
                let first = made
                    .find_map(Result::ok)
                    .ok_or_else(|| format!("none of its `{choice}` can be made up"))?;
                return Ok(together(base, first));
            }
        }
        self.typed(schema, depth)
    }

    /// What all parts ask for together, for groups; of other types the last part that can be made up.
    fn merged(&mut self, schema: &'d Value, parts: &'d [Value], depth: usize) -> Result<Value, String> {
        let mut all = match schema.get("type").or_else(|| schema.get("properties")) {
            Some(_) => self.typed(schema, depth)?,
            None => Value::Null,
        };
        for part in parts {
            let value = self.value(part, depth + 1)?;
            all = together(all, value);
        }
        Ok(all)
    }

    fn typed(&mut self, schema: &'d Value, depth: usize) -> Result<Value, String> {
        match kind(schema) {
            "object" => self.object(schema, depth),
            "array" => {
                let count = schema["minItems"].as_u64().unwrap_or(1).min(LONGEST);
                let item = match schema.get("items") {
                    Some(item) => self.value(item, depth + 1)?,
                    None => Value::Null,
                };
                let count = usize::try_from(count).unwrap_or(0);
                self.left = self.left.saturating_sub(count);
                Ok(Value::Array(vec![item; count]))
            }
            "string" => text(schema),
            "integer" | "number" => number(schema),
            "boolean" => Ok(json!(true)),
            "null" => Ok(Value::Null),
            other => Err(format!("its schema has the type `{other}`")),
        }
    }

    fn object(&mut self, schema: &'d Value, depth: usize) -> Result<Value, String> {
        let mut members = Map::new();
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            // What only the server gives isn't sent (OpenAPI 3.1, section 4.8.24).
            let value = match schema["properties"].get(name) {
                Some(property) if self.pages.follow(property)["readOnly"] == true => continue,
                Some(property) => self
                    .value(property, depth + 1)
                    .map_err(|why| format!("`{name}`: {why}"))?,
                None => json!("a"),
            };
            members.insert(name.to_owned(), value);
        }
        Ok(Value::Object(members))
    }
}

/// What the schema itself gives as a value.
fn told(schema: &Value) -> Option<Value> {
    let first = |list: &str| schema[list].as_array()?.first().cloned();
    let plain = |key: &str| schema.get(key).cloned();
    plain("const")
        .or_else(|| plain("example"))
        .or_else(|| first("examples"))
        .or_else(|| plain("default"))
        .or_else(|| first("enum"))
}

/// The type of a schema, of several the first that isn't null.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => {
            let mut kinds = kinds.iter().filter_map(Value::as_str);
            kinds.find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() || schema.get("required").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ if schema.get("minimum").is_some() || schema.get("maximum").is_some() => "number",
        _ => "string",
    }
}

fn text(schema: &Value) -> Result<Value, String> {
    if schema.get("pattern").is_some() {
        return Err("it has a pattern".to_owned());
    }
    let value = match schema["format"].as_str() {
        Some("date") => "2024-02-29",
        Some("date-time") => "2024-02-29T12:00:00Z",
        Some("time") => "12:00:00Z",
        Some("duration") => "PT1S",
        Some("uuid") => "6f1d1b4e-1c1a-4c58-9d4e-0c6f6a3c5b1d",
        Some("email" | "idn-email") => "a@example.com",
        Some("uri" | "url" | "iri" | "uri-reference") => "https://example.com/",
        Some("hostname" | "idn-hostname") => "example.com",
        Some("ipv4") => "192.0.2.1",
        Some("ipv6") => "2001:db8::1",
        Some("byte") => "YQ==",
        _ => "a",
    };
    let least = schema["minLength"].as_u64().unwrap_or(0);
    if least > LONGEST {
        return Err(format!("it needs a text of more than {LONGEST} characters"));
    }
    let missing = usize::try_from(least).unwrap_or(0).saturating_sub(value.len());
    let value = format!("{value}{}", "a".repeat(missing));
    let most = schema["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok());
    Ok(json!(most.map_or(&*value, |most| value.get(..most).unwrap_or(&value))))
}

fn number(schema: &Value) -> Result<Value, String> {
    let of = |key: &str| schema[key].as_f64();
    // Of 3.0, `exclusiveMinimum` is true or false; of 3.1, a number.
    let above = match &schema["exclusiveMinimum"] {
        Value::Bool(true) => of("minimum"),
        exclusive => exclusive.as_f64(),
    };
    let step = of("multipleOf").filter(|step| *step > 0.0).unwrap_or(1.0);
    let least = match (above, of("minimum")) {
        (Some(above), _) => (above / step).floor() * step + step,
        (None, Some(least)) => (least / step).ceil() * step,
        (None, None) => of("maximum").map_or(step, |most| ((most / step).floor() * step).min(step)),
    };
    let whole = least.fract() == 0.0 && least.abs() < 9e15;
    #[allow(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
    let number = if whole {
        Some(Number::from(least as i64))
    } else {
        Number::from_f64(least)
    };
    number
        .map(Value::Number)
        .ok_or_else(|| "its limits are no numbers".to_owned())
}

/// Members of both, for groups; otherwise the second.
fn together(first: Value, second: Value) -> Value {
    match (first, second) {
        (Value::Object(mut first), Value::Object(second)) => {
            first.extend(second);
            Value::Object(first)
        }
        (first @ Value::Object(_), _) => first,
        (_, second) => second,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use portcullis_contract::schema::{Compiler, Dialect, Direction, Documents, Verdict};
    use proptest::prelude::*;

    use super::*;

    fn made(schema: Value) -> Result<Value, String> {
        let mut documents = Documents::default();
        documents.add("a", schema).unwrap();
        sample(&Pages::new(&documents, "a"), documents.get("a").unwrap())
    }

    #[allow(clippy::needless_pass_by_value, reason = "what a test builds it gives away")]
    fn check(schema: Value, expected: Value) {
        assert_eq!(made(schema.clone()).unwrap(), expected, "{schema}");
    }

    #[test]
    fn values_are_as_plain_as_their_schema_allows() {
        check(json!({"type": ["null", "integer"], "minimum": 3}), json!(3));
        check(json!({"type": "integer", "maximum": -4}), json!(-4));
        check(
            json!({"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5}),
            json!(0.5),
        );
        check(
            json!({"type": "integer", "minimum": 1, "exclusiveMinimum": true}),
            json!(2),
        );
        check(json!({"type": "string", "minLength": 2, "maxLength": 2}), json!("aa"));
        check(json!({"enum": ["b", "c"]}), json!("b"));
        check(
            json!({"type": "array", "items": {"type": "boolean"}, "minItems": 2}),
            json!([true, true]),
        );
        check(
            json!({"allOf": [{"required": ["a"], "properties": {"a": {"const": 1}}}, {"type": "object", "required": ["b"], "properties": {"b": {"type": "null"}}}]}),
            json!({"a": 1, "b": null}),
        );
        check(json!({"oneOf": [{"pattern": "x"}, {"type": "integer"}]}), json!(1));
        check(
            json!({"required": ["id", "n"], "properties": {"id": {"readOnly": true}, "n": {"format": "uuid"}}}),
            json!({"n": "6f1d1b4e-1c1a-4c58-9d4e-0c6f6a3c5b1d"}),
        );
    }

    #[test]
    fn a_schema_that_needs_itself_ends() {
        let why = made(json!({"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}}));
        assert!(why.unwrap_err().contains("too deep"));
        let wide =
            json!({"type": "array", "minItems": 4096, "items": {"type": "array", "minItems": 4096, "items": {}}});
        assert!(made(json!({"allOf": [wide.clone(), wide]})).is_ok());
    }

    fn schemas() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            (0..9_u64, 0..9_u64)
                .prop_map(|(least, more)| json!({"type": "string", "minLength": least, "maxLength": least + more})),
            (-9..9_i64, 0..9_i64)
                .prop_map(|(least, more)| json!({"type": "integer", "minimum": least, "maximum": least + more})),
            Just(json!({"type": "boolean"})),
        ];
        leaf.prop_recursive(3, 16, 3, |inner| {
            prop_oneof![
                (inner.clone(), 0..3_u64)
                    .prop_map(|(item, least)| json!({"type": "array", "items": item, "minItems": least})),
                (inner.clone(), inner)
                    .prop_map(|(a, b)| json!({"type": "object", "properties": {"a": a, "b": b}, "required": ["b"]})),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_made_up_keeps_its_schema(schema in schemas()) {
            let mut documents = Documents::default();
            documents.add("a", schema).unwrap();
            let value = sample(&Pages::new(&documents, "a"), documents.get("a").unwrap()).unwrap();
            let mut compiler = Compiler::new(&documents, Dialect::Draft202012, false);
            let id = compiler.schema("a", "", Direction::Either).unwrap();
            let set = compiler.finish().unwrap();
            prop_assert_eq!(set.check(id, &value, 10_000), Verdict::Valid);
        }
    }
}
