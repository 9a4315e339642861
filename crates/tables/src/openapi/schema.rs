//! Types of columns as JSON Schema (2020-12), and a value of each as an example.

use serde_json::{Map, Value as Json, json};

use super::key;
use crate::api::Resource;
use crate::schema::{Column, Type};

/// The name of a resource's rows among the schemas.
pub(super) fn row_name(resource: &Resource) -> String {
    key(&resource.name)
}

/// The name of its new rows.
pub(super) fn new_name(resource: &Resource) -> String {
    format!("{}.new", key(&resource.name))
}

/// The name of what changes in a row.
pub(super) fn change_name(resource: &Resource) -> String {
    format!("{}.change", key(&resource.name))
}

/// The schemas of a resource's rows, new rows and changes of rows.
pub(super) fn add(schemas: &mut Map<String, Json>, resource: &Resource) {
    let columns = &resource.relation.columns;
    let mut row = Map::new();
    for place in &resource.readable {
        let mut schema = of_column(&columns[*place]);
        if !resource.writable.contains(place) {
            schema["readOnly"] = true.into();
        }
        row.insert(columns[*place].name.as_str().to_owned(), schema);
    }
    let comment = resource.relation.comment.as_deref();
    let mut schema = json!({
        "type": "object",
        "properties": row,
        "example": row_example(resource),
    });
    if let Some(comment) = comment {
        schema["description"] = comment.into();
    }
    schemas.insert(row_name(resource), schema);
    if !writes(resource) {
        return;
    }
    let mut written = Map::new();
    for place in &resource.writable {
        written.insert(columns[*place].name.as_str().to_owned(), of_column(&columns[*place]));
    }
    let required: Vec<&str> = required(resource).map(|place| columns[place].name.as_str()).collect();
    let mut new = json!({
        "type": "object",
        "properties": written,
        "additionalProperties": false,
        "example": new_example(resource),
    });
    if !required.is_empty() {
        new["required"] = required.into();
    }
    schemas.insert(new_name(resource), new);
    let change = json!({
        "type": "object",
        "properties": written,
        "additionalProperties": false,
        "minProperties": 1,
        "example": change_example(resource),
    });
    schemas.insert(change_name(resource), change);
}

/// The schema of a column.
pub(super) fn of_column(column: &Column) -> Json {
    let mut schema = of_type(&column.kind);
    if let (Type::Text, Some(most)) = (&column.kind, column.max_length) {
        schema["maxLength"] = most.into();
    }
    if column.nullable {
        schema = or_null(schema);
    }
    if let Some(comment) = &column.comment {
        schema["description"] = comment.as_str().into();
    }
    schema
}

/// The schema of a type.
pub(super) fn of_type(kind: &Type) -> Json {
    let described = |schema: Json| {
        let mut schema = schema;
        schema["description"] = kind.description().into();
        schema
    };
    match kind {
        Type::Boolean => json!({"type": "boolean"}),
        Type::Integer { bytes, unsigned } => integer(*bytes, *unsigned),
        Type::Real => json!({"type": "number", "format": "double"}),
        Type::Decimal => json!({"type": "number"}),
        Type::Numeric => described(json!({"type": ["number", "string"]})),
        Type::Text => json!({"type": "string"}),
        Type::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
        Type::Uuid => json!({"type": "string", "format": "uuid"}),
        Type::Date => json!({"type": "string", "format": "date"}),
        Type::Moment => json!({"type": "string", "format": "date-time"}),
        // The formats `time` and `date-time` demand a zone (RFC 3339 §5.6).
        Type::Time | Type::Timestamp | Type::Interval | Type::Range | Type::SearchVector => {
            described(json!({"type": "string"}))
        }
        Type::Json { .. } | Type::Other => described(json!({})),
        Type::Enumeration(words) => json!({"type": "string", "enum": words}),
        Type::Array(item) => json!({"type": "array", "items": or_null(of_type(item))}),
        Type::Composite => described(json!({"type": "object"})),
        Type::Any => described(json!({"type": ["string", "number", "boolean"]})),
    }
}

/// The schema of the same values and null.
fn or_null(mut schema: Json) -> Json {
    match schema.get_mut("type") {
        None => return schema,
        Some(Json::Array(types)) => types.push("null".into()),
        Some(kind) => *kind = json!([kind.take(), "null"]),
    }
    if let Some(Json::Array(words)) = schema.get_mut("enum") {
        words.push(Json::Null);
    }
    schema
}

fn integer(bytes: u8, unsigned: bool) -> Json {
    let bits = u32::from(bytes.clamp(1, 8)) * 8;
    let mut schema = if unsigned {
        json!({"type": "integer", "minimum": 0, "maximum": u64::MAX >> (64 - bits)})
    } else {
        json!({"type": "integer", "minimum": i64::MIN >> (64 - bits), "maximum": i64::MAX >> (64 - bits)})
    };
    match bytes {
        4 => schema["format"] = "int32".into(),
        8 => schema["format"] = "int64".into(),
        _ => {}
    }
    if unsigned && let Some(schema) = schema.as_object_mut() {
        schema.remove("format");
    }
    schema
}

/// A value that a column takes.
pub(super) fn column_example(column: &Column) -> Json {
    match (&column.kind, column.max_length) {
        (Type::Text, Some(most)) => {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            column.name.as_str().chars().take(most).collect::<String>().into()
        }
        (Type::Text, None) => column.name.as_str().into(),
        (kind, _) => example(kind),
    }
}

/// A value of a type.
pub(super) fn example(kind: &Type) -> Json {
    match kind {
        Type::Boolean => true.into(),
        Type::Integer { .. } => 1.into(),
        Type::Real | Type::Decimal | Type::Numeric => 12.5.into(),
        Type::Text | Type::SearchVector | Type::Any | Type::Other => "text".into(),
        Type::Bytes => "AP8=".into(),
        Type::Uuid => "0199e1a4-6f4b-7c52-9d6f-6b1c2a3d4e5f".into(),
        Type::Date => "2026-01-31".into(),
        Type::Time => "12:30:00".into(),
        Type::Timestamp => "2026-01-31T12:30:00".into(),
        Type::Moment => "2026-01-31T12:30:00Z".into(),
        Type::Interval => "01:30:00".into(),
        Type::Range => "[1,10)".into(),
        Type::Json { .. } => json!({"name": "value"}),
        Type::Enumeration(words) => words.first().map_or(Json::Null, |word| word.as_str().into()),
        Type::Array(item) => json!([example(item)]),
        Type::Composite => json!({}),
    }
}

/// An example of a row.
pub(super) fn row_example(resource: &Resource) -> Json {
    of_places(resource, resource.readable.iter().copied())
}

/// An example of a new row: what it needs, or what it may have where it needs nothing.
pub(super) fn new_example(resource: &Resource) -> Json {
    if required(resource).next().is_some() {
        return of_places(resource, required(resource));
    }
    of_places(resource, free(resource).take(1))
}

/// An example of a change.
pub(super) fn change_example(resource: &Resource) -> Json {
    of_places(resource, free(resource).take(1))
}

/// What can be written, the columns before all that are no part of the key.
fn free(resource: &Resource) -> impl Iterator<Item = usize> {
    let is_key = |place: &usize| resource.relation.primary_key.contains(place) || resource.version == Some(*place);
    let rest = resource.writable.iter().copied().filter(move |place| !is_key(place));
    rest.chain(resource.writable.iter().copied().filter(is_key))
}

/// The columns that a new row must have.
fn required(resource: &Resource) -> impl Iterator<Item = usize> {
    let columns = &resource.relation.columns;
    let written = resource.writable.iter().copied();
    written.filter(|place| !columns[*place].nullable && columns[*place].default.is_none())
}

fn of_places(resource: &Resource, places: impl Iterator<Item = usize>) -> Json {
    let columns = &resource.relation.columns;
    let each = places.map(|place| (columns[place].name.as_str().to_owned(), column_example(&columns[place])));
    Json::Object(each.collect())
}

/// Whether anything of it can be written.
pub(super) fn writes(resource: &Resource) -> bool {
    use portcullis_core::Method;
    let methods = [(Method::Post, false), (Method::Patch, false), (Method::Put, true)];
    !resource.writable.is_empty() && methods.iter().any(|(method, is_row)| resource.takes(method, *is_row))
}
