//! A request and its answer over HTTP/2.

use std::rc::Rc;
use std::sync::Arc;

use portcullis_core::{Body, Error, Interim, Response, Status, codes};
use portcullis_http1::hop_by_hop;
use portcullis_http2::client::{Connection, Exchange, Failure, Outbound, ResponseHead, Room};

use super::attempts::Answer;
use super::outgoing::{Attempt, Kind, Outgoing};
use super::target::{Target, Turn};
use super::{Pool, RESPONSE_LIMITS, websocket};

/// A connection to a target, and the right to a stream on it.
pub(super) struct Way {
    pub(super) connection: Connection,
    pub(super) turn: Turn,
}

/// Sends the request and waits for the head of the answer.
pub(super) async fn attempt(
    pool: &Pool,
    interim: Option<Rc<dyn Interim>>,
    target: &Arc<Target>,
    way: Way,
    outgoing: &Outgoing,
    body: Body,
) -> Result<Answer, Attempt> {
    let Way { connection, turn } = way;
    let tunnel = outgoing.protocol.is_some();
    if tunnel && !connection.takes_tunnels() {
        let error =
            Error::new(&codes::UPGRADE_NOT_OFFERED).with_cause("the target does not offer extended CONNECT (RFC 8441)");
        return Err(Attempt::new(Kind::Final, error));
    }
    let fresh = connection.started() == 0;
    let mut exchange = begin(pool, &connection, target, outgoing, body)?;
    let pass_on = |head: ResponseHead| {
        if let Some(interim) = &interim
            && head.status != Status::CONTINUE
        {
            interim.send(head.status, &head.headers);
        }
    };
    let (mut head, content) = match exchange.head(pass_on, &RESPONSE_LIMITS).await {
        Ok(answer) => answer,
        Err(failure) => {
            let kind = match &failure {
                Failure::Unprocessed(_) => Kind::Unprocessed,
                // The server took the stream and gave it up.
                Failure::Closed(_) if fresh || connection.room() != Room::Ended => Kind::Reset,
                // The server had ended the kept connection before the request reached it, as in HTTP/1.1.
                Failure::Closed(_) => Kind::Stale,
                Failure::Request(_) => Kind::Request,
                Failure::Timeout | Failure::Invalid(_) => Kind::Final,
            };
            let mut attempt = Attempt::new(kind, failure.into());
            if kind == Kind::Unprocessed {
                attempt.unsent = exchange.into_unsent();
            }
            return Err(attempt);
        }
    };
    let first_byte = exchange.sent_at().map(|sent| sent.elapsed());
    let body = exchange.into_body(&head, content, &RESPONSE_LIMITS, turn);
    hop_by_hop::strip_hop_by_hop(&mut head.headers);
    if tunnel && (200..300).contains(&head.status.code()) {
        head.status = Status::SWITCHING_PROTOCOLS;
        websocket::complete_handshake(
            &outgoing.request.borrow().headers,
            outgoing.protocol.as_deref(),
            &mut head.headers,
        );
    }
    let response = Response {
        status: head.status,
        headers: head.headers,
        body,
    };
    Ok(Answer { response, first_byte })
}

fn begin(
    pool: &Pool,
    connection: &Connection,
    target: &Target,
    outgoing: &Outgoing,
    body: Body,
) -> Result<Exchange, Attempt> {
    let head = outgoing.request.borrow();
    let lines = outgoing.lines.borrow();
    let request = Outbound {
        method: &head.method,
        target: &head.target,
        headers: &head.headers,
        lines: &lines,
        authority: &target.authority,
        secure: target.is_secure(),
        te_trailers: outgoing.grpc,
        protocol: outgoing.protocol.as_deref(),
    };
    let started = connection.start(&request, body, pool.timeouts(outgoing.deadline));
    started.map_err(|(failure, body)| {
        let kind = match failure {
            Failure::Unprocessed(_) => Kind::Unprocessed,
            _ => Kind::Final,
        };
        Attempt::untouched(kind, failure.into(), body)
    })
}
