//! How a request ends.

use std::borrow::Cow;

/// An answer that is what it has to be.
#[derive(Default)]
pub(crate) struct Asked {
    /// How often the request was sent again because the server said that it hadn't begun with it (RFC 9113, section 8.7).
    pub(crate) repeated: u32,
}

/// Why a request has failed.
pub(crate) struct Failure {
    /// The same words for the same reason, so that it can be counted.
    pub(crate) what: Cow<'static, str>,
    /// The target that a connection led to, where it is known.
    pub(crate) target: Option<String>,
}

impl Failure {
    pub(crate) fn new(what: impl Into<Cow<'static, str>>) -> Failure {
        Failure {
            what: what.into(),
            target: None,
        }
    }

    pub(crate) fn status(status: u16) -> Failure {
        Failure::new(format!("status {status}"))
    }

    /// No connection to the proxy.
    pub(crate) fn refused() -> Failure {
        Failure::new("no connection")
    }

    /// A connection that was kept ended when it got a request, and nothing of an answer came. Many clients send the request
    /// again; these don't.
    pub(crate) fn closed() -> Failure {
        Failure::new("closed unanswered")
    }

    /// Any other end of a connection or stream.
    pub(crate) fn cut() -> Failure {
        Failure::new("cut")
    }

    /// An answer with other content.
    pub(crate) fn wrong() -> Failure {
        Failure::new("wrong content")
    }
}
