//! A request and its answer over HTTP/2.

use std::sync::Arc;

use portcullis_core::{Ctx, Error, Response, Status, codes};
use portcullis_http1::hop_by_hop;
use portcullis_http2::client::{Connection, Failure, Outbound, ResponseHead};

use super::outgoing::{Attempt, Outgoing};
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
    cx: &mut Ctx,
    target: &Arc<Target>,
    way: Way,
    outgoing: &mut Outgoing,
) -> Result<Response, Attempt> {
    let Way { connection, turn } = way;
    let tunnel = outgoing.protocol.is_some();
    if tunnel && !connection.takes_tunnels() {
        let error =
            Error::new(&codes::UPGRADE_NOT_OFFERED).with_cause("the target does not offer extended CONNECT (RFC 8441)");
        return Err(Attempt::last(error));
    }
    let fresh = connection.started() == 0;
    let copy = if tunnel { None } else { outgoing.copy_of_body() };
    let body = std::mem::take(&mut outgoing.body);
    let request = Outbound {
        method: &outgoing.request.method,
        target: &outgoing.request.target,
        headers: &outgoing.request.headers,
        lines: &outgoing.lines,
        authority: &target.authority,
        secure: target.is_secure(),
        te_trailers: outgoing.grpc,
        protocol: outgoing.protocol.as_deref(),
    };
    let mut exchange = match connection.start(&request, body, pool.timeouts(outgoing.deadline)) {
        Ok(exchange) => exchange,
        Err((failure, body)) => {
            let again = matches!(failure, Failure::Unprocessed(_)).then_some(body);
            let error = failure.into();
            return Err(Attempt { error, again });
        }
    };
    let interim = cx.interim.clone();
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
            let may_repeat = match &failure {
                Failure::Unprocessed(_) => true,
                // The server had ended the kept connection before the request reached it, as in HTTP/1.1.
                Failure::Closed(_) => !fresh && outgoing.is_idempotent(),
                _ => false,
            };
            let again = may_repeat.then(|| copy.or_else(|| exchange.into_unsent())).flatten();
            let error = failure.into();
            return Err(Attempt { error, again });
        }
    };
    cx.upstream.first_byte = exchange.sent_at().map(|sent| sent.elapsed());
    let body = exchange.into_body(&head, content, &RESPONSE_LIMITS, turn);
    hop_by_hop::strip_hop_by_hop(&mut head.headers);
    if tunnel && (200..300).contains(&head.status.code()) {
        head.status = Status::SWITCHING_PROTOCOLS;
        websocket::complete_handshake(
            &outgoing.request.headers,
            outgoing.protocol.as_deref(),
            &mut head.headers,
        );
    }
    Ok(Response {
        status: head.status,
        headers: head.headers,
        body,
    })
}
