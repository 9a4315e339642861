//! What is wrong with content.

use std::borrow::Cow;

/// The first thing that is wrong with content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whether it can't be read, or is more than may be.
    pub kind: FaultKind,
    /// What is wrong, for the client. It repeats no values.
    pub what: Cow<'static, str>,
    /// The byte at which it was found.
    pub at: usize,
    /// Where in JSON, as a JSON pointer (RFC 6901); cut off where it is long. Empty for XML.
    pub pointer: String,
}

/// Of what kind a [`Fault`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It is not what it is said to be.
    Malformed,
    /// It is, and beyond a limit or of a kind that is refused.
    Refused,
}

impl Fault {
    /// Content that is not what it is said to be.
    pub(super) fn malformed(what: impl Into<Cow<'static, str>>, at: usize) -> Fault {
        Fault {
            kind: FaultKind::Malformed,
            what: what.into(),
            at,
            pointer: String::new(),
        }
    }

    /// Content that may not pass.
    pub(super) fn refused(what: impl Into<Cow<'static, str>>, at: usize) -> Fault {
        Fault {
            kind: FaultKind::Refused,
            ..Fault::malformed(what, at)
        }
    }

    /// The same with its place.
    pub(super) fn in_place(self, pointer: String) -> Fault {
        Fault { pointer, ..self }
    }
}
