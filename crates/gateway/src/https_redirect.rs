//! Requests in clear text on a listener that leads everybody to HTTPS.

use portcullis_core::{Body, Ctx, Error, Known, Request, Response, Result, Scheme, Status, codes};

/// Where authorities look for a proof that a host is ours (RFC 8555 §8.3), in clear text.
const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// Whether a request has to come again by HTTPS: it didn't, neither to us nor to a trusted proxy before us.
pub(crate) fn is_due(cx: &Ctx, request: &Request) -> bool {
    cx.scheme == Scheme::Http && !request.target.path().starts_with(CHALLENGES)
}

/// The answer that leads to the same host, path and query by HTTPS. Who can be led astray by it? Only a client that
/// named another host itself: `Host` is what the client wanted to reach, and reading has checked its form.
///
/// # Errors
/// When the request names no host.
pub(crate) fn answer(request: &Request, port: u16) -> Result<Response> {
    let host = request.host();
    if host.is_empty() {
        return Err(Error::new(&codes::BAD_REQUEST).with_detail("a request without Host can't be redirected to HTTPS"));
    }
    // `*` of OPTIONS is no path.
    let target = request.target.as_str();
    let target = if target.starts_with('/') { target } else { "/" };
    let location = match port {
        443 => format!("https://{host}{target}"),
        port => format!("https://{host}:{port}{target}"),
    };
    let mut response = Response::new(Status::PERMANENT_REDIRECT);
    response.headers.append(Known::Location, location);
    response.body = Body::Empty;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Method, Target};

    use super::*;

    fn to(host: &str, target: &str, port: u16) -> Option<String> {
        let target = Target::parse(target.as_bytes()).expect("it is valid");
        let mut request = Request::new(Method::Get, target);
        request.headers.append(Known::Host, host);
        let response = answer(&request, port).ok()?;
        assert_eq!(response.status.code(), 308);
        response.headers.get_str(Known::Location).map(str::to_owned)
    }

    #[test]
    fn host_path_and_query_stay() {
        let check = |host: &str, target: &str, port: u16, expected: Option<&str>| {
            assert_eq!(to(host, target, port).as_deref(), expected);
        };
        check("a.test", "/x?y=1", 443, Some("https://a.test/x?y=1"));
        check("a.test:8080", "/", 443, Some("https://a.test/"));
        check("a.test:8080", "/", 8443, Some("https://a.test:8443/"));
        check("[::1]:8080", "/", 8443, Some("https://[::1]:8443/"));
        check("", "/", 443, None);
    }
}
