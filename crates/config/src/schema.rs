//! The JSON Schema of the file, generated from its types: for editors, for the reference, and for the check of the
//! structure. There is no second description of the file.
//!
//! Beyond the standard it has a few keywords that tell what a standard one can't: `x-short` (the key that a short form
//! stands for), `x-single` (one value may stand for a list of one), `x-names` (the text is a name under that key of the
//! file) and `x-means` (the key is another way to write that one).

pub(crate) mod form;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::file::File;

/// The JSON Schema (2020-12) of a configuration.
pub fn schema() -> Value {
    let generated = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<File>();
    let mut schema = generated.to_value();
    simplify(&mut schema);
    if let Value::Object(root) = &mut schema {
        root.insert(
            "$id".to_owned(),
            json!("https://portcullis.example/portcullis.schema.json"),
        );
        root.insert("title".to_owned(), json!("A configuration of Portcullis"));
    }
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
        }
        _ => {}
    }
}

fn take_out_null(object: &mut Map<String, Value>) {
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
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

fn spell_out_range(object: &mut Map<String, Value>) {
    let most = match object.get("format").and_then(Value::as_str) {
        Some("uint16") => u32::from(u16::MAX),
        Some("uint32") => u32::MAX,
        _ => return,
    };
    object.remove("format");
    object.entry("minimum").or_insert(json!(0));
    object.entry("maximum").or_insert(json!(most));
}
