//! Parameters: those that all collections have, and the filters of each column.

use serde_json::{Map, Value as Json, json};

use super::{index, key, reference, schema};
use crate::api::Resource;
use crate::grammar;
use crate::schema::{Column, Type};

/// What a filter begins with.
const OPERATORS: &str = "^(not\\.)?(eq|neq|gt|gte|lt|lte|like|ilike|match|imatch|in|is|isdistinct|fts|plfts|phfts|wfts|cs|cd|ov|sl|sr|nxr|nxl|adj)(\\([^)]*\\))?\\.";

/// Adds the parameters that several operations have.
pub(super) fn add_shared(parameters: &mut Map<String, Json>) {
    let query = [
        (
            "select",
            json!({"type": "string"}),
            json!("*"),
            "Columns to show, with commas between: `id,title:name` renames, `related(*)` embeds related rows.",
        ),
        (
            "order",
            json!({"type": "string"}),
            Json::Null,
            "Columns to order by: `price.desc.nullslast,id`.",
        ),
        (
            "limit",
            json!({"type": "integer", "minimum": 0}),
            json!(20),
            "Rows at the most.",
        ),
        (
            "offset",
            json!({"type": "integer", "minimum": 0}),
            json!(0),
            "Rows to leave out before the first. `after` is quicker.",
        ),
        (
            "after",
            json!({"type": "string", "minLength": 1}),
            Json::Null,
            "Rows behind a cursor, which `Link` of an earlier answer has.",
        ),
        (
            "before",
            json!({"type": "string", "minLength": 1}),
            Json::Null,
            "Rows before a cursor, which `Link` of an earlier answer has.",
        ),
        (
            "and",
            json!({"type": "string"}),
            Json::Null,
            "Conditions that must all hold: `(price.gt.5,or(name.eq.a,name.eq.b))`.",
        ),
        (
            "or",
            json!({"type": "string"}),
            Json::Null,
            "Conditions of which one must hold: `(price.gt.5,name.eq.a)`.",
        ),
        (
            "union",
            json!({"type": "string"}),
            Json::Null,
            "Resources whose rows follow, with commas between; `distinct(a,b)` leaves out what is there twice. `$resource` in `select` says where a row is from.",
        ),
        (
            "having",
            json!({"type": "string"}),
            Json::Null,
            "Conditions on computations over groups, by the names that `select` gives them: `(total.gt.100)`.",
        ),
        (
            "columns",
            json!({"type": "string"}),
            Json::Null,
            "What of the content is taken, with commas between; the rest is left alone.",
        ),
        (
            "on_conflict",
            json!({"type": "string"}),
            Json::Null,
            "The columns of the key by which a row is found to be there already; with `Prefer: resolution=…`.",
        ),
    ];
    for (name, schema, example, description) in query {
        let mut parameter = json!({"name": name, "in": "query", "description": description, "schema": schema});
        if !example.is_null() {
            parameter["example"] = example;
        }
        parameters.insert(name.to_owned(), parameter);
    }
    add_shared_headers(parameters);
}

fn add_shared_headers(parameters: &mut Map<String, Json>) {
    let header = [
        (
            "If-Match",
            "The row's `ETag` as it was read: the change happens only where it is still that one (412).",
        ),
        (
            "If-None-Match",
            "An `ETag` that the client has: where it is still that one, the answer is 304.",
        ),
        ("Range", "Rows to show, counted from 0: `0-19`."),
        (
            "Prefer",
            "`count=exact|planned|estimated`, `handling=strict|lenient`, `timezone=…`.",
        ),
        (
            "Prefer-change",
            "`return=minimal|representation`, `resolution=merge-duplicates|ignore-duplicates`, `missing=default|null`, `handling=strict, max-affected=…`, `tx=commit|rollback`.",
        ),
    ];
    for (name, description) in header {
        let parameter = json!({
            "name": name.trim_end_matches("-change"),
            "in": "header",
            "description": description,
            "schema": {"type": "string"},
        });
        parameters.insert(name.to_owned(), parameter);
    }
    let absent = "`*`: the row is put only where there is none (412). ";
    parameters.insert(
        "If-None-Match-put".to_owned(),
        json!({"name": "If-None-Match", "in": "header", "description": absent, "schema": {"type": "string", "enum": ["*"]}}),
    );
}

/// Adds the filters of a resource, and gives references to them.
pub(super) fn add_filters(parameters: &mut Map<String, Json>, resource: &Resource) -> Vec<Json> {
    let mut references = Vec::with_capacity(resource.filterable.len());
    for place in &resource.filterable {
        let column = &resource.relation.columns[*place];
        let name = format!("{}.{}", key(&resource.name), key(column.name.as_str()));
        let filter = json!({
            "name": grammar::parameter_of(column.name.as_str()),
            "in": "query",
            "description": description(column, resource.patterns),
            "schema": {"type": "string", "pattern": OPERATORS},
            "example": example(column),
            "x-index": index::class(resource, *place),
        });
        references.push(reference("parameters", &name));
        parameters.insert(name, filter);
    }
    references
}

/// References to parameters that are shared.
pub(super) fn shared(names: &[&str]) -> Vec<Json> {
    names.iter().map(|name| reference("parameters", name)).collect()
}

fn description(column: &Column, patterns: bool) -> String {
    let ordered = "`eq.`, `neq.`, `gt.`, `gte.`, `lt.`, `lte.`, `in.(…)`, `isdistinct.`";
    let operators = match &column.kind {
        Type::Text | Type::Any | Type::Numeric | Type::Enumeration(_) if patterns => {
            format!("{ordered}, `like.`, `ilike.` (with `*`), `match.`, `imatch.`")
        }
        Type::Text | Type::Any | Type::Numeric | Type::Enumeration(_) => {
            format!("{ordered}, `like.`, `ilike.` (with `*`)")
        }
        Type::Array(_) | Type::Json { .. } => "`eq.`, `neq.`, `cs.`, `cd.`, `ov.`".to_owned(),
        Type::Range => "`eq.`, `cs.`, `cd.`, `ov.`, `sl.`, `sr.`, `nxr.`, `nxl.`, `adj.`".to_owned(),
        Type::SearchVector => "`fts.`, `plfts.`, `phfts.`, `wfts.`".to_owned(),
        _ => ordered.to_owned(),
    };
    format!(
        "{}. Operators: {operators}, `is.null`; `not.` before any.",
        column.kind.description()
    )
}

fn example(column: &Column) -> String {
    match schema::column_example(column) {
        Json::Bool(_) => "is.true".to_owned(),
        Json::Number(number) => format!("eq.{number}"),
        Json::String(text) if is_plain(&column.kind) => format!("eq.{text}"),
        _ => "not.is.null".to_owned(),
    }
}

fn is_plain(kind: &Type) -> bool {
    matches!(
        kind,
        Type::Text
            | Type::Uuid
            | Type::Date
            | Type::Time
            | Type::Timestamp
            | Type::Moment
            | Type::Enumeration(_)
            | Type::Any
    )
}
