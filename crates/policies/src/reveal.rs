//! `reveal` limits what responses of the backend tell.
//!
//! ```yaml
//! reveal:
//!   allow: [id, name, "lines.*.title"]
//!   mask: [{path: iban, keep_last: 4, unless_role: [accounting]}]
//!   find: [card_numbers, keys]
//! ```
//!
//! Where content is looked at, the backend is asked for the whole of it and without compression (`Range` and `Accept-Encoding` are taken
//! out of the request), and what it sends compressed all the same, in part, or not as the JSON it says it is, is refused (502):
//! what can't be looked at does not leave. JSON is changed in place, so that what stays is byte for byte as it was. Streams of
//! events and calls of gRPC have no end to wait for, and pass.

mod limit;
mod path;
mod rewrite;
mod secrets;

use std::sync::Arc;

use bytes::Bytes;
use portcullis_config::policy::reveal::{ReplacedErrors, Reveal as Written};
use portcullis_core::{
    Consumer, Ctx, Error, Headers, Known, Method, Next, Policy, Reply, Request, Response, Result, codes, grpc,
};
use tokio::runtime::Handle;

use crate::field_name::FieldName;
use limit::Limited;
use path::Path;
use rewrite::{Action, Rules};
use secrets::Secrets;

/// Content of more bytes is changed on a thread for slow work.
const LARGE: usize = 64 * 1024;

/// Limits what responses of the backend tell.
pub struct Reveal {
    remove_headers: Box<[FieldName]>,
    errors: ReplacedErrors,
    allow: Box<[Path]>,
    hidden: Box<[Hidden]>,
    /// What holds for everybody, where no role sees more.
    for_all: Option<Arc<Rules>>,
    secrets: Secrets,
    inspected: u64,
    max_body: Option<u64>,
    slow: Handle,
}

/// A field that isn't shown to everybody.
struct Hidden {
    path: Path,
    action: Action,
    unless_role: Box<[Box<str>]>,
}

/// What kind of content a response has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Text,
    /// The response does not say; the content itself does.
    Unsaid,
    Other,
}

impl Reveal {
    /// Compiles what the file says.
    ///
    /// # Errors
    /// When a path or a name can't be understood.
    pub fn new(config: &Written, slow: &Handle) -> std::result::Result<Reveal, String> {
        let mut hidden = Vec::new();
        for field in &config.remove {
            hidden.push(Hidden::new(&field.path, Action::Remove, &field.unless_role)?);
        }
        for field in &config.mask {
            let action = Action::Mask {
                keep_last: usize::from(field.keep_last),
            };
            hidden.push(Hidden::new(&field.path, action, &field.unless_role)?);
        }
        let allow: std::result::Result<Box<[Path]>, String> =
            config.allow.iter().map(|path| Path::parse(path)).collect();
        let allow = allow?;
        if allow.iter().any(Path::is_deep) {
            return Err("`allow` names whole paths: `**` would let pass what nobody thought of".to_owned());
        }
        let names: std::result::Result<_, String> =
            config.remove_headers.iter().map(|name| FieldName::new(name)).collect();
        let mut reveal = Reveal {
            remove_headers: names?,
            errors: config.errors,
            allow,
            hidden: hidden.into(),
            secrets: Secrets::new(&config.find),
            inspected: config.inspected.0,
            max_body: config.max_body.map(|size| size.0),
            slow: slow.clone(),
            for_all: None,
        };
        if reveal.hidden.iter().all(|hidden| hidden.unless_role.is_empty()) {
            reveal.for_all = Some(Arc::new(reveal.made_for(None)));
        }
        Ok(reveal)
    }

    /// What holds for whoever asks.
    fn rules_for(&self, consumer: Option<&Consumer>) -> Arc<Rules> {
        if let Some(rules) = &self.for_all {
            return rules.clone();
        }
        Arc::new(self.made_for(consumer))
    }

    fn made_for(&self, consumer: Option<&Consumer>) -> Rules {
        let sees = |hidden: &&Hidden| {
            let has = |role: &str| consumer.is_some_and(|consumer| consumer.has_role(role));
            !hidden.unless_role.iter().any(|role| has(role))
        };
        Rules {
            allow: self.allow.to_vec(),
            hidden: self
                .hidden
                .iter()
                .filter(sees)
                .map(|hidden| (hidden.path.clone(), hidden.action))
                .collect(),
            secrets: self.secrets.clone(),
        }
    }

    /// The response as it may leave.
    async fn reduced(&self, rules: Arc<Rules>, is_head: bool, mut response: Response) -> Result<Response> {
        for name in &self.remove_headers {
            response.headers.remove(name.name());
        }
        let code = response.status.code();
        let is_replaced = match self.errors {
            ReplacedErrors::Nothing => false,
            ReplacedErrors::Failures => code >= 500,
            ReplacedErrors::All => code >= 400,
        };
        if is_replaced && grpc::Kind::of(&response.headers).is_none() {
            return Ok(replaced(&response));
        }
        // What comes after a change of protocol is no content.
        if code == 101 {
            return Ok(response);
        }
        if let Some(most) = self.max_body {
            if response.body.remaining().is_some_and(|remaining| remaining > most) {
                return Err(withheld(format!("it has more than {most} bytes")));
            }
            response.body = Limited::of(std::mem::take(&mut response.body), most);
        }
        if rules.is_empty() {
            return Ok(response);
        }
        let kind = kind_of(&response.headers)?;
        if kind == Kind::Other || (kind == Kind::Text && self.secrets.is_empty()) {
            return Ok(response);
        }
        if is_head {
            // They are those of content that GET gives to nobody.
            forget_content(&mut response.headers);
        }
        if response.body.is_empty() {
            return Ok(response);
        }
        self.rewritten(rules, response, kind).await
    }

    async fn rewritten(&self, rules: Arc<Rules>, mut response: Response, kind: Kind) -> Result<Response> {
        let mut encodings = response.headers.list(Known::ContentEncoding);
        if let Some(encoding) = encodings.find(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
            return Err(withheld(format!(
                "it is compressed ({}), though nothing else was asked for",
                encoding.escape_ascii()
            )));
        }
        drop(encodings);
        if response.status.code() == 206 || response.headers.contains(Known::ContentRange) {
            return Err(withheld("it is a part of a whole, which was not asked for".to_owned()));
        }
        let body = std::mem::take(&mut response.body);
        let whole = body.read_to_end(self.inspected).await.map_err(|error| {
            if *error.code() == codes::CONTENT_TOO_LARGE {
                withheld(format!(
                    "it has more than the {} bytes that are looked at",
                    self.inspected
                ))
            } else {
                error
            }
        })?;
        let kind = match kind {
            Kind::Unsaid if looks_like_json(&whole) => Kind::Json,
            Kind::Unsaid => Kind::Text,
            said => said,
        };
        let changed = if whole.len() > LARGE {
            let content = whole.clone();
            let changed = self.slow.spawn_blocking(move || changed(&rules, &content, kind)).await;
            changed.map_err(|error| Error::new(&codes::INTERNAL).with_cause(error).by_policy("reveal"))?
        } else {
            changed(&rules, &whole, kind)
        };
        match changed.map_err(withheld)? {
            None => response.body = whole.into(),
            Some(changed) => {
                forget_content(&mut response.headers);
                response.body = changed.into();
            }
        }
        Ok(response)
    }
}

/// The content as it may leave, where that is another; or why it can't.
fn changed(rules: &Rules, content: &Bytes, kind: Kind) -> std::result::Result<Option<Vec<u8>>, String> {
    match kind {
        Kind::Json => rewrite::json(rules, content),
        _ => Ok(rules.secrets.covered(content)),
    }
}

impl Hidden {
    fn new(path: &str, action: Action, unless_role: &[String]) -> std::result::Result<Hidden, String> {
        Ok(Hidden {
            path: Path::parse(path)?,
            action,
            unless_role: unless_role.iter().map(|role| role.as_str().into()).collect(),
        })
    }
}

impl Policy for Reveal {
    fn call<'a>(&'a self, cx: &'a mut Ctx, mut request: Request, next: Next<'a>) -> Reply<'a> {
        let rules = self.rules_for(cx.consumer.as_deref());
        if !rules.is_empty() {
            request.headers.remove(Known::AcceptEncoding);
            request.headers.remove(Known::Range);
            request.headers.remove(Known::IfRange);
        }
        let is_head = request.method == Method::Head;
        Reply::later(async move {
            let response = next.run(cx, request).await?;
            self.reduced(rules, is_head, response).await
        })
    }
}

/// # Errors
/// When it says several things, of which its readers may believe another one.
fn kind_of(headers: &Headers) -> Result<Kind> {
    let mut written = headers.get_all(Known::ContentType);
    let (first, more) = (written.next(), written.next());
    if more.is_some() {
        return Err(withheld("it has several types".to_owned()));
    }
    if grpc::Kind::of(headers).is_some() {
        return Ok(Kind::Other);
    }
    let media_type = first.unwrap_or_default().split(|byte| *byte == b';').next();
    let media_type = media_type.unwrap_or_default().trim_ascii().to_ascii_lowercase();
    let is_in = |known: &[&str]| known.iter().any(|known| known.as_bytes() == media_type);
    let ends = |end: &str| media_type.ends_with(end.as_bytes());
    Ok(match () {
        () if media_type.is_empty() => Kind::Unsaid,
        () if is_in(&["application/json", "application/x-json", "text/json", "text/x-json"]) => Kind::Json,
        // Several documents, one in each line, and events without end.
        () if is_in(&["application/x-ndjson", "text/event-stream"]) => Kind::Other,
        () if ends("+json") => Kind::Json,
        () if media_type.starts_with(b"text/") || ends("/xml") || ends("+xml") => Kind::Text,
        () => Kind::Other,
    })
}

/// Whether content that doesn't say what it is would be taken for fields of JSON.
fn looks_like_json(content: &[u8]) -> bool {
    matches!(content.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Takes out what is said of content that is another one now (RFC 9110 §8.8, RFC 9530).
fn forget_content(headers: &mut Headers) {
    for name in [
        "ETag",
        "Last-Modified",
        "Accept-Ranges",
        "Content-Length",
        "Content-Digest",
        "Repr-Digest",
        "Digest",
        "Content-MD5",
    ] {
        headers.remove(name);
    }
}

/// An error page of the gate's in place of the backend's, with the same status and what the client needs to go on.
fn replaced(response: &Response) -> Response {
    let code = response.status.code();
    let title = response.status.reason();
    let document = format!("{{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":{code}}}");
    let mut replacement = Response::new(response.status);
    for name in [
        Known::WwwAuthenticate,
        Known::RetryAfter,
        Known::Allow,
        Known::SetCookie,
        Known::Vary,
    ] {
        for value in response.headers.get_all(name) {
            replacement.headers.append(name, value);
        }
    }
    replacement.headers.append(Known::CacheControl, "no-store");
    replacement.with_body("application/problem+json", document)
}

#[cold]
fn withheld(why: String) -> Error {
    Error::new(&codes::RESPONSE_WITHHELD)
        .with_cause(why)
        .by_policy("reveal")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
