//! `cookies` hardens the cookies that backends set.
//!
//! ```yaml
//! cookies: {except: [csrf_token]}
//! ```
//!
//! Attributes that are missing are added (RFC 6265bis §4.1.2): `Secure`, `HttpOnly`, `SameSite=Lax`. Whatever the backend said itself
//! stays, so that a cookie with `SameSite=None`, which other sites are meant to send, still is one.

use portcullis_config::policy::cookies::{Cookies as Written, SameSite};
use portcullis_core::{Ctx, Headers, Known, Next, Policy, Reply, Request, Scheme};

/// Hardens the cookies that backends set.
#[derive(Debug)]
pub struct Cookies {
    secure: bool,
    http_only: bool,
    same_site: Option<&'static str>,
    except: Box<[Box<str>]>,
}

impl Cookies {
    /// Compiles what the file says.
    pub fn new(config: &Written) -> Cookies {
        Cookies {
            secure: config.secure,
            http_only: config.http_only,
            same_site: match config.same_site {
                SameSite::Lax => Some("; SameSite=Lax"),
                SameSite::Strict => Some("; SameSite=Strict"),
                SameSite::Unsaid => None,
            },
            except: config.except.iter().map(|name| name.as_str().into()).collect(),
        }
    }

    fn harden(&self, headers: &mut Headers, scheme: Scheme) {
        let cookies: Vec<Vec<u8>> = headers
            .get_all(Known::SetCookie)
            .map(|cookie| self.hardened(cookie, scheme))
            .collect();
        headers.remove(Known::SetCookie);
        for cookie in cookies {
            headers.append(Known::SetCookie, cookie);
        }
    }

    fn hardened(&self, cookie: &[u8], scheme: Scheme) -> Vec<u8> {
        let mut hardened = cookie.to_vec();
        let mut parts = cookie.split(|byte| *byte == b';');
        let name = parts.next().and_then(|pair| pair.split(|byte| *byte == b'=').next());
        let name = name.unwrap_or_default().trim_ascii();
        if self.except.iter().any(|except| except.as_bytes() == name) {
            return hardened;
        }
        let attributes: Vec<&[u8]> = parts
            .filter_map(|part| part.split(|byte| *byte == b'=').next())
            .map(<[u8]>::trim_ascii)
            .collect();
        let has = |wanted: &str| {
            attributes
                .iter()
                .any(|name| name.eq_ignore_ascii_case(wanted.as_bytes()))
        };
        if self.secure && scheme == Scheme::Https && !has("Secure") {
            hardened.extend_from_slice(b"; Secure");
        }
        if self.http_only && !has("HttpOnly") {
            hardened.extend_from_slice(b"; HttpOnly");
        }
        if let Some(same_site) = self.same_site.filter(|_| !has("SameSite")) {
            hardened.extend_from_slice(same_site.as_bytes());
        }
        hardened
    }
}

impl Policy for Cookies {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request, next: Next<'a>) -> Reply<'a> {
        let scheme = cx.scheme;
        Reply::later(async move {
            let mut response = next.run(cx, request).await?;
            if response.headers.contains(Known::SetCookie) {
                self.harden(&mut response.headers, scheme);
            }
            Ok(response)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::trial::{context, request, send_as};

    fn cookies(config: &Written, scheme: Scheme, set: &[&str]) -> Vec<String> {
        let policy: Arc<dyn Policy> = Arc::new(Cookies::new(config));
        let mut cx = context();
        cx.scheme = scheme;
        let fields: Vec<_> = set.iter().map(|cookie| ("Set-Cookie", *cookie)).collect();
        let answer = send_as(&policy, cx, request("GET", "/", &[]), &fields).answer();
        let cookies = answer.get_all(Known::SetCookie);
        cookies
            .map(|cookie| String::from_utf8(cookie.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn what_is_missing_is_added_and_what_is_said_stays() {
        let config = Written {
            except: vec!["csrf".to_owned()],
            ..Written::default()
        };
        let set = [
            "a=1; Path=/",
            "b=2; secure; HTTPONLY; samesite=None",
            "c=secure=HttpOnly",
            "csrf=4",
            "d",
        ];
        let expected = [
            "a=1; Path=/; Secure; HttpOnly; SameSite=Lax",
            "b=2; secure; HTTPONLY; samesite=None",
            "c=secure=HttpOnly; Secure; HttpOnly; SameSite=Lax",
            "csrf=4",
            "d; Secure; HttpOnly; SameSite=Lax",
        ];
        assert_eq!(cookies(&config, Scheme::Https, &set), expected);
    }

    #[test]
    fn a_cookie_that_came_in_clear_text_stays_usable_there() {
        let strict = Written {
            same_site: SameSite::Strict,
            http_only: false,
            ..Written::default()
        };
        assert_eq!(cookies(&strict, Scheme::Http, &["a=1"]), ["a=1; SameSite=Strict"]);
        let unsaid = Written {
            same_site: SameSite::Unsaid,
            ..strict
        };
        assert_eq!(cookies(&unsaid, Scheme::Http, &["a=1"]), ["a=1"]);
    }
}
