//! From a description as it is written to what is asked of messages.

use std::collections::HashSet;

use serde_json::Value;

use super::body::{Content, Media};
use super::cursor::Cursor;
use super::parameter::{Parameter, Part, Style};
use super::paths::Paths;
use super::{Answer, Contract, MaybeSchema, Operation, RequestBody, StatusPattern, swagger};
use crate::schema::{Compiler, Dialect, Direction, Documents, Problem};

/// The methods of a path item (OpenAPI 3.1 §4.8.9).
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Fields that are no parameters, whatever a description says of them (OpenAPI 3.1 §4.8.12.1).
const NO_PARAMETERS: [&str; 3] = ["accept", "content-type", "authorization"];

/// The most operations.
const MOST_OPERATIONS: usize = 50_000;

/// The most problems that are told of.
const MOST_PROBLEMS: usize = 50;

/// Imports a description.
pub(super) fn import(documents: &Documents, uri: &str, formats: bool) -> Result<Contract, Vec<Problem>> {
    let alone = |what: &str| {
        let place = uri.to_owned();
        vec![Problem {
            place,
            what: what.to_owned(),
        }]
    };
    let root = Cursor::root(documents, uri).ok_or_else(|| alone("there is no such document"))?;
    let version = root.text("openapi").unwrap_or_default();
    let dialect = match version {
        _ if version.starts_with("3.1.") => Dialect::Draft202012,
        _ if version.starts_with("3.0.") => Dialect::OpenApi30,
        "" if root.text("swagger") == Some("2.0") => {
            let converted = swagger::converted(root.value);
            return import_converted(documents, uri, &converted, formats);
        }
        "" => return Err(alone("this describes no API: it has no `openapi` with a version")),
        other => return Err(alone(&format!("OpenAPI {other} is not known; 3.0 and 3.1 are"))),
    };
    let mut compiler = Compiler::new(documents, dialect, formats);
    for document in documents.uris() {
        compiler.holder(document);
    }
    let mut import = Import {
        compiler,
        paths: Paths::default(),
        operations: Vec::new(),
        problems: Vec::new(),
    };
    if let Some(paths) = root.get("paths") {
        for (template, item) in paths.members() {
            import.path(template, &item);
        }
    }
    let prefixes = prefixes(&root);
    import.finish(prefixes)
}

/// Imports what was converted from an older version, among the same documents.
fn import_converted(
    documents: &Documents,
    uri: &str,
    converted: &Value,
    formats: bool,
) -> Result<Contract, Vec<Problem>> {
    let mut all = Documents::default();
    for other in documents.uris() {
        let document = if other == uri {
            converted.clone()
        } else {
            documents.get(other).cloned().unwrap_or_default()
        };
        if let Err(error) = all.add(other, document) {
            return Err(vec![Problem {
                place: other.to_owned(),
                what: error.to_string(),
            }]);
        }
    }
    import(&all, uri, formats)
}

struct Import<'d> {
    compiler: Compiler<'d>,
    paths: Paths,
    operations: Vec<Operation>,
    problems: Vec<Problem>,
}

impl<'d> Import<'d> {
    fn finish(mut self, prefixes: Vec<String>) -> Result<Contract, Vec<Problem>> {
        let set = match self.compiler.finish() {
            Ok(set) => Some(set),
            Err(problems) => {
                self.problems.extend(problems);
                None
            }
        };
        match set {
            Some(set) if self.problems.is_empty() => Ok(Contract {
                set: set.into(),
                paths: self.paths,
                operations: self.operations,
                prefixes,
            }),
            _ => {
                self.problems.truncate(MOST_PROBLEMS);
                Err(self.problems)
            }
        }
    }

    fn path(&mut self, template: &str, item: &Cursor<'d>) {
        if !template.starts_with('/') {
            self.problems.push(item.problem("a path begins with `/`".to_owned()));
            return;
        }
        let Some(item) = self.resolved(item.clone()) else {
            return;
        };
        let shared = self.parameters(&item);
        for method in METHODS {
            let Some(written) = item.get(method) else { continue };
            if self.operations.len() >= MOST_OPERATIONS {
                self.problems
                    .push(written.problem(format!("there are more than {MOST_OPERATIONS} operations")));
                return;
            }
            let operation = self.operation(template, method, &written, &shared);
            let method = method.to_ascii_uppercase();
            match self.paths.add(template, &method, self.operations.len()) {
                Ok(()) => self.operations.push(operation),
                Err(what) => self.problems.push(written.problem(what)),
            }
        }
    }

    fn operation(&mut self, template: &str, method: &str, written: &Cursor<'d>, shared: &[Cursor<'d>]) -> Operation {
        let own = self.parameters(written);
        let name_of = |it: &Cursor<'d>| (it.text("in").unwrap_or_default(), it.text("name").unwrap_or_default());
        let names: HashSet<(&str, &str)> = own.iter().map(name_of).collect();
        let shared = shared.iter().filter(|it| !names.contains(&name_of(it)));
        let all: Vec<&Cursor<'d>> = own.iter().chain(shared).collect();
        let parameters = all.into_iter().filter_map(|it| self.parameter(it)).collect();
        let body = written
            .get("requestBody")
            .and_then(|body| self.resolved(body))
            .map(|body| RequestBody {
                required: body.is("required"),
                content: self.content(&body, Direction::Request),
            });
        let mut responses = Vec::new();
        if let Some(written) = written.get("responses") {
            for (status, answer) in written.members() {
                match (status_pattern(status), self.resolved(answer.clone())) {
                    (Some(pattern), Some(answer)) => responses.push((pattern, self.answer(&answer))),
                    (None, _) => self
                        .problems
                        .push(answer.problem("this is no status, such as `200` or `4XX`".to_owned())),
                    (_, None) => {}
                }
            }
        }
        let named = written.text("operationId").map(str::to_owned);
        Operation {
            name: named.unwrap_or_else(|| format!("{} {template}", method.to_ascii_uppercase())),
            parameters,
            body,
            responses,
        }
    }

    fn parameters(&mut self, written: &Cursor<'d>) -> Vec<Cursor<'d>> {
        let list = written.get("parameters");
        let items: Vec<Cursor<'d>> = list.iter().flat_map(Cursor::items).collect();
        items.into_iter().filter_map(|item| self.resolved(item)).collect()
    }

    fn parameter(&mut self, written: &Cursor<'d>) -> Option<Parameter> {
        let part = match written.text("in") {
            Some("path") => Part::Path,
            Some("query") => Part::Query,
            Some("header") => Part::Header,
            Some("cookie") => Part::Cookie,
            _ => {
                let what = "`in` of a parameter is `path`, `query`, `header` or `cookie`".to_owned();
                self.problems.push(written.problem(what));
                return None;
            }
        };
        let Some(name) = written.text("name") else {
            self.problems
                .push(written.problem("the parameter has no `name`".to_owned()));
            return None;
        };
        if part == Part::Header && NO_PARAMETERS.contains(&&*name.to_ascii_lowercase()) {
            return None;
        }
        Some(self.described(written, part, name, Direction::Request))
    }

    /// A parameter or a field, by what is said of its value.
    fn described(&mut self, written: &Cursor<'d>, part: Part, name: &str, direction: Direction) -> Parameter {
        let usual = match part {
            Part::Query | Part::Cookie => Style::Form,
            Part::Path | Part::Header => Style::Simple,
        };
        let style = match written.text("style") {
            None => usual,
            Some("form") => Style::Form,
            Some("simple") => Style::Simple,
            Some("spaceDelimited") => Style::SpaceDelimited,
            Some("pipeDelimited") => Style::PipeDelimited,
            Some("deepObject") => Style::DeepObject,
            Some(_) => Style::Other,
        };
        let content = written.get("content").and_then(|content| content.members().next());
        let (json, schema) = match content {
            Some((media_type, media)) => (is_json(media_type), self.schema(&media, direction)),
            None => (false, self.schema(written, direction)),
        };
        Parameter {
            part,
            name: name.to_owned(),
            required: part == Part::Path || written.is("required"),
            style,
            explode: written
                .value
                .get("explode")
                .map_or(style == Style::Form, |value| *value == Value::Bool(true)),
            json,
            schema,
        }
    }

    fn answer(&mut self, written: &Cursor<'d>) -> Answer {
        let mut headers = Vec::new();
        if let Some(group) = written.get("headers") {
            for (name, header) in group.members() {
                let skipped = name.eq_ignore_ascii_case("content-type");
                if let Some(header) = self.resolved(header).filter(|_| !skipped) {
                    headers.push(self.described(&header, Part::Header, name, Direction::Response));
                }
            }
        }
        Answer {
            headers,
            content: written
                .get("content")
                .map(|_| self.content(written, Direction::Response)),
        }
    }

    fn content(&mut self, written: &Cursor<'d>, direction: Direction) -> Content {
        let group = written.get("content");
        let mut all = Vec::new();
        for (media_type, media) in group.iter().flat_map(Cursor::members) {
            let range = media_type
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase();
            let schema = self.schema(&media, direction);
            all.push(Media { range, schema });
        }
        Content(all)
    }

    fn schema(&mut self, written: &Cursor<'d>, direction: Direction) -> MaybeSchema {
        let schema = written.get("schema")?;
        match self.compiler.schema(&schema.document, &schema.pointer, direction) {
            Ok(schema) => Some(schema),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    fn resolved(&mut self, written: Cursor<'d>) -> Option<Cursor<'d>> {
        written.resolved().map_err(|problem| self.problems.push(problem)).ok()
    }
}

fn is_json(media_type: &str) -> bool {
    let name = media_type.split(';').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("application/json") || name.to_ascii_lowercase().ends_with("+json")
}

fn status_pattern(text: &str) -> Option<StatusPattern> {
    if text == "default" {
        return Some(StatusPattern::Any);
    }
    let class = text.strip_suffix("XX").or_else(|| text.strip_suffix("xx"));
    match class {
        Some(class) => class
            .parse()
            .ok()
            .filter(|class| (1..=5).contains(class))
            .map(StatusPattern::Class),
        None => text
            .parse()
            .ok()
            .filter(|status| (100..600).contains(status))
            .map(StatusPattern::Exactly),
    }
}

/// The paths of the servers. One with variables may be anything, so that it says nothing.
fn prefixes(root: &Cursor<'_>) -> Vec<String> {
    let servers = root.get("servers");
    let urls = servers.iter().flat_map(Cursor::items);
    let urls: Vec<String> = urls
        .filter_map(|server| server.text("url").map(str::to_owned))
        .collect();
    let mut found: Vec<String> = urls
        .iter()
        .map(|url| path_of(url).trim_end_matches('/').to_owned())
        .collect();
    found.retain(|path| !path.contains('{'));
    if found.is_empty() {
        found.push(String::new());
    }
    found.sort_by_key(|path| std::cmp::Reverse(path.len()));
    found.dedup();
    found
}

fn path_of(url: &str) -> &str {
    let rest = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => url,
    };
    rest.split(['?', '#']).next().unwrap_or_default()
}
