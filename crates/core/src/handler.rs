//! The seam between a wire and what answers its requests: every version of HTTP speaks to the same [`Handler`].

use std::future::Future;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::{Error, Interim, Request, Response, Status};

/// What answers the requests of a connection.
pub trait Handler {
    /// What the handler remembers of a request until its response has been sent.
    type Exchange;

    /// Answers a request.
    fn call(&self, request: Request, arrival: Arrival) -> impl Future<Output = (Response, Self::Exchange)>;

    /// Answers what is not a request. The connection ends after the answer.
    fn refuse(&self, error: Error, started: Instant) -> (Response, Self::Exchange);

    /// Learns how the response went out.
    fn ended(&self, exchange: Self::Exchange, sent: Sent);
}

/// What a handler learns beside the request itself.
pub struct Arrival {
    /// When its first byte was there.
    pub started: Instant,
    /// Where interim responses go, for a client that understands them.
    pub interim: Option<Rc<dyn Interim>>,
    /// Tells when nobody waits for the answer any more.
    pub client: Rc<dyn Watch>,
}

/// The client of a request that is being answered.
pub trait Watch {
    /// Ready when the client has broken the connection off. A client that merely sends no more still waits.
    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Whether the request came in early data, which somebody may have recorded and sent again (RFC 8470).
    fn in_early_data(&self) -> bool {
        false
    }
}

/// How a response went out.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// The status.
    pub status: Status,
    /// Bytes of content that came with the request.
    pub bytes_in: u64,
    /// Bytes of content that went out.
    pub bytes_out: u64,
    /// Whether all of it went out.
    pub complete: bool,
    /// When its last byte was handed to the system, or the attempt to do so ended.
    pub at: Instant,
}
