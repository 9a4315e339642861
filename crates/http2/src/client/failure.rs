//! What can go wrong with a request, as far as it matters for what to do next.

use std::error::Error as Cause;
use std::io;

use portcullis_core::{Error, codes};

use super::driver::Shared;

/// Why an exchange failed.
#[derive(Debug)]
pub enum Failure {
    /// The server has not begun with the request, and says so or can't have: it may be sent again, whatever it asks for
    /// (RFC 9113 §8.7).
    Unprocessed(Box<dyn Cause + Send + Sync>),
    /// The server ended the connection or reset the stream, or the network did.
    Closed(Box<dyn Cause + Send + Sync>),
    /// The server took too long.
    Timeout,
    /// What the server sent is not HTTP/2, or not a response.
    Invalid(Box<dyn Cause + Send + Sync>),
    /// The request can't be sent, or its body broke off.
    Request(Error),
}

impl Failure {
    /// What a stream of the connection failed of.
    pub(super) fn of(error: h2::Error, connection: &Shared) -> Failure {
        // GOAWAY fails only those streams that the server promises not to have begun with (RFC 9113 §6.8); on others the
        // end of the connection is what is seen.
        if error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM)) {
            return Failure::Unprocessed(error.into());
        }
        if error.is_io() {
            return match connection.why_ended() {
                Some(why) => Failure::Closed(why.into()),
                None => Failure::Closed(error.into()),
            };
        }
        if error.is_remote() {
            Failure::Closed(error.into())
        } else {
            Failure::Invalid(error.into())
        }
    }

    /// Why a request did not even become a stream: the connection has ended, or has no number left for one more.
    pub(super) fn not_sent(error: h2::Error) -> Failure {
        Failure::Unprocessed(error.into())
    }

    /// Why no connection came to be.
    pub(super) fn not_opened(error: h2::Error) -> Failure {
        if error.is_io() || error.is_remote() {
            Failure::Closed(error.into())
        } else {
            Failure::Invalid(error.into())
        }
    }

    /// A message that breaks a rule: what was found is said for clients elsewhere, and here of a server.
    pub(super) fn malformed(error: &Error) -> Failure {
        Failure::Invalid(error.to_string().into())
    }

    pub(super) fn ended_early() -> Failure {
        Failure::Closed(io::Error::from(io::ErrorKind::UnexpectedEof).into())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        match failure {
            Failure::Unprocessed(cause) | Failure::Closed(cause) => {
                Error::new(&codes::UPSTREAM_CLOSED).with_cause(cause)
            }
            Failure::Timeout => Error::new(&codes::UPSTREAM_TIMEOUT),
            Failure::Invalid(cause) => Error::new(&codes::UPSTREAM_INVALID).with_cause(cause),
            Failure::Request(error) => error,
        }
    }
}
