//! Requests from the description of an API (OpenAPI 3.0 and 3.1).

mod parameters;
mod references;
mod sample;

use std::path::Path;

use portcullis_contract::json;
use portcullis_contract::schema::Documents;
use portcullis_policies::openapi::documents;
use serde_json::Value;

use self::references::Pages;
use super::Wish;
use crate::bench::draft::{Draft, Drafted, only_reads};

/// The methods that a path of a description may have.
const METHODS: [&str; 7] = ["get", "head", "options", "post", "put", "patch", "delete"];

/// The most operations of a description that requests are made of.
const MOST: usize = 5_000;

/// A request for each operation that one can be made for. `document` is relative to `base`; `prefix` is what requests have before
/// the paths of the description, by default the path of its first server.
///
/// # Errors
/// When a file can't be read, or isn't a description.
pub(crate) fn draft(document: &str, base: &Path, prefix: Option<&str>, wish: &Wish) -> Result<Draft, String> {
    let documents = documents(document, base)?;
    draft_of(&documents, document, prefix, wish)
}

/// The same, of a description that was given by the server itself.
///
/// # Errors
/// When it isn't one.
pub(crate) fn draft_of_answer(content: &[u8], wish: &Wish) -> Result<Draft, String> {
    let root = json::parse(content, json::DEEPEST).map_err(|error| error.to_string())?;
    let mut documents = Documents::default();
    documents.add("answer", root).map_err(|error| error.to_string())?;
    draft_of(&documents, "answer", None, wish)
}

fn draft_of(documents: &Documents, name: &str, prefix: Option<&str>, wish: &Wish) -> Result<Draft, String> {
    let root = documents.get(name).ok_or("it isn't there")?;
    if !root["openapi"]
        .as_str()
        .is_some_and(|version| version.starts_with("3."))
    {
        return Err("it is no description of OpenAPI 3.0 or 3.1".to_owned());
    }
    let api = Api {
        pages: Pages::new(documents, name),
        root,
        prefix: match prefix {
            Some(prefix) => prefix.trim_end_matches('/').to_owned(),
            None => server_path(root),
        },
        wish,
    };
    let mut draft = Draft::default();
    for (template, item) in root["paths"].as_object().into_iter().flatten() {
        let item = api.pages.follow(item);
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            if draft.requests.len() + draft.left_out.len() >= MOST {
                draft
                    .notes
                    .push(format!("only the first {MOST} operations were looked at"));
                return Ok(draft);
            }
            let name = format!("{} {template}", method.to_ascii_uppercase());
            match api.request(&name, method, template, item, operation) {
                Ok(request) => draft.requests.push(request),
                Err(why) => draft.leave(name, why),
            }
        }
    }
    Ok(draft)
}

/// The path of the first server, which requests have before the paths of the description.
fn server_path(root: &Value) -> String {
    let url = root["servers"][0]["url"].as_str().unwrap_or_default();
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => url,
    };
    // A variable in it could be anything.
    let path = if path.contains('{') { "" } else { path };
    path.trim_end_matches('/').to_owned()
}

/// A description, and what is wanted of it.
struct Api<'d> {
    pages: Pages<'d>,
    root: &'d Value,
    prefix: String,
    wish: &'d Wish,
}

impl<'d> Api<'d> {
    fn request(
        &self,
        name: &str,
        method: &str,
        template: &str,
        item: &'d Value,
        operation: &'d Value,
    ) -> Result<Drafted, String> {
        let method = method.to_ascii_uppercase();
        if !only_reads(&method) && !self.wish.writes {
            return Err("it changes something: --writes puts such requests in".to_owned());
        }
        if let Some(scheme) = self.scheme(operation).filter(|_| self.wish.headers.is_empty()) {
            return Err(format!(
                "it is guarded by `{scheme}`: give a field with a credential, such as --header 'Name: ${{VARIABLE}}'"
            ));
        }
        let mut request = Drafted {
            guessed: template.contains('{').then(|| "values that were made up".to_owned()),
            route: name.to_owned(),
            method,
            path: format!("{}{template}", self.prefix),
            headers: Vec::new(),
            body: None,
            weight: 1.0,
            statuses: statuses(operation),
        };
        self.put_parameters(&mut request, item, operation)?;
        if let Some(body) = operation.get("requestBody") {
            self.put_body(&mut request, self.pages.follow(body))?;
        }
        // One that can't be sent must not spoil the file for the others.
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_plain(&request.path) {
            return Err("its path has characters that stand in none; they are written percent-encoded".to_owned());
        }
        if let Some((name, _)) = request
            .headers
            .iter()
            .find(|(_, value)| value.contains(char::is_control))
        {
            return Err(format!("its example of the field {name} has control characters"));
        }
        let texts = request.headers.iter().map(|(_, value)| value).chain(&request.body);
        match texts.into_iter().any(|text| text.contains("{{")) {
            true => Err("an example of it has `{{`, which stands for something else in a scenario".to_owned()),
            false => Ok(request),
        }
    }

    /// A scheme of security that the operation can't do without.
    fn scheme(&self, operation: &'d Value) -> Option<&'d str> {
        let needed = operation
            .get("security")
            .or_else(|| self.root.get("security"))?
            .as_array()?;
        let first = needed.first()?.as_object()?;
        // An empty group among them says that none is needed.
        let optional = needed
            .iter()
            .any(|group| group.as_object().is_some_and(serde_json::Map::is_empty));
        first.keys().next().map(String::as_str).filter(|_| !optional)
    }

    fn put_body(&self, request: &mut Drafted, body: &'d Value) -> Result<(), String> {
        let content = body["content"].as_object();
        let kinds = content.into_iter().flatten();
        let find = |fits: &dyn Fn(&str) -> bool| kinds.clone().find(|(kind, _)| fits(&plain(kind)));
        let json = find(&|kind| kind == "application/json" || kind.ends_with("+json") || kind == "*/*");
        let form = find(&|kind| kind == "application/x-www-form-urlencoded");
        let text = find(&|kind| kind.starts_with("text/"));
        let (kind, text) = if let Some((kind, media)) = json {
            let kind = if kind.contains('*') { "application/json" } else { kind };
            (kind, self.value_of_media(media)?.to_string())
        } else if let Some((kind, media)) = form {
            (kind.as_str(), parameters::form(&self.value_of_media(media)?)?)
        } else if let Some((kind, media)) = text {
            let value = self.value_of_media(media)?;
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (kind.as_str(), text)
        } else if body["required"] == true {
            let kinds: Vec<&str> = kinds.map(|(kind, _)| kind.as_str()).collect();
            return Err(format!("no content is made up of the type {}", kinds.join(", ")));
        } else {
            return Ok(());
        };
        request.headers.push(("Content-Type".to_owned(), kind.to_owned()));
        request.body = Some(text);
        Ok(())
    }

    /// The value of what has `example`, `examples` and a `schema`: a kind of content, a parameter.
    fn value_of_media(&self, media: &'d Value) -> Result<Value, String> {
        if let Some(example) = media.get("example") {
            return Ok(example.clone());
        }
        let examples = media["examples"].as_object().into_iter().flatten();
        let mut values = examples.filter_map(|(_, example)| self.pages.follow(example).get("value"));
        if let Some(value) = values.next() {
            return Ok(value.clone());
        }
        match media.get("schema") {
            Some(schema) => sample::sample(&self.pages, schema),
            None => Err("nothing is said of what its content is like".to_owned()),
        }
    }
}

/// A media type without parameters.
fn plain(kind: &str) -> String {
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The statuses of success that an operation names one by one.
fn statuses(operation: &Value) -> Vec<u16> {
    let known = operation["responses"].as_object().into_iter().flatten();
    let mut found: Vec<u16> = known
        .filter_map(|(status, _)| status.parse().ok())
        .filter(|status| (200..400).contains(status))
        .collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    fn drafted(paths: &Value, wish: &Wish) -> Draft {
        let mut documents = Documents::default();
        let root = json!({
            "openapi": "3.1.0", "servers": [{"url": "https://example.com/v1/"}], "paths": paths,
            "components": {"schemas": {"Name": {"type": "string", "minLength": 3}, "Loop": {"$ref": "#/components/schemas/Loop"}},
                "parameters": {"Page": {"name": "page", "in": "query", "required": true, "schema": {"type": "integer", "minimum": 2}}}}
        });
        documents.add("api.json", root).unwrap();
        draft_of(&documents, "api.json", None, wish).unwrap()
    }

    #[allow(clippy::needless_pass_by_value, reason = "what a test builds it gives away")]
    fn only(paths: Value) -> Drafted {
        let wish = Wish {
            writes: true,
            ..Wish::default()
        };
        let mut draft = drafted(&paths, &wish);
        assert_eq!((&*draft.left_out, draft.requests.len()), (&[][..], 1));
        draft.requests.remove(0)
    }

    #[test]
    fn required_parameters_are_put_where_they_belong() {
        let request = only(json!({"/items/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}, "example": "a b"}],
            "get": {
                "parameters": [
                    {"$ref": "#/components/parameters/Page"},
                    {"name": "tags", "in": "query", "required": true, "schema": {"type": "array", "items": {"enum": ["x"]}, "minItems": 2}},
                    {"name": "left", "in": "query", "schema": {"type": "string"}},
                    {"name": "X-Trace", "in": "header", "required": true, "schema": {"const": "on"}},
                    {"name": "session", "in": "cookie", "required": true, "schema": {"default": "s"}},
                ],
                "responses": {"200": {}, "304": {}, "404": {}}
            }
        }}));
        assert_eq!(request.path, "/v1/items/a%20b?page=2&tags=x&tags=x");
        assert_eq!(
            request.headers,
            [("X-Trace".into(), "on".into()), ("Cookie".into(), "session=s".into())]
        );
        assert_eq!(request.statuses, [200, 304]);
    }

    #[test]
    fn content_comes_from_examples_or_schemas() {
        let body = |media: Value| {
            let content = json!({"required": true, "content": media});
            only(json!({"/a": {"post": {"requestBody": content}}})).body.unwrap()
        };
        let schema = json!({"type": "object", "required": ["name"], "properties": {"name": {"$ref": "#/components/schemas/Name"}}});
        assert_eq!(
            body(json!({"application/json": {"schema": schema}})),
            r#"{"name":"aaa"}"#
        );
        assert_eq!(
            body(json!({"application/json; charset=utf-8": {"examples": {"one": {"value": [1]}}}})),
            "[1]"
        );
        assert_eq!(
            body(json!({"application/x-www-form-urlencoded": {"example": {"a": "b c", "n": 1}}})),
            "a=b%20c&n=1"
        );
    }

    #[test]
    fn what_no_request_can_be_made_of_is_told() {
        let why = |operation: Value, method: &str, wish: &Wish| {
            let mut draft = drafted(&json!({"/a": {method: operation}}), wish);
            draft.left_out.remove(0).why
        };
        let plain = Wish::default();
        assert!(why(json!({}), "delete", &plain).contains("--writes"));
        assert!(why(json!({"security": [{"key": []}]}), "get", &plain).contains("`key`"));
        let parameter =
            json!([{"name": "q", "in": "query", "required": true, "schema": {"$ref": "#/components/schemas/Loop"}}]);
        assert!(why(json!({"parameters": parameter}), "get", &plain).contains("refers to itself"));
        let parameter =
            json!([{"name": "q", "in": "query", "required": true, "schema": {"type": "string", "pattern": "^x+$"}}]);
        assert!(why(json!({"parameters": parameter}), "get", &plain).contains("pattern"));
        let parameter = json!([{"name": "X-A", "in": "header", "required": true, "example": "a\r\nb: c"}]);
        assert!(why(json!({"parameters": parameter}), "get", &plain).contains("control characters"));
        let odd = drafted(&json!({"/\u{1b}[31m": {"get": {}}, "/good": {"get": {}}}), &plain);
        assert_eq!((odd.requests.len(), odd.left_out.len()), (1, 1));
    }

    #[test]
    fn security_that_is_optional_guards_nothing() {
        let open = json!({"/a": {"get": {"security": [{"key": []}, {}]}}});
        assert_eq!(drafted(&open, &Wish::default()).requests.len(), 1);
    }
}
