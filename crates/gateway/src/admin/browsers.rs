//! Keeps pages in an operator's browser from changing anything.
//!
//! Nobody has to prove who they are on the operators' listener; it is bound where only operators are. But a page of anybody
//! that an operator looks at can have the browser send requests there too. Browsers say so: each request of theirs that is not
//! a GET or HEAD names its page in `Origin` (Fetch, section 3.2). And a page whose name was made to lead to this machine
//! (DNS rebinding) is known by that name in `Host`.

use std::net::IpAddr;

use portcullis_core::{Error, Known, Request, codes};

use super::reads;

/// Whether a request that would change something may.
///
/// # Errors
/// When a page may have sent it.
pub(super) fn check(request: &Request) -> Result<(), Error> {
    if reads(request) {
        return Ok(());
    }
    let refused = |why: String| Err(Error::new(&codes::ORIGIN_FORBIDDEN).with_detail(why));
    if request.headers.get(Known::Origin).is_some() {
        return refused("requests that change something can't be sent by pages in a browser".to_owned());
    }
    match request.headers.get_str(Known::Host).unwrap_or_default() {
        host if is_address(host) => Ok(()),
        host => refused(format!(
            "requests that change something are sent to an address or to `localhost`, and not to the name `{host}`"
        )),
    }
}

/// Whether a host is an address, this machine, or not said at all.
fn is_address(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(name);
    name.is_empty() || name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Method, Target};

    use super::*;

    #[test]
    fn pages_change_nothing() {
        let check = |method: Method, fields: &[(&str, &str)]| {
            let mut request = Request::new(method, Target::parse(b"/reload").expect("a target"));
            for (name, value) in fields {
                request.headers.append(*name, value);
            }
            check(&request).is_ok()
        };
        for host in [
            "127.0.0.1:9901",
            "localhost",
            "LOCALHOST:1",
            "[::1]:9901",
            "10.0.0.1",
            "",
        ] {
            assert!(check(Method::Post, &[("Host", host)]), "{host}");
        }
        for host in [
            "evil.test",
            "127.0.0.1.evil.test:9901",
            "localhost.evil.test",
            "[::1].evil.test",
            "evil:9901",
        ] {
            assert!(!check(Method::Post, &[("Host", host)]), "{host}");
            assert!(check(Method::Get, &[("Host", host)]), "{host}");
        }
        assert!(!check(
            Method::Post,
            &[("Host", "127.0.0.1"), ("Origin", "http://evil.test")]
        ));
        assert!(!check(Method::Delete, &[("Host", "127.0.0.1"), ("Origin", "null")]));
        assert!(check(Method::Post, &[]), "an old client of HTTP/1.0");
    }
}
