//! A redirection to an address that is made of the request.
//!
//! What a client sends can fill the places of the template and no more: the host is put in only if it is one, a
//! parameter is percent-encoded, so that no slash, colon, `@`, `?` or line break of it counts, and path and query are
//! in the form that every request target has, where the path starts with one slash.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use portcullis_config::route;
use portcullis_core::{Backend, Ctx, Error, Known, Reply, Request, Response, Result, Status, codes};

/// All but unreserved characters (RFC 3986 §2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Sends every client elsewhere.
pub struct Redirect {
    status: Status,
    template: Vec<Part>,
}

/// A piece of the address.
#[derive(Debug)]
enum Part {
    Literal(Box<str>),
    Scheme,
    Host,
    Path,
    Query,
    Param(Box<str>),
}

impl Redirect {
    /// The redirection that `config` describes. `params` are the names of the parameters in the route's path; one of
    /// the name of a built-in place, such as `host`, is hidden by it.
    ///
    /// # Errors
    /// Says what is wrong: a status that doesn't redirect, an unknown place, or an address that is no URL.
    pub fn new(config: &route::Redirect, params: &[&str]) -> std::result::Result<Redirect, String> {
        let status = match config.status {
            301 => Status::MOVED_PERMANENTLY,
            302 => Status::FOUND,
            303 => Status::SEE_OTHER,
            307 => Status::TEMPORARY_REDIRECT,
            308 => Status::PERMANENT_REDIRECT,
            other => return Err(format!("`status` must be 301, 302, 303, 307 or 308, not {other}")),
        };
        let url = &config.url;
        let template = parts(url, params)?;
        check_start(url)?;
        Ok(Redirect { status, template })
    }

    fn location(&self, cx: &Ctx, request: &Request) -> Result<String> {
        let mut location = String::with_capacity(128);
        for part in &self.template {
            match part {
                Part::Literal(text) => location.push_str(text),
                Part::Scheme => location.push_str(cx.scheme.as_str()),
                Part::Host => location.push_str(valid_host(request)?),
                Part::Path => location.push_str(request.target.path()),
                Part::Query => {
                    if let Some(query) = request.target.query() {
                        location.push('?');
                        location.push_str(query);
                    }
                }
                Part::Param(name) => {
                    let value = cx.params.get(name).unwrap_or_default();
                    write!(location, "{}", utf8_percent_encode(value, RESERVED)).expect("a String takes every write");
                }
            }
        }
        Ok(location)
    }
}

impl Backend for Redirect {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request) -> Reply<'a> {
        let location = self.location(cx, &request);
        Reply::now(location.map(|location| Response::new(self.status).with_header(Known::Location, location)))
    }
}

/// Refuses addresses in which a client could choose whose host it is.
fn check_start(url: &str) -> std::result::Result<(), String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        // Two slashes at the start would name a host, and `{path}` brings one.
        let is_path = url.starts_with('/') && !url.starts_with("//") && !url.starts_with("/{path}");
        return if is_path || url.starts_with("{path}") {
            Ok(())
        } else {
            Err(format!(
                "`url` must start with `https://`, `http://`, `{{scheme}}://`, `{{path}}` or one slash: `{url}`"
            ))
        };
    };
    if !matches!(scheme, "http" | "https" | "{scheme}") {
        return Err(format!(
            "`url` must be of the scheme `https`, `http` or `{{scheme}}`: `{url}`"
        ));
    }
    let end = ["/", "?", "#", "{path}", "{query}"]
        .iter()
        .filter_map(|after| rest.find(after))
        .min();
    let authority = &rest[..end.unwrap_or(rest.len())];
    // Who owns a host is decided at its end, so no parameter may stand there.
    if authority.is_empty() || (authority.ends_with('}') && !authority.ends_with("{host}")) {
        return Err(format!("`url` must name the host that it leads to: `{url}`"));
    }
    Ok(())
}

/// Takes a template apart.
fn parts(url: &str, params: &[&str]) -> std::result::Result<Vec<Part>, String> {
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "`url` must percent-encode spaces and what is not ASCII: `{url}`"
        ));
    }
    let mut parts = Vec::new();
    let mut rest = url;
    while let Some(open) = rest.find(['{', '}']) {
        let place = rest[open..].strip_prefix('{').and_then(|after| after.split_once('}'));
        let Some((name, after)) = place else {
            return Err(format!("`url` has a brace without its other half: `{url}`"));
        };
        if open > 0 {
            parts.push(Part::Literal(rest[..open].into()));
        }
        parts.push(match name {
            "scheme" => Part::Scheme,
            "host" => Part::Host,
            "path" => Part::Path,
            "query" => Part::Query,
            param if params.contains(&param) => Part::Param(param.into()),
            unknown => return Err(unknown_place(unknown, params)),
        });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.into()));
    }
    Ok(parts)
}

fn unknown_place(name: &str, params: &[&str]) -> String {
    let known: Vec<String> = ["scheme", "host", "path", "query"]
        .iter()
        .chain(params)
        .map(|name| format!("`{{{name}}}`"))
        .collect();
    format!(
        "`url` has an unknown place `{{{name}}}`; there are {}",
        known.join(", ")
    )
}

/// The host that the client named, if it is a name or an address and nothing else.
fn valid_host(request: &Request) -> Result<&str> {
    let host = request.host();
    let is_name = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
    };
    let is_address = |text: &str| {
        let address = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
    };
    if is_name(host) || is_address(host) {
        return Ok(host);
    }
    Err(Error::new(&codes::BAD_REQUEST).with_detail("the Host field is missing or names no host"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::future::Future as _;
    use std::net::SocketAddr;
    use std::pin::pin;
    use std::rc::Rc;
    use std::task::{Context, Poll, Waker};
    use std::time::{Instant, SystemTime};

    use portcullis_config::route;
    use portcullis_core::{Backend as _, Connection, Ctx, Known, Method, Request, RequestId, Result, Target};

    use super::Redirect;

    fn redirect(url: &str, params: &[&str]) -> std::result::Result<Redirect, String> {
        Redirect::new(
            &route::Redirect {
                url: url.to_owned(),
                status: 308,
            },
            params,
        )
    }

    /// The `Location` that a request for `host` and `target` gets, with these parameters.
    fn location(url: &str, host: &str, target: &str, params: &[(&str, &str)]) -> Result<String> {
        let names: Vec<&str> = params.iter().map(|(name, _)| *name).collect();
        let redirect = redirect(url, &names).unwrap();
        let local = SocketAddr::from(([127, 0, 0, 1], 80));
        let connection = Connection::new(local, local, None, false);
        let id = RequestId::new(b"1").unwrap();
        let mut cx = Ctx::new(Rc::new(connection), id, Instant::now(), SystemTime::UNIX_EPOCH);
        for (name, value) in params {
            cx.params.push((*name).into(), (*value).into());
        }
        let mut request = Request::new(Method::Get, Target::parse(target.as_bytes()).unwrap());
        request.headers.append(Known::Host, host);
        let reply = pin!(redirect.call(&mut cx, request));
        match reply.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(response) => response.map(|response| {
                assert_eq!(response.status.code(), 308);
                response.headers.get_str(Known::Location).unwrap().to_owned()
            }),
            Poll::Pending => panic!("a redirection is there at once"),
        }
    }

    #[test]
    fn places_are_filled_from_the_request() {
        let check = |url: &str, host: &str, target: &str, params: &[(&str, &str)], expected: &str| {
            assert_eq!(location(url, host, target, params).unwrap(), expected, "{url}");
        };
        check(
            "https://{host}{path}{query}",
            "example.com:8080",
            "/a/b?c=d",
            &[],
            "https://example.com/a/b?c=d",
        );
        check("https://{host}{path}{query}", "[::1]:80", "/", &[], "https://[::1]/");
        check("{scheme}://{host}:8443{path}", "a", "/x", &[], "http://a:8443/x");
        check("/new/{id}", "", "/old/7", &[("id", "7")], "/new/7");
        check("{path}/{query}", "", "/a?b", &[], "/a/?b");
        check("https://example.com/", "", "/a?b", &[], "https://example.com/");
        check(
            "https://{tenant}.example.com{path}",
            "",
            "/a",
            &[("tenant", "acme")],
            "https://acme.example.com/a",
        );
    }

    #[test]
    fn a_client_can_only_fill_places() {
        for (value, expected) in [
            ("//evil.com", "/%2F%2Fevil.com"),
            ("\\evil.com", "/%5Cevil.com"),
            ("a\r\nSet-Cookie: b", "/a%0D%0ASet-Cookie%3A%20b"),
            ("javascript:alert(1)", "/javascript%3Aalert%281%29"),
            ("a?b#c@d", "/a%3Fb%23c%40d"),
            ("é{path}", "/%C3%A9%7Bpath%7D"),
        ] {
            assert_eq!(location("/{x}", "", "/", &[("x", value)]).unwrap(), expected);
        }
        assert_eq!(
            location("{path}", "", "//evil.com/%2f/x", &[]).unwrap(),
            "/evil.com/%2F/x"
        );
        for host in [
            "",
            "a b",
            "evil.com/x",
            "a@evil.com",
            "a?b",
            "a#b",
            "[a]",
            "[::1",
            "a:b:1",
            "a\"b",
            "é",
        ] {
            let error = location("https://{host}/", host, "/", &[]).unwrap_err();
            assert_eq!(error.code().name, "bad_request", "{host}");
        }
    }

    #[test]
    fn a_template_that_cannot_work_is_refused() {
        for (url, expected) in [
            ("", "must start with"),
            ("a", "must start with"),
            ("//evil.com", "must start with"),
            ("/{path}", "must start with"),
            ("{id}", "must start with"),
            ("javascript:alert(1)", "must start with"),
            ("ftp://a", "scheme"),
            ("https://", "must name the host"),
            ("https:///a", "must name the host"),
            ("https://{path}", "must name the host"),
            ("https://{id}", "must name the host"),
            ("https://example.com{id}", "must name the host"),
            ("https://{host}{id}/", "must name the host"),
            ("/{nobody}", "unknown place `{nobody}`"),
            ("/{id", "brace"),
            ("/id}", "brace"),
            ("/a b", "percent-encode"),
            ("/é", "percent-encode"),
            ("/a\r\nb", "percent-encode"),
        ] {
            let problem = redirect(url, &["id"]).err().unwrap();
            assert!(problem.contains(expected), "{url}: {problem}");
        }
        assert!(
            Redirect::new(
                &route::Redirect {
                    url: "/".to_owned(),
                    status: 200
                },
                &[]
            )
            .is_err()
        );
    }
}
