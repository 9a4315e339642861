//! `graphql` limits what GraphQL asks for, without knowing the schema.
//!
//! ```yaml
//! graphql: {depth: 8, cost: 2000, introspection: false}
//! ```
//!
//! Each document is read before the backend sees it: how deep its fields stand in each other, what they cost, how many aliases,
//! directives and fields at the root there are, of which kinds its operations are. All operations of a document are judged, not only
//! the one that is run, since a service has to validate all of them; and fragments count wherever they are spread.
//!
//! Refused is what can't be read, or might be read in two ways (400); a kind of operation, a name or a document that isn't allowed
//! (403, `graphql_not_allowed`); what is beyond a limit (422, `graphql_refused`); a mutation by GET (405); content of another type
//! (415). What takes long is done away from the workers.
//!
//! A document is read by apollo-parser: it has limits of its own for tokens and nesting, reads the whole grammar, and needs no schema.

mod asked;
mod document;
mod measure;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use portcullis_config::policy::graphql::{GraphQl as Written, OperationKind};
use portcullis_config::policy::mode::Mode;
use portcullis_core::{Body, Ctx, Error, Known, Method, Next, Policy, Reply, Request, Result, codes};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use crate::hexadecimal;
use crate::validate::content::{Gathered, gather};
use crate::validate::media::{self, MediaType};
use crate::validate::reported::Reported;
use asked::Asked;
use document::{Operation, Outline};
use measure::{Measure, Variables};

/// The largest content that is read on the worker: it takes about a millisecond.
const LARGEST_HERE: usize = 4 * 1024;

/// Types of content that are taken.
const TAKEN: &str = "application/json, application/graphql";

/// Limits what GraphQL asks for.
#[derive(Debug)]
pub struct GraphQl {
    rules: Arc<Rules>,
    slow: Handle,
    reported: Arc<AtomicU64>,
}

/// What is needed to judge requests.
#[derive(Debug)]
struct Rules {
    written: Written,
    names: HashSet<String>,
    hashes: HashSet<[u8; 32]>,
}

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Query,
    Json,
    Document,
}

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wrong {
    /// It can't be read, or in two ways.
    Malformed(String),
    /// It asks for what may not be asked for.
    NotAllowed(String),
    /// It asks for too much.
    TooMuch(String),
    /// GET may only read.
    ChangesByGet,
}

impl GraphQl {
    /// Compiles what the file says. `name` is that of the policy set, for what is counted.
    ///
    /// # Errors
    /// When a hash is none.
    pub fn new(
        config: &Written,
        name: &str,
        slow: &Handle,
        reported: &Reported,
    ) -> std::result::Result<GraphQl, String> {
        let hash = |text: &String| {
            hexadecimal::digest(text).ok_or_else(|| format!("`{text}` is no SHA-256: it has 64 hexadecimal digits"))
        };
        Ok(GraphQl {
            rules: Arc::new(Rules {
                names: config.names.iter().cloned().collect(),
                hashes: config.hashes.iter().map(hash).collect::<std::result::Result<_, _>>()?,
                written: config.clone(),
            }),
            slow: slow.clone(),
            reported: reported.counter(name, "graphql", "request"),
        })
    }

    /// How a request is sent, by its method and its fields.
    fn form(&self, request: &Request) -> Result<Form> {
        match request.method {
            Method::Get if request.body.is_empty() => return Ok(Form::Query),
            Method::Get => return Err(malformed("a GET has no content")),
            Method::Post => {}
            _ => return Err(Error::new(&codes::METHOD_NOT_ALLOWED).with_header(Known::Allow, "GET, POST")),
        }
        let unsupported = |detail: String| {
            let error = Error::new(&codes::UNSUPPORTED_CONTENT_TYPE).with_detail(detail);
            Err(error.with_header(Known::Accept, TAKEN))
        };
        let media = MediaType::of(&request.headers);
        let form = match media.as_ref().map(|media| media.name.as_str()) {
            Some("application/json") => Form::Json,
            Some("application/graphql") => Form::Document,
            _ => return unsupported(format!("what is taken: {TAKEN}")),
        };
        if !media.is_some_and(|media| media.is_utf8()) || !media::is_plain(&request.headers) {
            return unsupported("it is taken in UTF-8 and without a content coding".to_owned());
        }
        match asked::is_asked(request.target.query().unwrap_or_default()) {
            Ok(false) => Ok(form),
            Ok(true) => Err(malformed("a POST has nothing of its request in the URL")),
            Err(wrong) => Err(wrong.into_error()),
        }
    }

    /// Judges what was sent.
    async fn judge(&self, form: Form, content: Bytes) -> Result<()> {
        if content.len() <= LARGEST_HERE {
            return self.rules.judge(form, &content).map_err(Wrong::into_error);
        }
        let rules = self.rules.clone();
        let task = self.slow.spawn_blocking(move || rules.judge(form, &content));
        match task.await {
            Ok(judged) => judged.map_err(Wrong::into_error),
            Err(error) => Err(Error::new(&codes::GUARD_UNAVAILABLE).with_cause(error)),
        }
    }

    /// What becomes of a finding: it is refused, or counted.
    fn found(&self, result: Result<()>) -> Result<()> {
        match result {
            Err(_) if self.rules.written.mode == Mode::Report => {
                self.reported.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(error.by_policy("graphql")),
            Ok(()) => Ok(()),
        }
    }

    /// Lets a request without content pass, or refuses it.
    fn finish<'a>(&'a self, judged: Result<()>, cx: &'a mut Ctx, request: Request, next: Next<'a>) -> Reply<'a> {
        match self.found(judged) {
            Ok(()) => next.run(cx, request),
            Err(error) => error.into(),
        }
    }
}

impl Policy for GraphQl {
    fn call<'a>(&'a self, cx: &'a mut Ctx, mut request: Request, next: Next<'a>) -> Reply<'a> {
        if let Some(upgrade) = &request.upgrade {
            if upgrade.protocol.eq_ignore_ascii_case("websocket") {
                let what = "what goes over a WebSocket can't be judged";
                let allowed = self.rules.written.websocket;
                let judged = if allowed {
                    Ok(())
                } else {
                    Err(Wrong::NotAllowed(what.to_owned()).into_error())
                };
                return self.finish(judged, cx, request, next);
            }
            // Whoever ignores the wish answers the request as any other (RFC 9110 §7.8).
            request.upgrade = None;
        }
        let form = match self.form(&request) {
            Ok(form) => form,
            Err(error) => return self.finish(Err(error), cx, request, next),
        };
        Reply::later(async move {
            let content = match form {
                Form::Query => Bytes::copy_from_slice(request.target.query().unwrap_or_default().as_bytes()),
                Form::Json | Form::Document => {
                    let most = self.rules.written.max_body.0;
                    match gather(std::mem::take(&mut request.body), most).await? {
                        Gathered::Whole(content) => {
                            request.body = Body::from(content.clone());
                            content
                        }
                        Gathered::TooMuch(body) => {
                            let error = Error::new(&codes::CONTENT_TOO_LARGE);
                            self.found(Err(error.with_detail(format!("the limit is {most} bytes"))))?;
                            request.body = body;
                            return next.run(cx, request).await;
                        }
                    }
                }
            };
            self.found(self.judge(form, content).await)?;
            next.run(cx, request).await
        })
    }
}

impl Rules {
    fn judge(&self, form: Form, content: &[u8]) -> std::result::Result<(), Wrong> {
        let requests = match form {
            Form::Document => vec![Asked::of_document(content)?],
            Form::Json => Asked::of_json(content, self.written.batch)?,
            Form::Query => vec![Asked::of_query(&String::from_utf8_lossy(content))?],
        };
        let mut cost = 0_u64;
        for asked in &requests {
            cost = cost.saturating_add(self.request(asked, form == Form::Query)?);
            if cost > self.written.cost.max {
                return Err(Wrong::TooMuch(format!(
                    "the request costs more than {}",
                    self.written.cost.max
                )));
            }
        }
        Ok(())
    }

    /// Judges one request. Gives what it costs.
    fn request(&self, asked: &Asked, is_get: bool) -> std::result::Result<u64, Wrong> {
        let Some(document) = &asked.document else {
            return self.without_document(asked).map(|()| 0);
        };
        if asked.hash.is_some() || !self.hashes.is_empty() {
            let hash = <[u8; 32]>::from(Sha256::digest(document.as_bytes()));
            // Otherwise a service would remember one document under the hash of another.
            if asked.hash.is_some_and(|said| said != hash) {
                return Err(Wrong::Malformed("the hash is not that of the document".to_owned()));
            }
            if !self.hashes.is_empty() && !self.hashes.contains(&hash) {
                return Err(Wrong::NotAllowed(
                    "this document is not among those that are".to_owned(),
                ));
            }
        }
        let written = &self.written;
        let outline = document::read(document, written.tokens as usize, &written.cost)?;
        if outline.operations.len() > written.operations as usize {
            return Err(Wrong::TooMuch(format!(
                "there are more than {} operations",
                written.operations
            )));
        }
        let run = run(&outline, asked)?;
        for operation in &outline.operations {
            self.operation(operation, is_get)?;
        }
        let variables = Variables::new(&asked.variables, &written.cost);
        let mut cost = 0;
        for operation in &outline.operations {
            let measure = measure::operation(&outline, operation, &variables);
            self.measure(&measure)?;
            if std::ptr::eq(operation, run) {
                cost = measure.cost;
            }
        }
        Ok(cost)
    }

    fn without_document(&self, asked: &Asked) -> std::result::Result<(), Wrong> {
        match &asked.hash {
            Some(hash) if !asked.is_named && self.hashes.contains(hash) => Ok(()),
            // Where documents are listed, one that isn't stays out.
            Some(_) if self.written.persisted && self.hashes.is_empty() => Ok(()),
            None if self.written.persisted && self.hashes.is_empty() && asked.is_named => Ok(()),
            Some(_) => Err(Wrong::NotAllowed("the document that is meant is not known".to_owned())),
            None => Err(Wrong::Malformed("the document is missing".to_owned())),
        }
    }

    fn operation(&self, operation: &Operation, is_get: bool) -> std::result::Result<(), Wrong> {
        if !self.written.kinds.contains(&operation.kind) {
            let kind = match operation.kind {
                OperationKind::Query => "a query",
                OperationKind::Mutation => "a mutation",
                OperationKind::Subscription => "a subscription",
            };
            return Err(Wrong::NotAllowed(format!("{kind} is not allowed")));
        }
        // Subscriptions are read: the service answers with a stream of events.
        if is_get && operation.kind == OperationKind::Mutation {
            return Err(Wrong::ChangesByGet);
        }
        let is_named = operation.name.as_ref().is_some_and(|name| self.names.contains(name));
        if !self.names.is_empty() && !is_named {
            return Err(Wrong::NotAllowed(
                "this operation is not among those that are".to_owned(),
            ));
        }
        Ok(())
    }

    fn measure(&self, measure: &Measure) -> std::result::Result<(), Wrong> {
        if measure.introspects && !self.written.introspection {
            return Err(Wrong::NotAllowed("the schema may not be asked for".to_owned()));
        }
        let written = &self.written;
        for (value, most, what) in [
            (measure.depth, u64::from(written.depth), "levels of fields"),
            (measure.fields, u64::from(written.root_fields), "fields at the root"),
            (measure.aliases, u64::from(written.aliases), "aliases"),
            (measure.directives, u64::from(written.directives), "directives"),
        ] {
            if value > most {
                return Err(Wrong::TooMuch(format!("an operation has more than {most} {what}")));
            }
        }
        if measure.cost > written.cost.max {
            return Err(Wrong::TooMuch(format!(
                "an operation costs more than {}",
                written.cost.max
            )));
        }
        Ok(())
    }
}

/// The operation that is run (GraphQL §6.1).
fn run<'o>(outline: &'o Outline, asked: &Asked) -> std::result::Result<&'o Operation, Wrong> {
    let operations = &outline.operations;
    let found = match (&asked.operation, operations.as_slice()) {
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(_), _) => {
            let mut named = operations.iter().filter(|operation| operation.name == asked.operation);
            named.next().filter(|_| named.next().is_none())
        }
    };
    found.ok_or_else(|| Wrong::Malformed("it is not certain which operation is meant".to_owned()))
}

impl Wrong {
    fn into_error(self) -> Error {
        match self {
            Wrong::Malformed(what) => Error::new(&codes::BAD_CONTENT).with_detail(what),
            Wrong::NotAllowed(what) => Error::new(&codes::GRAPHQL_NOT_ALLOWED).with_detail(what),
            Wrong::TooMuch(what) => Error::new(&codes::GRAPHQL_REFUSED).with_detail(what),
            Wrong::ChangesByGet => Error::new(&codes::METHOD_NOT_ALLOWED)
                .with_detail("a mutation is sent by POST")
                .with_header(Known::Allow, "POST"),
        }
    }
}

fn malformed(what: &str) -> Error {
    Wrong::Malformed(what.to_owned()).into_error()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
