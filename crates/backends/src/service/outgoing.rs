//! A request on its way to a target, or to the next one.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use portcullis_core::{Body, Ctx, Error, Known, Request, Result, Upgrade, codes, grpc};
use portcullis_http1::buffers;

use super::Pool;
use super::replay::Replay;
use super::target::Target;

/// A request that may have to be sent twice. All but its head stays as it is; the head is made ready for each target.
pub(super) struct Outgoing {
    /// All but the body.
    pub(super) request: RefCell<Request>,
    /// What the target is told about the client, as lines of a head.
    pub(super) lines: RefCell<Vec<u8>>,
    /// The protocol to ask for.
    pub(super) protocol: Option<Box<str>>,
    /// What a new connection begins with.
    pub(super) proxy_header: Option<Vec<u8>>,
    /// When all must be over.
    pub(super) deadline: Option<Instant>,
    /// It is a call of gRPC.
    pub(super) grpc: bool,
    /// A target may get it twice without harm.
    pub(super) idempotent: bool,
}

/// The body of a request, for as many attempts as it allows.
pub(super) enum Content {
    /// It is here whole, or there is none.
    Whole(Body),
    /// It is remembered as it is read.
    Remembered(Replay),
    /// It can be taken once.
    Once(Option<Body>),
}

impl Content {
    /// `remembered` bytes of a body that comes in pieces can be sent again; with 0 it is sent once.
    pub(super) fn of(body: Body, remembered: u64) -> Content {
        match body {
            Body::Stream(_) if remembered > 0 => Content::Remembered(Replay::new(body, remembered)),
            Body::Stream(_) => Content::Once(Some(body)),
            Body::Empty | Body::Full(_) => Content::Whole(body),
        }
    }

    /// The body for an attempt, where it is still to be had.
    pub(super) fn take(&mut self) -> Option<Body> {
        match self {
            Content::Once(body) => body.take(),
            _ => self.copy(),
        }
    }

    /// The body for an attempt beside another.
    pub(super) fn copy(&self) -> Option<Body> {
        match self {
            Content::Whole(Body::Full(bytes)) => Some(Body::Full(bytes.clone())),
            Content::Whole(_) => Some(Body::Empty),
            Content::Remembered(replay) => replay.copy(),
            Content::Once(_) => None,
        }
    }

    /// Whether there is a body for another attempt.
    pub(super) fn is_left(&self) -> bool {
        match self {
            Content::Whole(_) => true,
            Content::Remembered(replay) => replay.is_left(),
            Content::Once(body) => body.is_some(),
        }
    }

    /// Takes back what an attempt did not touch.
    pub(super) fn give_back(&mut self, unsent: Option<Body>) {
        if let Content::Once(body) = self {
            *body = unsent;
        }
    }

    /// Whether several attempts can have it at a time.
    pub(super) fn can_be_shared(&self) -> bool {
        !matches!(self, Content::Once(_))
    }
}

/// How an attempt to send a request came to nothing.
pub(super) struct Attempt {
    pub(super) error: Error,
    pub(super) kind: Kind,
    /// The body, where nothing of it was sent.
    pub(super) unsent: Option<Body>,
}

/// What is known of an attempt that came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// There was no connection to send it on.
    Connect,
    /// The server had ended a kept connection before the request came (RFC 9112 §9.3.1).
    Stale,
    /// The server said that it has not begun with it (RFC 9113 §8.7).
    Unprocessed,
    /// The connection ended before a response began.
    Reset,
    /// The time of one attempt was over.
    Timeout,
    /// It must not be sent again: the server has had its time, or what it said makes no sense.
    Final,
    /// It is not the target's fault, and would fail again.
    Request,
}

impl Attempt {
    pub(super) fn new(kind: Kind, error: Error) -> Attempt {
        Attempt {
            error,
            kind,
            unsent: None,
        }
    }

    /// One whose body was not touched.
    pub(super) fn untouched(kind: Kind, error: Error, body: Body) -> Attempt {
        Attempt {
            error,
            kind,
            unsent: Some(body),
        }
    }
}

impl Outgoing {
    /// The request and its body. It must be over `limit` from now, and when its client says.
    ///
    /// # Errors
    /// `bad_request` where the client says that in a way that nobody can read.
    pub(super) fn of(mut request: Request, cx: &Ctx, pool: &Pool, lines: Vec<u8>) -> Result<(Outgoing, Body)> {
        let limit = pool.timeout.request.as_ref().map(|limit| limit.0);
        let limit = limit.and_then(|limit| Instant::now().checked_add(limit));
        let grpc = grpc::Kind::of(&request.headers).is_some();
        let told = match &pool.timeout.header {
            Some(name) => told_milliseconds(&request, name)?,
            None => None,
        };
        let asked = match request.headers.get(grpc::TIMEOUT).filter(|_| grpc) {
            Some(timeout) => {
                let malformed = || Error::new(&codes::BAD_REQUEST).with_detail("grpc-timeout is malformed");
                Some(grpc::parse_timeout(timeout).ok_or_else(malformed)?)
            }
            None => None,
        };
        let asked = [told, asked]
            .into_iter()
            .flatten()
            .filter_map(|span| cx.started.checked_add(span));
        let (body, protocol) = match request.upgrade.take() {
            Some(Upgrade { protocol, stream }) => (stream, Some(protocol)),
            None => (std::mem::take(&mut request.body), None),
        };
        let idempotent = protocol.is_none() && pool.retry.takes(&request.method);
        let outgoing = Outgoing {
            request: RefCell::new(request),
            lines: RefCell::new(lines),
            protocol,
            proxy_header: None,
            deadline: limit.into_iter().chain(asked).min(),
            grpc,
            idempotent,
        };
        Ok((outgoing, body))
    }

    /// Makes the head ready for a target: the host it is to see, and how long it has, which is less than the client said by the
    /// time spent here.
    ///
    /// # Errors
    /// `upstream_timeout` once nothing is left.
    pub(super) fn address_to(&self, target: &Target, pool: &Pool) -> Result<()> {
        let mut request = self.request.borrow_mut();
        if pool.shows_own_host() {
            request.headers.set(Known::Host, &target.authority);
        }
        let Some(deadline) = self.deadline.filter(|_| self.grpc || pool.timeout.header.is_some()) else {
            return Ok(());
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::new(&codes::UPSTREAM_TIMEOUT).with_cause("the deadline was over before it was sent"));
        }
        if self.grpc && request.headers.contains(grpc::TIMEOUT) {
            request.headers.set(grpc::TIMEOUT, grpc::format_timeout(left));
        }
        if let Some(name) = &pool.timeout.header {
            request.headers.set(name.as_str(), left.as_millis().max(1).to_string());
        }
        Ok(())
    }
}

/// The time that the client gives, in the field of that name.
fn told_milliseconds(request: &Request, name: &str) -> Result<Option<Duration>> {
    let Some(value) = request.headers.get(name) else {
        return Ok(None);
    };
    let number = std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse::<u32>().ok());
    match number {
        Some(millis) => Ok(Some(Duration::from_millis(millis.into()))),
        None => Err(Error::new(&codes::BAD_REQUEST)
            .with_detail(format!("`{name}` must be a whole number of milliseconds below 2^32"))),
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        buffers::give_output(self.lines.take());
    }
}
