//! The JSON Schema of the file, generated from its types: for editors, for the reference, and for the check of the
//! structure. There is no second description of the file.
//!
//! Beyond the standard it has a few keywords that tell what a standard one can't: `x-short` (the key that a short form
//! stands for), `x-single` (one value may stand for a list of one), `x-names` (the text is a name under that key of the
//! file), `x-means` (the key is another way to write that one) and `x-anything` (any value of JSON).

pub(crate) mod form;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::file::File;

/// The JSON Schema (2020-12) of a configuration.
pub fn schema() -> Value {
    let mut schema = schema_of::<File>();
    if let Value::Object(root) = &mut schema {
        root.insert(
            "$id".to_owned(),
            json!("https://portcullis.example/portcullis.schema.json"),
        );
        root.insert("title".to_owned(), json!("A configuration of Portcullis"));
    }
    schema
}

/// The schema of a type, as it is written.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    simplify(&mut schema);
    schema
}

/// Follows a reference to a definition; what isn't one is given back as it is.
pub(crate) fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"]
        .as_str()
        .and_then(|reference| reference.strip_prefix('#'))
    {
        Some(pointer) => root.pointer(pointer).unwrap_or(&Value::Null),
        None => schema,
    }
}

/// Takes out what serde would accept and a person should not write: `null`, which in place of a guard would silently
/// mean "no guard"; and spells the ranges of integers out.
fn simplify(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::Object(object) => {
            object.values_mut().for_each(simplify);
            take_out_null(object);
            spell_out_range(object);
            join_lines(object);
            allow_variables(object);
        }
        _ => {}
    }
}

fn take_out_null(object: &mut Map<String, Value>) {
    object.retain(|keyword, value| keyword != "default" || !value.is_null());
    if let Some(default) = object.get_mut("default") {
        leave_out_null(default);
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            object.insert("type".to_owned(), one);
        }
    }
    let Some(Value::Array(branches)) = object.get_mut("anyOf") else {
        return;
    };
    branches.retain(|branch| *branch != json!({"type": "null"}));
    if let [Value::Object(only)] = branches.as_slice() {
        let only = only.clone();
        object.remove("anyOf");
        for (keyword, value) in only {
            object.entry(keyword).or_insert(value);
        }
    }
}

fn leave_out_null(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|_, value| !value.is_null());
        members.values_mut().for_each(leave_out_null);
    }
}

fn spell_out_range(object: &mut Map<String, Value>) {
    let most = match object.get("format").and_then(Value::as_str) {
        Some("uint8") => u64::from(u8::MAX),
        Some("uint16") => u64::from(u16::MAX),
        Some("uint32") => u64::from(u32::MAX),
        // What every reader of JSON takes for the same number (RFC 8259 §6).
        Some("uint64") => (1 << 53) - 1,
        _ => return,
    };
    object.remove("format");
    object.entry("minimum").or_insert(json!(0));
    object.entry("maximum").or_insert(json!(most));
}

/// The lines of a doc comment end where the source is full; only an empty line means anything.
fn join_lines(object: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = object.get_mut("description") {
        *text = text
            .split("\n\n")
            .map(|paragraph| paragraph.replace('\n', " "))
            .collect::<Vec<_>>()
            .join("\n\n");
    }
}

/// An editor can't know what a variable stands for, and should not complain.
fn allow_variables(object: &mut Map<String, Value>) {
    if let Some(Value::String(pattern)) = object.get_mut("pattern") {
        pattern.push_str(r"|\$\{");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Collects what stands under a keyword anywhere in a schema.
    fn collect<'a>(schema: &'a Value, keyword: &str, found: &mut Vec<&'a Value>) {
        match schema {
            Value::Array(items) => items.iter().for_each(|item| collect(item, keyword, found)),
            Value::Object(entries) => {
                for (key, value) in entries {
                    if key == keyword {
                        found.push(value);
                    }
                    collect(value, keyword, found);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn every_format_is_checked() {
        let (schema, of_bench) = (schema(), crate::bench::schema());
        let mut formats = Vec::new();
        collect(&schema, "format", &mut formats);
        collect(&of_bench, "format", &mut formats);
        assert!(formats.len() > 40);
        for format in formats
            .into_iter()
            .filter_map(Value::as_str)
            .filter(|format| *format != "secret")
        {
            // No text of any format holds a zero byte.
            assert!(crate::formats::check(format, "\0").is_err(), "{format}");
        }
    }

    fn has_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) => items.iter().any(has_null),
            Value::Object(members) => members.values().any(has_null),
            _ => false,
        }
    }

    #[test]
    fn nothing_may_be_null() {
        let schema = schema();
        let mut types = Vec::new();
        collect(&schema, "type", &mut types);
        assert!(types.into_iter().all(|kind| kind.is_string() && kind != "null"));
        assert!(!has_null(&schema));
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let schema = schema();
        let mut references = Vec::new();
        collect(&schema, "$ref", &mut references);
        for reference in references {
            let pointer = reference.as_str().and_then(|reference| reference.strip_prefix('#'));
            assert!(
                pointer.is_some_and(|pointer| schema.pointer(pointer).is_some()),
                "{reference}"
            );
        }
    }
}
