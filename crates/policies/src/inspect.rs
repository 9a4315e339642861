//! `inspect` looks for attacks in requests, and in responses where it is told to.
//!
//! ```yaml
//! inspect: {rules: /usr/share/modsecurity-crs, paranoia: 1, audit_log: logs/audit.log}
//! inspect:
//!   rules: [crs-setup.conf, rules]
//!   mode: report
//!   exclude: [{rule: 942100, target: "ARGS:query", path: /reports}, {tag: attack-rce}]
//! inspect: {}                                                              # rules of the gate's own
//! ```
//!
//! What is found is refused with 403 (`request_blocked`), which tells the client nothing but the request's name. Under `mode:
//! report` it is counted and told only. What was found stands in the audit log, and the first rule in the access log's `cause`.
//!
//! Content that is encoded can't be looked at and is refused, unless a policy before this one decodes it.
//!
//! The head is judged before the body is read. A body of up to `body` bytes is read whole; a larger one is refused, or passes
//! with its first part looked at. What is small is judged on the worker, in about as many microseconds as it has bytes to look at by
//! rules; what is larger, on a thread for slow work. The work for one request is limited, and so is its memory.

mod audit;
pub mod counts;
mod exclusions;
mod held;
mod judge;
pub mod rule_sets;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use portcullis_config::policy::inspect::{Inspect as Written, LargerBody};
use portcullis_config::policy::mode::Mode;
use portcullis_config::policy::on_failure::OnFailure;
use portcullis_core::{Ctx, Error, Headers, Known, Next, Policy, Reply, Request, Response, Result, codes, grpc};
use tokio::runtime::Handle;

use crate::access_log::sink::{Destination, Sink, Sinks};
use counts::{Action, Counts};
use judge::{Judge, Judged, Judgement};
use rule_sets::RuleSets;

/// Bodies up to this many bytes are judged on the worker: it takes about a millisecond at the most.
const SMALL: usize = 8 << 10;

/// What an inspection lives among.
pub struct Surroundings<'s> {
    /// The folder to which paths are relative.
    pub base: &'s Path,
    /// Rule sets in use, and what was found so far.
    pub kept: &'s Kept,
    /// Where audit logs are opened; `None` where nothing may be.
    pub sinks: Option<&'s Sinks>,
    /// Where slow work is done.
    pub slow: &'s Handle,
}

/// What lives through reloads.
#[derive(Debug, Default)]
pub struct Kept {
    /// Compiled rules.
    pub rule_sets: RuleSets,
    /// What was found.
    pub counts: Arc<Counts>,
}

/// Looks for attacks.
pub struct Inspect {
    judge: Arc<Judge>,
    mode: Mode,
    on_failure: OnFailure,
    most: usize,
    larger: LargerBody,
    responses: bool,
    audit: Option<Arc<Sink>>,
    counts: Arc<Counts>,
    slow: Handle,
}

impl Inspect {
    /// Compiles what the file says, or takes rules that are compiled already.
    ///
    /// # Errors
    /// When a rule can't be run or read, an exclusion is malformed, or the audit log can't be opened.
    pub fn new(config: &Written, surroundings: &Surroundings<'_>) -> std::result::Result<Inspect, String> {
        let judge = Judge::new(config, surroundings.base, &surroundings.kept.rule_sets)?;
        let audit = match (&config.audit_log, surroundings.sinks) {
            (Some(file), Some(sinks)) => Some(sinks.open(&Destination::File(surroundings.base.join(file)))?),
            (Some(file), None) => {
                crate::access_log::check_file(&surroundings.base.join(file))?;
                None
            }
            (None, _) => None,
        };
        Ok(Inspect {
            judge: Arc::new(judge),
            mode: config.mode,
            on_failure: config.on_failure,
            most: usize::try_from(config.body.0).unwrap_or(usize::MAX),
            larger: config.larger_body,
            responses: config.responses,
            audit,
            counts: Arc::clone(&surroundings.kept.counts),
            slow: surroundings.slow.clone(),
        })
    }

    /// What in the rule files has no meaning here, for the log.
    pub fn warnings(&self) -> Vec<String> {
        self.judge.warnings()
    }

    async fn inspect(&self, cx: &mut Ctx, mut request: Request, next: Next<'_>) -> Result<Response> {
        let mut judgement = self.judge.head(cx, &request);
        if !judgement.is_final() {
            let (content, whole) = self.content(&mut request, &mut judgement).await?;
            judgement = self.judged(judgement, content, whole).await?;
        }
        if !self.responses {
            self.conclude(cx, &request, judgement)?;
            return next.run(cx, request).await;
        }
        if let Some(judged) = judgement.judged()
            && self.refuses(&judged)
        {
            return self
                .conclude(cx, &request, judgement)
                .and(Err(Error::new(&codes::INTERNAL)));
        }
        // What is encoded can't be read.
        request.headers.remove(Known::AcceptEncoding);
        let seen = audit::Seen::of(&request);
        let mut response = next.run(cx, request).await?;
        judgement.response_head(&response);
        if !judgement.is_final() && is_readable(&response.headers) {
            let (content, _) = held::first_part(&mut response.body, self.most).await?;
            judgement.set_response(content);
            judgement = self.on_slow(judgement, |judgement| judgement.response_body()).await?;
        }
        self.tell(cx, &seen, judgement)?;
        Ok(response)
    }

    /// The body, or the part of it that is looked at, and whether that is all. The request keeps all of it.
    async fn content(&self, request: &mut Request, judgement: &mut Judgement) -> Result<(Bytes, bool)> {
        // A stream of messages and no text, which may have no end.
        let is_grpc = grpc::Kind::of(&request.headers).is_some();
        if request.body.is_empty() || !judgement.wants_body() || is_grpc {
            return Ok((Bytes::new(), true));
        }
        if is_encoded(&request.headers) {
            judgement.cannot_read("the content is encoded");
            return Ok((Bytes::new(), true));
        }
        match self.larger {
            LargerBody::Refuse => {
                let body = std::mem::take(&mut request.body);
                let content = body.read_to_end(self.most as u64).await;
                let content = content.map_err(|error| error.by_policy("inspect"))?;
                request.body = content.clone().into();
                Ok((content, true))
            }
            LargerBody::FirstPart => held::first_part(&mut request.body, self.most).await,
        }
    }

    async fn judged(&self, mut judgement: Judgement, content: Bytes, whole: bool) -> Result<Judgement> {
        let small = content.len() <= SMALL;
        judgement.set_request(content, whole);
        if small {
            judgement.request_body();
            return Ok(judgement);
        }
        self.on_slow(judgement, |judgement| judgement.request_body()).await
    }

    async fn on_slow(&self, mut judgement: Judgement, work: fn(&mut Judgement)) -> Result<Judgement> {
        let done = self.slow.spawn_blocking(move || {
            work(&mut judgement);
            judgement
        });
        done.await.map_err(|error| {
            Error::new(&codes::GUARD_UNAVAILABLE)
                .with_cause(error)
                .by_policy("inspect")
        })
    }

    fn conclude(&self, cx: &Ctx, request: &Request, judgement: Judgement) -> Result<()> {
        self.tell(cx, &audit::Seen::of(request), judgement)
    }

    fn refuses(&self, judged: &Judged) -> bool {
        let unfinished = judged.unfinished && self.on_failure == OnFailure::Admit;
        judged.refused && self.mode == Mode::Enforce && !unfinished
    }

    /// Counts and writes down what was found, and refuses what is to be refused.
    fn tell(&self, cx: &Ctx, seen: &audit::Seen, mut judgement: Judgement) -> Result<()> {
        let Some(judged) = judgement.judged() else {
            return Ok(());
        };
        let refuses = self.refuses(&judged);
        let action = match (refuses, judged.refused) {
            (true, _) => Action::Refused,
            (false, true) => Action::Reported,
            (false, false) => Action::Passed,
        };
        self.counts.add(&judged, action);
        if let Some(audit) = &self.audit {
            judgement.close();
            let judged = judgement.judged().unwrap_or(judged.clone());
            audit.line(|out| audit::write(cx, seen, &judged, action, out));
        }
        if !refuses {
            return Ok(());
        }
        Err(refusal(&judged))
    }
}

#[cold]
fn refusal(judged: &Judged) -> Error {
    Error::new(&codes::REQUEST_BLOCKED)
        .with_cause(judged.reason())
        .by_policy("inspect")
}

impl Policy for Inspect {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request, next: Next<'a>) -> Reply<'a> {
        if self.judge.passes_over(request.target.path()) {
            return next.run(cx, request);
        }
        Reply::later(self.inspect(cx, request, next))
    }
}

/// Whether a response is text that isn't encoded, and no endless stream of events.
fn is_readable(headers: &Headers) -> bool {
    let content_type = headers
        .get_str(Known::ContentType)
        .unwrap_or_default()
        .to_ascii_lowercase();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let text = essence.starts_with("text/") && essence != "text/event-stream";
    let structured = essence.ends_with("json") || essence.ends_with("xml") || essence == "application/javascript";
    (text || structured) && !is_encoded(headers)
}

/// Whether content is compressed or the like.
fn is_encoded(headers: &Headers) -> bool {
    headers
        .list(Known::ContentEncoding)
        .any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
