//! `forward` asks another service who may enter, as nginx's `auth_request` and Traefik's ForwardAuth do.
//!
//! ```yaml
//! forward:
//!   service: auth
//!   path: /verify
//!   response_headers: [X-User, X-Tenant]
//!   consumer_header: X-User
//! ```
//!
//! 2xx lets the request in; the fields of the answer that are listed replace what the client sent under their names. 401, 403
//! and redirects go to the client with `WWW-Authenticate`, `Location` and `Set-Cookie`. Anything else says nothing about the
//! request: it is refused with 503, unless `on_failure: admit` says otherwise.
//!
//! What is asked is made here from nothing: no field of a client reaches the service but those in `request_headers`, and
//! `X-Forwarded-Method`, `-Uri`, `-Host` and `-Proto` are always ours.

mod cache;

use std::sync::Arc;

use portcullis_config::policy::forward::Forward as Written;
use portcullis_config::policy::on_failure::OnFailure;
use portcullis_core::{
    Backend, Body, Consumer, Ctx, Error, Headers, Known, Method, Request, Response, Status, Target, codes,
};

use self::cache::Cache;
use crate::authenticate::{Authenticator, Verdict, Waiting};
use crate::consumer::is_word;
use crate::field_name::FieldName;
use crate::inquiry::{Answer, Inquiry};

/// The most that the service may be shown of a request's content, which lies in memory meanwhile.
const MOST_CONTENT: u64 = 16 * 1024 * 1024;

/// Lets in whom a service lets in.
pub struct Forward {
    inquiry: Inquiry,
    path: Target,
    shown: Box<[FieldName]>,
    told: Box<[FieldName]>,
    /// Those of `told` that the service is not shown, and those that it is.
    own: Box<[FieldName]>,
    judged: Box<[FieldName]>,
    identity: Identity,
    when: Option<FieldName>,
    content: Option<u64>,
    cache: Option<Cache>,
    on_failure: OnFailure,
    keep: bool,
}

/// The fields of an answer that say who it is.
struct Identity {
    name: Option<FieldName>,
    scopes: Option<FieldName>,
    roles: Option<FieldName>,
}

/// What an answer says that lets in.
struct Admission {
    /// What the backend is told: by the place of the name in `Forward::told`.
    fields: Vec<(usize, Box<[u8]>)>,
    consumer: Option<Arc<Consumer>>,
}

impl Forward {
    /// Compiles what the file says; `service` is what it names.
    ///
    /// # Errors
    /// When a name of a field can't be used, or settings contradict each other.
    pub fn new(config: &Written, service: Arc<dyn Backend>) -> Result<Forward, String> {
        let names = |names: &[String]| -> Result<Box<[FieldName]>, String> {
            names.iter().map(|name| FieldName::new(name)).collect()
        };
        let name = |name: &Option<String>| name.as_deref().map(FieldName::new).transpose();
        let (shown, told) = (names(&config.request_headers)?, names(&config.response_headers)?);
        for name in &told {
            check_told(name)?;
        }
        let is_shown = |name: &FieldName| shown.iter().any(|shown| shown.is(name));
        let (judged, own): (Vec<FieldName>, Vec<FieldName>) = told.iter().cloned().partition(is_shown);
        let identity = Identity {
            name: name(&config.consumer_header)?,
            scopes: name(&config.scopes_header)?,
            roles: name(&config.roles_header)?,
        };
        if identity.name.is_none() && (identity.scopes.is_some() || identity.roles.is_some()) {
            return Err("scopes and roles are those of a consumer: say `consumer_header`".to_owned());
        }
        if config.body.is_some_and(|body| body.0 > MOST_CONTENT) {
            return Err("`body` lies in memory; the most is 16MiB".to_owned());
        }
        if config.body.is_some() && config.cache.is_some() {
            return Err(
                "with `body` each question is another one, and none can be remembered: leave out `cache`".to_owned(),
            );
        }
        let path = Target::parse(config.path.as_bytes()).map_err(|error| format!("`path`: {error}"))?;
        Ok(Forward {
            inquiry: Inquiry::new(service, config.timeout.0, "forward"),
            path,
            shown,
            told,
            own: own.into(),
            judged: judged.into(),
            identity,
            when: name(&config.when_header)?,
            content: config.body.map(|body| body.0),
            cache: config.cache.as_ref().map(Cache::new),
            on_failure: config.on_failure,
            keep: config.keep,
        })
    }

    /// The fields of the request that the service is shown.
    fn shown(&self) -> impl Iterator<Item = &FieldName> {
        let when = self.when.iter();
        self.shown
            .iter()
            .chain(when.filter(|when| !self.shown.iter().any(|name| name.is(when))))
    }

    async fn ask(&self, cx: &Ctx, request: &mut Request) -> Verdict {
        let mark = self.cache.as_ref().map(|cache| cache.mark(cx, request, self.shown()));
        let question = match self.question(cx, request).await {
            Ok(question) => question,
            Err(error) => return Verdict::Refused(error.by_policy("forward")),
        };
        let answer = match self.inquiry.ask(cx, question, None).await {
            Ok(answer) => answer,
            Err(error) => return self.failed(request, error),
        };
        match answer.status.code() {
            200..=299 => match self.admission(&answer.headers) {
                Ok(admission) => {
                    let admission = Arc::new(admission);
                    if let (Some(cache), Some(mark)) = (&self.cache, mark) {
                        cache.keep(mark, &admission);
                    }
                    self.let_in(&admission, request)
                }
                Err(cause) => self.failed(request, self.inquiry.unavailable(&cause)),
            },
            401 => Verdict::Refused(refused(Error::new(&codes::UNAUTHENTICATED), &answer.headers)),
            403 => Verdict::Refused(refused(Error::new(&codes::FORBIDDEN), &answer.headers)),
            301 | 302 | 303 | 307 | 308 if answer.headers.contains(Known::Location) => {
                Verdict::Answer(sent_on(&answer))
            }
            status => {
                let cause = format!("the service that is asked answered {status}");
                self.failed(request, self.inquiry.unavailable(&cause))
            }
        }
    }

    /// What the service is asked about the request.
    async fn question(&self, cx: &Ctx, request: &mut Request) -> Result<Request, Error> {
        let mut question = Request::new(Method::Get, self.path.clone());
        question.version = request.version;
        let fields = &mut question.headers;
        let host = request.headers.get(Known::Host).unwrap_or_default();
        fields.append(Known::Host, host);
        for name in self.shown() {
            for value in request.headers.get_all(name.name()) {
                fields.append(name.name(), value);
            }
        }
        // What is left of these came from proxies that are trusted; whoever sends the question adds our peer.
        for name in [Known::XForwardedFor, Known::Forwarded, Known::XForwardedPort] {
            fields.remove(name);
            for value in request.headers.get_all(name) {
                fields.append(name, value);
            }
        }
        fields.set(
            Known::XForwardedHost,
            request.headers.get(Known::XForwardedHost).unwrap_or(host),
        );
        fields.set(Known::XForwardedProto, cx.scheme.as_str());
        fields.set("X-Forwarded-Method", request.method.as_str());
        fields.set("X-Forwarded-Uri", request.target.as_str());
        if let Some(limit) = self.content {
            let content = std::mem::take(&mut request.body).read_to_end(limit).await?;
            request.body = Body::from(content.clone());
            question.method = Method::Post;
            question.body = Body::from(content);
            for name in [Known::ContentType, Known::ContentEncoding] {
                if let Some(value) = request.headers.get(name) {
                    question.headers.set(name, value);
                }
            }
        }
        Ok(question)
    }

    /// What an answer says that lets in.
    ///
    /// # Errors
    /// Says in words what in it can't be passed on.
    fn admission(&self, headers: &Headers) -> Result<Admission, String> {
        let told = self.told.iter().enumerate();
        let fields = told.flat_map(|(index, name)| {
            let values = headers.get_all(name.name());
            values.map(move |value| (index, Box::from(value)))
        });
        Ok(Admission {
            fields: fields.collect(),
            consumer: self.identity.of(headers)?.map(Arc::new),
        })
    }

    fn let_in(&self, admission: &Admission, request: &mut Request) -> Verdict {
        self.clear(request);
        for (index, value) in &admission.fields {
            request.headers.append(self.told[*index].name(), value);
        }
        match &admission.consumer {
            Some(consumer) => Verdict::Known(consumer.clone()),
            None => Verdict::Admitted,
        }
    }

    /// Takes out of the request what no backend may take for the service's word, and the credential.
    fn clear(&self, request: &mut Request) {
        if !self.keep {
            request.headers.remove(Known::Authorization);
            if let Some(when) = &self.when {
                request.headers.remove(when.name());
            }
        }
        for name in &self.told {
            request.headers.remove(name.name());
        }
    }

    #[cold]
    fn failed(&self, request: &mut Request, error: Error) -> Verdict {
        match self.on_failure {
            OnFailure::Deny => Verdict::Refused(error),
            OnFailure::Admit => {
                self.clear(request);
                Verdict::Admitted
            }
        }
    }
}

impl Identity {
    fn of(&self, headers: &Headers) -> Result<Option<Consumer>, String> {
        let Some(field) = &self.name else { return Ok(None) };
        let mut names = headers.get_all(field.name());
        let Some(name) = names.next() else { return Ok(None) };
        let name = std::str::from_utf8(name).ok().filter(|name| is_word(name));
        let (Some(name), None) = (name, names.next()) else {
            return Err(format!("{} of its answer is not one name", field.as_str()));
        };
        let mut consumer = Consumer::new(name, "forward");
        consumer.scopes = words(headers, self.scopes.as_ref())?;
        consumer.roles = words(headers, self.roles.as_ref())?;
        Ok(Some(consumer))
    }
}

impl Authenticator for Forward {
    fn name(&self) -> &'static str {
        "forward"
    }

    fn judge(&self, cx: &mut Ctx, request: &mut Request) -> Verdict {
        if self
            .when
            .as_ref()
            .is_some_and(|when| !request.headers.contains(when.name()))
        {
            return Verdict::Absent;
        }
        if let Some(cache) = &self.cache
            && let Some(admission) = cache.find(&cache.mark(cx, request, self.shown()))
        {
            return self.let_in(&admission, request);
        }
        Verdict::Later
    }

    fn judge_later<'a>(&'a self, cx: &'a mut Ctx, request: &'a mut Request) -> Waiting<'a> {
        Box::pin(self.ask(cx, request))
    }

    fn own_fields(&self) -> &[FieldName] {
        &self.own
    }

    fn judged_fields(&self) -> &[FieldName] {
        &self.judged
    }
}

/// A backend must not be told by the service what only the gate may tell it.
fn check_told(name: &FieldName) -> Result<(), String> {
    let ours = [Known::XConsumer, Known::XConsumerScopes, Known::XConsumerRoles];
    match name.known() {
        Some(known) if ours.contains(&known) => Err(format!(
            "`{}` is told to backends by the gate: name the field that it is taken from in `consumer_header`, `scopes_header` or `roles_header`",
            name.as_str()
        )),
        Some(Known::Host | Known::ContentLength | Known::TransferEncoding | Known::Connection) => Err(format!(
            "`{}` belongs to the connection, not to the message: it can't be taken over",
            name.as_str()
        )),
        _ => Ok(()),
    }
}

/// The words of a list with spaces or commas between.
fn words(headers: &Headers, field: Option<&FieldName>) -> Result<Box<[Box<str>]>, String> {
    let Some(field) = field else { return Ok(Box::default()) };
    let mut words = Vec::new();
    for value in headers.get_all(field.name()) {
        let text = std::str::from_utf8(value).map_err(|_| format!("{} is no text", field.as_str()))?;
        for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
            if !is_word(word) {
                return Err(format!("{} of its answer is no list of words", field.as_str()));
            }
            words.push(word.into());
        }
    }
    Ok(words.into())
}

/// The refusal with what the service tells the client about it.
fn refused(mut error: Error, headers: &Headers) -> Error {
    for name in ["WWW-Authenticate", "Retry-After", "Set-Cookie"] {
        for value in headers.get_all(name) {
            error = error.with_header(name, value);
        }
    }
    error.by_policy("forward")
}

/// The client is sent where the service wants it to be.
fn sent_on(answer: &Answer) -> Response {
    let mut response = Response::new(Status::new(answer.status.code()).unwrap_or(Status::FOUND));
    for name in ["Location", "Set-Cookie"] {
        for value in answer.headers.get_all(name) {
            response.headers.append(name, value);
        }
    }
    // RFC 9111 §4.2.2: a permanent redirect could be kept, and would then be followed by those who may enter, too.
    response.headers.set(Known::CacheControl, "no-store");
    response
}

#[cfg(test)]
mod tests;
