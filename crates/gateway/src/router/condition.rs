//! What a header field or a query parameter must be for a rule to match.

use std::fmt;

use portcullis_core::Headers;

/// What the value of a header field or query parameter must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Match {
    /// Anything, but it must be there.
    Any,
    /// Exactly this.
    Exact(Box<str>),
}

impl Match {
    /// As the file writes it: `*` for any value, else the value.
    pub(crate) fn parse(text: &str) -> Match {
        if text == "*" {
            Match::Any
        } else {
            Match::Exact(text.into())
        }
    }

    /// Whether every value that `other` takes is one that this takes too.
    pub(super) fn covers(&self, other: &Match) -> bool {
        *self == Match::Any || self == other
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Match::Any => "*",
            Match::Exact(value) => value,
        })
    }
}

/// Whether one of the fields of that name has the value. Values are compared byte by byte, whole lines at a time.
pub(super) fn in_headers(headers: &Headers, name: &str, wanted: &Match) -> bool {
    match wanted {
        Match::Any => headers.contains(name),
        Match::Exact(value) => headers.get_all(name).any(|found| found == value.as_bytes()),
    }
}

/// Whether one of the parameters of that name has the value, both decoded as forms are: `%20` and `+` are spaces.
pub(super) fn in_query(query: Option<&str>, name: &str, wanted: &Match) -> bool {
    let Some(query) = query else { return false };
    query.split('&').filter(|pair| !pair.is_empty()).any(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        decodes_to(key, name)
            && match wanted {
                Match::Any => true,
                Match::Exact(text) => decodes_to(value, text),
            }
    })
}

/// Compares without building the decoded text, because this runs for every request of a route with a query.
fn decodes_to(encoded: &str, plain: &str) -> bool {
    let mut rest = encoded.as_bytes();
    let decoded = std::iter::from_fn(|| {
        let (&first, after) = rest.split_first()?;
        rest = after;
        match first {
            b'+' => Some(b' '),
            b'%' => match hex_pair(after) {
                Some(byte) => {
                    rest = &after[2..];
                    Some(byte)
                }
                None => Some(b'%'),
            },
            other => Some(other),
        }
    });
    decoded.eq(plain.bytes())
}

/// The byte that two hexadecimal digits at the start of `text` stand for.
pub(super) fn hex_pair(text: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::{Match, in_headers, in_query};
    use portcullis_core::Headers;

    #[test]
    fn parameters_are_compared_decoded() {
        let check = |query: &str, name: &str, value: &str, expected: bool| {
            assert_eq!(
                in_query(Some(query), name, &Match::parse(value)),
                expected,
                "{query} has {name}={value}"
            );
        };
        check("a=1", "a", "1", true);
        check("a=1&b=2", "b", "2", true);
        check("a=1&a=2", "a", "2", true);
        check("a=1", "a", "2", false);
        check("a=1", "A", "1", false);
        check("a=1%202", "a", "1 2", true);
        check("a=1+2", "a", "1 2", true);
        check("%61=%31", "a", "1", true);
        check("a=%zz%", "a", "%zz%", true);
        check("a=%C3%A9", "a", "é", true);
        check("a", "a", "", true);
        check("a", "a", "*", true);
        check("ab=1", "a", "*", false);
        check("", "", "", false);
        assert!(!in_query(None, "a", &Match::Any));
    }

    #[test]
    fn any_line_of_a_field_may_agree() {
        let mut headers = Headers::new();
        headers.append("X-Version", "1");
        headers.append("x-version", "2");
        assert!(in_headers(&headers, "X-VERSION", &Match::parse("2")));
        assert!(in_headers(&headers, "x-version", &Match::parse("*")));
        assert!(!in_headers(&headers, "x-version", &Match::parse("1, 2")));
        assert!(!in_headers(&headers, "x-other", &Match::parse("*")));
    }
}
