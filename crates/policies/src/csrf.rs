//! `csrf` refuses requests that a page of another origin made a browser send.
//!
//! ```yaml
//! csrf: {trusted_origins: [https://admin.example.com]}
//! ```
//!
//! No token is needed for that (but `token` asks for one): every browser says where a request comes from, in fields that no page can set
//! (`Sec-Fetch-Site`, Fetch Metadata; `Origin`, RFC 6454 §7). What says nothing of it is refused, unless the file says otherwise.
//!
//! It stands before anybody finds out who it is, for it must see the cookies that came, and those that say who it is are taken
//! out of the request there.

mod token;

use std::collections::HashSet;

use self::token::Tokens;
use portcullis_config::policy::csrf::Csrf as Written;
use portcullis_core::{Ctx, Error, Headers, Known, Next, Policy, Reply, Request, Scheme, codes};

/// Refuses what another page made a browser send.
pub struct Csrf {
    trusted: HashSet<Box<str>>,
    allow_missing_origin: bool,
    tokens: Option<Tokens>,
}

/// Where a request says that it comes from.
enum From<'r> {
    /// This very origin, or the person before the browser.
    Here,
    /// Another one, if it says which.
    Elsewhere(Option<&'r str>),
    Unsaid,
}

impl Csrf {
    /// Compiles what the file says.
    ///
    /// # Errors
    /// When a trusted origin is not one origin.
    pub fn new(config: &Written) -> Result<Csrf, String> {
        let trusted = config
            .trusted_origins
            .iter()
            .map(|origin| match origin.split_once("://") {
                Some((scheme, host)) if !host.contains('*') => Ok(normal(scheme, host)),
                _ => Err(format!(
                    "`{origin}` is not one origin: write each out, as `https://app.example.com`"
                )),
            });
        Ok(Csrf {
            trusted: trusted.collect::<Result<_, _>>()?,
            allow_missing_origin: config.allow_missing_origin,
            tokens: config.token.as_ref().map(Tokens::new).transpose()?,
        })
    }

    /// Judges a request that changes something and carries what browsers send along.
    fn check(&self, cx: &Ctx, headers: &Headers) -> Result<(), &'static str> {
        let shows_token = self.tokens.as_ref().map(|tokens| tokens.is_shown(headers));
        match from(cx, headers) {
            From::Elsewhere(origin) if !origin.is_some_and(|origin| self.trusts(origin)) => {
                return Err("it comes from another origin");
            }
            From::Unsaid if !self.allow_missing_origin && shows_token != Some(true) => {
                return Err("it doesn't say where it comes from");
            }
            _ => {}
        }
        match shows_token {
            Some(false) => Err("it shows no token, or not the one that its browser was given"),
            _ => Ok(()),
        }
    }

    fn trusts(&self, origin: &str) -> bool {
        let origin = origin.split_once("://");
        origin.is_some_and(|(scheme, host)| self.trusted.contains(&normal(scheme, host)))
    }
}

impl Policy for Csrf {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request, next: Next<'a>) -> Reply<'a> {
        let headers = &request.headers;
        if request.method.is_safe() && request.upgrade.is_none() {
            if let Some(tokens) = &self.tokens
                && headers.list(Known::Accept).any(|kind| kind.starts_with(b"text/html"))
            {
                cx.cookies.extend(tokens.given(headers));
            }
        } else if has_ambient_credential(cx, headers)
            && let Err(why) = self.check(cx, headers)
        {
            let error = Error::new(&codes::REQUEST_FORGED).with_detail(why);
            return error.by_policy("csrf").into();
        }
        next.run(cx, request)
    }
}

/// Whether the request carries what browsers send along by themselves.
fn has_ambient_credential(cx: &Ctx, headers: &Headers) -> bool {
    // RFC 7617 and its like: a browser that has been told a password repeats it. A bearer token is put in by a script.
    let is_repeated = |value: &[u8]| {
        let scheme = value.split(|byte| *byte == b' ').next().unwrap_or_default();
        [&b"basic"[..], b"digest", b"negotiate", b"ntlm"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
    };
    headers.contains("Cookie")
        || cx.connection.client_certificate.is_some()
        || headers.get_all(Known::Authorization).any(is_repeated)
}

fn from<'r>(cx: &Ctx, headers: &'r Headers) -> From<'r> {
    let origin = headers.get_str(Known::Origin);
    if headers.get_all(Known::Origin).nth(1).is_some() {
        return From::Elsewhere(None);
    }
    // The browser's own judgement, where it gives one. It knows of redirects on the way, too.
    if let Some(site) = headers.get("sec-fetch-site") {
        return match site {
            b"same-origin" | b"none" => From::Here,
            _ => From::Elsewhere(origin),
        };
    }
    let stated = match (headers.contains(Known::Origin), headers.get_str(Known::Referer)) {
        (true, _) => origin,
        (false, Some(referer)) => Some(origin_of(referer)),
        (false, None) if headers.contains(Known::Referer) => None,
        (false, None) => return From::Unsaid,
    };
    match stated {
        Some(stated) if is_ours(cx, headers, stated) => From::Here,
        other => From::Elsewhere(other),
    }
}

/// Whether that is the origin that the client asked. Where TLS ends before us, without a proxy that is trusted to say so, a page
/// of `https` is ours, too; one of `http` is never that of a request by TLS.
fn is_ours(cx: &Ctx, headers: &Headers, origin: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else {
        return false;
    };
    let asked = headers.get_str(Known::Host).unwrap_or_default();
    let is_scheme = match cx.scheme {
        Scheme::Https => scheme == "https",
        Scheme::Http => matches!(scheme, "http" | "https"),
    };
    is_scheme && !asked.is_empty() && normal(scheme, host) == normal(scheme, asked)
}

/// Scheme, host and port of a URL.
fn origin_of(url: &str) -> &str {
    let Some(host_at) = url.find("://").map(|at| at + 3) else {
        return url;
    };
    let end = url[host_at..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| host_at + at);
    &url[..end]
}

/// An origin in the one form in which browsers write it: small letters, and no port that goes without saying.
fn normal(scheme: &str, host: &str) -> Box<str> {
    let default_port = if scheme.eq_ignore_ascii_case("https") {
        ":443"
    } else {
        ":80"
    };
    let host = host.strip_suffix(default_port).unwrap_or(host);
    format!("{scheme}://{host}").to_ascii_lowercase().into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::trial::{context, request, send_as};

    fn policy(allow_missing_origin: bool) -> Arc<dyn Policy> {
        let config = Written {
            trusted_origins: vec!["https://Admin.example:443".to_owned()],
            allow_missing_origin,
            token: None,
        };
        Arc::new(Csrf::new(&config).unwrap())
    }

    fn passes(policy: &Arc<dyn Policy>, method: &str, scheme: Scheme, fields: &[(&str, &str)]) -> bool {
        let mut cx = context();
        cx.scheme = scheme;
        let mut asking = request(method, "/", fields);
        asking.headers.append("Host", "app.example");
        let trial = send_as(policy, cx, asking, &[]);
        if let Err(error) = &trial.result {
            assert_eq!((error.code().name, error.policy()), ("request_forged", Some("csrf")));
        }
        trial.seen.is_some()
    }

    #[test]
    fn what_says_where_it_comes_from_is_judged_by_that() {
        let policy = policy(false);
        for (fields, is_fine) in [
            (&[("Sec-Fetch-Site", "same-origin")][..], true),
            (&[("Sec-Fetch-Site", "none")], true),
            (&[("Sec-Fetch-Site", "same-site")], false),
            (&[("Sec-Fetch-Site", "cross-site")], false),
            (&[("Sec-Fetch-Site", "")], false),
            (
                &[("Sec-Fetch-Site", "cross-site"), ("Origin", "https://app.example")],
                false,
            ),
            (
                &[("Sec-Fetch-Site", "cross-site"), ("Origin", "https://admin.example")],
                true,
            ),
            (&[("Sec-Fetch-Site", "same-site"), ("Origin", "null")], false),
            (&[("Origin", "https://app.example")], true),
            (&[("Origin", "https://APP.example:443")], true),
            (&[("Origin", "https://admin.example")], true),
            (&[("Origin", "http://app.example")], false),
            (&[("Origin", "https://app.example.evil")], false),
            (&[("Origin", "https://evil.example")], false),
            (&[("Origin", "https://app.example:444")], false),
            (&[("Origin", "null")], false),
            (&[("Origin", "")], false),
            (
                &[("Origin", "https://app.example"), ("Origin", "https://evil.example")],
                false,
            ),
            (&[("Origin", "null"), ("Referer", "https://app.example/")], false),
            (&[("Referer", "https://app.example/a?b=https://evil.example")], true),
            (&[("Referer", "https://evil.example/https://app.example/")], false),
            (&[("Referer", "https://app.example@evil.example/")], false),
            (&[("Referer", "https://evil.example?https://app.example")], false),
            (&[("Referer", "")], false),
            (&[], false),
        ] {
            let mut all = vec![("Cookie", "s=1")];
            all.extend(fields);
            assert_eq!(passes(&policy, "POST", Scheme::Https, &all), is_fine, "{fields:?}");
        }
    }

    #[test]
    fn only_what_changes_something_with_a_credential_of_the_browsers_is_judged() {
        let policy = policy(false);
        let evil = ("Origin", "https://evil.example");
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert!(
                passes(&policy, method, Scheme::Https, &[evil, ("Cookie", "s=1")]),
                "{method}"
            );
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "get", "X"] {
            assert!(
                !passes(&policy, method, Scheme::Https, &[evil, ("Cookie", "s=1")]),
                "{method}"
            );
            assert!(!passes(
                &policy,
                method,
                Scheme::Https,
                &[evil, ("Authorization", "basic YTpi")]
            ));
            assert!(passes(
                &policy,
                method,
                Scheme::Https,
                &[evil, ("Authorization", "Bearer t")]
            ));
            assert!(passes(&policy, method, Scheme::Https, &[evil]));
        }
    }

    #[test]
    fn what_says_nothing_may_pass_if_the_file_says_so() {
        let lenient = policy(true);
        assert!(passes(&lenient, "POST", Scheme::Https, &[("Cookie", "s=1")]));
        assert!(!passes(
            &lenient,
            "POST",
            Scheme::Https,
            &[("Cookie", "s=1"), ("Origin", "null")]
        ));
        assert!(!passes(
            &lenient,
            "POST",
            Scheme::Https,
            &[("Cookie", "s=1"), ("Referer", "about:blank")]
        ));
    }

    #[test]
    fn in_clear_text_a_page_by_tls_is_ours_too() {
        let policy = policy(false);
        for origin in ["http://app.example", "https://app.example", "http://app.example:80"] {
            assert!(
                passes(&policy, "POST", Scheme::Http, &[("Cookie", "s=1"), ("Origin", origin)]),
                "{origin}"
            );
        }
        assert!(!passes(
            &policy,
            "POST",
            Scheme::Http,
            &[("Cookie", "s=1"), ("Origin", "http://evil.example")]
        ));
    }

    #[test]
    fn a_websocket_of_another_page_is_refused() {
        let policy = policy(false);
        let asks = |origin: &str| {
            let mut asking = request(
                "GET",
                "/",
                &[("Host", "app.example"), ("Cookie", "s=1"), ("Origin", origin)],
            );
            asking.upgrade = Some(portcullis_core::Upgrade {
                protocol: "websocket".into(),
                stream: portcullis_core::Body::Empty,
            });
            send_as(&policy, context(), asking, &[]).seen.is_some()
        };
        assert!(asks("https://app.example"));
        assert!(!asks("https://evil.example"));
    }

    #[test]
    fn patterns_are_not_trusted() {
        for origin in ["*", "https://*.example.com", "example.com"] {
            let config = Written {
                trusted_origins: vec![origin.to_owned()],
                allow_missing_origin: false,
                token: None,
            };
            assert!(Csrf::new(&config).is_err(), "{origin}");
        }
    }

    #[test]
    fn with_tokens_a_page_is_given_one_and_must_show_it() {
        let config = Written {
            token: Some(portcullis_config::policy::csrf::CsrfToken {
                secret: vec![portcullis_config::secret::Secret::new(
                    "a secret of tokens, long enough for them".to_owned(),
                )],
                header: "X-CSRF-Token".to_owned(),
                cookie: "csrf".to_owned(),
                session_cookie: None,
            }),
            ..Written::default()
        };
        let policy: Arc<dyn Policy> = Arc::new(Csrf::new(&config).unwrap());
        let page = request("GET", "/", &[("Accept", "text/html"), ("Host", "app.example")]);
        let trial = send_as(&policy, context(), page, &[("Set-Cookie", "s=1")]);
        let answer = trial.answer();
        let cookies: Vec<_> = answer.get_all("set-cookie").collect();
        assert_eq!((cookies.len(), cookies[0]), (2, &b"s=1"[..]), "the backend's own stays");
        let given = std::str::from_utf8(cookies[1]).unwrap().split(';').next().unwrap();
        let token = given.strip_prefix("__Host-csrf=").unwrap();
        let (cookie, shown) = (("Cookie", given), ("X-CSRF-Token", token));
        let ours = ("Origin", "https://app.example");
        assert!(passes(&policy, "POST", Scheme::Https, &[cookie, shown, ours]));
        assert!(
            passes(&policy, "POST", Scheme::Https, &[cookie, shown]),
            "the token says where it comes from"
        );
        assert!(!passes(&policy, "POST", Scheme::Https, &[cookie, ours]));
        assert!(!passes(
            &policy,
            "POST",
            Scheme::Https,
            &[cookie, shown, ("Origin", "https://evil.example")]
        ));
        assert!(passes(&policy, "GET", Scheme::Https, &[cookie]));
    }
}
