//! `openapi` holds requests and responses against the description of an API.
//!
//! ```yaml
//! openapi: {document: api.yaml, responses: report}
//! ```
//!
//! The description is OpenAPI 3.0 or 3.1 (or 2.0, converted), and read whole when the configuration is: what is wrong with it is told
//! then. Of a request are judged: the path (404), the method (405 with `Allow`), parameters of the path, the query, the fields and
//! the cookies (400), the media type (415), and the body where it is JSON, a form or plain text (400, 422). Other types pass by their
//! name. Content that no operation describes is refused (415).
//!
//! Responses are judged next to the backend, before anything is changed in them: the status, required fields, and the content up
//! to `max_body`. For that the backend is not asked for compressed content; the gate compresses by itself.

mod answer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use portcullis_config::policy::mode::Mode;
use portcullis_config::policy::openapi::{OpenApi as Written, Responses as WrittenResponses};
use portcullis_config::policy::validate::Unknown;
use portcullis_contract::openapi::{Content, Contract, Found, Given, Media, Operation, Wrong, form, plain};
use portcullis_contract::schema::Documents;
use portcullis_core::{Body, Ctx, Error, Finding, Headers, Known, Next, Policy, Reply, Request, Result, codes};
use tokio::runtime::Handle;

use crate::validate::content::{self, Gathered};
use crate::validate::judge::{Judge, Judged, STEPS_HERE};
use crate::validate::media::{self, MediaType};
use crate::validate::reported::Reported;
use crate::validate::sources::Sources;
use crate::validate::{refusal, summary, told};
pub use answer::Responses;

/// The longest form or text that is judged: it is done on the worker.
const LONGEST_TEXT: usize = 64 * 1024;

/// What is told of content that nobody asked for.
const NO_CONTENT: &str = "no content is taken here";

/// Holds requests against the description of an API.
#[derive(Debug)]
pub struct OpenApi {
    api: Arc<Api>,
    refuse_paths: bool,
    refuse_query: bool,
    enforces: bool,
    responses: WrittenResponses,
    reported: Arc<AtomicU64>,
    reported_responses: Arc<AtomicU64>,
}

/// What the content of a request must be like.
enum Expected<'o> {
    /// It passes by its type.
    Anything,
    /// There may be none.
    Nothing,
    /// As this; and whether it must be there.
    Described(&'o Media, MediaType, bool),
}

/// What is needed to judge messages.
#[derive(Debug)]
struct Api {
    contract: Contract,
    judge: Judge,
    strip: Option<String>,
    max_body: u64,
}

/// The files of a description: its own, whose path is relative to `base`, and those that it refers to beside and below it.
///
/// # Errors
/// When one can't be read.
pub fn documents(document: &str, base: &Path) -> std::result::Result<Documents, String> {
    let mut sources = Sources::new(base);
    sources.file(document)?;
    Ok(sources.into_documents())
}

impl OpenApi {
    /// Reads the description; its path is relative to `base`. `name` is that of the policy set, for what is counted.
    ///
    /// # Errors
    /// When a file can't be read, or the description can't be used.
    pub fn new(
        config: &Written,
        name: &str,
        base: &Path,
        slow: &Handle,
        reported: &Reported,
    ) -> std::result::Result<OpenApi, String> {
        let documents = documents(&config.document, base)?;
        let contract = Contract::import(&documents, &config.document, config.formats);
        let contract = contract.map_err(|problems| told(&problems))?;
        let judge = Judge {
            set: contract.schemas().clone(),
            slow: slow.clone(),
        };
        Ok(OpenApi {
            api: Arc::new(Api {
                contract,
                judge,
                strip: config.strip.clone(),
                max_body: config.max_body.0,
            }),
            refuse_paths: config.unknown_paths == Unknown::Refuse,
            refuse_query: config.unknown_query == Unknown::Refuse,
            enforces: config.mode == Mode::Enforce,
            responses: config.responses,
            reported: reported.counter(name, "openapi", "request"),
            reported_responses: reported.counter(name, "openapi", "response"),
        })
    }

    /// The layer that judges responses, if they are to be judged.
    #[must_use]
    pub fn responses(&self) -> Option<Responses> {
        let enforces = match self.responses {
            WrittenResponses::Ignore => return None,
            WrittenResponses::Report => false,
            WrittenResponses::Enforce => true,
        };
        Some(Responses::new(
            self.api.clone(),
            enforces,
            self.reported_responses.clone(),
        ))
    }

    /// Judges all but the content. Gives the operation; none where the path isn't known and may pass.
    fn head(&self, request: &Request) -> Result<Option<&Operation>> {
        let (operation, variables) = match self.api.find(request) {
            Found::Operation(operation, variables) => (operation, variables),
            Found::Nothing if !self.refuse_paths => return Ok(None),
            Found::Nothing => {
                let error = Error::new(&codes::RESOURCE_NOT_FOUND).with_detail("the API has no such path");
                return Err(error.by_policy("openapi"));
            }
            Found::OtherMethods(methods) => {
                let error = Error::new(&codes::METHOD_NOT_ALLOWED).with_header(Known::Allow, methods);
                return Err(error.by_policy("openapi"));
            }
        };
        let given = Given {
            path: &variables,
            query: request.target.query().unwrap_or_default(),
            header: &|name| joined(&request.headers, name),
            cookie: &|name| cookie(&request.headers, name),
        };
        let wrong = operation.wrong_parameters(&self.api.judge.set, &given, self.refuse_query, STEPS_HERE);
        if wrong.is_empty() {
            return Ok(Some(operation));
        }
        let findings: Vec<Finding> = wrong.into_iter().map(finding).collect();
        let error = Error::new(&codes::INVALID_PARAMETERS).with_detail(summary(&findings));
        Err(error.with_findings(findings).by_policy("openapi"))
    }

    /// Judges the type of the content. Gives what it must be like, if it is to be judged.
    fn content_type<'o>(&self, operation: &'o Operation, request: &Request) -> Result<Expected<'o>> {
        let Some(body) = &operation.body else {
            return match request.body.remaining() {
                Some(0) => Ok(Expected::Anything),
                Some(_) => Err(unsupported(NO_CONTENT)),
                // Whether there is content is known when it has been read.
                None => Ok(Expected::Nothing),
            };
        };
        if request.body.is_empty() {
            return if body.required {
                Err(missing())
            } else {
                Ok(Expected::Anything)
            };
        }
        let media = MediaType::of(&request.headers);
        let found = media.and_then(|media| Some((body.content.of(&media.name)?, media)));
        let Some((described, media)) = found else {
            return if body.content.is_empty() {
                Ok(Expected::Anything)
            } else {
                Err(not_among(&body.content))
            };
        };
        match readable(described, &media, &request.headers) {
            Ok(true) => Ok(Expected::Described(described, media, body.required)),
            Ok(false) => Ok(Expected::Anything),
            Err(()) => Err(unsupported(
                "what is judged is taken in UTF-8 and without a content coding",
            )),
        }
    }

    /// Judges the content, and gives it back.
    async fn content(&self, expected: &Expected<'_>, body: Body) -> Result<Body> {
        let limit = match expected {
            Expected::Nothing => 0,
            Expected::Anything | Expected::Described(..) => self.api.max_body,
        };
        match content::gather(body, limit).await? {
            Gathered::Whole(content) => {
                if let Expected::Described(described, media, required) = expected {
                    let result = match content.is_empty() {
                        true if *required => Err(missing()),
                        true => Ok(()),
                        false => refusal(self.api.content(described, media, &content).await, "openapi"),
                    };
                    self.found(result)?;
                }
                Ok(Body::from(content))
            }
            Gathered::TooMuch(body) => {
                let error = match expected {
                    Expected::Nothing => unsupported(NO_CONTENT),
                    _ => Error::new(&codes::CONTENT_TOO_LARGE)
                        .with_detail(format!("the limit is {limit} bytes"))
                        .by_policy("openapi"),
                };
                self.found(Err(error))?;
                Ok(body)
            }
        }
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

impl Policy for OpenApi {
    fn call<'a>(&'a self, cx: &'a mut Ctx, mut request: Request, next: Next<'a>) -> Reply<'a> {
        let judged = self.head(&request).and_then(|operation| match operation {
            Some(operation) => self.content_type(operation, &request),
            None => Ok(Expected::Anything),
        });
        let expected = match judged {
            Ok(Expected::Anything) => return next.run(cx, request),
            Ok(expected) => expected,
            Err(error) => {
                return match self.found(Err(error)) {
                    Ok(()) => next.run(cx, request),
                    Err(error) => error.into(),
                };
            }
        };
        Reply::later(async move {
            let body = std::mem::take(&mut request.body);
            request.body = self.content(&expected, body).await?;
            next.run(cx, request).await
        })
    }
}

impl Api {
    fn find(&self, request: &Request) -> Found<'_> {
        self.contract
            .find(request.method.as_str(), request.target.path(), self.strip.as_deref())
    }

    /// Holds content against what is described.
    async fn content(&self, described: &Media, media: &MediaType, content: &Bytes) -> Judged {
        let Some(schema) = described.schema else {
            return Judged::Good;
        };
        if media.is_json() {
            return self.judge.json(schema, content).await;
        }
        if content.len() > LONGEST_TEXT {
            return Judged::Malformed(format!("a form or a text may have at most {LONGEST_TEXT} bytes"));
        }
        let Ok(text) = std::str::from_utf8(content) else {
            return Judged::Malformed("it is no UTF-8".to_owned());
        };
        let value = match is_form(&media.name) {
            true => form(&self.judge.set, schema, text),
            false => Ok(plain(&self.judge.set, schema, text)),
        };
        match value {
            Ok(value) => self.judge.value(schema, &value, "body", ""),
            Err(what) => Judged::Malformed(what),
        }
    }
}

/// Whether content of a type is judged; an error, where it should be and can't be read.
fn readable(described: &Media, media: &MediaType, headers: &Headers) -> std::result::Result<bool, ()> {
    let is_judged = media.is_json() || is_form(&media.name) || media.name == "text/plain";
    if described.schema.is_none() || !is_judged {
        return Ok(false);
    }
    if media.is_utf8() && media::is_plain(headers) {
        Ok(true)
    } else {
        Err(())
    }
}

fn is_form(name: &str) -> bool {
    name == "application/x-www-form-urlencoded"
}

fn finding(wrong: Wrong) -> Finding {
    Finding {
        part: wrong.part.word(),
        pointer: wrong.pointer,
        what: wrong.what,
    }
}

fn missing() -> Error {
    Error::new(&codes::BAD_CONTENT)
        .with_detail("the content is missing")
        .by_policy("openapi")
}

fn unsupported(detail: &'static str) -> Error {
    Error::new(&codes::UNSUPPORTED_CONTENT_TYPE)
        .with_detail(detail)
        .by_policy("openapi")
}

fn not_among(content: &Content) -> Error {
    let ranges = content.ranges();
    Error::new(&codes::UNSUPPORTED_CONTENT_TYPE)
        .with_detail(format!("what is taken: {ranges}"))
        .with_header(Known::Accept, ranges)
        .by_policy("openapi")
}

/// The values of a field, as one (RFC 9110 §5.3).
fn joined(headers: &Headers, name: &str) -> Option<String> {
    let values: Vec<_> = headers
        .get_all(name)
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// The value of a cookie. Of several of one name none is certain: they count as one value that no schema wants.
fn cookie(headers: &Headers, name: &str) -> Option<String> {
    let lines = headers
        .get_all(Known::Cookie)
        .filter_map(|line| std::str::from_utf8(line).ok());
    let pairs = lines.flat_map(|line| line.split(';'));
    let found = pairs.filter_map(|pair| pair.trim().split_once('=').filter(|(own, _)| *own == name));
    let values: Vec<&str> = found.map(|(_, value)| value).collect();
    (!values.is_empty()).then(|| values.join("; "))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
