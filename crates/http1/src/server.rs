//! The server's side of a connection: requests in, one after the other, responses out.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use portcullis_core::{
    Arrival, Body, DrainTicket, Error, Handler, Interim, Request, Sent, Status, Upgrade, Version, codes,
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::channel::{RequestBody, Shared, takes_interim};
use crate::framing::BodyLength;
use crate::head::{HeadLimits, HeadScanner};
use crate::outgoing::Outgoing;
use crate::request::RequestHead;

/// How long after the last response a connection that must end is read from, so that the client gets the response
/// before it learns that the connection is gone (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(2);

/// The most bytes that are read and dropped meanwhile.
const LINGER_BYTES: usize = 1024 * 1024;

/// How long a connection may be without a request while all are being ended. The next request of one in use may be on its
/// way, and would be lost if the connection were closed at once; so it is answered, and the answer says that it was the last.
const NEXT_REQUEST: Duration = Duration::from_secs(1);

/// What a connection may take: time and size.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How large a head may be.
    pub limits: HeadLimits,
    /// From the first byte of a head to its end.
    pub head_timeout: Duration,
    /// Between two pieces of a body.
    pub body_timeout: Duration,
    /// Between two requests.
    pub idle_timeout: Duration,
    /// Between two pieces of a response that the client takes.
    pub write_timeout: Duration,
}

/// The greeting of a client that knows that we speak HTTP/2 (RFC 9113 §3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection that turned out to be one of HTTP/2, with what was received on it.
pub struct Http2<IO> {
    /// The byte stream.
    pub io: IO,
    /// All that came on it, from the greeting on.
    pub received: BytesMut,
}

/// A connection on which nothing has been read yet. It is small: what awaits it holds little.
pub struct Accepted<IO>(Rc<Shared<IO>>);

impl<IO: AsyncRead + AsyncWrite + Unpin> Accepted<IO> {
    /// A connection that is to be served with these settings.
    pub fn new(io: IO, settings: &Settings) -> Accepted<IO> {
        Accepted(Shared::new(io, settings.limits, settings.body_timeout))
    }
}

/// Serves a connection to its end, or until it turns out that the client speaks HTTP/2: then the connection is given back.
pub async fn serve<IO, H>(
    Accepted(channel): Accepted<IO>,
    handler: &H,
    settings: &Settings,
    drain: &DrainTicket,
) -> Option<Http2<IO>>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Handler,
{
    let mut idle_since = Instant::now();
    let mut served = false;
    loop {
        let ended = match next_head(&channel, settings, drain, idle_since, served).await {
            Incoming::Ended => return None,
            Incoming::Http2 => return Shared::into_parts(channel).map(|(io, received)| Http2 { io, received }),
            // Boxed so that an idle connection doesn't hold the room that a request in progress needs.
            Incoming::Head(head, started) => {
                Box::pin(exchange(&channel, handler, settings, drain, head, started)).await
            }
            Incoming::Refused(error, started) => {
                Box::pin(refuse(&channel, handler, settings, error, started)).await;
                None
            }
        };
        match ended {
            Some(at) => {
                idle_since = at;
                served = true;
            }
            None => break,
        }
    }
    linger(&channel).await;
    None
}

enum Incoming {
    Head(Box<RequestHead>, Instant),
    Refused(Error, Instant),
    /// Not a request, but the greeting of HTTP/2.
    Http2,
    Ended,
}

/// Waits for the next request's head.
async fn next_head<IO>(
    channel: &Shared<IO>,
    settings: &Settings,
    drain: &DrainTicket,
    idle_since: Instant,
    served: bool,
) -> Incoming
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let idle_due = idle_since + settings.idle_timeout;
    let mut started = None;
    let mut scanner = HeadScanner::new();
    poll_fn(|cx| {
        let mut channel = channel.borrow_mut();
        loop {
            // Empty lines before a request are skipped and start no clock (RFC 9112 §2.2).
            if channel.input().iter().any(|byte| !matches!(byte, b'\r' | b'\n')) || channel.input().len() > 4 {
                let began = *started.get_or_insert_with(Instant::now);
                match scanner.parse(channel.input(), &settings.limits) {
                    Ok(Some((head, consumed))) => {
                        channel.consume(consumed);
                        return Poll::Ready(Incoming::Head(Box::new(head), began));
                    }
                    Ok(None) => {}
                    // Only the first bytes can be a greeting. It looks like a request of an odd version until it is whole.
                    Err(_) if !served && channel.input().starts_with(HTTP2_PREFACE) => {
                        return Poll::Ready(Incoming::Http2);
                    }
                    Err(_) if !served && HTTP2_PREFACE.starts_with(channel.input()) => {}
                    Err(refusal) => return Poll::Ready(Incoming::Refused(refusal.into(), began)),
                }
            }
            match channel.poll_receive(cx) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(match started {
                        Some(began) if !channel.input().is_empty() => {
                            let detail = "the connection ended in the middle of the head";
                            Incoming::Refused(Error::new(&codes::BAD_REQUEST).with_detail(detail), began)
                        }
                        _ => Incoming::Ended,
                    });
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Incoming::Ended),
                Poll::Pending => {
                    let due = match started {
                        Some(began) => began + settings.head_timeout,
                        None if !drain.poll_draining(cx) => idle_due,
                        None => idle_due.min(idle_since + NEXT_REQUEST),
                    };
                    let overdue = channel.poll_overdue(cx, due).is_ready();
                    return match started {
                        Some(began) if overdue => {
                            let error = Error::new(&codes::REQUEST_TIMEOUT).with_detail("the head stalled");
                            Poll::Ready(Incoming::Refused(error, began))
                        }
                        None if overdue => Poll::Ready(Incoming::Ended),
                        _ => Poll::Pending,
                    };
                }
            }
        }
    })
    .await
}

/// One request and its response; when it ended, if the connection can go on.
async fn exchange<IO, H>(
    channel: &Rc<Shared<IO>>,
    handler: &H,
    settings: &Settings,
    drain: &DrainTicket,
    head: Box<RequestHead>,
    started: Instant,
) -> Option<Instant>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Handler,
{
    let (request, client) = begin(channel, *head);
    let upgrade = request.upgrade.is_some();
    let interim = takes_interim(client.version).then(|| channel.clone() as Rc<dyn Interim>);
    let (response, memory) = {
        let mut call = pin!(handler.call(
            request,
            Arrival {
                started,
                interim,
                client: channel.clone()
            }
        ));
        poll_fn(|cx| {
            let response = call.as_mut().poll(cx);
            if response.is_pending() {
                // A failure shows again, and for good, when the response is written.
                let _ = channel.borrow_mut().poll_interim(cx);
            }
            response
        })
        .await
    };
    if upgrade && response.status != Status::SWITCHING_PROTOCOLS {
        channel.borrow_mut().decline_upgrade();
    }
    let status = response.status;
    let keep_alive = client.keep_alive && !drain.is_draining();
    let mut outgoing = Outgoing::new(response, &client, || keep_alive && channel.borrow_mut().finish_body());
    let complete = outgoing.send(channel, settings.write_timeout).await;
    let goes_on = complete && outgoing.keeps_alive() && channel.borrow_mut().finish_body();
    let bytes_in = channel.borrow().bytes_in;
    let bytes_out = outgoing.bytes_out();
    drop(outgoing);
    let at = Instant::now();
    handler.ended(
        memory,
        Sent {
            status,
            bytes_in,
            bytes_out,
            complete,
            at,
        },
    );
    channel.borrow_mut().release_empty_input();
    goes_on.then_some(at)
}

/// Starts a request: what the handler gets of it, and what its response needs to know.
fn begin<IO>(channel: &Rc<Shared<IO>>, head: RequestHead) -> (Request, Client)
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let upgrade = head.upgrade.is_some();
    let client = Client {
        version: head.version,
        keep_alive: head.keep_alive,
        is_head: head.method == portcullis_core::Method::Head,
    };
    channel
        .borrow_mut()
        .start_body(head.body, upgrade, head.expect_continue);
    let stream = |wanted: bool| match wanted {
        true => Body::Stream(Box::new(RequestBody(channel.clone()))),
        false => Body::Empty,
    };
    let request = Request {
        method: head.method,
        target: head.target,
        version: head.version,
        headers: head.headers,
        body: stream(!upgrade && head.body != BodyLength::None),
        upgrade: head.upgrade.map(|protocol| Upgrade {
            protocol,
            stream: stream(true),
        }),
    };
    (request, client)
}

async fn refuse<IO, H>(channel: &Rc<Shared<IO>>, handler: &H, settings: &Settings, error: Error, started: Instant)
where
    IO: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    let (response, memory) = handler.refuse(error, started);
    let status = response.status;
    let client = Client {
        version: Version::Http11,
        keep_alive: false,
        is_head: false,
    };
    let mut outgoing = Outgoing::new(response, &client, || false);
    let complete = outgoing.send(channel, settings.write_timeout).await;
    handler.ended(
        memory,
        Sent {
            status,
            bytes_in: 0,
            bytes_out: outgoing.bytes_out(),
            complete,
            at: Instant::now(),
        },
    );
}

/// What of a request decides on the form of its response.
pub(crate) struct Client {
    pub(crate) version: Version,
    pub(crate) keep_alive: bool,
    pub(crate) is_head: bool,
}

/// Ends a connection so that the client can still read the last response.
async fn linger<IO: AsyncRead + AsyncWrite + Unpin>(channel: &Shared<IO>) {
    let due = Instant::now() + LINGER;
    let mut dropped = 0;
    let mut shut = false;
    poll_fn(|cx| {
        let mut channel = channel.borrow_mut();
        if !shut {
            match channel.poll_shutdown(cx) {
                Poll::Ready(Ok(())) => shut = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return channel.poll_overdue(cx, due),
            }
        }
        loop {
            let left = channel.input().len();
            dropped += left;
            channel.consume(left);
            match channel.poll_receive(cx) {
                Poll::Ready(Ok(count)) if count > 0 && dropped < LINGER_BYTES => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return channel.poll_overdue(cx, due),
            }
        }
    })
    .await;
}
