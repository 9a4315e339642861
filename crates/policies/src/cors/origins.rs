//! Which origins a policy lists, and whether one is among them.

use std::collections::HashSet;

/// Which origins are listed.
#[derive(Debug)]
pub(super) enum Origins {
    /// Every one.
    Any,
    /// Those that are the same, byte for byte, or that a pattern stands for.
    Listed {
        exact: HashSet<Box<[u8]>>,
        patterns: Vec<Pattern>,
    },
}

/// `https://*.example.com:8443`: what comes before the star, and what after it.
#[derive(Debug)]
pub(super) struct Pattern {
    before: Box<[u8]>,
    after: Box<[u8]>,
}

impl Origins {
    /// # Errors
    /// Says which text is no origin, and why.
    pub(super) fn new(texts: &[String]) -> Result<Origins, String> {
        if texts.is_empty() {
            return Err("no origin is listed: list some, or leave `cors` out".to_owned());
        }
        if texts.iter().any(|text| text == "*") {
            return match texts.len() {
                1 => Ok(Origins::Any),
                _ => Err("`*` stands for every origin: leave the others out".to_owned()),
            };
        }
        let (mut exact, mut patterns) = (HashSet::new(), Vec::new());
        for text in texts {
            if text == "null" {
                exact.insert(Box::from(text.as_bytes()));
                continue;
            }
            let origin = serialised(text)?;
            match origin.split_once('*') {
                None => {
                    exact.insert(Box::from(origin.as_bytes()));
                }
                Some((before, after)) => {
                    patterns.push(Pattern {
                        before: before.as_bytes().into(),
                        after: after.as_bytes().into(),
                    });
                }
            }
        }
        Ok(Origins::Listed { exact, patterns })
    }

    /// Whether it is allowed. A browser writes an origin in one way only, so bytes are compared.
    pub(super) fn allow(&self, origin: &[u8]) -> bool {
        match self {
            Origins::Any => true,
            Origins::Listed { exact, patterns } => {
                exact.contains(origin) || patterns.iter().any(|pattern| pattern.stands_for(origin))
            }
        }
    }
}

impl Pattern {
    fn stands_for(&self, origin: &[u8]) -> bool {
        let labels = origin
            .strip_prefix(&*self.before)
            .and_then(|rest| rest.strip_suffix(&*self.after));
        labels.is_some_and(|labels| {
            labels
                .split(|byte| *byte == b'.')
                .all(|label| !label.is_empty() && label.iter().all(|byte| in_label(*byte)))
        })
    }
}

/// The text as a browser would write it: in small letters, without the scheme's own port.
fn serialised(text: &str) -> Result<String, String> {
    let wrong = |why: &str| format!("`{text}` is no origin: {why}");
    let lower = text.to_ascii_lowercase();
    let (scheme, rest) = lower
        .split_once("://")
        .ok_or_else(|| wrong("write scheme and host, such as `https://app.example.com`"))?;
    if !scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        || !scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    {
        return Err(wrong("the scheme is none"));
    }
    if rest.contains(['/', '?', '#', '@']) {
        return Err(wrong("leave out what follows host and port"));
    }
    let (host, port) = match rest.rfind(':') {
        Some(colon) if !rest[colon..].contains(']') => (&rest[..colon], Some(&rest[colon + 1..])),
        _ => (rest, None),
    };
    let name = host.strip_prefix("*.").unwrap_or(host);
    if !is_host(name) || (name != host && name.starts_with('[')) {
        return Err(wrong(
            "the host must be a name in ASCII or an address; `*.` may stand before a name",
        ));
    }
    let Some(port) = port else {
        return Ok(format!("{scheme}://{host}"));
    };
    let number: u16 = port.parse().map_err(|_| wrong("the port is none"))?;
    Ok(match (scheme, number) {
        ("https", 443) | ("http", 80) => format!("{scheme}://{host}"),
        _ => format!("{scheme}://{host}:{number}"),
    })
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host
            .split('.')
            .all(|label| !label.is_empty() && label.bytes().all(in_label)),
    }
}

fn in_label(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn check(listed: &str, allowed: &[&str], others: &[&str]) {
        let origins = Origins::new(&[listed.to_owned()]).unwrap();
        for origin in allowed {
            assert!(origins.allow(origin.as_bytes()), "{listed} does not allow {origin}");
        }
        for origin in others {
            assert!(!origins.allow(origin.as_bytes()), "{listed} allows {origin}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let others = [
            "http://a.example",
            "https://a.example:8443",
            "https://a.example.evil",
            "https://b.a.example",
        ];
        check("https://a.example", &["https://a.example"], &others);
        check(
            "https://A.Example:443",
            &["https://a.example"],
            &["https://a.example:443"],
        );
        check(
            "http://localhost:3000",
            &["http://localhost:3000"],
            &["http://localhost", "http://localhost:30000"],
        );
        check("http://[::1]:3000", &["http://[::1]:3000"], &["http://[::1]"]);
        check("null", &["null"], &["", "NULL", "https://null"]);
        check("https://a.example", &[], &["null", "", "*"]);
        check("*", &["https://a.example", "null"], &[]);
    }

    #[test]
    fn a_star_stands_for_whole_labels() {
        let others = [
            "https://example.com",
            "https://evilexample.com",
            "https://.example.com",
            "https://a..example.com",
            "http://a.example.com",
            "https://a.example.com:8443",
            "https://a.example.com.evil.com",
            "https://evil.com/.example.com",
            "https://evil.com#.example.com",
            "https://evil.com:1.example.com",
            "https://user@a.example.com",
            "https://A.example.com",
        ];
        check(
            "https://*.example.com",
            &["https://a.example.com", "https://a.b-c.example.com"],
            &others,
        );
        check(
            "https://*.example.com:8443",
            &["https://a.example.com:8443"],
            &["https://a.example.com"],
        );
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "example.com",
            "https://",
            "https://*",
            "https://*example.com",
            "https://a.*.com",
            "https://*.*.com",
            "https://a.example/",
            "https://a.example/x",
            "https://a@b.example",
            "https://a.example:",
            "https://a:99999",
            "https://é.example",
            "1x://a",
            "https://a b",
            "https://*.",
            "https://[::1",
            "https://*.[::1]",
        ] {
            assert!(Origins::new(&[text.to_owned()]).is_err(), "{text}");
        }
        assert!(Origins::new(&[]).is_err());
        assert!(Origins::new(&["*".to_owned(), "https://a".to_owned()]).is_err());
    }
}
