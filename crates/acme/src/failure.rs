//! How an order fails, in words for operators, and what that means for the next one.

use std::fmt;
use std::io;
use std::time::SystemTime;

use instant_acme::{Error, Problem};

/// Why there is no new certificate.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    /// What happened, and where.
    pub(crate) words: String,
    /// Before when the authority wants to hear nothing from us.
    pub(crate) not_before: Option<SystemTime>,
}

/// Whose fault it is, which decides how soon another try can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The authority was not reached: no order of ours is counted there.
    Unreached,
    /// The authority said no. It counts that, and stops talking to those who ask on and on.
    Refused,
    /// The storage can't be read or written.
    Storage,
}

impl Failure {
    pub(crate) fn new(kind: Kind, words: impl Into<String>) -> Failure {
        Failure {
            kind,
            words: words.into(),
            not_before: None,
        }
    }

    pub(crate) fn refused(words: impl Into<String>) -> Failure {
        Failure::new(Kind::Refused, words)
    }

    /// What went wrong while we did `what` at the authority.
    pub(crate) fn of(what: &str, error: &Error) -> Failure {
        match error {
            Error::Api(problem) => Failure::refused(format!("{what}: the authority says {}", in_words(problem))),
            Error::Timeout(_) => Failure::refused(format!("{what}: the authority took too long")),
            // Our own transport, and what it could not bring.
            Error::Other(cause) => Failure::new(Kind::Unreached, format!("{what}: {cause}")),
            Error::Json(cause) => {
                Failure::refused(format!("{what}: the authority's answer can't be understood: {cause}"))
            }
            error => Failure::refused(format!("{what}: {error}")),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::new(Kind::Storage, format!("the storage can't be used: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// A problem of the authority, with those of single names (RFC 8555, section 6.7).
pub(crate) fn in_words(problem: &Problem) -> String {
    let one = |detail: &Option<String>, kind: &Option<String>| {
        let kind = kind.as_deref().unwrap_or("about:blank");
        let kind = kind.strip_prefix("urn:ietf:params:acme:error:").unwrap_or(kind);
        let detail = detail.as_deref().unwrap_or("nothing more");
        format!("`{}` ({})", printable(detail), printable(kind))
    };
    let mut words = one(&problem.detail, &problem.r#type);
    for part in problem.subproblems.iter().take(10) {
        if let Some(identifier) = &part.identifier {
            let name = identifier.authorized(false).to_string();
            words.push_str(&format!("; of {}: ", printable(&name)));
        } else {
            words.push_str("; ");
        }
        words.push_str(&one(&part.detail, &part.r#type));
    }
    words
}

/// Whether a problem is of a registered type, such as `rateLimited`.
pub(crate) fn is(problem: &Problem, kind: &str) -> bool {
    let registered = |name: &str| name.strip_prefix("urn:ietf:params:acme:error:") == Some(kind);
    problem.r#type.as_deref().is_some_and(registered)
}

/// A text of the authority, fit for one line of a log.
fn printable(text: &str) -> String {
    let printable = text
        .chars()
        .take(500)
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    printable.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn problems_are_told_in_one_line() {
        let problem = serde_json::json!({
            "type": "urn:ietf:params:acme:error:compound",
            "detail": "two\nnames",
            "subproblems": [
                {"type": "urn:ietf:params:acme:error:caa", "detail": "no", "identifier": {"type": "dns", "value": "a.test"}},
                {"detail": "never"},
            ],
        });
        let problem: Problem = serde_json::from_value(problem).unwrap();
        let failure = Failure::of("can't order", &Error::Api(problem.clone()));
        assert_eq!(
            failure.words,
            "can't order: the authority says `two names` (compound); of a.test: `no` (caa); `never` (about:blank)"
        );
        assert!(is(&problem, "compound") && !is(&problem, "rateLimited"));
    }
}
