//! `$tx`: several operations, all of which happen or none.

use portcullis_core::Method;
use serde_json::{Value as Json, json};

use super::{Parts, Visible, answer, parameter};
use crate::api::{Api, Resource};

/// Adds `$tx`, where there is a resource to do something with.
pub(super) fn add(parts: &mut Parts, api: &Api, visible: &Visible) {
    let resources: Vec<&Resource> = visible.resources(api).collect();
    let takes = |resource: &Resource, method: &Method| resource.takes(method, false) || resource.takes(method, true);
    let any = |method: &Method| resources.iter().any(|resource| takes(resource, method));
    let name = json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"});
    let text = json!({"type": "string"});
    let made: Vec<&str> = resources
        .iter()
        .filter(|resource| resource.takes(&Method::Post, false))
        .map(|resource| &*resource.name)
        .collect();
    let mut kinds = Vec::new();
    let mut kind = |verb: &str, target: Json, members: Json, needs_values: bool| {
        let mut properties = members;
        properties["as"] = name.clone();
        properties[verb] = target;
        let required = if needs_values { vec![verb, "values"] } else { vec![verb] };
        kinds.push(json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        }));
    };
    let one = json!({"type": "object"});
    if !made.is_empty() {
        let values = json!({"type": ["object", "array"], "description": "A row or several; a value `{\"$ref\": \"NAME.COLUMN\"}` is what an earlier operation `as` that name has there."});
        let resolution = json!({"enum": ["merge-duplicates", "ignore-duplicates"]});
        let members = json!({"values": values, "select": text, "on_conflict": text, "resolution": resolution});
        kind("insert", json!({"enum": made}), members, true);
    }
    let target = |example: &str| json!({"type": "string", "description": format!("Such as `{example}`.")});
    if any(&Method::Patch) {
        let members = json!({"values": one, "select": text, "if_match": text});
        kind("patch", target("RESOURCE/KEY` or `RESOURCE?FILTERS"), members, true);
    }
    if any(&Method::Put) {
        let members = json!({"values": one, "select": text, "if_match": text, "if_none_match": text});
        kind("put", target("RESOURCE/KEY"), members, true);
    }
    if any(&Method::Delete) {
        let members = json!({"select": text, "if_match": text});
        kind("delete", target("RESOURCE/KEY` or `RESOURCE?FILTERS"), members, false);
    }
    let Some(read) = resources.iter().find(|resource| takes(resource, &Method::Get)) else {
        if !kinds.is_empty() {
            put(parts, api, &kinds, None);
        }
        return;
    };
    kinds.push(json!({
        "type": "object",
        "properties": {"as": name, "get": target("RESOURCE/KEY` or `RESOURCE?QUERY")},
        "required": ["get"],
        "additionalProperties": false,
    }));
    put(
        parts,
        api,
        &kinds,
        Some(json!({"ops": [{"as": "first", "get": format!("{}?limit=1", read.name)}]})),
    );
}

fn put(parts: &mut Parts, api: &Api, kinds: &[Json], example: Option<Json>) {
    let isolation = ["read-committed", "repeatable-read", "serializable"];
    let mut content = json!({"schema": {
        "type": "object",
        "properties": {
            "isolation": {"enum": isolation},
            "read_only": {"type": "boolean"},
            "ops": {"type": "array", "minItems": 1, "maxItems": api.limits().max_steps, "items": {"anyOf": kinds}},
        },
        "required": ["ops"],
        "additionalProperties": false,
    }});
    if let Some(example) = example {
        content["example"] = example;
    }
    let result = json!({
        "type": "object",
        "properties": {
            "as": {"type": "string"},
            "status": {"type": "integer"},
            "rows": {"type": "integer", "minimum": 0},
            "location": {"type": "string"},
            "etag": {"type": "string"},
            "body": {},
        },
        "required": ["status", "rows"],
    });
    let done = json!({
        "description": "What became of each operation. All of them happened.",
        "content": {"application/json": {"schema": {
            "type": "object",
            "properties": {"results": {"type": "array", "items": result}},
            "required": ["results"],
        }}},
    });
    let operation = json!({
        "operationId": "tx",
        "summary": "Several operations, all of which happen or none",
        "tags": ["$tx"],
        "parameters": parameter::shared(&["Prefer-change"]),
        "requestBody": {"required": true, "content": {"application/json": content}},
        "responses": answer::all([("200", done)]),
    });
    parts.tags.push(json!({"name": "$tx", "description": "Transactions."}));
    parts.paths.insert("/$tx".to_owned(), json!({"post": operation}));
}
