//! `validate` holds requests against JSON Schemas.
//!
//! ```yaml
//! validate:
//!   methods: [GET, POST]
//!   body: schemas/order.json
//!   query: {limit: '{"type": "integer", "minimum": 1, "maximum": 100}'}
//!   unknown_query: refuse
//! ```
//!
//! What is refused: another method (405), wrong parameters (400, `invalid_parameters`), another media type or a body that is
//! compressed (415), a body over `max_body` (413), one that is no JSON (400, `bad_content`) or breaks its schema (422,
//! `invalid_content`). `errors` in the answer lists up to twenty things that are wrong with their places, and no values. What
//! can't be judged within a limit of steps is refused, too.
//!
//! The body is read whole and handed on as it came. JSON that two parsers may read differently is refused, so that what was
//! judged is what the backend sees. Bodies of more than 64 KiB, and those that take long, are judged away from the workers.

pub mod reported;

pub(crate) mod content;
pub(crate) mod judge;
pub(crate) mod media;
pub(crate) mod parameters;
pub(crate) mod sources;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use portcullis_config::policy::mode::Mode;
use portcullis_config::policy::validate::{Parameters as WrittenParameters, Unknown, Validate as Written};
use portcullis_contract::pairs;
use portcullis_contract::schema::{Compiler, Dialect, Direction, Problem, SchemaId};
use portcullis_core::{Body, Ctx, Error, Finding, Known, Method, Next, Policy, Reply, Request, Result, codes};
use tokio::runtime::Handle;

use content::Gathered;
use judge::{Judge, Judged};
use media::MediaType;
use parameters::{Given, Parameters};
use reported::Reported;
use sources::Sources;

/// Holds requests against schemas.
#[derive(Debug)]
pub struct Validate {
    judge: Judge,
    methods: Box<[Method]>,
    allow: Box<str>,
    content_types: Box<[String]>,
    body: Option<SchemaId>,
    max_body: u64,
    query: Option<Parameters>,
    headers: Option<Parameters>,
    params: Option<Parameters>,
    enforces: bool,
    reported: Arc<AtomicU64>,
}

impl Validate {
    /// Compiles what the file says; files are relative to `base`. `name` is that of the policy set, for what is counted.
    ///
    /// # Errors
    /// When a file can't be read, or a schema can't be used.
    pub fn new(
        config: &Written,
        name: &str,
        base: &Path,
        slow: &Handle,
        reported: &Reported,
    ) -> std::result::Result<Validate, String> {
        let mut sources = Sources::new(base);
        // All files are read before one is compiled: they may refer to each other.
        let mut places = HashMap::new();
        for text in texts(config) {
            if !places.contains_key(text) {
                places.insert(text, sources.schema(text)?);
            }
        }
        let documents = sources.into_documents();
        let mut compiler = Compiler::new(&documents, Dialect::Draft202012, config.formats);
        let mut schema = |text: &str| {
            let (document, pointer) = &places[text];
            compiler
                .schema(document, pointer, Direction::Either)
                .map_err(|problem| problem.to_string())
        };
        let body = config.body.as_deref().map(&mut schema).transpose()?;
        let mut parameters = |written: &Option<_>, refuse| {
            let compiled = written.as_ref().map(|it| Parameters::compile(it, refuse, &mut schema));
            compiled.transpose()
        };
        let refuse_unknown = config.unknown_query == Unknown::Refuse;
        let query = parameters(&config.query, refuse_unknown)?;
        let headers = parameters(&config.headers, false)?;
        let params = parameters(&config.params, false)?;
        let set = compiler.finish().map_err(|problems| told(&problems))?;
        Ok(Validate {
            judge: Judge {
                set: Arc::new(set),
                slow: slow.clone(),
            },
            methods: config.methods.iter().map(|method| Method::from_token(method)).collect(),
            allow: config.methods.join(", ").into(),
            content_types: content_types(config),
            body,
            max_body: config.max_body.0,
            query: query.or_else(|| refuse_unknown.then(nothing_known)),
            headers,
            params,
            enforces: config.mode == Mode::Enforce,
            reported: reported.counter(name, "validate", "request"),
        })
    }

    /// Judges all but the content.
    fn head(&self, cx: &Ctx, request: &Request) -> Result<()> {
        if !self.methods.is_empty() && !self.methods.contains(&request.method) {
            let error = Error::new(&codes::METHOD_NOT_ALLOWED).with_header(Known::Allow, &*self.allow);
            return Err(error.by_policy("validate"));
        }
        let mut findings = Vec::new();
        if let Some(params) = &self.params {
            let given = cx
                .params
                .iter()
                .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]));
            params.judge(&self.judge, "path", &given.collect(), &mut findings);
        }
        if let Some(query) = &self.query {
            match query_of(request) {
                Ok(given) => query.judge(&self.judge, "query", &given, &mut findings),
                Err(why) => parameters::add(&mut findings, "query", "", why.words()),
            }
        }
        if let Some(headers) = &self.headers {
            let given = headers_of(request, headers);
            headers.judge(&self.judge, "header", &given, &mut findings);
        }
        if findings.is_empty() {
            return Ok(());
        }
        let error = Error::new(&codes::INVALID_PARAMETERS).with_detail(summary(&findings));
        Err(error.with_findings(findings).by_policy("validate"))
    }

    /// Judges the type of the content. Gives whether the content is to be judged, too.
    fn content_type(&self, request: &Request) -> Result<bool> {
        if request.body.is_empty() && has_no_content(&request.method) {
            return Ok(false);
        }
        if self.content_types.is_empty() {
            return Ok(false);
        }
        let media = MediaType::of(&request.headers);
        let Some(media) = media.filter(|media| self.content_types.iter().any(|known| media.is_of(known))) else {
            // Without content there is nothing that could be of a type.
            return if request.body.is_empty() && self.body.is_none() {
                Ok(false)
            } else {
                Err(self.unsupported())
            };
        };
        if self.body.is_none() || !media.is_json() {
            return Ok(false);
        }
        if !media.is_utf8() || !media::is_plain(&request.headers) {
            let error = Error::new(&codes::UNSUPPORTED_CONTENT_TYPE);
            return Err(error
                .with_detail("JSON is taken in UTF-8 and without a content coding")
                .by_policy("validate"));
        }
        Ok(true)
    }

    fn unsupported(&self) -> Error {
        Error::new(&codes::UNSUPPORTED_CONTENT_TYPE)
            .with_detail(format!("what is taken: {}", self.content_types.join(", ")))
            .with_header(Known::Accept, self.content_types.join(", "))
            .by_policy("validate")
    }

    /// Judges the content.
    async fn content(&self, schema: SchemaId, method: &Method, content: &Bytes) -> Result<()> {
        if content.is_empty() && has_no_content(method) {
            return Ok(());
        }
        refusal(self.judge.json(schema, content).await, "validate")
    }

    /// What becomes of a finding: it is refused, or counted.
    fn found(&self, result: Result<()>) -> Result<()> {
        match result {
            Err(_) if !self.enforces => {
                self.reported.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            result => result,
        }
    }
}

impl Policy for Validate {
    fn call<'a>(&'a self, cx: &'a mut Ctx, mut request: Request, next: Next<'a>) -> Reply<'a> {
        let head = self.head(cx, &request);
        let judged = head.and_then(|()| self.content_type(&request));
        let schema = match (judged, self.body) {
            (Ok(true), Some(schema)) => schema,
            (Ok(_), _) => return next.run(cx, request),
            (Err(error), _) => {
                return match self.found(Err(error)) {
                    Ok(()) => next.run(cx, request),
                    Err(error) => error.into(),
                };
            }
        };
        Reply::later(async move {
            let body = std::mem::take(&mut request.body);
            match content::gather(body, self.max_body).await? {
                Gathered::Whole(content) => {
                    self.found(self.content(schema, &request.method, &content).await)?;
                    request.body = Body::from(content);
                }
                Gathered::TooMuch(body) => {
                    let error = Error::new(&codes::CONTENT_TOO_LARGE);
                    let error = error.with_detail(format!("the limit is {} bytes", self.max_body));
                    self.found(Err(error.by_policy("validate")))?;
                    request.body = body;
                }
            }
            next.run(cx, request).await
        })
    }
}

/// The error for what was found of content.
pub(crate) fn refusal(judged: Judged, policy: &'static str) -> Result<()> {
    let error = match judged {
        Judged::Good => return Ok(()),
        Judged::Malformed(what) => Error::new(&codes::BAD_CONTENT).with_detail(what),
        Judged::Undecided => {
            Error::new(&codes::INVALID_CONTENT).with_detail("it takes too long to find out whether it keeps its schema")
        }
        Judged::Broken(findings) => Error::new(&codes::INVALID_CONTENT)
            .with_detail(summary(&findings))
            .with_findings(findings),
    };
    Err(error.by_policy(policy))
}

/// The first thing that is wrong, for those who see no list.
pub(crate) fn summary(findings: &[Finding]) -> String {
    findings
        .first()
        .map_or_else(String::new, |first| match &*first.pointer {
            "" => format!("{}: {}", first.part, first.what),
            pointer => format!("{} {pointer}: {}", first.part, first.what),
        })
}

/// All problems of schemas in one message.
pub(crate) fn told(problems: &[Problem]) -> String {
    const MOST: usize = 5;
    let mut told: Vec<String> = problems.iter().take(MOST).map(ToString::to_string).collect();
    if problems.len() > MOST {
        told.push(format!("and {} more", problems.len() - MOST));
    }
    told.join("; ")
}

/// Methods whose content means nothing (RFC 9110 §9.3): it isn't missed.
pub(crate) fn has_no_content(method: &Method) -> bool {
    matches!(
        method,
        Method::Get | Method::Head | Method::Delete | Method::Options | Method::Trace
    )
}

/// All schemas that the file says.
fn texts(config: &Written) -> impl Iterator<Item = &str> {
    let parameters = [&config.query, &config.headers, &config.params].into_iter().flatten();
    let parameters = parameters.flat_map(|parameters| match parameters {
        WrittenParameters::All(text) => vec![text.as_str()],
        WrittenParameters::Each(each) => each.values().map(String::as_str).collect(),
    });
    config.body.as_deref().into_iter().chain(parameters)
}

fn content_types(config: &Written) -> Box<[String]> {
    if config.content_types.is_empty() && config.body.is_some() {
        return ["application/json", "*+json"].map(str::to_owned).into();
    }
    config.content_types.clone().into()
}

fn nothing_known() -> Parameters {
    Parameters::Each {
        schemas: BTreeMap::new(),
        refuse_unknown: true,
    }
}

fn query_of(request: &Request) -> std::result::Result<Given, pairs::Unreadable> {
    let mut given = Given::new();
    for pair in pairs::pairs(request.target.query().unwrap_or_default())? {
        let value = pair.value()?;
        given.entry(pair.name).or_default().push(value);
    }
    Ok(given)
}

/// The fields that have a schema; all of them, where one schema is for all. What is no UTF-8 is judged as what it looks like.
fn headers_of(request: &Request, headers: &Parameters) -> Given {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let mut given = Given::new();
    match headers.names() {
        Some(names) => {
            for name in names {
                let values: Vec<String> = request.headers.get_all(name).map(text).collect();
                if !values.is_empty() {
                    given.insert(name.to_owned(), values);
                }
            }
        }
        None => {
            for (name, value) in request.headers.iter() {
                given.entry(name.to_ascii_lowercase()).or_default().push(text(value));
            }
        }
    }
    given
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
