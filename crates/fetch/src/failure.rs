//! Why there is no answer.

use std::fmt;
use std::time::Duration;

/// Why a question has no answer. The words are for logs: they name hosts and causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The URL can't be asked, or leads where nothing may be asked.
    Url(String),
    /// No connection, or it broke off.
    Unreached(String),
    /// No whole answer within this time.
    Late(Duration),
    /// The answer has more than so many bytes.
    TooLarge(u64),
    /// What came is not HTTP.
    Invalid(String),
    /// The program ends.
    Ending,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Url(what) | Failure::Unreached(what) => f.write_str(what),
            Failure::Late(time) => write!(f, "no answer within {time:?}"),
            Failure::TooLarge(limit) => write!(f, "the answer has more than {limit} bytes"),
            Failure::Invalid(what) => write!(f, "no HTTP came: {what}"),
            Failure::Ending => f.write_str("the program ends"),
        }
    }
}

impl std::error::Error for Failure {}
