//! Requests that are the same each time, and requests that are made anew from a form.

use bytes::Bytes;
use portcullis_core::headers::is_token;
use portcullis_core::{Headers, Known, Method};

use super::escape::{self, Place};
use super::scope::Scope;
use super::text::Text;
use super::{Iteration, json};
use crate::request::{Request, Unfit};

/// How a request comes to be.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a plan has few of them, and the large one is what is read for each request"
)]
pub enum Template {
    /// It is the same each time.
    Fixed(Request),
    /// It is made anew for each iteration.
    Made(Box<Form>),
}

/// A request whose texts may have placeholders.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The method.
    pub method: String,
    /// Path and query, percent-encoded but for the placeholders, whose values are encoded when they are put in.
    pub path: String,
    /// More parameters of the query: names and values as they are meant, not encoded.
    pub query: Vec<(String, String)>,
    /// Fields. `Host` and `Content-Type` are added where they are missing.
    pub headers: Vec<(String, String)>,
    /// The field that proves who it is, unless `headers` has one of that name. Placeholders are not looked for in it: a secret
    /// may have any characters.
    pub proof: Option<(String, String)>,
    /// The content.
    pub body: Body,
}

/// The content of a draft.
#[derive(Clone, Debug, Default)]
pub enum Body {
    /// None.
    #[default]
    None,
    /// A text with placeholders.
    Text(String),
    /// JSON with placeholders in its strings.
    Json(serde_json::Value),
    /// Fields of a form, as browsers send it: names and values as they are meant, values with placeholders.
    Form(Vec<(String, String)>),
    /// Anything; placeholders are not looked for.
    Bytes(Bytes),
}

/// Something that is wrong with a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Which part of it: `request`, `query.q`, `headers.X-Tenant`, `body`.
    pub part: String,
    /// What is wrong.
    pub message: String,
}

/// A request that is made anew for each iteration.
#[derive(Debug)]
pub struct Form {
    authority: String,
    method: Method,
    path: Text,
    /// The fields that are always the same.
    headers: Headers,
    /// The others.
    made_headers: Vec<(String, Text)>,
    body: Content,
}

#[derive(Debug)]
enum Content {
    Fixed(Bytes),
    Made(Text),
}

impl Template {
    /// Takes a draft apart, so that what can be is encoded once and for all. `authority` is what requests say as `Host`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn new(draft: &Draft, authority: &str, scope: &Scope) -> Result<Template, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let path = path(draft, scope, &mut wrong);
        let (headers, made_headers) = headers(draft, scope, &mut wrong);
        let body = draft.body.content(scope).unwrap_or_else(|message| {
            wrong.push(Wrong::new("body", message));
            Content::Fixed(Bytes::new())
        });
        if !is_token(draft.method.as_bytes()) {
            wrong.push(Wrong::new("request", format!("`{}` is no method", draft.method)));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let method = Method::from_token(&draft.method);
        if let (Some(path), [], Content::Fixed(body)) = (path.as_fixed(), made_headers.as_slice(), &body) {
            let request = Request::new(authority, method, path, headers, body.clone());
            let unfit = |unfit: Unfit| vec![Wrong::new("request", unfit.0)];
            return request.map(Template::Fixed).map_err(unfit);
        }
        Ok(Template::Made(Box::new(Form {
            authority: authority.to_owned(),
            method,
            path,
            headers,
            made_headers,
            body,
        })))
    }
}

impl Form {
    /// The request of an iteration.
    ///
    /// # Errors
    /// When a value is missing, or makes no request.
    pub(super) fn request(&self, iteration: &mut Iteration) -> Result<Request, Unfit> {
        let path = self.path.make(iteration)?;
        let mut headers = self.headers.clone();
        for (name, text) in &self.made_headers {
            headers.append(name.as_str(), text.make(iteration)?);
        }
        let body = match &self.body {
            Content::Fixed(body) => body.clone(),
            Content::Made(text) => text.make(iteration)?.into(),
        };
        Request::new(&self.authority, self.method.clone(), &path, headers, body)
    }
}

impl Body {
    fn content(&self, scope: &Scope) -> Result<Content, String> {
        let text = match self {
            Body::None => return Ok(Content::Fixed(Bytes::new())),
            Body::Bytes(bytes) => return Ok(Content::Fixed(bytes.clone())),
            Body::Text(text) => Text::parse(text, Place::Plain, scope)?,
            Body::Json(value) => json::text(value, scope)?,
            Body::Form(fields) => {
                let mut form = Text::default();
                for (name, value) in fields {
                    parameter(&mut form, name, value, scope).map_err(|message| format!("`{name}`: {message}"))?;
                }
                form
            }
        };
        Ok(match text.as_fixed() {
            Some(fixed) => Content::Fixed(Bytes::copy_from_slice(fixed.as_bytes())),
            None => Content::Made(text),
        })
    }

    fn content_type(&self) -> Option<&'static str> {
        match self {
            Body::None => None,
            Body::Text(_) => Some("text/plain; charset=utf-8"),
            Body::Json(_) => Some("application/json"),
            Body::Form(_) => Some("application/x-www-form-urlencoded"),
            Body::Bytes(_) => Some("application/octet-stream"),
        }
    }
}

impl Wrong {
    fn new(part: impl Into<String>, message: impl Into<String>) -> Wrong {
        Wrong {
            part: part.into(),
            message: message.into(),
        }
    }
}

fn path(draft: &Draft, scope: &Scope, wrong: &mut Vec<Wrong>) -> Text {
    let mut path = Text::parse(&draft.path, Place::Address, scope).unwrap_or_else(|message| {
        wrong.push(Wrong::new("request", message));
        Text::fixed("/")
    });
    let mut has_query = draft.path.contains('?');
    for (name, value) in &draft.query {
        let mut query = Text::default();
        if let Err(message) = parameter(&mut query, name, value, scope) {
            wrong.push(Wrong::new(format!("query.{name}"), message));
        }
        path.push_fixed(if has_query { "&" } else { "?" });
        path.append(query);
        has_query = true;
    }
    // What stands around the placeholders must be good in itself.
    if let Err(unfit) = Request::new("", Method::Get, &path.example(), Headers::new(), Bytes::new()) {
        wrong.push(Wrong::new("request", unfit.0));
    }
    path
}

/// Adds a parameter of a query or a form; its name and the fixed parts of its value are encoded here.
fn parameter(out: &mut Text, name: &str, value: &str, scope: &Scope) -> Result<(), String> {
    let mut encoded = String::new();
    escape::percent(&mut encoded, name);
    let is_first = out.as_fixed() == Some("");
    out.push_fixed(if is_first { "" } else { "&" });
    out.push_fixed(&encoded);
    out.push_fixed("=");
    out.push(value, Place::Parameter, scope)
}

fn headers(draft: &Draft, scope: &Scope, wrong: &mut Vec<Wrong>) -> (Headers, Vec<(String, Text)>) {
    let mut fixed = Headers::new();
    let mut made = Vec::new();
    for (name, value) in &draft.headers {
        let part = format!("headers.{name}");
        if !is_token(name.as_bytes()) {
            wrong.push(Wrong::new(part, format!("`{name}` is no name of a field")));
            continue;
        }
        match Text::parse(value, Place::Field, scope) {
            Ok(text) => match text.as_fixed() {
                Some(value) => fixed.append(name.as_str(), value),
                None => made.push((name.clone(), text)),
            },
            Err(message) => wrong.push(Wrong::new(part, message)),
        }
    }
    let is_there = |known: &str| draft.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(known));
    if let Some(content_type) = draft.body.content_type().filter(|_| !is_there("content-type")) {
        fixed.set(Known::ContentType, content_type);
    }
    if let Some((name, value)) = draft.proof.as_ref().filter(|(name, _)| !is_there(name)) {
        match is_token(name.as_bytes()) {
            true => fixed.append(name.as_str(), value),
            false => wrong.push(Wrong::new("proof", format!("`{name}` is no name of a field"))),
        }
    }
    (fixed, made)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::super::data::{DataSet, Order, Rows};
    use super::*;

    fn scope() -> Scope {
        let rows = Rows::from_csv("id,name\n7,\"a&b=c\r\nX: y\"\n".as_bytes()).unwrap();
        Scope::new(vec![DataSet::new("user", rows, Order::InTurn).unwrap()])
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn made(draft: &Draft) -> String {
        let request = match Template::new(draft, "example.test", &scope()).unwrap() {
            Template::Fixed(request) => request,
            Template::Made(form) => form.request(&mut Iteration::default()).unwrap(),
        };
        String::from_utf8(request.http1.to_vec()).unwrap()
    }

    fn draft(method: &str, path: &str) -> Draft {
        Draft {
            method: method.to_owned(),
            path: path.to_owned(),
            ..Draft::default()
        }
    }

    #[test]
    fn what_is_always_the_same_is_made_once() {
        let fixed = Draft {
            query: pairs(&[("q", "a b&c"), ("ä", "1")]),
            headers: pairs(&[("Accept", "text/html")]),
            ..draft("GET", "/search?n=1")
        };
        assert!(matches!(
            Template::new(&fixed, "example.test", &scope()),
            Ok(Template::Fixed(_))
        ));
        assert_eq!(
            made(&fixed),
            "GET /search?n=1&q=a%20b%26c&%C3%A4=1 HTTP/1.1\r\nHost: example.test\r\nAccept: text/html\r\n\r\n"
        );
    }

    #[test]
    fn no_value_breaks_out_of_its_place() {
        let request = made(&Draft {
            query: pairs(&[("name", "{{user.name}}!")]),
            headers: pairs(&[("X-Name", "{{user.name}}")]),
            body: Body::Form(pairs(&[("name", "{{user.name}}"), ("id", "{{user.id}}")])),
            ..draft("POST", "/users/{{user.name}}")
        });
        let encoded = "a%26b%3Dc%0D%0AX%3A%20y";
        assert_eq!(
            request,
            format!(
                "POST /users/{encoded}?name={encoded}%21 HTTP/1.1\r\nHost: example.test\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nX-Name: a&b=c  X: y\r\nContent-Length: 33\r\n\r\n\
                 name={encoded}&id=7"
            )
        );
    }

    #[test]
    fn a_body_has_a_type_unless_it_is_told() {
        let json = Draft {
            body: Body::Json(json!({"id": "{{user.id as number}}"})),
            ..draft("POST", "/")
        };
        assert!(made(&json).contains("Content-Type: application/json\r\n"));
        assert!(made(&json).ends_with("\r\n\r\n{\"id\":7}"));
        let own = Draft {
            headers: pairs(&[("content-type", "application/x-{{user.id}}")]),
            body: Body::Text("{{user.id}}".to_owned()),
            ..draft("POST", "/")
        };
        assert!(made(&own).contains("content-type: application/x-7\r\n"));
        assert!(!made(&own).contains("text/plain"));
    }

    #[test]
    fn a_proof_is_taken_as_it_is_unless_there_is_another() {
        let proof = Some(("Authorization".to_owned(), "Bearer {{x}}".to_owned()));
        let proven = Draft {
            proof: proof.clone(),
            ..draft("GET", "/")
        };
        assert!(made(&proven).contains("\r\nAuthorization: Bearer {{x}}\r\n"));
        let other = Draft {
            proof,
            headers: pairs(&[("authorization", "Bearer y")]),
            ..draft("GET", "/")
        };
        assert!(made(&other).contains("authorization: Bearer y\r\n") && !made(&other).contains("{{x}}"));
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let wrong = Draft {
            query: pairs(&[("q", "{{nobody}}")]),
            headers: pairs(&[("X Y", "1"), ("X-A", "{{")]),
            body: Body::Json(json!(["{{x as y}}"])),
            ..draft("GE T", "/{{user.nam}}")
        };
        let wrong = Template::new(&wrong, "example.test", &scope()).unwrap_err();
        let parts: Vec<_> = wrong.iter().map(|wrong| wrong.part.as_str()).collect();
        assert_eq!(
            parts,
            ["request", "query.q", "headers.X Y", "headers.X-A", "body", "request"]
        );
        for path in ["users", "/a b", "/{{user.id}} ", "{{user.id}}", "/a#b{{user.id}}"] {
            let wrong = Template::new(&draft("GET", path), "example.test", &scope());
            assert!(wrong.is_err(), "{path}");
        }
    }
}
