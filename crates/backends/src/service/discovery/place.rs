//! Where a target's URL leads.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// Where a target's URL leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service) enum Place<'u> {
    /// To a socket of this machine.
    Unix(&'u Path),
    /// To an address.
    Address(SocketAddr),
    /// To a name that has to be resolved, and a port.
    Name(&'u str, u16),
}

/// A target's URL in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service) struct Parts<'u> {
    pub(in crate::service) place: Place<'u>,
    /// Whether TLS is spoken there.
    pub(in crate::service) secure: bool,
    /// `host:port`, or `host` where the port is the scheme's own.
    pub(in crate::service) authority: &'u str,
    /// The host without brackets.
    pub(in crate::service) host: &'u str,
}

impl Parts<'_> {
    /// Takes a URL `http://host:port`, `https://host:port` or `unix:/path` apart.
    ///
    /// # Errors
    /// Says in words what is wrong with it.
    pub(in crate::service) fn of(url: &str) -> Result<Parts<'_>, String> {
        if let Some(path) = url.strip_prefix("unix:") {
            return Ok(Parts {
                place: Place::Unix(Path::new(path)),
                secure: false,
                authority: "localhost",
                host: "localhost",
            });
        }
        let (secure, rest) = match url.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            _ => return Err(format!("the target `{url}` must start with http:// or https://")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.is_empty() || authority.contains(['/', '?', '#', '@']) {
            return Err(format!(
                "the target `{url}` must be a scheme, a host and a port, and nothing else"
            ));
        }
        let (host, port) = split_authority(authority, if secure { 443 } else { 80 })
            .ok_or_else(|| format!("the target `{url}` has no valid port"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let place = match host.parse::<IpAddr>() {
            Ok(ip) => Place::Address(SocketAddr::new(ip, port)),
            Err(_) => Place::Name(host, port),
        };
        Ok(Parts {
            place,
            secure,
            authority,
            host,
        })
    }
}

/// Host and port of an authority.
fn split_authority(authority: &str, default_port: u16) -> Option<(&str, u16)> {
    match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => {
            let port = authority[colon + 1..].parse().ok().filter(|port| *port != 0)?;
            Some((&authority[..colon], port))
        }
        _ => Some((authority, default_port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let check = |url: &str, expected: Option<(Place<'_>, &str)>| {
            let parts = Parts::of(url);
            assert_eq!(parts.ok().map(|it| (it.place, it.authority)), expected, "{url}");
        };
        let address = |text: &str| Place::Address(text.parse().expect("an address"));
        check(
            "http://10.0.0.1:9000",
            Some((address("10.0.0.1:9000"), "10.0.0.1:9000")),
        );
        check("https://[fd00::1]", Some((address("[fd00::1]:443"), "[fd00::1]")));
        check("http://[fd00::1]:81", Some((address("[fd00::1]:81"), "[fd00::1]:81")));
        check("http://shop.test/", Some((Place::Name("shop.test", 80), "shop.test")));
        check(
            "https://shop.test:8443",
            Some((Place::Name("shop.test", 8443), "shop.test:8443")),
        );
        check(
            "unix:/run/app.sock",
            Some((Place::Unix(Path::new("/run/app.sock")), "localhost")),
        );
        check("http://shop.test:0", None);
        check("http://shop.test/path", None);
        check("ftp://shop.test", None);
    }
}
