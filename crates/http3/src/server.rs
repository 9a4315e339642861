//! The server's side of a connection: requests in, many at a time, responses out.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h3::error::{Code, StreamError};
use h3::server::{Connection, RequestResolver};
use portcullis_core::{
    Arrival, Body, DrainTicket, Error, Handler, Method, Request, Response, Sent, Status, Version, Watch, codes,
};
use portcullis_http1::server::Settings;
use portcullis_http1::watchdog::Watchdog;
use portcullis_http2::message::{self, RequestHead};

use crate::activity::{Activity, InProgress};
use crate::interim::Interims;
use crate::request_body::{Reading, RequestBody, TrailerReader};
use crate::response::{Outgoing, in_time};
use crate::stream::{Stream, number};
use crate::transport::Transport;

/// What a field counts in the size of a field section beside its name and value (RFC 9114 §4.2.2).
const FIELD_OVERHEAD: u64 = 32;

/// The most that a field section may come to, whatever a configuration says: the map that it is decoded into holds
/// 24,576 fields, and what it can't hold it panics about.
const MOST_SECTION: u64 = 512 * 1024;

/// How long a connection that was told goodbye stays, so that a client that asks for more meanwhile learns that it may ask
/// elsewhere. Two round trips are enough.
const LINGER: Duration = Duration::from_millis(500);

/// How long a new connection may take to send its first request while all are being ended: it is on its way, most likely.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// What the requests of a connection share.
struct Site<H> {
    handler: Rc<H>,
    settings: Settings,
    activity: Rc<Activity>,
}

/// Serves a connection to its end.
pub async fn serve<H>(connection: quinn::Connection, handler: Rc<H>, settings: Settings, drain: DrainTicket)
where
    H: Handler + 'static,
{
    let longest = section_limit(&settings);
    let (transport, accepted) = Transport::new(connection.clone(), longest);
    let mut builder = h3::server::builder();
    builder.max_field_section_size(longest).send_grease(false);
    let Ok(mut wire) = builder.build::<_, Bytes>(transport).await else {
        return;
    };
    let site = Rc::new(Site {
        handler,
        settings,
        activity: Activity::new(),
    });
    let mut watchdog = Watchdog::new();
    let mut left = None;
    let mut first_due = Some(Instant::now() + FIRST_REQUEST);
    loop {
        match next(&mut wire, &site, &drain, &mut watchdog, left, first_due).await {
            Event::Request(resolver) => {
                first_due = None;
                let Some(stream) = accepted.take() else { continue };
                if left.is_some() {
                    // The client was told that this one will not be looked at (RFC 9114 §5.2).
                    stream.stop(Code::H3_REQUEST_REJECTED);
                    stream.reset(Code::H3_REQUEST_REJECTED);
                    continue;
                }
                let in_progress = site.activity.begin();
                tokio::task::spawn_local(exchange(site.clone(), resolver, stream, in_progress));
            }
            Event::Leave if left.is_none() => {
                left = Some(Instant::now() + LINGER.min(2 * connection.rtt()));
                // One more than the last that was accepted is the first that will not be looked at.
                if wire.shutdown(1).await.is_err() {
                    return;
                }
            }
            Event::Leave | Event::Ended => return,
            Event::Abused => {
                connection.close(number(Code::H3_EXCESSIVE_LOAD), b"too many requests were broken off");
                return;
            }
        }
    }
}

/// The most that a field section may come to as HTTP/3 counts it. What is too large for the listener is found out
/// afterwards, and answered.
fn section_limit(settings: &Settings) -> u64 {
    let limits = &settings.limits;
    let fields = FIELD_OVERHEAD * (limits.fields as u64 + 8);
    MOST_SECTION.min(2 * limits.head_bytes as u64 + fields)
}

type Resolver = RequestResolver<Transport, Bytes>;

#[allow(clippy::large_enum_variant, reason = "it is handed on at once")]
enum Event {
    /// A request begins.
    Request(Resolver),
    /// There is no reason to stay: no request was made for long, or all connections shall end; after the goodbye, all
    /// requests are answered.
    Leave,
    /// The client makes work for nothing.
    Abused,
    /// The connection is gone.
    Ended,
}

/// Waits for what happens next on a connection; after the goodbye, until the last request is answered and `left` is past.
/// Where no request has come yet, the goodbye waits until one does, or until `first_due`.
/// Waiting is also what keeps the control streams going.
async fn next<H>(
    wire: &mut Connection<Transport, Bytes>,
    site: &Site<H>,
    drain: &DrainTicket,
    watchdog: &mut Watchdog,
    left: Option<Instant>,
    first_due: Option<Instant>,
) -> Event {
    let mut accept = pin!(wire.accept());
    poll_fn(|cx| {
        if let Poll::Ready(accepted) = accept.as_mut().poll(cx) {
            return Poll::Ready(match accepted {
                Ok(Some(resolver)) => Event::Request(resolver),
                Ok(None) | Err(_) => Event::Ended,
            });
        }
        if site.activity.is_abused() {
            return Poll::Ready(Event::Abused);
        }
        let idle_since = site.activity.idle_since(cx);
        if left.is_none() && drain.poll_draining(cx) {
            return match first_due {
                Some(due) => watchdog.poll_overdue(cx, due).map(|()| Event::Leave),
                None => Poll::Ready(Event::Leave),
            };
        }
        match idle_since {
            None => Poll::Pending,
            Some(since) => watchdog
                .poll_overdue(cx, left.unwrap_or(since + site.settings.idle_timeout))
                .map(|()| Event::Leave),
        }
    })
    .await
}

/// One request and its response.
async fn exchange<H: Handler>(site: Rc<Site<H>>, resolver: Resolver, stream: Rc<Stream>, _in_progress: InProgress) {
    let started = Instant::now();
    let mut watchdog = Watchdog::new();
    let resolved = in_time(&mut watchdog, site.settings.head_timeout, resolver.resolve_request()).await;
    let (request, wire) = match resolved {
        Some(Ok(request)) => request,
        Some(Err(error)) => return unread(&site, &stream, error, started),
        None => {
            site.activity.judge(true);
            stream.stop(Code::H3_REQUEST_REJECTED);
            stream.reset(Code::H3_REQUEST_REJECTED);
            let error = Error::new(&codes::REQUEST_TIMEOUT).with_detail("the head stalled");
            return note_refusal(&site, error, started, false);
        }
    };
    let (heads, trailers) = wire.split();
    let mut outgoing = Outgoing::new(stream.clone(), heads, site.settings.write_timeout);
    let (parts, ()) = request.into_parts();
    let head = message::request_head(&parts, None, &site.settings.limits).and_then(|head| may_begin(head, &stream));
    match head {
        Ok(head) => answer(&site, head, &stream, trailers, &mut outgoing, started).await,
        Err(error) => {
            let (response, memory) = site.handler.refuse(error, started);
            let status = response.status;
            let complete = outgoing.send(response, parts.method == http::Method::HEAD).await;
            site.handler
                .ended(memory, sent(status, 0, outgoing.bytes_out, complete));
        }
    }
    site.activity.judge(stream.is_abandoned());
    // The connection must not end before the client has the response.
    let taken = poll_fn(|cx| stream.poll_stopped(cx));
    let _ = in_time(&mut watchdog, site.settings.write_timeout, taken).await;
    // Whatever is left of the request, nobody reads it (RFC 9114 §4.1). Not before: a client that hasn't said yet that
    // its request is whole might take this for a failure and not look at the response.
    stream.stop(Code::H3_NO_ERROR);
}

/// Whether a request may be answered at once: one that changes something must not be one that somebody has recorded and
/// sends again (RFC 8470 §5.2).
fn may_begin(head: RequestHead, stream: &Stream) -> portcullis_core::Result<RequestHead> {
    let harmless = matches!(head.method, Method::Get | Method::Head | Method::Options);
    if stream.in_early_data() && (!harmless || head.content_length.is_some_and(|length| length > 0)) {
        return Err(Error::new(&codes::TOO_EARLY));
    }
    Ok(head)
}

async fn answer<H: Handler>(
    site: &Site<H>,
    head: RequestHead,
    stream: &Rc<Stream>,
    trailers: TrailerReader,
    outgoing: &mut Outgoing,
    started: Instant,
) {
    let interims = Rc::new(Interims::default());
    let received = Rc::new(Cell::new(0));
    let is_head = head.method == Method::Head;
    let ended = poll_fn(|cx| Poll::Ready(stream.has_ended(cx))).await;
    let body = if ended && head.content_length.unwrap_or(0) == 0 {
        Body::Empty
    } else {
        let reading = Reading {
            promised: head.content_length,
            received: received.clone(),
            expected: head.expect_continue.then(|| interims.clone()),
            limits: site.settings.limits,
            timeout: site.settings.body_timeout,
        };
        Body::Stream(Box::new(RequestBody::new(stream.clone(), trailers, reading)))
    };
    let request = Request {
        method: head.method,
        target: head.target,
        version: Version::Http3,
        headers: head.headers,
        body,
        upgrade: None,
    };
    let arrival = Arrival {
        started,
        interim: Some(interims.clone()),
        client: stream.clone(),
    };
    let (response, memory) = called(&*site.handler, request, arrival, &interims, outgoing).await;
    interims.end();
    let status = response.status;
    let complete = outgoing.send(response, is_head).await;
    let sent = sent(status, received.get(), outgoing.bytes_out, complete);
    site.handler.ended(memory, sent);
}

/// The response; meanwhile interim ones go out.
async fn called<H: Handler>(
    handler: &H,
    request: Request,
    arrival: Arrival,
    interims: &Interims,
    outgoing: &mut Outgoing,
) -> (Response, H::Exchange) {
    let mut call = pin!(handler.call(request, arrival));
    loop {
        let step = poll_fn(|cx| match call.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Ok(answer)),
            Poll::Pending => interims
                .pop()
                .map_or(Poll::Pending, |interim| Poll::Ready(Err(interim))),
        })
        .await;
        match step {
            Ok(answer) => {
                while let Some(interim) = interims.pop() {
                    let _ = outgoing.send_head(interim).await;
                }
                return answer;
            }
            // A failure shows again when the response is written.
            Err(interim) => drop(outgoing.send_head(interim).await),
        }
    }
}

/// A request whose head can't be read; `h3` has told the client so.
fn unread<H: Handler>(site: &Site<H>, stream: &Stream, error: StreamError, started: Instant) {
    site.activity.judge(true);
    let error = match error {
        StreamError::HeaderTooBig { .. } => {
            stream.stop(Code::H3_NO_ERROR);
            Error::new(&codes::HEAD_TOO_LARGE)
        }
        StreamError::StreamError { reason, .. } => Error::new(&codes::BAD_REQUEST).with_cause(reason),
        // The frame is too long to be looked at.
        StreamError::Undefined { .. } => {
            stream.stop(Code::H3_EXCESSIVE_LOAD);
            stream.reset(Code::H3_EXCESSIVE_LOAD);
            Error::new(&codes::HEAD_TOO_LARGE)
        }
        // The client, or the whole connection, is gone.
        _ => return,
    };
    note_refusal(site, error, started, false);
}

/// Tells the observers of a request that was refused without an answer of ours.
fn note_refusal<H: Handler>(site: &Site<H>, error: Error, started: Instant, complete: bool) {
    let (response, memory) = site.handler.refuse(error, started);
    site.handler.ended(memory, sent(response.status, 0, 0, complete));
}

fn sent(status: Status, bytes_in: u64, bytes_out: u64, complete: bool) -> Sent {
    Sent {
        status,
        bytes_in,
        bytes_out,
        complete,
        at: Instant::now(),
    }
}
