//! The hosts of a rule: one by name, or all below one.

use std::fmt;

/// The longest host name that there is (RFC 1035 §2.3.4).
pub(super) const LONGEST_HOST: usize = 253;

/// A host that a rule claims, in small letters, without port and trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum HostPattern {
    /// This host.
    Exact(Box<str>),
    /// Every host one or more labels below this one: `*.example.com`, kept without `*.`.
    Below(Box<str>),
}

impl HostPattern {
    /// Reads `example.com` or `*.example.com`.
    ///
    /// # Errors
    /// Says what is wrong and what to write instead.
    pub(crate) fn parse(text: &str) -> Result<HostPattern, String> {
        if text == "*" {
            return Err("`*` is no host: leave `host` out to claim every host".to_owned());
        }
        let (suffix, below) = match text.strip_prefix("*.") {
            Some(suffix) => (suffix, true),
            None => (text, false),
        };
        let host = suffix.strip_suffix('.').unwrap_or(suffix);
        if !(is_name(host) || !below && is_address_literal(host)) {
            return Err(host_problem(text, host));
        }
        let host = host.to_ascii_lowercase().into_boxed_str();
        Ok(if below {
            HostPattern::Below(host)
        } else {
            HostPattern::Exact(host)
        })
    }

    /// Whether it matches a host in normal form.
    pub(super) fn matches(&self, host: &str) -> bool {
        match self {
            HostPattern::Exact(exact) => **exact == *host,
            HostPattern::Below(suffix) => host
                .strip_suffix(&**suffix)
                .and_then(|start| start.strip_suffix('.'))
                .is_some_and(|s| !s.is_empty()),
        }
    }

    /// The greater, the more specific.
    pub(super) fn specificity(&self) -> usize {
        match self {
            HostPattern::Exact(_) => usize::MAX,
            HostPattern::Below(suffix) => suffix.len(),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Exact(host) => f.write_str(host),
            HostPattern::Below(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

fn host_problem(text: &str, host: &str) -> String {
    if host.contains('*') {
        format!("`{text}`: a wildcard is the first label and a whole one, as in `*.example.com`")
    } else if !host.is_ascii() {
        format!("`{text}`: write an international name in its ASCII form (`xn--…`)")
    } else if host.contains("://") || host.contains('/') {
        format!("`{text}`: a host is written without scheme and path")
    } else if host.contains(':') {
        format!("`{text}`: a host is written without a port; the port is the listener's")
    } else {
        format!("`{text}` is not a host name")
    }
}

fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    host.len() <= LONGEST_HOST && host.split('.').all(is_label)
}

fn is_address_literal(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::HostPattern;

    #[test]
    fn hosts_are_read_or_refused_with_a_reason() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let read = HostPattern::parse(text).map(|pattern| pattern.to_string());
            match expected {
                Ok(expected) => assert_eq!(read.as_deref(), Ok(expected), "{text}"),
                Err(expected) => {
                    let problem = read.expect_err(text);
                    assert!(problem.contains(expected), "{text}: {problem}");
                }
            }
        };
        check("example.com", Ok("example.com"));
        check("EXAMPLE.com.", Ok("example.com"));
        check("*.Example.com", Ok("*.example.com"));
        check("localhost", Ok("localhost"));
        check("10.0.0.1", Ok("10.0.0.1"));
        check("[::1]", Ok("[::1]"));
        check("*", Err("leave `host` out"));
        check("a.*.com", Err("first label"));
        check("*a.com", Err("first label"));
        check("a.com:80", Err("without a port"));
        check("::1", Err("without a port"));
        check("https://a.com", Err("without scheme"));
        check("münchen.de", Err("xn--"));
        check("", Err("not a host name"));
        check("a..b", Err("not a host name"));
        check("*.", Err("not a host name"));
        check("*.[::1]", Err("without a port"));
    }
}
