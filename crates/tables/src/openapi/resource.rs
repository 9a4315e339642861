//! The paths of a resource: its collection, its rows, long queries.

use portcullis_core::Method;
use serde_json::{Map, Value as Json, json};

use super::{Parts, Visible, answer, key, parameter, reference, schema, segment};
use crate::api::{Api, Resource};

/// A resource as it is described.
struct Described<'r> {
    resource: &'r Resource,
    /// What operations are called after.
    key: String,
    /// The name of the schema of its rows.
    row: String,
    /// References to the filters of its columns.
    filters: Vec<Json>,
    /// Whether there are others to unite it with.
    unites: bool,
}

/// Adds what can be asked of a resource.
pub(super) fn add(parts: &mut Parts, api: &Api, visible: &Visible, resource: &Resource) {
    schema::add(&mut parts.schemas, resource);
    let row = schema::row_name(resource);
    let (rows, found) = (answer::rows(&row), answer::row(&row));
    let responses = [
        (format!("{row}.rows"), rows.clone()),
        (format!("{row}.row"), found.clone()),
        (format!("{row}.rows.head"), answer::without_content(rows)),
        (format!("{row}.row.head"), answer::without_content(found)),
    ];
    parts.responses.extend(responses);
    let described = Described {
        resource,
        key: key(&resource.name),
        row,
        filters: parameter::add_filters(&mut parts.parameters, resource),
        unites: visible.resources(api).nth(1).is_some(),
    };
    let path = format!("/{}", segment(&resource.name));
    let mut put = |path: String, operations: Map<String, Json>, parameters: Vec<Json>| {
        if operations.is_empty() {
            return;
        }
        let mut item = operations;
        if !parameters.is_empty() {
            item.insert("parameters".to_owned(), parameters.into());
        }
        parts.paths.insert(path, Json::Object(item));
    };
    put(path.clone(), described.collection(), Vec::new());
    if resource.takes(&Method::Get, false) {
        let query = Map::from_iter([("post".to_owned(), described.long_query())]);
        put(format!("{path}/$query"), query, Vec::new());
    }
    if !resource.key.is_empty() {
        let (names, parameters) = key_parameters(resource);
        put(format!("{path}/{names}"), described.row(), parameters);
    }
    parts
        .tags
        .push(json!({"name": &*resource.name, "description": about(api, visible, resource)}));
}

/// What a resource is, and what it is related to.
fn about(api: &Api, visible: &Visible, resource: &Resource) -> String {
    let mut about = resource.relation.comment.clone().unwrap_or_default();
    let mut related: Vec<String> = Vec::new();
    for relationship in resource.relationships.iter().filter(|it| visible.has(it.target)) {
        let many = if relationship.to_one { "one" } else { "many" };
        let line = format!("`{}` ({many})", api.resources()[relationship.target].name);
        if !related.contains(&line) {
            related.push(line);
        }
    }
    if !related.is_empty() {
        if !about.is_empty() {
            about.push(' ');
        }
        about.push_str("Related rows to embed: ");
        about.push_str(&related.join(", "));
        about.push('.');
    }
    about
}

/// The template of a row's segment, and its parameters. A column whose name can't stand in a template is told by its place.
fn key_parameters(resource: &Resource) -> (String, Vec<Json>) {
    let mut names = Vec::new();
    let mut parameters = Vec::new();
    for (at, place) in resource.key.iter().enumerate() {
        let column = &resource.relation.columns[*place];
        let name = column.name.as_str();
        let is_plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let name = if !name.is_empty() && name.chars().all(is_plain) {
            name.to_owned()
        } else {
            format!("key{at}")
        };
        let mut schema = schema::of_type(&column.kind);
        if schema["type"] == "string" && schema.get("enum").is_none() {
            schema["minLength"] = 1.into();
        }
        parameters.push(json!({
            "name": name,
            "in": "path",
            "required": true,
            "schema": schema,
            "example": schema::column_example(column),
        }));
        names.push(format!("{{{name}}}"));
    }
    (names.join(","), parameters)
}

impl Described<'_> {
    fn collection(&self) -> Map<String, Json> {
        let takes = |method| self.resource.takes(method, false);
        let mut operations = Map::new();
        let read = [
            ("200", self.answered("rows")),
            ("206", self.answered("rows")),
            ("304", reference("responses", "unchanged")),
        ];
        if takes(&Method::Get) {
            let mut get = self.operation("list", "The rows that a query asks for", answer::all(read));
            get["parameters"] = self.reading().into();
            get["x-max-rows"] = self.resource.limits.max_rows.into();
            operations.insert("get".to_owned(), get);
        }
        if takes(&Method::Head) {
            let read = [
                ("200", self.answered("rows.head")),
                ("206", self.answered("rows.head")),
                ("304", reference("responses", "unchanged")),
            ];
            let mut head = self.operation("head", "The fields that GET has", headless(answer::all(read)));
            head["parameters"] = self.reading().into();
            operations.insert("head".to_owned(), head);
        }
        if takes(&Method::Post) && !self.resource.writable.is_empty() {
            operations.insert("post".to_owned(), self.insert());
        }
        if takes(&Method::Patch) && !self.resource.writable.is_empty() {
            let mut patch = self.operation("update_rows", "Changes the rows that a filter finds", self.changed());
            patch["parameters"] = self.changing().into();
            patch["requestBody"] = content(&reference("schemas", &schema::change_name(self.resource)), true);
            operations.insert("patch".to_owned(), patch);
        }
        if takes(&Method::Delete) {
            let mut delete = self.operation("delete_rows", "Deletes the rows that a filter finds", self.changed());
            delete["parameters"] = self.changing().into();
            operations.insert("delete".to_owned(), delete);
        }
        operations
    }

    fn row(&self) -> Map<String, Json> {
        let takes = |method| self.resource.takes(method, true);
        let has_version = self.resource.version.is_some();
        let mut operations = Map::new();
        let found = || self.answered("row");
        let unchanged = || reference("responses", "unchanged");
        let select = parameter::shared(&["select", "If-None-Match"]);
        if takes(&Method::Get) {
            let responses = answer::all([("200", found()), ("304", unchanged())]);
            let mut get = self.operation("read", "The row with that key", responses);
            get["parameters"] = select.clone().into();
            operations.insert("get".to_owned(), get);
        }
        if takes(&Method::Head) {
            let responses = answer::all([("200", self.answered("row.head")), ("304", unchanged())]);
            let mut head = self.operation("head_row", "The fields that GET has", headless(responses));
            head["parameters"] = select.into();
            operations.insert("head".to_owned(), head);
        }
        let done = || reference("responses", "done");
        let mut parameters = parameter::shared(&["select", "Prefer-change"]);
        if has_version {
            parameters.push(self.if_match());
        }
        if takes(&Method::Put) && !self.resource.writable.is_empty() {
            let made =
                json!({"description": "The row was made.", "headers": {"Location": {"schema": {"type": "string"}}}});
            let responses = answer::all([("200", found()), ("201", made), ("204", done())]);
            let mut put = self.operation("put", "Puts a row there, new or in place of what was there", responses);
            let mut parameters = parameter::shared(&["select", "Prefer-change", "If-None-Match-put"]);
            if has_version {
                parameters.push(reference("parameters", "If-Match"));
            }
            put["parameters"] = parameters.into();
            put["requestBody"] = content(&self.put_schema(), false);
            operations.insert("put".to_owned(), put);
        }
        if takes(&Method::Patch) && !self.resource.writable.is_empty() {
            let responses = answer::all([("200", found()), ("204", done())]);
            let mut patch = self.operation("update", "Changes the row", responses);
            patch["parameters"] = parameters.clone().into();
            patch["requestBody"] = content(&reference("schemas", &schema::change_name(self.resource)), true);
            operations.insert("patch".to_owned(), patch);
        }
        if takes(&Method::Delete) {
            let mut delete = self.operation(
                "delete",
                "Deletes the row",
                answer::all([("200", found()), ("204", done())]),
            );
            delete["parameters"] = parameters.into();
            operations.insert("delete".to_owned(), delete);
        }
        operations
    }

    fn insert(&self) -> Json {
        let made = json!({
            "description": "The rows were made; they are shown with `Prefer: return=representation`.",
            "headers": {
                "Location": {"description": "Where the new row is, of one.", "schema": {"type": "string"}},
                "Preference-Applied": {"description": "The preferences that were applied.", "schema": {"type": "string"}},
            },
        });
        let merged = json!({"description": "With `Prefer: resolution=…`: the rows are there now."});
        let mut post = self.operation("insert", "Makes rows", answer::all([("201", made), ("200", merged)]));
        post["parameters"] = parameter::shared(&["select", "columns", "on_conflict", "Prefer-change"]).into();
        let new = reference("schemas", &schema::new_name(self.resource));
        let one_or_several = json!({"oneOf": [new, {"type": "array", "items": new}]});
        post["requestBody"] = json!({
            "required": true,
            "content": {
                "application/json": {"schema": one_or_several, "example": schema::new_example(self.resource)},
            },
            "description": "A row, or several that are made wholly or not at all. Also `application/x-ndjson`, `text/csv` and \
                `application/x-www-form-urlencoded`.",
        });
        post
    }

    fn long_query(&self) -> Json {
        let responses = answer::all([
            ("200", self.answered("rows")),
            ("206", self.answered("rows")),
            ("304", reference("responses", "unchanged")),
        ]);
        let mut query = self.operation(
            "query",
            "The rows that a query asks for, which is too long for a URL",
            responses,
        );
        // By these its links lead on; all else is in the content.
        query["parameters"] = parameter::shared(&["after", "before", "offset", "Prefer", "Range"]).into();
        let parameter = json!({
            "anyOf": [
                {"type": "string", "pattern": "="},
                {"type": "array", "prefixItems": [{"type": "string"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
            ],
        });
        query["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {
                "schema": {"type": "array", "items": parameter, "description": "The parameters of GET."},
                "example": ["limit=10", ["offset", "0"]],
            }},
        });
        query
    }

    fn operation(&self, name: &str, summary: &str, responses: Json) -> Json {
        let mut operation = json!({
            "operationId": format!("{}.{name}", self.key),
            "summary": summary,
            "tags": [&*self.resource.name],
        });
        operation["responses"] = responses;
        operation
    }

    /// A response of this resource: `rows`, `row`, and those of HEAD.
    fn answered(&self, name: &str) -> Json {
        reference("responses", &format!("{}.{name}", self.row))
    }

    /// The parameters of what reads the collection.
    fn reading(&self) -> Vec<Json> {
        let mut parameters = self.filters.clone();
        parameters.extend(parameter::shared(&[
            "select", "order", "limit", "offset", "after", "before", "and", "or",
        ]));
        if self.unites {
            parameters.extend(parameter::shared(&["union"]));
        }
        if self.resource.aggregates {
            parameters.extend(parameter::shared(&["having"]));
        }
        parameters.extend(parameter::shared(&["Prefer", "Range", "If-None-Match"]));
        parameters
    }

    /// The parameters of what changes the rows that a filter finds.
    fn changing(&self) -> Vec<Json> {
        let mut parameters = self.filters.clone();
        parameters.extend(parameter::shared(&["and", "or", "select", "Prefer-change"]));
        parameters
    }

    fn changed(&self) -> Json {
        answer::all([("200", self.answered("rows")), ("204", reference("responses", "done"))])
    }

    fn if_match(&self) -> Json {
        if !self.resource.require_if_match {
            return reference("parameters", "If-Match");
        }
        json!({
            "name": "If-Match",
            "in": "header",
            "required": true,
            "description": "The row's `ETag` as it was read (428 without, 412 where it is another one by now), or `*`.",
            "schema": {"type": "string"},
        })
    }

    /// What a row is put of: a new row, whose key is in the path already.
    fn put_schema(&self) -> Json {
        let columns = &self.resource.relation.columns;
        let is_key = |name: &Json| {
            let mut key = self.resource.key.iter().map(|place| columns[*place].name.as_str());
            key.any(|known| name == known)
        };
        let mut schemas = Map::new();
        schema::add(&mut schemas, self.resource);
        let mut schema = schemas.remove(&schema::new_name(self.resource)).unwrap_or_default();
        if let Some(Json::Array(required)) = schema.get_mut("required") {
            required.retain(|name| !is_key(name));
        }
        if let Some(Json::Object(example)) = schema.get_mut("example") {
            example.retain(|name, _| !is_key(&name.as_str().into()));
        }
        schema
    }
}

/// The content of a request that changes something.
fn content(schema: &Json, merges: bool) -> Json {
    let mut content = json!({"application/json": {"schema": schema}});
    if merges {
        content["application/merge-patch+json"] = json!({"schema": schema});
    }
    json!({"required": true, "content": content})
}

/// The responses of HEAD, whose problems have no content either.
fn headless(mut responses: Json) -> Json {
    responses["default"] = reference("responses", "problem.head");
    responses
}
