//! What can be called under `/rpc`.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::{Parts, Visible, answer, key, parameter, reference, schema, segment};
use crate::api::{Api, NamedStatement, Resource};
use crate::grammar::{Effect, callable};
use crate::schema::{Argument, Returns, Routine, Type};

/// What a call takes: names, types, and whether each may be left out.
type Arguments<'a> = Vec<(&'a str, &'a Type, bool)>;

/// A callee as it is described.
struct Callee<'a> {
    name: &'a str,
    /// One for each routine of that name.
    arguments: Vec<Arguments<'a>>,
    /// What it gives; `None` is nothing.
    gives: Option<Json>,
    /// Whether it may give nothing.
    silent: bool,
    /// The resource whose rows it gives.
    resource: Option<&'a Resource>,
    about: String,
}

/// Adds what can be called.
pub(super) fn add(parts: &mut Parts, api: &Api, visible: &Visible) {
    let statements = api.statements().iter().map(of_statement);
    let routines = api.routines().iter().filter(|(_, routines)| !routines.is_empty());
    let routines = routines.map(|(name, routines)| of_routines(api, visible, name, routines));
    let callees: Vec<Callee<'_>> = statements.chain(routines).collect();
    if !callees.is_empty() {
        parts
            .tags
            .push(json!({"name": "rpc", "description": "Functions and statements."}));
    }
    for callee in &callees {
        let mut operations = Map::new();
        if callable(api, callee.name) == Some(Effect::Reads) {
            operations.insert("get".to_owned(), get(callee));
        }
        operations.insert("post".to_owned(), post(callee));
        parts
            .paths
            .insert(format!("/rpc/{}", segment(callee.name)), Json::Object(operations));
    }
}

fn of_statement(statement: &NamedStatement) -> Callee<'_> {
    let arguments = statement.arguments.iter().map(|(name, kind)| (&**name, kind, false));
    Callee {
        name: &statement.name,
        arguments: vec![arguments.collect()],
        gives: Some(json!({"type": "array", "items": {"type": "object"}})),
        // Only the database knows whether a statement has rows to show.
        silent: statement.writes,
        resource: None,
        about: String::new(),
    }
}

fn of_routines<'a>(api: &'a Api, visible: &Visible, name: &'a str, routines: &'a [Arc<Routine>]) -> Callee<'a> {
    let mut resource = None;
    let mut gives = Vec::new();
    for routine in routines {
        if let Returns::Relation { relation, .. } = &routine.returns {
            let relation = api.schema().relations().get(*relation);
            let is_it = |it: &&Resource| relation.is_some_and(|relation| Arc::ptr_eq(&it.relation, relation));
            resource = visible.resources(api).find(is_it);
        }
        gives.extend(given(&routine.returns, resource).filter(|schema| !gives.contains(schema)));
    }
    Callee {
        name,
        arguments: routines
            .iter()
            .map(|routine| {
                let named = routine.arguments.iter().filter(|it| !it.name.as_str().is_empty());
                named
                    .map(|it: &Argument| (it.name.as_str(), &it.kind, it.optional || it.variadic))
                    .collect()
            })
            .collect(),
        gives: match gives.len() {
            0 => None,
            1 => gives.pop(),
            _ => Some(json!({"anyOf": gives})),
        },
        silent: routines.iter().any(|it| matches!(it.returns, Returns::Nothing)),
        resource,
        about: routines.iter().find_map(|it| it.comment.clone()).unwrap_or_default(),
    }
}

/// The schema of what a routine gives. Any of it may be NULL.
fn given(returns: &Returns, resource: Option<&Resource>) -> Option<Json> {
    let object = json!({"type": ["object", "null"]});
    Some(match returns {
        Returns::Nothing => return None,
        Returns::Value(_) => json!({}),
        Returns::Values(_) => json!({"type": "array"}),
        Returns::Row(_) => object,
        Returns::Rows(_) => json!({"type": "array", "items": object}),
        Returns::Relation { many, .. } => {
            let row = match resource {
                Some(resource) => reference("schemas", &schema::row_name(resource)),
                None => object,
            };
            if *many {
                json!({"type": "array", "items": row})
            } else {
                json!({"anyOf": [row, {"type": "null"}]})
            }
        }
    })
}

fn get(callee: &Callee<'_>) -> Json {
    let mut parameters: Vec<Json> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for (name, kind, _) in callee.arguments.iter().flatten() {
        if names.contains(name) {
            continue;
        }
        names.push(name);
        let has = |arguments: &Arguments<'_>| arguments.iter().any(|(known, _, optional)| known == name && !optional);
        let is_scalar = !matches!(kind, Type::Array(_) | Type::Json { .. } | Type::Composite);
        let schema = if is_scalar {
            schema::of_type(kind)
        } else {
            json!({"type": "string"})
        };
        let mut parameter = json!({
            "name": name,
            "in": "query",
            "required": callee.arguments.iter().all(has),
            "schema": schema,
        });
        if is_scalar {
            parameter["example"] = schema::example(kind);
        }
        parameters.push(parameter);
    }
    if callee.resource.is_some() {
        let asked = ["select", "order", "limit", "offset", "and", "or"];
        let free: Vec<&str> = asked.into_iter().filter(|name| !names.contains(name)).collect();
        parameters.extend(parameter::shared(&free));
    }
    parameters.extend(parameter::shared(&["Prefer", "If-None-Match"]));
    let mut operation = operation(callee, "get", "Calls it with arguments in the query");
    operation["parameters"] = parameters.into();
    operation["responses"]["304"] = reference("responses", "unchanged");
    operation
}

fn post(callee: &Callee<'_>) -> Json {
    let mut schemas: Vec<Json> = callee.arguments.iter().map(content).collect();
    let schema = if schemas.len() == 1 {
        schemas.remove(0)
    } else {
        json!({"anyOf": schemas})
    };
    let example: Map<String, Json> = callee.arguments.first().map_or_else(Map::new, |arguments| {
        let needed = arguments.iter().filter(|(_, _, optional)| !optional);
        needed
            .map(|(name, kind, _)| ((*name).to_owned(), schema::example(kind)))
            .collect()
    });
    let needs = callee
        .arguments
        .iter()
        .all(|it| it.iter().any(|(_, _, optional)| !optional));
    let mut operation = operation(callee, "call", "Calls it with arguments in the content");
    let mut parameters = parameter::shared(&["Prefer"]);
    if callee.resource.is_some() {
        parameters.extend(parameter::shared(&["select", "order", "limit", "offset", "and", "or"]));
    }
    operation["parameters"] = parameters.into();
    operation["requestBody"] = json!({
        "required": needs,
        "content": {"application/json": {"schema": schema, "example": example}},
    });
    operation
}

fn content(arguments: &Arguments<'_>) -> Json {
    let properties: Map<String, Json> = arguments
        .iter()
        .map(|(name, kind, _)| ((*name).to_owned(), schema::of_type(kind)))
        .collect();
    let needed = arguments.iter().filter(|(_, _, optional)| !optional);
    let required: Vec<&str> = needed.map(|(name, ..)| *name).collect();
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

fn operation(callee: &Callee<'_>, name: &str, summary: &str) -> Json {
    let mut responses = answer::all([]);
    if let Some(schema) = &callee.gives {
        let shown = json!({
            "description": "What it gives.",
            "content": {
                "application/json": {"schema": schema},
                "application/vnd.pgrst.object+json": {},
                "application/x-ndjson": {},
                "text/csv": {},
                "application/xml": {},
            },
        });
        responses["200"] = shown.clone();
        responses["206"] = shown;
    }
    if callee.silent {
        responses["204"] = reference("responses", "done");
    }
    let mut operation = json!({
        "operationId": format!("rpc.{}.{name}", key(callee.name)),
        "summary": summary,
        "tags": ["rpc"],
        "responses": responses,
    });
    if !callee.about.is_empty() {
        operation["description"] = callee.about.as_str().into();
    }
    operation
}
