use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use h2::RecvStream;
use h2::ext::Protocol;
use h2::server::SendResponse;
use portcullis_core::{Arrival, Body, Handler, Method, Request, Response, Sent, Upgrade, Version, grpc};

use super::answering::Answering;
use super::outgoing::{self, Asked, Plan};
use super::request_body::RequestBody;
use super::{Place, Shared};
use crate::message::{self, RequestHead};

/// Answers one request.
pub(super) async fn answer<H: Handler>(
    place: Place<H>,
    request: http::Request<RecvStream>,
    respond: SendResponse<Bytes>,
) {
    let shared = &*place.0;
    let started = Instant::now();
    let (parts, stream) = request.into_parts();
    let protocol = parts.extensions.get::<Protocol>().map(Protocol::as_str);
    let head = message::request_head(&parts, protocol, &shared.settings.limits);
    drop(parts);
    let expects_continue = head.as_ref().is_ok_and(|head| head.expect_continue);
    let answering = Rc::new(Answering::new(respond, expects_continue));
    let (asked, (response, memory)) = match head {
        Ok(head) => {
            let asked = Asked {
                is_head: head.method == Method::Head,
                tunnel: head.upgrade.is_some(),
            };
            (asked, call(shared, &answering, head, stream, started).await)
        }
        Err(error) => {
            let asked = Asked {
                is_head: false,
                tunnel: false,
            };
            answering.leave(stream, None);
            (asked, shared.handler.refuse(error, started))
        }
    };
    if answering.waits_for_unwanted() {
        outgoing::linger(&answering).await;
    }
    let plan = Plan::of(&response, asked);
    let status = plan.status;
    let sending = outgoing::send(&answering, plan, response, shared.settings.write_timeout).await;
    shared.handler.ended(
        memory,
        Sent {
            status,
            bytes_in: answering.bytes_in(),
            bytes_out: sending.bytes_out,
            complete: sending.complete,
            at: Instant::now(),
        },
    );
    if sending.complete {
        outgoing::linger(&answering).await;
    }
}

async fn call<H: Handler>(
    shared: &Shared<H>,
    answering: &Rc<Answering>,
    head: RequestHead,
    stream: RecvStream,
    started: Instant,
) -> (Response, H::Exchange) {
    let settings = &shared.settings;
    let tunnel = head.upgrade.is_some();
    let body = if stream.is_end_stream() {
        Body::Empty
    } else {
        let patience = (!tunnel).then_some(settings.body_timeout);
        let left = head.content_length.filter(|_| !tunnel);
        let mut body = RequestBody::new(stream, answering.clone(), settings.limits, left, patience);
        if grpc::Kind::of(&head.headers).is_some() {
            body.may_pause();
        }
        Body::Stream(Box::new(body))
    };
    let (body, upgrade) = match head.upgrade {
        Some(protocol) => (Body::Empty, Some(Upgrade { protocol, stream: body })),
        None => (body, None),
    };
    let request = Request {
        method: head.method,
        target: head.target,
        version: Version::Http2,
        headers: head.headers,
        body,
        upgrade,
    };
    let arrival = Arrival {
        started,
        interim: Some(answering.clone()),
        client: answering.clone(),
    };
    shared.handler.call(request, arrival).await
}
