//! One check: a connection, a request over it where the kind of check has one, and the verdict on the response.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use portcullis_config::service::{HealthKind, Protocol};
use portcullis_core::{Body, Error, Frame, Headers, Known, Method, Status, grpc as grpc_fields};
use portcullis_http1::client::{Connection, Failure, Outbound, Timeouts};
use portcullis_http1::framing::BodyLength;
use portcullis_http1::{buffers, encode};
use portcullis_http2::client as http2;

use super::super::RESPONSE_LIMITS;
use super::super::target::{Offer, Target};
use super::super::tls;
use super::super::transport::Transport;
use super::checking::Checks;
use super::grpc;

/// How much of a response is looked at.
const LOOKED_AT: usize = 64 * 1024;

/// Who asks. What servers log of checks is told apart by it.
const USER_AGENT: &str = "portcullis-health";

/// The caller keeps the time of the whole.
const UNLIMITED: Timeouts = Timeouts {
    first_byte: Duration::from_secs(24 * 3600),
    idle: Duration::from_secs(24 * 3600),
    tunnel_idle: Duration::from_secs(24 * 3600),
    deadline: None,
};

/// Checks the target once.
///
/// # Errors
/// Why it doesn't pass, in words for people.
pub(super) async fn look(target: &Arc<Target>, checks: &Checks) -> Result<(), String> {
    let written = &checks.written;
    let kind = written.kind;
    let offer = match target.key.protocol {
        _ if kind == HealthKind::Grpc => Offer::Http2,
        Protocol::Http1 => Offer::Http1,
        Protocol::Http2 => Offer::Http2,
        Protocol::Auto if target.is_secure() => Offer::Http2,
        Protocol::Auto => Offer::Http1,
    };
    let transport = target.open_for_check(offer, written.port).await;
    let transport = transport.map_err(|error| told(&error))?;
    if kind == HealthKind::Tcp {
        return Ok(());
    }
    let speaks_http2 = offer == Offer::Http2 && (!target.is_secure() || transport.protocol() == Some(tls::HTTP2));
    let may_choose = kind == HealthKind::Http && target.key.protocol == Protocol::Auto;
    if offer == Offer::Http2 && !speaks_http2 && !may_choose {
        return Err("it doesn't offer HTTP/2 (ALPN `h2`)".to_owned());
    }
    let request = request(target, checks)?;
    let response = if speaks_http2 {
        over_http2(target, transport, request).await?
    } else {
        over_http1(transport, request).await?
    };
    match kind {
        HealthKind::Grpc => judge_grpc(response).await,
        HealthKind::Http | HealthKind::Tcp => judge(response, checks).await,
    }
}

/// What is asked.
struct Request<'c> {
    method: &'c Method,
    target: portcullis_core::Target,
    headers: Headers,
    body: Bytes,
}

/// What came back.
struct Response {
    status: Status,
    headers: Headers,
    body: Body,
}

fn request<'c>(target: &Target, checks: &'c Checks) -> Result<Request<'c>, String> {
    let mut headers = Headers::new();
    let host = checks.written.host.as_deref().unwrap_or(&target.authority);
    headers.append(Known::Host, host);
    headers.append(Known::UserAgent, USER_AGENT);
    if checks.written.kind != HealthKind::Grpc {
        headers.append(Known::Accept, "*/*");
        return Ok(Request {
            method: &checks.method,
            target: checks.request_target.clone(),
            headers,
            body: Bytes::new(),
        });
    }
    headers.append(Known::ContentType, grpc_fields::Kind::Grpc.content_type());
    Ok(Request {
        method: &Method::Post,
        target: portcullis_core::Target::parse(grpc::PATH).map_err(|_| "the path is malformed".to_owned())?,
        headers,
        body: grpc::request(checks.written.grpc_service.as_deref().unwrap_or_default()),
    })
}

async fn over_http1(transport: Transport, request: Request<'_>) -> Result<Response, String> {
    let mut head = buffers::take_output();
    // The connection serves this request alone (RFC 9112 §9.6).
    let last = b"Connection: close\r\n";
    let framing = BodyLength::None;
    encode::request(
        &mut head,
        request.method,
        &request.target,
        &request.headers,
        last,
        framing,
        None,
    );
    let outbound = Outbound {
        head,
        body: Body::Empty,
        framing,
        method: request.method.clone(),
    };
    let mut exchange = Connection::new(transport).start(outbound, UNLIMITED);
    let head = exchange.head(|_| {}, &RESPONSE_LIMITS).await;
    let head = head.map_err(|failure| match failure {
        Failure::Closed(error) => format!("the connection ended: {error}"),
        Failure::Timeout => "it answered nothing".to_owned(),
        Failure::Invalid(refusal) => format!("what it answered is no response: {}", refusal.detail),
        Failure::Unasked(what) => what.to_owned(),
        Failure::Request(error) => told(&error),
    })?;
    let status = head.status;
    let body = exchange.into_body(&head, &RESPONSE_LIMITS, drop);
    Ok(Response {
        status,
        headers: head.headers,
        body,
    })
}

async fn over_http2(target: &Target, transport: Transport, request: Request<'_>) -> Result<Response, String> {
    let failed = |failure: http2::Failure| told(&failure.into());
    let connection = http2::Connection::open(transport).await.map_err(failed)?;
    let outbound = http2::Outbound {
        method: request.method,
        target: &request.target,
        headers: &request.headers,
        lines: b"",
        authority: &target.authority,
        secure: target.is_secure(),
        te_trailers: true,
        protocol: None,
    };
    let body = if request.body.is_empty() {
        Body::Empty
    } else {
        Body::Full(request.body)
    };
    let started = connection.start(&outbound, body, UNLIMITED);
    let mut exchange = started.map_err(|(failure, _)| failed(failure))?;
    let (head, content) = exchange.head(|_| {}, &RESPONSE_LIMITS).await.map_err(failed)?;
    let body = exchange.into_body(&head, content, &RESPONSE_LIMITS, connection);
    Ok(Response {
        status: head.status,
        headers: head.headers,
        body,
    })
}

async fn judge(response: Response, checks: &Checks) -> Result<(), String> {
    let status = response.status.code();
    let expected = &checks.written.status;
    if !expected.iter().any(|range| range.contains(status)) {
        return Err(format!("status {status}"));
    }
    let Some(text) = &checks.written.body else {
        return Ok(());
    };
    let (content, _) = beginning(response.body).await?;
    let found = content.windows(text.len()).any(|window| window == text.as_bytes());
    found
        .then_some(())
        .ok_or_else(|| format!("status {status}, and the expected text is not in the response"))
}

async fn judge_grpc(response: Response) -> Result<(), String> {
    let status = response.status.code();
    if status != 200 {
        return Err(format!("status {status}"));
    }
    let (content, trailers) = beginning(response.body).await?;
    // A response without a message has its status in the head.
    let fields = trailers.as_ref().unwrap_or(&response.headers);
    match fields.get_str(grpc_fields::STATUS) {
        Some("0") => grpc::judge(&content),
        Some(status) => {
            let message = fields.get_str(grpc_fields::MESSAGE).unwrap_or_default();
            Err(format!("grpc-status {status} {message}").trim_end().to_owned())
        }
        None => Err("the response has no grpc-status".to_owned()),
    }
}

/// The content of a response as far as it is looked at, and its trailers where it goes no further.
async fn beginning(mut body: Body) -> Result<(Vec<u8>, Option<Headers>), String> {
    let mut content = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame.map_err(|error| told(&error))? {
            Frame::Data(data) => {
                let room = LOOKED_AT - content.len();
                content.extend_from_slice(&data[..data.len().min(room)]);
                if content.len() == LOOKED_AT {
                    break;
                }
            }
            Frame::Trailers(trailers) => return Ok((content, Some(trailers))),
        }
    }
    Ok((content, None))
}

/// What an error says to operators.
fn told(error: &Error) -> String {
    match error.cause() {
        Some(cause) => cause.to_string(),
        None => error.to_string(),
    }
}
