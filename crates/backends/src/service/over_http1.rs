//! A request and its answer over HTTP/1.1.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use portcullis_core::{Body, Error, Interim, Known, Request, Response, Status, codes};
use portcullis_http1::client::{Connection, Exchange, Failure, Outbound};
use portcullis_http1::framing::BodyLength;
use portcullis_http1::response::ResponseHead;
use portcullis_http1::{buffers, encode, hop_by_hop};

use super::attempts::Answer;
use super::outgoing::{Attempt, Kind, Outgoing};
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
    interim: Option<Rc<dyn Interim>>,
    target: &'a Arc<Target>,
    way: Way,
    outgoing: &Outgoing,
    body: Body,
) -> impl Future<Output = Result<Answer, Attempt>> + 'a {
    let upgrade = outgoing.protocol.is_some();
    let Way {
        connection,
        turn,
        fresh,
    } = way;
    let timeouts = pool.timeouts(outgoing.deadline);
    let request = outgoing.request.borrow();
    let key = websocket::Key::wanted(&request.headers, outgoing.protocol.as_deref());
    let mut exchange = connection.start(outbound(outgoing, &request, key.as_ref(), body), timeouts);
    drop(request);
    async move {
        let mut head = match exchange
            .head(|head| pass_on(interim.as_deref(), head), &RESPONSE_LIMITS)
            .await
        {
            Ok(head) => head,
            Err(failure) => {
                let kind = match &failure {
                    Failure::Closed(_) if exchange.has_response() => Kind::Final,
                    Failure::Closed(_) if fresh => Kind::Reset,
                    Failure::Closed(_) => Kind::Stale,
                    Failure::Request(_) => Kind::Request,
                    Failure::Timeout | Failure::Invalid(_) | Failure::Unasked(_) => Kind::Final,
                };
                return Err(Attempt::new(kind, error_of(failure)));
            }
        };
        let first_byte = exchange.sent_at().map(|sent| sent.elapsed());
        if let Some(key) = key
            && head.status == Status::SWITCHING_PROTOCOLS
            && !key.take_proof(&mut head.headers)
        {
            let failure = Failure::Unasked("101 without a proof that the WebSocket's key was read");
            return Err(Attempt::new(Kind::Final, error_of(failure)));
        }
        let response = answer(pool, target, exchange, head, upgrade, turn)?;
        Ok(Answer { response, first_byte })
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
        return Err(Attempt::new(Kind::Final, error_of(failure)));
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

fn outbound(outgoing: &Outgoing, request: &Request, key: Option<&websocket::Key>, body: Body) -> Outbound {
    let framing = match (&outgoing.protocol, body.remaining()) {
        (Some(_), _) => BodyLength::UntilClose,
        (None, Some(0)) => BodyLength::None,
        (None, Some(length)) => BodyLength::Sized(length),
        (None, None) => BodyLength::Chunked,
    };
    let mut lines = outgoing.lines.borrow_mut();
    let common = lines.len();
    if let Some(key) = key {
        key.write_line(&mut lines);
    }
    let mut head = buffers::take_output();
    encode::request(
        &mut head,
        &request.method,
        &request.target,
        &request.headers,
        &lines,
        framing,
        outgoing.protocol.as_deref(),
    );
    lines.truncate(common);
    Outbound {
        head,
        framing,
        method: request.method.clone(),
        body,
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
