//! A response, and the way of making one.

use crate::{Body, Headers, Known, Status};

/// An answer on its way from a backend to a listener. Always a final one (2xx to 5xx), or 101.
///
/// For 101 the body is everything that the backend sends after the head, in the protocol switched to.
#[derive(Debug)]
pub struct Response {
    /// What became of the request.
    pub status: Status,
    /// The fields; framing is the wire's own affair, as in [`crate::Request`], but for the answer to a HEAD request,
    /// where a `Content-Length` tells what GET would have sent.
    pub headers: Headers,
    /// The content.
    pub body: Body,
}

impl Response {
    /// An answer without fields or content.
    pub fn new(status: Status) -> Response {
        Response {
            status,
            headers: Headers::new(),
            body: Body::Empty,
        }
    }

    /// Adds a field at the end.
    #[must_use]
    pub fn with_header<'n>(mut self, name: impl Into<crate::Name<'n>>, value: impl AsRef<[u8]>) -> Response {
        self.headers.append(name, value);
        self
    }

    /// Puts content and its type.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: impl Into<Body>) -> Response {
        self.headers.set(Known::ContentType, content_type);
        self.body = body.into();
        self
    }
}
