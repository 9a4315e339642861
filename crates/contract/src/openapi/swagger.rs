//! From OpenAPI 2.0 (Swagger) to 3.0: what the older version says otherwise.

use serde_json::{Map, Value, json};

/// The description in the words of 3.0.
pub(super) fn converted(root: &Value) -> Value {
    let consumes = media_types(root, "consumes").unwrap_or_else(|| vec!["application/json".to_owned()]);
    let produces = media_types(root, "produces").unwrap_or_else(|| vec!["application/json".to_owned()]);
    let mut out = Map::new();
    out.insert("openapi".to_owned(), json!("3.0.3"));
    let base = root["basePath"].as_str().unwrap_or("/");
    out.insert("servers".to_owned(), json!([{"url": base}]));
    let mut paths = Map::new();
    for (template, item) in root["paths"].as_object().into_iter().flatten() {
        paths.insert(template.clone(), path_item(root, item, &consumes, &produces));
    }
    out.insert("paths".to_owned(), Value::Object(paths));
    // What schemas refer to keeps its place.
    if let Some(definitions) = root.get("definitions") {
        out.insert("definitions".to_owned(), definitions.clone());
    }
    Value::Object(out)
}

fn media_types(value: &Value, keyword: &str) -> Option<Vec<String>> {
    let list = value.get(keyword)?.as_array()?;
    let found: Vec<String> = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    (!found.is_empty()).then_some(found)
}

fn path_item(root: &Value, item: &Value, consumes: &[String], produces: &[String]) -> Value {
    let shared: Vec<&Value> = parameters(root, item);
    let mut out = Map::new();
    for (method, operation) in item.as_object().into_iter().flatten() {
        if method == "parameters" || method.starts_with("x-") || !operation.is_object() {
            continue;
        }
        out.insert(
            method.clone(),
            converted_operation(root, operation, &shared, consumes, produces),
        );
    }
    Value::Object(out)
}

fn parameters<'v>(root: &'v Value, value: &'v Value) -> Vec<&'v Value> {
    let list = value["parameters"].as_array().into_iter().flatten();
    list.map(|parameter| local(root, parameter)).collect()
}

/// What a local reference leads to.
fn local<'v>(root: &'v Value, value: &'v Value) -> &'v Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(value)
}

fn converted_operation(
    root: &Value,
    operation: &Value,
    shared: &[&Value],
    consumes: &[String],
    produces: &[String],
) -> Value {
    let own = parameters(root, operation);
    let same = |left: &Value, right: &Value| left["name"] == right["name"] && left["in"] == right["in"];
    let shared = shared.iter().filter(|it| !own.iter().any(|own| same(own, it)));
    let all: Vec<&Value> = own.iter().chain(shared).copied().collect();
    let consumes = media_types(operation, "consumes").unwrap_or_else(|| consumes.to_vec());
    let produces = media_types(operation, "produces").unwrap_or_else(|| produces.to_vec());
    let mut out = Map::new();
    if let Some(name) = operation.get("operationId") {
        out.insert("operationId".to_owned(), name.clone());
    }
    let plain = all
        .iter()
        .filter(|it| !matches!(it["in"].as_str(), Some("body" | "formData")));
    out.insert("parameters".to_owned(), plain.map(|it| parameter(it)).collect());
    if let Some(body) = all.iter().find(|it| it["in"] == "body") {
        let content = content(&consumes, &body["schema"]);
        out.insert(
            "requestBody".to_owned(),
            json!({"required": body["required"] == true, "content": content}),
        );
    } else if all.iter().any(|it| it["in"] == "formData") {
        out.insert("requestBody".to_owned(), form(&all, &consumes));
    }
    let mut responses = Map::new();
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        if !status.starts_with("x-") {
            responses.insert(status.clone(), answer(local(root, response), &produces));
        }
    }
    out.insert("responses".to_owned(), Value::Object(responses));
    Value::Object(out)
}

fn parameter(written: &Value) -> Value {
    let mut out = json!({"name": written["name"], "in": written["in"], "required": written["required"] == true});
    let (style, explode) = match (written["collectionFormat"].as_str(), written["in"].as_str()) {
        (Some("multi"), _) => (None, true),
        (Some("ssv"), Some("query")) => (Some("spaceDelimited"), false),
        (Some("pipes"), Some("query")) => (Some("pipeDelimited"), false),
        // Tabs between items have no style in 3.0: the parameter is only looked for.
        (Some("tsv" | "ssv" | "pipes"), _) => (Some("tsv"), false),
        _ => (None, false),
    };
    if let Some(style) = style {
        out["style"] = json!(style);
    }
    out["explode"] = json!(explode);
    out["schema"] = schema(written);
    out
}

/// The schema whose keywords stand in a parameter itself.
fn schema(written: &Value) -> Value {
    let others = [
        "name",
        "in",
        "required",
        "description",
        "collectionFormat",
        "allowEmptyValue",
        "schema",
    ];
    let members = written.as_object().into_iter().flatten();
    let members = members.filter(|(keyword, _)| !others.contains(&keyword.as_str()));
    let mut out: Map<String, Value> = members
        .map(|(keyword, value)| (keyword.clone(), value.clone()))
        .collect();
    if out.get("type").is_some_and(|kind| kind == "file") {
        out.remove("type");
    }
    Value::Object(out)
}

fn form(all: &[&Value], consumes: &[String]) -> Value {
    let fields: Vec<&&Value> = all.iter().filter(|it| it["in"] == "formData").collect();
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in &fields {
        let name = field["name"].as_str().unwrap_or_default();
        properties.insert(name.to_owned(), schema(field));
        if field["required"] == true {
            required.push(name);
        }
    }
    let has_file = fields.iter().any(|field| field["type"] == "file");
    let is_form = |name: &&String| name.starts_with("multipart/") || *name == "application/x-www-form-urlencoded";
    let mut types: Vec<String> = consumes.iter().filter(is_form).cloned().collect();
    if types.is_empty() {
        let usual = if has_file {
            "multipart/form-data"
        } else {
            "application/x-www-form-urlencoded"
        };
        types.push(usual.to_owned());
    }
    let mut described = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        described["required"] = json!(required);
    }
    json!({"required": !required.is_empty(), "content": content(&types, &described)})
}

fn answer(written: &Value, produces: &[String]) -> Value {
    let mut out = json!({});
    if written["schema"].is_object() && written["schema"]["type"] != "file" {
        out["content"] = content(produces, &written["schema"]);
    }
    let mut headers = Map::new();
    for (name, header) in written["headers"].as_object().into_iter().flatten() {
        headers.insert(name.clone(), json!({"schema": schema(header)}));
    }
    out["headers"] = Value::Object(headers);
    out
}

fn content(types: &[String], schema: &Value) -> Value {
    let each = types.iter().map(|name| (name.clone(), json!({"schema": schema})));
    Value::Object(each.collect())
}
