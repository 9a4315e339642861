//! A request on its way to a target, or to the next one.

use std::time::{Duration, Instant};

use portcullis_core::{Body, Ctx, Error, Request, Result, Upgrade, codes, grpc};
use portcullis_http1::buffers;

/// A request that may have to be sent twice.
pub(super) struct Outgoing {
    /// All but the body.
    pub(super) request: Request,
    /// The body; what follows the switch, for a request for another protocol.
    pub(super) body: Body,
    /// The protocol to ask for.
    pub(super) protocol: Option<Box<str>>,
    /// What the target is told about the client, as lines of a head.
    pub(super) lines: Vec<u8>,
    /// What a new connection begins with.
    pub(super) proxy_header: Option<Vec<u8>>,
    /// When all must be over.
    pub(super) deadline: Option<Instant>,
    /// It is a call of gRPC.
    pub(super) grpc: bool,
}

/// How an attempt to send a request came to nothing.
pub(super) struct Attempt {
    pub(super) error: Error,
    /// The body to send again, where that does no harm.
    pub(super) again: Option<Body>,
}

impl Attempt {
    /// One after which the request must not be sent again.
    pub(super) fn last(error: Error) -> Attempt {
        Attempt { error, again: None }
    }
}

impl Outgoing {
    /// The request, which must be over `limit` from now, and when its client says.
    ///
    /// # Errors
    /// `bad_request` where the client says that in a way that nobody can read.
    pub(super) fn of(mut request: Request, cx: &Ctx, limit: Option<Duration>, lines: Vec<u8>) -> Result<Outgoing> {
        let limit = limit.and_then(|limit| Instant::now().checked_add(limit));
        let grpc = grpc::Kind::of(&request.headers).is_some();
        let asked = match request.headers.get(grpc::TIMEOUT).filter(|_| grpc) {
            Some(timeout) => {
                let malformed = || Error::new(&codes::BAD_REQUEST).with_detail("grpc-timeout is malformed");
                cx.started
                    .checked_add(grpc::parse_timeout(timeout).ok_or_else(malformed)?)
            }
            None => None,
        };
        let (body, protocol) = match request.upgrade.take() {
            Some(Upgrade { protocol, stream }) => (stream, Some(protocol)),
            None => (std::mem::take(&mut request.body), None),
        };
        Ok(Outgoing {
            request,
            body,
            protocol,
            lines,
            proxy_header: None,
            deadline: limit.into_iter().chain(asked).min(),
            grpc,
        })
    }

    /// Tells a server of gRPC how long it has, which is less than the client said by the time spent here.
    ///
    /// # Errors
    /// `upstream_timeout` once nothing is left.
    pub(super) fn tell_time_left(&mut self) -> Result<()> {
        let Some(deadline) = self.deadline.filter(|_| self.grpc) else {
            return Ok(());
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::new(&codes::UPSTREAM_TIMEOUT).with_cause("the deadline was over before it was sent"));
        }
        if self.request.headers.contains(grpc::TIMEOUT) {
            self.request.headers.set(grpc::TIMEOUT, grpc::format_timeout(left));
        }
        Ok(())
    }

    /// The same body once more, where it is here whole.
    pub(super) fn copy_of_body(&self) -> Option<Body> {
        match &self.body {
            Body::Empty => Some(Body::Empty),
            Body::Full(bytes) => Some(Body::Full(bytes.clone())),
            Body::Stream(_) => None,
        }
    }

    /// Whether a target may get the request twice without harm.
    pub(super) fn is_idempotent(&self) -> bool {
        self.request.method.is_idempotent() && self.protocol.is_none()
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        buffers::give_output(std::mem::take(&mut self.lines));
    }
}
