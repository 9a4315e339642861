//! Whom a request is for: its target and its `Host`, which must not contradict each other (RFC 9112 §3.2).

use portcullis_core::{Headers, Known, Method, Target, Version, codes};

use crate::refusal::Refusal;

/// The target in origin form, or `*`. Afterwards `Host` is in the list and valid, but for an HTTP/1.0 client that
/// named no host anywhere.
pub(crate) fn agreed_target(
    method: &Method,
    raw: &[u8],
    version: Version,
    headers: &mut Headers,
) -> Result<Target, Refusal> {
    check_host(headers, version)?;
    match raw {
        [b'/', ..] => Ok(Target::parse(raw)?),
        b"*" if *method == Method::Options => Ok(Target::asterisk()),
        _ => absolute(method, raw, headers),
    }
}

/// Exactly one valid `Host`, as RFC 9112 §3.2 demands; HTTP/1.0 may have none.
fn check_host(headers: &Headers, version: Version) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(Known::Host);
    let Some(host) = hosts.next() else {
        return if version == Version::Http10 {
            Ok(())
        } else {
            Err(Refusal::malformed("there is no Host field"))
        };
    };
    if hosts.next().is_some() {
        return Err(Refusal::malformed("there is more than one Host field"));
    }
    if !is_authority(host) {
        return Err(Refusal::malformed("the Host field is not a host and perhaps a port"));
    }
    Ok(())
}

/// `http://host/path`: the host must be that of `Host`. RFC 9112 §3.2.2 lets a server overrule `Host` silently, but
/// then whoever decides by `Host` beside us decides about another request.
#[cold]
fn absolute(method: &Method, raw: &[u8], headers: &mut Headers) -> Result<Target, Refusal> {
    let malformed = || Refusal::new(&codes::BAD_TARGET, "the request target is neither a path nor a URL");
    let colon = raw.iter().position(|byte| *byte == b':').ok_or_else(malformed)?;
    let default_port: &[u8] = match &raw[..colon] {
        scheme if scheme.eq_ignore_ascii_case(b"http") => b"80",
        scheme if scheme.eq_ignore_ascii_case(b"https") => b"443",
        _ => return Err(malformed()),
    };
    let rest = raw[colon + 1..].strip_prefix(b"//").ok_or_else(malformed)?;
    let path_at = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    let (named, path) = rest.split_at(path_at);
    if named.is_empty() || !is_authority(named) {
        return Err(malformed());
    }
    match headers.get(Known::Host) {
        None => headers.append(Known::Host, named),
        Some(host) if same_authority(host, named, default_port) => {}
        Some(_) => {
            return Err(Refusal::malformed(
                "the request target and the Host field name different hosts",
            ));
        }
    }
    match path {
        // RFC 9112 §3.2.4: OPTIONS for the server as a whole.
        [] if *method == Method::Options => Ok(Target::asterisk()),
        [b'/', ..] => Ok(Target::parse(path)?),
        _ => Ok(Target::parse(&[b"/", path].concat())?),
    }
}

/// Whether two authorities name the same host and port, where one of them may leave the scheme's own port out.
pub fn same_authority(one: &[u8], other: &[u8], default_port: &[u8]) -> bool {
    let parts = |authority| {
        let (host, port) = host_and_port(authority);
        (host, port.filter(|port| !port.is_empty() && *port != default_port))
    };
    let ((one_host, one_port), (other_host, other_port)) = (parts(one), parts(other));
    one_host.eq_ignore_ascii_case(other_host) && one_port == other_port
}

/// Splits at the colon before the port; the colons of an IPv6 address are within brackets.
fn host_and_port(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    match authority.iter().rposition(|byte| matches!(byte, b':' | b']')) {
        Some(at) if authority[at] == b':' => (&authority[..at], Some(&authority[at + 1..])),
        _ => (authority, None),
    }
}

/// Whether this is `host[:port]` (RFC 3986 §3.2.2, §3.2.3) without user information. An empty host is valid in `Host`
/// (RFC 9112 §3.2).
pub fn is_authority(authority: &[u8]) -> bool {
    let (host, port) = host_and_port(authority);
    let port_is_valid = port.is_none_or(|port| port.len() <= 5 && port.iter().all(u8::is_ascii_digit));
    port_is_valid
        && match host {
            [b'[', address @ .., b']'] => is_address(address),
            _ => is_name(host),
        }
}

/// An IPv6 address. No other kind of address in brackets exists (RFC 3986 §3.2.2), and zones are not for the wire.
fn is_address(address: &[u8]) -> bool {
    std::str::from_utf8(address).is_ok_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
}

/// A registered name (RFC 3986 §3.2.2): its bytes, with two hexadecimal digits behind each percent sign.
fn is_name(host: &[u8]) -> bool {
    let kinds = host
        .iter()
        .fold(0, |kinds, byte| kinds | HOST_BYTES[usize::from(*byte)]);
    kinds & FOREIGN == 0 && (kinds & PERCENT == 0 || is_encoded(host))
}

#[cold]
fn is_encoded(host: &[u8]) -> bool {
    let mut rest = host;
    while let Some(at) = memchr::memchr(b'%', rest) {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => rest = &rest[at + 3..],
            _ => return false,
        }
    }
    true
}

/// Unreserved and sub-delimiters.
const PLAIN: u8 = 1;
/// The percent sign.
const PERCENT: u8 = 2;
/// What no name has.
const FOREIGN: u8 = 4;

static HOST_BYTES: [u8; 256] = {
    let mut table = [FOREIGN; 256];
    let punctuation = b"-._~!$&'()*+,;=";
    let mut byte = 0u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            table[byte as usize] = PLAIN;
        }
        byte += 1;
    }
    let mut at = 0;
    while at < punctuation.len() {
        table[punctuation[at] as usize] = PLAIN;
        at += 1;
    }
    table[b'%' as usize] = PERCENT;
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed(method: &Method, raw: &str, host: Option<&str>) -> Result<(String, Option<String>), &'static str> {
        let mut headers = Headers::new();
        if let Some(host) = host {
            headers.append(Known::Host, host);
        }
        let version = if host.is_some() {
            Version::Http11
        } else {
            Version::Http10
        };
        agreed_target(method, raw.as_bytes(), version, &mut headers)
            .map(|target| (target.to_string(), headers.get_str(Known::Host).map(str::to_owned)))
            .map_err(|refusal| refusal.code.name)
    }

    #[track_caller]
    fn check(raw: &str, host: &str, expected: Result<&str, &str>) {
        let got = agreed(&Method::Get, raw, Some(host));
        assert_eq!(
            got.as_ref().map(|(target, _)| target.as_str()).map_err(|code| *code),
            expected,
            "{raw} {host}"
        );
    }

    #[test]
    fn a_url_and_its_host_agree() {
        check("/a?b", "example.com", Ok("/a?b"));
        check("http://example.com/a?b", "example.com", Ok("/a?b"));
        check("HTTP://EXAMPLE.com:80", "example.COM", Ok("/"));
        check("http://example.com?b", "example.com:80", Ok("/?b"));
        check("https://example.com:443/", "example.com", Ok("/"));
        check("http://[::1]:8080/", "[::1]:8080", Ok("/"));
        check("http://example.com:443/", "example.com", Err("bad_request"));
        check("http://example.com/", "example.org", Err("bad_request"));
        check("http://example.com/", "", Err("bad_request"));
        check("http://example.com/", "example.com:8080", Err("bad_request"));
        check("http://a@example.com/", "example.com", Err("bad_target"));
        check("http:///a", "example.com", Err("bad_target"));
        check("http:/a", "example.com", Err("bad_target"));
        check("ftp://example.com/", "example.com", Err("bad_target"));
        check("example.com:80", "example.com", Err("bad_target"));
        check("http://example.com#a", "example.com", Err("bad_target"));
        check("a", "example.com", Err("bad_target"));
        check("*", "example.com", Err("bad_target"));
    }

    #[test]
    fn options_may_ask_the_server_as_a_whole() {
        let asterisk = Ok(("*".to_owned(), Some("a".to_owned())));
        assert_eq!(agreed(&Method::Options, "*", Some("a")), asterisk);
        assert_eq!(agreed(&Method::Options, "http://a", Some("a")), asterisk);
    }

    #[test]
    fn an_old_client_may_name_the_host_in_the_url_only() {
        assert_eq!(agreed(&Method::Get, "/", None), Ok(("/".to_owned(), None)));
        assert_eq!(
            agreed(&Method::Get, "http://a:1/b", None),
            Ok(("/b".to_owned(), Some("a:1".to_owned())))
        );
    }

    #[test]
    fn hosts_are_hosts() {
        for host in [
            "",
            "a",
            "a.b-c_d~e",
            "a:",
            "a:80",
            "127.0.0.1:65535",
            "[::1]",
            "[::1]:1",
            "a%20b",
            "xn--4ca.com",
        ] {
            assert!(is_authority(host.as_bytes()), "{host}");
        }
        for host in [
            "a b",
            "a/b",
            "a?b",
            "a#b",
            "a@b",
            "a\\b",
            "a\tb",
            "a:b",
            "a:1:2",
            "a:123456",
            "a:-1",
            "::1",
            "[::1",
            "::1]",
            "[]",
            "[a]",
            "[::1%eth0]",
            "[::1]a",
            "a%2",
            "a%zz",
            "a%",
            "\u{e9}",
            "a\"b",
            "a<b",
            "[a:b]",
        ] {
            assert!(!is_authority(host.as_bytes()), "{host}");
        }
    }
}
