//! Responses: rows in their forms, and the document that tells of a problem.

use serde_json::{Map, Value as Json, json};

use super::{Parts, reference};

/// Adds the responses that all operations share.
pub(super) fn add_shared(parts: &mut Parts) {
    // RFC 9457; a dot is in the name so that no resource has it.
    let problem = json!({
        "type": "object",
        "description": "What went wrong (RFC 9457).",
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "code": {"type": "string", "description": "A word for programs."},
            "instance": {"type": "string", "description": "The request, for whoever looks into it."},
            "detail": {"type": "string"},
        },
        "required": ["type", "title", "status", "code"],
    });
    parts.schemas.insert("problem.document".to_owned(), problem);
    let field = |description: &str| json!({"description": description, "schema": {"type": "string"}});
    let shared = [
        (
            "problem",
            json!({
                "description": "What went wrong.",
                "content": {"application/problem+json": {"schema": reference("schemas", "problem.document")}},
            }),
        ),
        (
            "problem.head",
            json!({"description": "What went wrong, by the status alone."}),
        ),
        (
            "unchanged",
            json!({"description": "The client has it already.", "headers": {"ETag": field("The tag of what it has.")}}),
        ),
        (
            "done",
            json!({
                "description": "It was done, and nothing is shown.",
                "headers": {"Preference-Applied": field("The preferences that were applied.")},
            }),
        ),
    ];
    let shared = shared.map(|(name, response)| (name.to_owned(), response));
    parts.responses.extend(shared);
}

/// The answer with rows of that schema.
pub(super) fn rows(schema: &str) -> Json {
    let mut response = json!({
        "description": "The rows.",
        "content": forms(&json!({"type": "array", "items": reference("schemas", schema)}), Some(reference("schemas", schema))),
    });
    response["headers"] = json!({
        "Content-Range": {"description": "Which rows these are, and of how many where that is known.", "schema": {"type": "string"}},
        "Link": {"description": "The rows before and behind (RFC 8288).", "schema": {"type": "string"}},
        "ETag": {"description": "The tag of this answer.", "schema": {"type": "string"}},
        "Preference-Applied": {"description": "The preferences that were applied.", "schema": {"type": "string"}},
    });
    response
}

/// The answer with one row of that schema.
pub(super) fn row(schema: &str) -> Json {
    json!({
        "description": "The row.",
        "headers": {"ETag": {"description": "The tag of the row.", "schema": {"type": "string"}}},
        "content": forms(&reference("schemas", schema), None),
    })
}

/// The answer of HEAD: the fields of GET's.
pub(super) fn without_content(mut response: Json) -> Json {
    if let Some(response) = response.as_object_mut() {
        response.remove("content");
    }
    response
}

/// JSON of that schema, and the other forms that rows have.
fn forms(schema: &Json, one: Option<Json>) -> Json {
    let mut forms = json!({
        "application/json": {"schema": schema},
        "application/x-ndjson": {},
        "text/csv": {},
        "application/xml": {},
    });
    forms["application/vnd.pgrst.object+json"] = json!({"schema": one.unwrap_or_else(|| schema.clone())});
    forms
}

/// All responses of an operation: those, and whatever goes wrong.
pub(super) fn all<const N: usize>(responses: [(&str, Json); N]) -> Json {
    let mut all: Map<String, Json> = responses
        .into_iter()
        .map(|(status, response)| (status.to_owned(), response))
        .collect();
    all.insert("default".to_owned(), reference("responses", "problem"));
    Json::Object(all)
}
