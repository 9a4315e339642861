//! The document as a page for people: one file, which loads nothing. All of it can be read without scripts; with them, what
//! reads can be tried.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Methods in the order of the page.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The content security policy of the page: its own style and script by their digests, requests to its own origin, and
/// nothing else.
pub fn policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        format!(
            "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
            digest(STYLE),
            digest(SCRIPT)
        )
    });
    &POLICY
}

fn digest(text: &str) -> String {
    format!("'sha256-{}'", BASE64.encode(Sha256::digest(text)))
}

/// The page of a document that [`super::document`] made.
pub fn page(document: &Json) -> String {
    let title = Text(text(&document["info"]["title"]));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\n\
         <header><h1>{title}</h1><p>{about} This is OpenAPI, too: ask for <code>application/json</code>.</p></header>\n",
        about = Prose(text(&document["info"]["description"])),
    );
    let empty = Vec::new();
    let tags = document["tags"].as_array().unwrap_or(&empty);
    html.push_str("<nav aria-label=\"Resources\"><ul>");
    for (at, tag) in tags.iter().enumerate() {
        put(
            &mut html,
            format_args!("<li><a href=\"#r{at}\">{}</a></li>", Text(text(&tag["name"]))),
        );
    }
    html.push_str(
        "</ul></nav>\n<main><form><label><span>Authorization</span>\
         <input id=\"authorization\" autocomplete=\"off\" placeholder=\"Bearer …\"></label></form>\n",
    );
    for (at, tag) in tags.iter().enumerate() {
        section(&mut html, document, at, tag);
    }
    put(
        &mut html,
        format_args!("</main><script>{SCRIPT}</script></body></html>\n"),
    );
    html
}

fn section(html: &mut String, document: &Json, at: usize, tag: &Json) {
    let name = text(&tag["name"]);
    put(
        html,
        format_args!(
            "<section><h2 id=\"r{at}\">{}</h2><p>{}</p>\n",
            Text(name),
            Prose(text(&tag["description"]))
        ),
    );
    columns(html, &document["components"]["schemas"][super::key(name)]);
    let empty = Map::new();
    for (path, item) in document["paths"].as_object().unwrap_or(&empty) {
        for method in METHODS {
            let operation = &item[method];
            if operation["tags"][0].as_str() == Some(name) {
                self::operation(html, document, path, item, method);
            }
        }
    }
    html.push_str("</section>\n");
}

/// The columns of a resource.
fn columns(html: &mut String, schema: &Json) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    html.push_str("<table><thead><tr><th>Column</th><th>Type</th><th></th></tr></thead><tbody>\n");
    for (name, column) in properties {
        let fixed = if column["readOnly"] == true { "read only. " } else { "" };
        put(
            html,
            format_args!(
                "<tr><td><code>{}</code></td><td>{}</td><td>{fixed}{}</td></tr>\n",
                Text(name),
                Text(&kind(column)),
                Text(text(&column["description"]))
            ),
        );
    }
    html.push_str("</tbody></table>\n");
}

fn operation(html: &mut String, document: &Json, path: &str, item: &Json, method: &str) {
    let operation = &item[method];
    let upper = method.to_ascii_uppercase();
    put(
        html,
        format_args!(
            "<details><summary><b>{upper}</b> <code>{}</code> {}</summary>\n<p>{}</p>\n",
            Text(path),
            Text(text(&operation["summary"])),
            Text(text(&operation["description"]))
        ),
    );
    let of = |list: &Json| list.as_array().cloned().unwrap_or_default();
    let parameters: Vec<Json> = of(&item["parameters"])
        .into_iter()
        .chain(of(&operation["parameters"]))
        .map(|parameter| resolved(document, &parameter).clone())
        .collect();
    if method == "get" {
        form(html, document, path, &parameters);
    } else if !parameters.is_empty() {
        table(html, &parameters);
    }
    if let Some(content) = operation["requestBody"]["content"].as_object() {
        for (kind, content) in content {
            let schema = resolved(document, &content["schema"]);
            let example = content.get("example").or_else(|| schema.get("example"));
            let example = example.map(|example| format!("{example:#}")).unwrap_or_default();
            put(
                html,
                format_args!(
                    "<p>Content: <code>{}</code></p><pre>{}</pre>\n",
                    Text(kind),
                    Text(&example)
                ),
            );
        }
    }
    let statuses: Vec<&str> = operation["responses"]
        .as_object()
        .map(|responses| responses.keys().map(String::as_str).collect())
        .unwrap_or_default();
    put(
        html,
        format_args!("<p>Answers: {}</p></details>\n", Text(&statuses.join(", "))),
    );
}

fn table(html: &mut String, parameters: &[Json]) {
    html.push_str("<table><thead><tr><th>Parameter</th><th></th></tr></thead><tbody>\n");
    for parameter in parameters {
        let needed = if parameter["required"] == true { " (needed)" } else { "" };
        put(
            html,
            format_args!(
                "<tr><td><code>{}</code>{needed}</td><td>{}</td></tr>\n",
                Text(text(&parameter["name"])),
                Prose(text(&parameter["description"]))
            ),
        );
    }
    html.push_str("</tbody></table>\n");
}

/// What reads can be tried. Without scripts the form stays hidden, and the table says the same.
fn form(html: &mut String, document: &Json, path: &str, parameters: &[Json]) {
    table(html, parameters);
    let base = text(&document["servers"][0]["url"]).trim_end_matches('/');
    put(
        html,
        format_args!("<form hidden data-path=\"{}{}\">\n", Text(base), Text(path)),
    );
    for parameter in parameters {
        let needed = if parameter["required"] == true { " required" } else { "" };
        let example = match &parameter["example"] {
            Json::Null => String::new(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        let name = Text(text(&parameter["name"]));
        put(
            html,
            format_args!(
                "<label><span>{name}</span><input name=\"{name}\" data-in=\"{}\" placeholder=\"{}\"{needed}></label>\n",
                Text(text(&parameter["in"])),
                Text(&example)
            ),
        );
    }
    html.push_str("<button>Send</button><pre aria-live=\"polite\"></pre></form>\n");
}

/// What a reference inside of the document leads to.
fn resolved<'d>(document: &'d Json, value: &'d Json) -> &'d Json {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

/// A column's type in a few words.
fn kind(schema: &Json) -> String {
    let mut kind = match &schema["type"] {
        Json::Array(types) => types.iter().map(text).collect::<Vec<_>>().join(" or "),
        other => text(other).to_owned(),
    };
    if let Some(format) = schema["format"].as_str() {
        let _ = write!(kind, " ({format})");
    }
    if let Some(most) = schema["maxLength"].as_u64() {
        let _ = write!(kind, " of up to {most} characters");
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<&str> = words.iter().filter_map(Json::as_str).collect();
        let _ = write!(kind, ": {}", words.join(", "));
    }
    kind
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

/// Text that is nothing but text in HTML, in content and in attributes with quotes.
struct Text<'t>(&'t str);

impl std::fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// Text in which what stands between backticks is code.
struct Prose<'t>(&'t str);

impl std::fmt::Display for Prose<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.0;
        while let Some((before, (code, after))) = rest
            .split_once('`')
            .and_then(|(before, rest)| Some((before, rest.split_once('`')?)))
        {
            write!(f, "{}<code>{}</code>", Text(before), Text(code))?;
            rest = after;
        }
        Text(rest).fmt(f)
    }
}

fn put(html: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String can't fail.
    let _ = html.write_fmt(what);
}
