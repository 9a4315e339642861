//! `cors` lets pages of other origins call, from a browser (the CORS protocol of the Fetch standard).
//!
//! ```yaml
//! cors: {origins: [https://app.example.com, "https://*.example.org"], expose: [RateLimit], credentials: true}
//! ```
//!
//! A preflight is answered here with 204 and never reaches the backend; from an origin that is not listed it gets 403
//! (`origin_forbidden`). Every other request goes on, and its answer, refusals and failures too, carries the fields by
//! which a browser lets the page read it, if its origin is listed. What the backend itself says about CORS is removed:
//! one place decides. Where the answer depends on the origin, `Vary` says so.
//!
//! `https://*.example.org` stands for any number of labels before the dot, and not for `https://example.org` itself.
//! A port is part of an origin. The origin `null` (sandboxed pages, local files) is only meant where it is listed.
//! `*` among `headers` allows any field, `*` among `methods` any method; with `credentials`, `*` among `origins` is an
//! error, since it would let every page act for its visitor.

mod origins;

use portcullis_config::policy::cors;
use portcullis_core::headers::is_token;
use portcullis_core::{
    Ctx, Error, Headers, Known, Method, Name, Next, Policy, Reply, Request, Response, Status, codes,
};

use origins::Origins;

const ALLOW_ORIGIN: Name<'static> = Name::Other("Access-Control-Allow-Origin");
const ALLOW_CREDENTIALS: Name<'static> = Name::Other("Access-Control-Allow-Credentials");
const ALLOW_METHODS: Name<'static> = Name::Other("Access-Control-Allow-Methods");
const ALLOW_HEADERS: Name<'static> = Name::Other("Access-Control-Allow-Headers");
const EXPOSE_HEADERS: Name<'static> = Name::Other("Access-Control-Expose-Headers");
const MAX_AGE: Name<'static> = Name::Other("Access-Control-Max-Age");

/// What begins the name of every field by which a response speaks about CORS.
const PREFIX: &[u8] = b"access-control-";

/// Lets pages of other origins call.
#[derive(Debug)]
pub struct Cors {
    origins: Origins,
    methods: Allowed,
    headers: Allowed,
    expose: Box<str>,
    credentials: bool,
    max_age: Box<str>,
}

/// What a preflight is told that a request may have.
#[derive(Debug)]
enum Allowed {
    /// Whatever it asked for.
    Any,
    /// These, as a list.
    These(Box<str>),
}

impl Cors {
    /// Compiles what the file says.
    ///
    /// # Errors
    /// When an origin is not one, a name is not one, or credentials would go along from every origin.
    pub fn new(config: &cors::Cors) -> Result<Cors, String> {
        let origins = Origins::new(&config.origins)?;
        if config.credentials && matches!(origins, Origins::Any) {
            return Err(
                "`credentials` with the origin `*` would let every page act for its visitor: list the origins"
                    .to_owned(),
            );
        }
        Ok(Cors {
            origins,
            methods: Allowed::new(&config.methods)?,
            headers: Allowed::new(&config.headers)?,
            expose: list(&config.expose)?,
            credentials: config.credentials,
            max_age: config.max_age.0.as_secs().to_string().into(),
        })
    }

    /// What the answer to a page of that origin must say for a browser to hand it over.
    fn put_allowance(&self, headers: &mut Headers, origin: &[u8]) {
        let origin = if matches!(self.origins, Origins::Any) {
            b"*"
        } else {
            origin
        };
        headers.set(ALLOW_ORIGIN, origin);
        if self.credentials {
            headers.set(ALLOW_CREDENTIALS, "true");
        }
    }

    fn preflight(&self, request: &Request, origin: &[u8], method: &[u8]) -> Response {
        let mut response = Response::new(Status::NO_CONTENT);
        let headers = &mut response.headers;
        headers.reserve(8, 512);
        self.put_allowance(headers, origin);
        match &self.methods {
            Allowed::Any if is_token(method) => headers.append(ALLOW_METHODS, method),
            Allowed::Any => {}
            Allowed::These(methods) => headers.append(ALLOW_METHODS, &**methods),
        }
        match &self.headers {
            Allowed::Any => {
                for name in request
                    .headers
                    .list(Known::AccessControlRequestHeaders)
                    .filter(|name| is_token(name))
                {
                    headers.append(ALLOW_HEADERS, name);
                }
            }
            Allowed::These(names) if names.is_empty() => {}
            Allowed::These(names) => headers.append(ALLOW_HEADERS, &**names),
        }
        headers.append(MAX_AGE, &*self.max_age);
        response
    }
}

impl Policy for Cors {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request, next: Next<'a>) -> Reply<'a> {
        // The Fetch standard, "CORS protocol and HTTP caches": also on answers to requests without an origin.
        if !matches!(self.origins, Origins::Any) {
            cx.vary |= Known::Origin.bit();
        }
        let Some(origin) = request.headers.get(Known::Origin) else {
            return next.run(cx, request);
        };
        let allowed = self.origins.allow(origin) && request.headers.get_all(Known::Origin).count() == 1;
        if request.method == Method::Options
            && let Some(method) = request.headers.get(Known::AccessControlRequestMethod)
        {
            return match allowed {
                true => self.preflight(&request, origin, method).into(),
                false => Error::new(&codes::ORIGIN_FORBIDDEN).by_policy("cors").into(),
            };
        }
        if allowed {
            cx.answer.reserve(8, 384);
            self.put_allowance(&mut cx.answer, origin);
            if !self.expose.is_empty() {
                cx.answer.set(EXPOSE_HEADERS, &*self.expose);
            }
        }
        Reply::later(async move {
            let mut response = next.run(cx, request).await?;
            response
                .headers
                .retain(|known, name, _| known.is_some() || !speaks_of_cors(name));
            Ok(response)
        })
    }
}

impl Allowed {
    fn new(names: &[String]) -> Result<Allowed, String> {
        if names.iter().any(|name| name == "*") {
            return Ok(Allowed::Any);
        }
        Ok(Allowed::These(list(names)?))
    }
}

fn list(names: &[String]) -> Result<Box<str>, String> {
    match names.iter().find(|name| !is_token(name.as_bytes())) {
        Some(name) => Err(format!("`{name}` is not the name of a method or header field")),
        None => Ok(names.join(", ").into()),
    }
}

fn speaks_of_cors(name: &str) -> bool {
    name.as_bytes()
        .get(..PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use portcullis_config::units;

    use super::*;
    use crate::trial::{Trial, context, now, request, send};

    fn config(origins: &[&str]) -> cors::Cors {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        cors::Cors {
            origins: texts(origins),
            methods: texts(&["GET", "PUT"]),
            headers: texts(&["Content-Type", "X-A"]),
            expose: texts(&["RateLimit", "X-B"]),
            credentials: false,
            max_age: units::Duration(Duration::from_secs(600)),
        }
    }

    fn policy(config: &cors::Cors) -> Arc<dyn Policy> {
        Arc::new(Cors::new(config).unwrap())
    }

    fn preflight(policy: &Arc<dyn Policy>, origin: &str) -> Trial {
        let fields = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "PATCH"),
            ("Access-Control-Request-Headers", "x-a, x-z,b ad"),
        ];
        send(policy, request("OPTIONS", "/", &fields), &[])
    }

    fn fields(trial: &Trial) -> Vec<String> {
        let line = |(name, value): (&str, &[u8])| format!("{name}: {}", String::from_utf8_lossy(value));
        trial.answer().iter().map(line).collect()
    }

    #[test]
    fn a_preflight_is_answered_without_the_backend() {
        let trial = preflight(&policy(&config(&["https://a.example"])), "https://a.example");
        assert_eq!(trial.status(), Status::NO_CONTENT);
        assert!(trial.seen.is_none());
        let expected = [
            "Access-Control-Allow-Origin: https://a.example",
            "Access-Control-Allow-Methods: GET, PUT",
            "Access-Control-Allow-Headers: Content-Type, X-A",
            "Access-Control-Max-Age: 600",
            "Vary: Origin",
        ];
        assert_eq!(fields(&trial), expected);
    }

    #[test]
    fn a_preflight_may_ask_for_anything_where_anything_is_allowed() {
        let mut config = config(&["*"]);
        (config.methods, config.headers) = (vec!["*".to_owned()], vec!["*".to_owned()]);
        let expected = [
            "Access-Control-Allow-Origin: *",
            "Access-Control-Allow-Methods: PATCH",
            "Access-Control-Allow-Headers: x-a",
            "Access-Control-Allow-Headers: x-z",
            "Access-Control-Max-Age: 600",
        ];
        assert_eq!(fields(&preflight(&policy(&config), "https://b.example")), expected);
    }

    #[test]
    fn a_preflight_of_a_stranger_is_refused_without_a_word_about_cors() {
        let trial = preflight(&policy(&config(&["https://a.example"])), "https://b.example");
        assert_eq!(trial.result.as_ref().unwrap_err().code().name, "origin_forbidden");
        assert_eq!(fields(&trial), ["Vary: Origin"]);
    }

    #[test]
    fn an_answer_can_be_read_by_a_page_that_is_listed() {
        let mut config = config(&["https://a.example"]);
        config.credentials = true;
        let request = request("GET", "/", &[("origin", "https://a.example")]);
        let theirs = [
            ("access-control-allow-origin", "*"),
            ("vary", "Accept"),
            ("Access-Control-Expose-Headers", "X"),
        ];
        let trial = send(&policy(&config), request, &theirs);
        let expected = [
            "vary: Accept",
            "Access-Control-Allow-Origin: https://a.example",
            "Access-Control-Allow-Credentials: true",
            "Access-Control-Expose-Headers: RateLimit, X-B",
            "Vary: Origin",
        ];
        assert_eq!(fields(&trial), expected);
        assert!(trial.seen.is_some());
    }

    #[test]
    fn what_a_backend_says_does_not_open_what_is_closed() {
        let policy = policy(&config(&["https://a.example"]));
        let theirs = [
            ("Access-Control-Allow-Origin", "*"),
            ("Access-Control-Allow-Credentials", "true"),
        ];
        for origin in ["https://b.example", "https://a.example.b", "null", ""] {
            let trial = send(&policy, request("GET", "/", &[("Origin", origin)]), &theirs);
            assert_eq!(trial.status(), Status::OK);
            assert_eq!(fields(&trial), ["Vary: Origin"]);
        }
        let allowed = send(
            &policy,
            request("GET", "/", &[("Origin", "https://a.example")]),
            &theirs,
        );
        assert_eq!(allowed.field("access-control-allow-credentials"), None);
        let twice = [("Origin", "https://a.example"), ("Origin", "https://b.example")];
        assert_eq!(
            fields(&send(&policy, request("GET", "/", &twice), &theirs)),
            ["Vary: Origin"]
        );
    }

    #[test]
    fn answers_to_requests_without_an_origin_vary_as_well() {
        let plain = request("GET", "/", &[]);
        assert_eq!(
            fields(&send(&policy(&config(&["https://a.example"])), plain, &[])),
            ["Vary: Origin"]
        );
        assert!(fields(&send(&policy(&config(&["*"])), request("GET", "/", &[]), &[])).is_empty());
        let options = request("OPTIONS", "/", &[("Origin", "https://a.example")]);
        assert!(send(&policy(&config(&["*"])), options, &[]).seen.is_some());
    }

    #[test]
    fn refusals_can_be_read_as_well() {
        struct Refuse;
        impl portcullis_core::Backend for Refuse {
            fn call<'a>(&'a self, _: &'a mut Ctx, _: Request) -> Reply<'a> {
                Error::new(&codes::RATE_LIMITED).into()
            }
        }
        let policies = [policy(&config(&["https://a.example"]))];
        let mut cx = context();
        let request = request("GET", "/", &[("Origin", "https://a.example")]);
        let result = now(Next::new(&policies, &Refuse).run(&mut cx, request));
        let trial = Trial { result, seen: None, cx };
        assert_eq!(trial.status(), Status::TOO_MANY_REQUESTS);
        assert_eq!(trial.field("access-control-allow-origin").unwrap(), "https://a.example");
        assert_eq!(trial.field("vary").unwrap(), "Origin");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut credentials = config(&["*"]);
        credentials.credentials = true;
        assert!(Cors::new(&credentials).unwrap_err().contains("list the origins"));
        let mut header = config(&["*"]);
        header.headers = vec!["a b".to_owned()];
        assert!(Cors::new(&header).unwrap_err().contains("a b"));
    }
}
