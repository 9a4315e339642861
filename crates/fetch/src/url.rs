//! Where something is asked.

use std::fmt;

use portcullis_core::Scheme;
use portcullis_core::Target;
use portcullis_http1::authority::is_authority;

use crate::Failure;

/// The longest URL. Authorities for certificates and identity providers have far shorter ones.
const LONGEST: usize = 8 * 1024;

/// An absolute URL of HTTP or HTTPS, without user information and without a fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    scheme: Scheme,
    /// Host and port as they were written, for `Host`.
    authority: Box<str>,
    /// In lower case, an IPv6 address without its brackets.
    host: Box<str>,
    port: u16,
    target: Target,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// `Failure::Url` with what is wrong with it.
    pub fn parse(text: &str) -> Result<Url, Failure> {
        let wrong = |what: &str| Failure::Url(format!("`{text}` {what}"));
        if text.len() > LONGEST {
            return Err(Failure::Url(format!("a URL has more than {LONGEST} bytes")));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("is no absolute URL"))?;
        let (scheme, default_port) = if scheme.eq_ignore_ascii_case("https") {
            (Scheme::Https, 443)
        } else if scheme.eq_ignore_ascii_case("http") {
            (Scheme::Http, 80)
        } else {
            return Err(wrong("is neither `https` nor `http`"));
        };
        let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if !is_authority(authority.as_bytes()) {
            return Err(wrong("names no host"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (authority, ""),
        };
        let port = match port {
            "" => default_port,
            port => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(wrong("names no port that there is")),
            },
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains('%') {
            return Err(wrong("names no host"));
        }
        let target = if target.starts_with('/') {
            Target::parse(target.as_bytes())
        } else {
            Target::parse(format!("/{target}").as_bytes())
        };
        Ok(Url {
            scheme,
            authority: authority.into(),
            host: host.to_ascii_lowercase().into(),
            port,
            target: target.map_err(|error| wrong(&format!("can't be asked for: {error}")))?,
        })
    }

    /// By TLS or in clear text.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host in lower case; an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, that of the scheme where none was written.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Host and perhaps port, as they were written.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether both lead to the same server in the same way (RFC 6454 §4).
    pub fn has_origin_of(&self, other: &Url) -> bool {
        (self.scheme, &self.host, self.port) == (other.scheme, &other.host, other.port)
    }

    /// Where a `Location` of this server leads: an absolute URL, or a path of the same server. Other relative references
    /// are read by servers in several ways and used by hardly any.
    pub(crate) fn join(&self, location: &str) -> Result<Url, Failure> {
        if !location.starts_with('/') || location.starts_with("//") {
            return Url::parse(location);
        }
        let target = Target::parse(location.as_bytes());
        let target = target.map_err(|error| Failure::Url(format!("`{location}` can't be asked for: {error}")))?;
        Ok(Url { target, ..self.clone() })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, authority, target) = (self.scheme.as_str(), &self.authority, self.target.as_str());
        write!(f, "{scheme}://{authority}{target}")
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (text, host, port, target) in [
            ("https://ca.test/acme/new?a=b", "ca.test", 443, "/acme/new?a=b"),
            ("HTTPS://CA.test", "ca.test", 443, "/"),
            ("http://127.0.0.1:8080?a", "127.0.0.1", 8080, "/?a"),
            ("http://[::1]:14000/", "::1", 14000, "/"),
            ("http://[::1]", "::1", 80, "/"),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!(
                (url.host(), url.port(), url.target().as_str()),
                (host, port, target),
                "{text}"
            );
        }
        assert_eq!(Url::parse("https://A:443/b").unwrap().to_string(), "https://A:443/b");
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused() {
        for text in [
            "",
            "/path",
            "//host/path",
            "ftp://host/",
            "https:///path",
            "https://user@host/",
            "https://user:word@host/",
            "https://host:0/",
            "https://host:65536/",
            "https://host/a b",
            "https://host/a#b",
            "https://host#b",
            "https://ho st/",
            "https://host/a\r\nX: y",
            "https://ho%41st/",
            "https://[::1/",
        ] {
            assert!(matches!(Url::parse(text), Err(Failure::Url(_))), "{text}");
        }
        assert!(Url::parse(&format!("https://host/{}", "a".repeat(LONGEST))).is_err());
    }

    #[test]
    fn a_location_stays_or_leaves() {
        let url = Url::parse("https://a.test/b").unwrap();
        for (location, stays) in [
            ("/c", true),
            ("https://a.test:443/c", true),
            ("https://A.TEST/c", true),
            ("http://a.test/c", false),
            ("https://a.test:444/c", false),
            ("https://b.test/c", false),
        ] {
            assert_eq!(url.join(location).unwrap().has_origin_of(&url), stays, "{location}");
        }
        assert!(url.join("//b.test/c").is_err());
        assert!(url.join("c").is_err());
    }
}
