//! What the types say about their form in the file beyond what a derived schema knows.

use schemars::Schema;
use serde_json::{Value, json};

/// The type may be written as the value of one of its keys alone.
pub(crate) fn short(key: &'static str) -> impl Fn(&mut Schema) {
    move |schema| {
        let mut long = schema.clone();
        let description = long.remove("description");
        let mut brief = long.as_value()["properties"][key].clone();
        brief["description"] = json!(format!("Short for `{key}`."));
        *schema = schemars::json_schema!({ "x-short": key, "anyOf": [brief, long] });
        if let Some(description) = description {
            schema.insert("description".to_owned(), description);
        }
    }
}

/// A list that may be written as its only item.
pub(crate) fn single(schema: &mut Schema) {
    let mut list = schema.clone();
    let mut outer = schemars::json_schema!({ "x-single": true });
    for keyword in ["description", "default"] {
        if let Some(value) = list.remove(keyword) {
            outer.insert(keyword.to_owned(), value);
        }
    }
    let item = list.as_value()["items"].clone();
    outer.insert("anyOf".to_owned(), json!([item, list]));
    *schema = outer;
}

/// The key may be written as another word as well.
pub(crate) fn also(key: &'static str, other: &'static str) -> impl Fn(&mut Schema) {
    move |schema| {
        let Some(Value::Object(properties)) = schema.get_mut("properties") else {
            return;
        };
        let mut alias = properties[key].clone();
        alias["description"] = json!(format!("The same as `{key}`."));
        alias["x-means"] = json!(key);
        properties.insert(other.to_owned(), alias);
    }
}

/// The items of a list have a format.
pub(crate) fn items(format: &'static str) -> impl Fn(&mut Schema) {
    move |schema| inner(schema, "items", format)
}

/// The items of a list are some of these.
pub(crate) fn choices(list: &'static [&'static str]) -> impl Fn(&mut Schema) {
    move |schema| {
        if let Some(Value::Object(items)) = schema.get_mut("items") {
            items.insert("enum".to_owned(), json!(list));
        }
    }
}

/// The keys of a map have a format.
pub(crate) fn keys(format: &'static str) -> impl Fn(&mut Schema) {
    move |schema| inner(schema, "propertyNames", format)
}

/// The values of a map have a format.
pub(crate) fn values(format: &'static str) -> impl Fn(&mut Schema) {
    move |schema| inner(schema, "additionalProperties", format)
}

/// The items of a list are names under a key of the file.
pub(crate) fn names(key: &'static str) -> impl Fn(&mut Schema) {
    move |schema| {
        if let Some(Value::Object(items)) = schema.get_mut("items") {
            items.insert("x-names".to_owned(), json!(key));
        }
    }
}

fn inner(schema: &mut Schema, keyword: &str, format: &str) {
    let object = schema.ensure_object();
    let subschema = object.entry(keyword).or_insert_with(|| json!({"type": "string"}));
    subschema["format"] = json!(format);
}
