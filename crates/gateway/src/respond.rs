//! The one place where outcomes become responses.

use std::fmt::Write as _;

use portcullis_core::codes::{Code, Fault};
use portcullis_core::{Ctx, Error, Headers, Known, Name, Response, Status, grpc};

/// The name of this gateway in `Proxy-Status` (RFC 9209).
const NAME: &str = "portcullis";

/// Where the reference page explains each code: the `type` of a problem (RFC 9457 §3.1.1). A URN, because the page is
/// where the reader's copy of the documentation is.
pub(crate) const TYPE_PREFIX: &str = "urn:portcullis:error:";

/// The form in which a client wants to read a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// `application/problem+json` (RFC 9457).
    Problem,
    /// A page, for people before a browser.
    Page,
    /// A status of gRPC among the fields of a response without content ("Trailers-Only").
    Grpc(grpc::Kind),
}

impl Wants {
    /// A call of gRPC wants a status. Otherwise what the request's `Accept` asks for: a page only where HTML is named, as
    /// browsers do when they navigate.
    pub(crate) fn of(headers: &Headers) -> Wants {
        if let Some(kind) = grpc::Kind::of(headers) {
            return Wants::Grpc(kind);
        }
        let names_html = |value: &[u8]| {
            let members = value.split(|byte| *byte == b',');
            members
                .map(<[u8]>::trim_ascii)
                .any(|member| member.len() >= 9 && member[..9].eq_ignore_ascii_case(b"text/html"))
        };
        if headers.get_all(Known::Accept).any(names_html) {
            Wants::Page
        } else {
            Wants::Problem
        }
    }
}

/// Puts the fields that hold for every answer of this request, and of its listener, onto a response.
pub(crate) fn complete(cx: &Ctx, of_listener: Option<&Headers>, response: &mut Response) {
    cx.put_answer_into(&mut response.headers);
    if let Some(fields) = of_listener {
        for (known, name, value) in fields.iter_known() {
            response
                .headers
                .set(known.map_or(Name::Other(name), |known| Name::Cased(known, name)), value);
        }
    }
    response.headers.set(Known::XRequestId, cx.request_id.as_bytes());
}

/// The response that tells of an error.
pub(crate) fn failure(cx: &Ctx, error: &Error, wants: Wants) -> Response {
    let mut response = Response::new(match wants {
        Wants::Grpc(_) => Status::OK,
        Wants::Problem | Wants::Page => error.status(),
    });
    response.headers.extend(error.headers());
    response.headers.append(Known::CacheControl, "no-store");
    if let Some(proxy_status) = proxy_status(error.code()) {
        response
            .headers
            .append(Known::ProxyStatus, format!("{NAME}; error={proxy_status}"));
    }
    match wants {
        Wants::Problem => response.with_body("application/problem+json", problem(cx, error)),
        Wants::Page => response.with_body("text/html; charset=utf-8", page(cx, error)),
        Wants::Grpc(kind) => {
            response.headers.set(Known::ContentType, kind.content_type());
            grpc::tell(&mut response.headers, error);
            response
        }
    }
}

/// The error type of `Proxy-Status` that goes out: none where the client is at fault, or was refused.
pub(crate) fn proxy_status(code: &Code) -> Option<&'static str> {
    code.proxy_status
        .filter(|_| matches!(code.fault, Fault::Upstream | Fault::Gate))
}

/// The problem document. It names what a client may know: never an upstream, a file or a cause.
fn problem(cx: &Ctx, error: &Error) -> String {
    let code = error.code();
    let mut document = serde_json::json!({
        "type": format!("{TYPE_PREFIX}{}", code.name),
        "title": code.title,
        "status": code.status.code(),
        "code": code.name,
        "instance": format!("urn:portcullis:request:{}", cx.request_id),
    });
    if let Some(detail) = error.detail() {
        document["detail"] = detail.into();
    }
    if let Some(policy) = error.policy() {
        document["policy"] = policy.into();
    }
    if !error.findings().is_empty() {
        let findings = error.findings().iter();
        let findings = findings.map(|it| serde_json::json!({"in": it.part, "pointer": it.pointer, "detail": it.what}));
        document["errors"] = findings.collect();
    }
    document.to_string()
}

fn page(cx: &Ctx, error: &Error) -> String {
    let code = error.code();
    let mut page = String::with_capacity(1024);
    let status = code.status;
    let detail = error.detail().unwrap_or_default();
    page.push_str("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n");
    let _ = writeln!(page, "<title>{status} {}</title>", escaped(code.title));
    page.push_str("<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:15vh auto;padding:0 1rem}");
    page.push_str("small{color:#666}@media(prefers-color-scheme:dark){body{background:#111;color:#eee}small{color:#999}}</style>\n");
    let _ = writeln!(page, "<h1>{status} {}</h1>", escaped(code.title));
    if !detail.is_empty() {
        let _ = writeln!(page, "<p>{}</p>", escaped(detail));
    }
    let _ = writeln!(
        page,
        "<p><small>{} · request {}</small></p>\n</html>",
        code.name,
        escaped(cx.request_id.as_str())
    );
    page
}

/// Text that can't end the element it stands in.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::{Instant, SystemTime};

    use portcullis_core::{Body, Connection, RequestId, codes};

    use super::*;

    fn told(error: &Error, wants: Wants) -> (Response, String) {
        let peer = "192.0.2.1:1".parse().expect("an address");
        let id = RequestId::new(b"id-1").expect("a request id");
        let cx = Ctx::new(
            Rc::new(Connection::new(peer, peer, None, false)),
            id,
            Instant::now(),
            SystemTime::now(),
        );
        let mut response = failure(&cx, error, wants);
        complete(&cx, None, &mut response);
        let body = match std::mem::take(&mut response.body) {
            Body::Full(body) => body,
            Body::Empty => Default::default(),
            Body::Stream(_) => panic!("a failure has a whole body"),
        };
        (response, String::from_utf8(body.to_vec()).expect("it is text"))
    }

    #[test]
    fn the_cause_stays_inside() {
        let error = Error::new(&codes::UPSTREAM_REFUSED).with_cause("connect 10.0.0.7:9000: refused");
        for wants in [Wants::Problem, Wants::Page] {
            let (response, body) = told(&error, wants);
            assert!(!body.contains("10.0.0.7"), "{body}");
            assert!(body.contains("upstream_refused") && body.contains("id-1"), "{body}");
            assert_eq!(response.status.code(), 502);
            assert_eq!(
                response.headers.get_str(Known::ProxyStatus),
                Some("portcullis; error=connection_refused")
            );
            assert_eq!(response.headers.get_str(Known::XRequestId), Some("id-1"));
        }
    }

    #[test]
    fn a_page_shows_a_detail_as_text() {
        let error = Error::new(&codes::BAD_QUERY).with_detail("there is no column `<script>`");
        let (response, body) = told(&error, Wants::Page);
        assert!(body.contains("&lt;script&gt;") && !body.contains("<script>"), "{body}");
        assert_eq!(
            response.headers.get_str(Known::ContentType),
            Some("text/html; charset=utf-8")
        );
    }

    #[test]
    fn a_problem_is_a_problem_document() {
        let error = Error::new(&codes::RATE_LIMITED)
            .by_policy("rate_limit")
            .with_header(Known::RetryAfter, "3");
        let (response, body) = told(&error, Wants::Problem);
        let document: serde_json::Value = serde_json::from_str(&body).expect("it is JSON");
        assert_eq!(document["type"], "urn:portcullis:error:rate_limited");
        assert_eq!(document["status"], 429);
        assert_eq!(document["policy"], "rate_limit");
        assert_eq!(response.headers.get_str(Known::RetryAfter), Some("3"));
        assert_eq!(
            response.headers.get_str(Known::ContentType),
            Some("application/problem+json")
        );
    }

    #[test]
    fn a_call_of_grpc_gets_a_status() {
        let mut headers = Headers::new();
        headers.append(Known::ContentType, "application/grpc+proto");
        let error = Error::new(&codes::RATE_LIMITED)
            .with_detail("50 % over")
            .with_header(Known::RetryAfter, "3");
        let (response, body) = told(&error, Wants::of(&headers));
        let get = |name: &str| response.headers.get_str(name);
        assert_eq!(response.status, Status::OK);
        assert_eq!(get("content-type"), Some("application/grpc"));
        assert_eq!(get("grpc-status"), Some("8"));
        assert_eq!(get("grpc-message"), Some("Too many requests: 50 %25 over"));
        assert_eq!(get("retry-after"), Some("3"));
        assert_eq!(body, "");
    }

    #[test]
    fn pages_are_for_those_who_name_html() {
        let wants = |accept: &str| {
            let mut headers = Headers::new();
            headers.append(Known::Accept, accept);
            Wants::of(&headers)
        };
        assert_eq!(wants("text/html,application/xhtml+xml"), Wants::Page);
        assert_eq!(wants("application/json, text/html;q=0.9"), Wants::Page);
        assert_eq!(wants("*/*"), Wants::Problem);
        assert_eq!(Wants::of(&Headers::new()), Wants::Problem);
    }
}
