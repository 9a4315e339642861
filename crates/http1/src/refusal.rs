use std::fmt;

use portcullis_core::Error;
use portcullis_core::codes::{self, Code, Fault};
use portcullis_core::target::TargetError;

/// Why a message was refused. What follows it on the connection can't be told apart from it, so that the connection
/// ends with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the answer will be.
    pub code: &'static Code,
    /// What exactly is wrong, in words that the sender may see.
    pub detail: &'static str,
}

impl Refusal {
    #[cold]
    pub(crate) fn new(code: &'static Code, detail: &'static str) -> Refusal {
        Refusal { code, detail }
    }

    #[cold]
    pub(crate) fn malformed(detail: &'static str) -> Refusal {
        Refusal::new(&codes::BAD_REQUEST, detail)
    }

    #[cold]
    pub(crate) fn ambiguous(detail: &'static str) -> Refusal {
        Refusal::new(&codes::AMBIGUOUS_FRAMING, detail)
    }

    /// The same refusal of something that an upstream sent: whatever is wrong with it, the client gets a 502.
    #[must_use]
    #[cold]
    pub fn of_upstream(self) -> Refusal {
        Refusal {
            code: &codes::UPSTREAM_INVALID,
            detail: self.detail,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail)
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Error {
    /// The client reads what is wrong with its own message; what is wrong with an upstream's is for the log only.
    fn from(refusal: Refusal) -> Error {
        let error = Error::new(refusal.code);
        match refusal.code.fault {
            Fault::Client => error.with_detail(refusal.detail),
            _ => error.with_cause(refusal.detail),
        }
    }
}

impl From<TargetError> for Refusal {
    fn from(error: TargetError) -> Refusal {
        let detail = match error {
            TargetError::NotAbsolute => "the request target is not an absolute path",
            TargetError::Character => "the request target holds a character that must be percent-encoded",
            TargetError::Encoding => "the request target holds a broken percent-encoding",
            TargetError::AboveRoot => "the request target leads out of the root",
        };
        Refusal::new(&codes::BAD_TARGET, detail)
    }
}
