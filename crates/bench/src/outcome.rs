//! How a request ends.

use std::time::Instant;

use bytes::Bytes;
use portcullis_core::Headers;
use serde::{Deserialize, Serialize};

/// A response that came whole.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The fields, where the step wants them.
    pub headers: Option<Headers>,
    /// The content, where the step wants it; as much as it wants.
    pub body: Option<Bytes>,
    /// How many bytes the content had.
    pub length: u64,
    /// When the first byte of the request went out.
    pub sent: Instant,
}

/// The kinds of failures. None is ever tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// No connection could be made.
    Connect,
    /// No agreement on TLS: a certificate that is no good, no common version.
    Tls,
    /// No answer in time.
    Timeout,
    /// The connection or stream ended before the answer was whole.
    Reset,
    /// What came is no answer.
    Protocol,
    /// A status that isn't right.
    Status,
    /// Another check that failed, or nothing to capture.
    Check,
    /// It never began: too many waited for a connection already.
    Missed,
}

impl Failure {
    /// All of them, in the order of reports.
    pub const ALL: [Failure; 8] = [
        Failure::Connect,
        Failure::Tls,
        Failure::Timeout,
        Failure::Reset,
        Failure::Protocol,
        Failure::Status,
        Failure::Check,
        Failure::Missed,
    ];

    /// Its word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Failure::Connect => "connect",
            Failure::Tls => "tls",
            Failure::Timeout => "timeout",
            Failure::Reset => "reset",
            Failure::Protocol => "protocol",
            Failure::Status => "status",
            Failure::Check => "check",
            Failure::Missed => "missed",
        }
    }
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The kind.
    pub kind: Failure,
    /// What is known of it, in words that are the same for the same cause: `connection refused`, `certificate expired`,
    /// the name of a check.
    pub why: String,
}

impl Failed {
    /// A failure with its cause.
    pub fn new(kind: Failure, why: impl Into<String>) -> Failed {
        Failed { kind, why: why.into() }
    }
}
