//! A request and its answer over HTTP/1.1.

use std::future::Future;
use std::sync::Arc;

use portcullis_core::{Ctx, Error, Interim, Known, Response, Status, codes};
use portcullis_http1::client::{Connection, Exchange, Failure, Outbound};
use portcullis_http1::framing::BodyLength;
use portcullis_http1::response::ResponseHead;
use portcullis_http1::{buffers, encode, hop_by_hop};

use super::outgoing::{Attempt, Outgoing};
use super::target::{Target, Turn};
use super::transport::Transport;
use super::websocket;
use super::{Pool, RESPONSE_LIMITS};

/// A connection to a target, and the right to use it.
pub(super) struct Way {
    pub(super) connection: Connection<Transport>,
    pub(super) turn: Turn,
    /// It was made for this request.
    pub(super) fresh: bool,
}

/// Sends the request and waits for the head of the answer. All that needs no waiting is done at once, so that the future
/// holds no more than it waits with.
pub(super) fn attempt<'a>(
    pool: &'a Pool,
    cx: &'a mut Ctx,
    target: &'a Arc<Target>,
    way: Way,
    outgoing: &mut Outgoing,
) -> impl Future<Output = Result<Response, Attempt>> + 'a {
    let upgrade = outgoing.protocol.is_some();
    let may_repeat = !way.fresh && outgoing.is_idempotent();
    let copy = may_repeat.then(|| outgoing.copy_of_body()).flatten();
    let Way { connection, turn, .. } = way;
    let timeouts = pool.timeouts(outgoing.deadline);
    let key = websocket::Key::wanted(&outgoing.request.headers, outgoing.protocol.as_deref());
    let mut exchange = connection.start(outbound(outgoing, key.as_ref()), timeouts);
    async move {
        let interim = cx.interim.clone();
        let mut head = match exchange
            .head(|head| pass_on(interim.as_deref(), head), &RESPONSE_LIMITS)
            .await
        {
            Ok(head) => head,
            Err(failure) => {
                // The server had ended the kept connection before the request reached it (RFC 9112 §9.3.1).
                let unread = matches!(failure, Failure::Closed(_)) && !exchange.has_response();
                return Err(Attempt {
                    error: error_of(failure),
                    again: copy.filter(|_| unread),
                });
            }
        };
        cx.upstream.first_byte = exchange.sent_at().map(|sent| sent.elapsed());
        if let Some(key) = key
            && head.status == Status::SWITCHING_PROTOCOLS
            && !key.take_proof(&mut head.headers)
        {
            let failure = Failure::Unasked("101 without a proof that the WebSocket's key was read");
            return Err(Attempt::last(error_of(failure)));
        }
        answer(pool, target, exchange, head, upgrade, turn)
    }
}

/// Hands an interim response on to a client that can take it.
fn pass_on(interim: Option<&dyn Interim>, mut head: ResponseHead) {
    if let Some(interim) = interim
        && head.status != Status::CONTINUE
    {
        hop_by_hop::strip_hop_by_hop(&mut head.headers);
        interim.send(head.status, &head.headers);
    }
}

fn answer(
    pool: &Pool,
    target: &Arc<Target>,
    exchange: Exchange<Transport>,
    mut head: ResponseHead,
    upgrade: bool,
    turn: Turn,
) -> Result<Response, Attempt> {
    let switching = head.status == Status::SWITCHING_PROTOCOLS;
    if switching && !upgrade {
        let failure = Failure::Unasked("101 to a request that asked for no other protocol");
        return Err(Attempt::last(error_of(failure)));
    }
    let protocol = switching
        .then(|| head.headers.get(Known::Upgrade).map(<[u8]>::to_vec))
        .flatten();
    let keeper = target.clone();
    let opener = pool.opener.clone();
    let body = exchange.into_body(&head, &RESPONSE_LIMITS, move |connection| {
        drop(turn);
        if let Some(connection) = connection {
            keeper.http1().borrow_mut().keep(connection, opener.keep_alive());
        }
    });
    hop_by_hop::strip_hop_by_hop(&mut head.headers);
    if let Some(protocol) = protocol {
        head.headers.append(Known::Upgrade, protocol);
    }
    Ok(Response {
        status: head.status,
        headers: head.headers,
        body,
    })
}

fn outbound(outgoing: &mut Outgoing, key: Option<&websocket::Key>) -> Outbound {
    let framing = match (&outgoing.protocol, outgoing.body.remaining()) {
        (Some(_), _) => BodyLength::UntilClose,
        (None, Some(0)) => BodyLength::None,
        (None, Some(length)) => BodyLength::Sized(length),
        (None, None) => BodyLength::Chunked,
    };
    let request = &outgoing.request;
    if let Some(key) = key {
        key.write_line(&mut outgoing.lines);
    }
    let mut head = buffers::take_output();
    encode::request(
        &mut head,
        &request.method,
        &request.target,
        &request.headers,
        &outgoing.lines,
        framing,
        outgoing.protocol.as_deref(),
    );
    Outbound {
        head,
        framing,
        method: request.method.clone(),
        body: std::mem::take(&mut outgoing.body),
    }
}

fn error_of(failure: Failure) -> Error {
    match failure {
        Failure::Closed(error) => Error::new(&codes::UPSTREAM_CLOSED).with_cause(error),
        Failure::Timeout => Error::new(&codes::UPSTREAM_TIMEOUT),
        Failure::Invalid(refusal) => Error::new(&codes::UPSTREAM_INVALID).with_cause(refusal.detail),
        Failure::Unasked(what) => Error::new(&codes::UPSTREAM_INVALID).with_cause(what),
        Failure::Request(error) => error,
    }
}
