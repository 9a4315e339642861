//! `payload` limits what the content of requests is made of.
//!
//! ```yaml
//! payload: true
//! payload: {content_types: [application/json], json: {depth: 10, values: 1000}, decompress: {max: 2MiB}}
//! ```
//!
//! Content that comes compressed is decompressed, so that what stands behind this policy sees what a backend would. It may become
//! `decompress.max` bytes, and `decompress.ratio` times as large; what grows more is refused (413), and so are encodings that are
//! unknown or several (415, with `Accept-Encoding`). JSON that is none and XML that isn't well-formed is refused (400, `bad_content`);
//! what is beyond a limit is, too (422, `payload_refused`), and the answer names the limit and the place.
//!
//! Content of other types passes as it comes. What takes long is done away from the workers.

pub mod fault;
pub mod json;
pub mod xml;

mod coding;

use std::sync::Arc;

use bytes::Bytes;
use portcullis_config::policy::payload::{Decompress, JsonLimits, Payload as Written, XmlLimits};
use portcullis_core::{Body, Ctx, Error, Finding, Known, Next, Policy, Reply, Request, Result, codes};
use tokio::runtime::Handle;

use crate::validate::content::{Gathered, gather};
use crate::validate::media::{MediaType, is_json};
use coding::{ACCEPTED, Coding, Said, Undecoded};
use fault::{Fault, FaultKind};

/// The largest content that is read on the worker, and the most that it becomes there: about half a millisecond of work.
const LARGEST_HERE: u64 = 64 * 1024;

/// Content that stays below this may grow by any ratio: small texts that repeat themselves do, and are of no danger.
const SMALL: u64 = 64 * 1024;

/// Fields that tell of the content as it came, and are wrong once it is decoded (RFC 9530 §2, §3).
const DIGESTS: [&str; 4] = ["Content-Digest", "Repr-Digest", "Digest", "Content-MD5"];

/// Limits what content is made of.
#[derive(Debug)]
pub struct Payload {
    content_types: Box<[String]>,
    max: u64,
    rules: Arc<Rules>,
    slow: Handle,
}

/// What is needed to judge content.
#[derive(Debug)]
struct Rules {
    decompress: Decompress,
    json: JsonLimits,
    xml: XmlLimits,
}

/// What is to be done with the content of a request.
#[derive(Clone, Copy, Debug, Default)]
struct Plan {
    coding: Option<Coding>,
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Json,
    Xml,
}

impl Payload {
    /// Compiles what the file says.
    ///
    /// # Errors
    /// When a media type is none.
    pub fn new(config: &Written, slow: &Handle) -> std::result::Result<Payload, String> {
        if let Some(none) = config
            .content_types
            .iter()
            .find(|it| !it.contains('/') && !it.starts_with("*+"))
        {
            return Err(format!("`{none}` is no media type"));
        }
        Ok(Payload {
            content_types: config.content_types.iter().map(|it| it.to_ascii_lowercase()).collect(),
            max: config.max.0,
            rules: Arc::new(Rules {
                decompress: config.decompress,
                json: config.json,
                xml: config.xml,
            }),
            slow: slow.clone(),
        })
    }

    /// What is to be done; nothing where the content may pass as it comes.
    fn plan(&self, request: &Request) -> Result<Option<Plan>> {
        if request.body.is_empty() {
            return Ok(None);
        }
        let media = MediaType::of(&request.headers);
        let is_listed = |media: &MediaType| self.content_types.iter().any(|known| media.is_of(known));
        if !self.content_types.is_empty() && !media.as_ref().is_some_and(is_listed) {
            let types = self.content_types.join(", ");
            return Err(unsupported(format!("what is taken: {types}")).with_header(Known::Accept, types));
        }
        // What is no type, or two of them, is JSON to some programs.
        if media.is_none() && request.headers.contains(Known::ContentType) {
            return Err(unsupported("the content type is malformed"));
        }
        let format = media.as_ref().and_then(|media| self.rules.format(media));
        if format.is_some() && !media.is_some_and(|media| media.is_utf8()) {
            return Err(unsupported("JSON and XML are taken in UTF-8"));
        }
        let coding = match (coding::of(&request.headers), self.rules.decompress.enabled) {
            (Said::Plain, _) => None,
            (Said::Encoded(coding), true) => Some(coding),
            (Said::Other, true) => return Err(other_encoding("these encodings are taken, one at a time: ", ACCEPTED)),
            (_, false) if format.is_none() => None,
            (_, false) => {
                return Err(other_encoding(
                    "JSON and XML are taken without an encoding: ",
                    "identity",
                ));
            }
        };
        Ok((coding.is_some() || format.is_some()).then_some(Plan { coding, format }))
    }

    /// The content as it may go on.
    async fn judged(&self, plan: Plan, content: Bytes) -> Result<Bytes> {
        if content.len() as u64 <= LARGEST_HERE
            && let Some(judged) = self.rules.judge(plan, &content, LARGEST_HERE)
        {
            return judged;
        }
        let rules = self.rules.clone();
        let task = self.slow.spawn_blocking(move || rules.judge(plan, &content, u64::MAX));
        match task.await {
            Ok(Some(judged)) => judged,
            // It is stopped while the gate goes down, and nothing is beyond the largest number.
            Ok(None) => Err(too_large("it becomes too large")),
            Err(error) => Err(Error::new(&codes::GUARD_UNAVAILABLE)
                .with_cause(error)
                .by_policy("payload")),
        }
    }
}

impl Policy for Payload {
    fn call<'a>(&'a self, cx: &'a mut Ctx, mut request: Request, next: Next<'a>) -> Reply<'a> {
        let plan = match self.plan(&request) {
            Ok(Some(plan)) => plan,
            Ok(None) => return next.run(cx, request),
            Err(error) => return error.into(),
        };
        Reply::later(async move {
            let body = std::mem::take(&mut request.body);
            let content = match gather(body, self.max).await? {
                Gathered::Whole(content) => content,
                Gathered::TooMuch(_) => return Err(too_large(format!("the limit is {} bytes", self.max))),
            };
            if !content.is_empty() {
                request.body = Body::from(self.judged(plan, content).await?);
            }
            if plan.coding.is_some() {
                is_plain_now(&mut request);
            }
            next.run(cx, request).await
        })
    }
}

impl Rules {
    fn format(&self, media: &MediaType) -> Option<Format> {
        if is_json(&media.name) {
            return self.json.enabled.then_some(Format::Json);
        }
        let is_xml = matches!(media.name.as_str(), "application/xml" | "text/xml") || media.name.ends_with("+xml");
        (is_xml && self.xml.enabled).then_some(Format::Xml)
    }

    /// Decodes and judges content. Nothing where it becomes more than `here`, and might be allowed to.
    fn judge(&self, plan: Plan, content: &Bytes, here: u64) -> Option<Result<Bytes>> {
        let content = match plan.coding {
            None => content.clone(),
            Some(coding) => {
                let by_ratio = (content.len() as u64)
                    .saturating_mul(u64::from(self.decompress.ratio))
                    .max(SMALL);
                let most = by_ratio.min(self.decompress.max.0);
                match coding::decode(coding, content, most.min(here)) {
                    Ok(plain) => Bytes::from(plain),
                    Err(Undecoded::TooMuch) if here < most => return None,
                    Err(Undecoded::TooMuch) => return Some(Err(self.bomb(most))),
                    Err(Undecoded::Malformed) => {
                        let error = Error::new(&codes::BAD_CONTENT).by_policy("payload");
                        return Some(Err(
                            error.with_detail("the content is not encoded as Content-Encoding says")
                        ));
                    }
                }
            }
        };
        let judged = match plan.format {
            _ if content.is_empty() => Ok(()),
            None => Ok(()),
            Some(Format::Json) => json::check(&content, &self.json),
            Some(Format::Xml) => xml::check(&content, &self.xml),
        };
        Some(match judged {
            Ok(()) => Ok(content),
            Err(fault) => Err(error(fault)),
        })
    }

    fn bomb(&self, most: u64) -> Error {
        if most == self.decompress.max.0 {
            too_large(format!("it becomes more than {most} bytes when it is decompressed"))
        } else {
            let ratio = self.decompress.ratio;
            too_large(format!(
                "it becomes more than {ratio} times as large when it is decompressed"
            ))
        }
    }
}

/// Takes out what is said of the content as it came.
fn is_plain_now(request: &mut Request) {
    request.headers.remove(Known::ContentEncoding);
    for name in DIGESTS {
        request.headers.remove(name);
    }
    if request.headers.contains(Known::ContentLength) {
        let length = request.body.remaining().unwrap_or(0);
        request.headers.set(Known::ContentLength, length.to_string());
    }
}

fn error(fault: Fault) -> Error {
    let place = match &*fault.pointer {
        "" => format!("at byte {}", fault.at),
        pointer => format!("at {pointer}"),
    };
    let code = match fault.kind {
        FaultKind::Malformed => &codes::BAD_CONTENT,
        FaultKind::Refused => &codes::PAYLOAD_REFUSED,
    };
    let finding = Finding {
        part: "body",
        pointer: fault.pointer,
        what: fault.what.clone().into_owned(),
    };
    Error::new(code)
        .with_detail(format!("{}, {place}", fault.what))
        .with_findings(vec![finding])
        .by_policy("payload")
}

fn unsupported(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(&codes::UNSUPPORTED_CONTENT_TYPE)
        .with_detail(detail)
        .by_policy("payload")
}

/// RFC 9110 §12.5.3: a 415 for an encoding says which would do.
fn other_encoding(detail: &str, accepted: &'static str) -> Error {
    unsupported(format!("{detail}{accepted}")).with_header(Known::AcceptEncoding, accepted)
}

fn too_large(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(&codes::CONTENT_TOO_LARGE)
        .with_detail(detail)
        .by_policy("payload")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
