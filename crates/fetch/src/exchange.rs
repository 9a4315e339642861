//! A question on the wire. It stays on one thread.

use std::net::SocketAddr;
use std::time::Instant;

use portcullis_core::{Body, Known, Method, Scheme, codes};
use portcullis_http1::client::{self, Connection, Outbound, Timeouts};
use portcullis_http1::framing::BodyLength;
use portcullis_http1::{HeadLimits, buffers, encode};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{Answer, Failure, Limits, Question, Url};

/// What the head of an answer may have. A chain of certificates or a long token stands in the content.
const HEAD: HeadLimits = HeadLimits {
    head_bytes: 32 * 1024,
    target_bytes: 8 * 1024,
    fields: 100,
};

/// How we call ourselves.
const USER_AGENT: &str = concat!("portcullis/", env!("CARGO_PKG_VERSION"));

/// Asks, and asks again where the same server sends us, as often as the limits allow.
pub(crate) async fn follow(mut question: Question, tls: &TlsConnector, limits: &Limits) -> Result<Answer, Failure> {
    let mut left = limits.redirects;
    loop {
        let answer = ask(&question, tls, limits).await?;
        let is_redirect = matches!(answer.status, 301 | 302 | 303 | 307 | 308);
        if limits.redirects == 0 || !is_redirect || question.method != Method::Get {
            return Ok(answer);
        }
        let Some(location) = answer.headers.get_str(Known::Location) else {
            return Ok(answer);
        };
        let next = question.url.join(location)?;
        if !next.has_origin_of(&question.url) {
            return Err(Failure::Url(format!(
                "{} leads to another server, {next}",
                question.url
            )));
        }
        left = left
            .checked_sub(1)
            .ok_or_else(|| Failure::Url(format!("{} leads over too many redirects", question.url)))?;
        question.url = next;
    }
}

async fn ask(question: &Question, tls: &TlsConnector, limits: &Limits) -> Result<Answer, Failure> {
    let stream = connect(&question.url, limits).await?;
    match question.url.scheme() {
        Scheme::Http => exchange(stream, question, limits).await,
        Scheme::Https => {
            let host = question.url.host().to_owned();
            let name =
                ServerName::try_from(host).map_err(|_| Failure::Url(format!("{} names no host", question.url)))?;
            let stream = tls
                .connect(name, stream)
                .await
                .map_err(|error| Failure::Unreached(format!("can't speak TLS: {error}")))?;
            exchange(stream, question, limits).await
        }
    }
}

/// Connects to the first address of the host that answers. That clear text stays on this machine is decided by the
/// addresses, for names mean what others say.
async fn connect(url: &Url, limits: &Limits) -> Result<TcpStream, Failure> {
    let cannot = |error: std::io::Error| Failure::Unreached(format!("can't connect to port {}: {error}", url.port()));
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((url.host(), url.port()))
        .await
        .map_err(cannot)?
        .filter(|address| {
            url.scheme() == Scheme::Https || limits.clear_text || address.ip().to_canonical().is_loopback()
        })
        .collect();
    if addresses.is_empty() {
        return Err(Failure::Url(format!(
            "{url} would be asked in clear text beyond this machine"
        )));
    }
    let stream = TcpStream::connect(&*addresses).await.map_err(cannot)?;
    // Head and content go out in one write; nothing is gained by waiting for more.
    stream.set_nodelay(true).map_err(cannot)?;
    Ok(stream)
}

async fn exchange<IO>(stream: IO, question: &Question, limits: &Limits) -> Result<Answer, Failure>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let timeouts = Timeouts {
        first_byte: limits.time,
        idle: limits.time,
        tunnel_idle: limits.time,
        deadline: Some(Instant::now() + limits.time),
    };
    let mut exchange = Connection::new(stream).start(outbound(question), timeouts);
    let head = exchange.head(drop, &HEAD).await;
    let head = head.map_err(|failure| failed(failure, limits))?;
    if head.status.is_informational() {
        return Err(Failure::Invalid(
            "another protocol than the one that was spoken".to_owned(),
        ));
    }
    let body = exchange.into_body(&head, &HEAD, drop).read_to_end(limits.size).await;
    let body = body.map_err(|error| match error.code() {
        code if *code == codes::CONTENT_TOO_LARGE => Failure::TooLarge(limits.size),
        code if *code == codes::UPSTREAM_TIMEOUT => Failure::Late(limits.time),
        _ => Failure::Unreached(format!("the answer broke off: {error:?}")),
    })?;
    Ok(Answer {
        status: head.status.code(),
        headers: head.headers,
        body,
    })
}

fn outbound(question: &Question) -> Outbound {
    let mut headers = question.headers.clone();
    headers.set(Known::Host, question.url.authority());
    if !headers.contains(Known::UserAgent) {
        headers.append(Known::UserAgent, USER_AGENT);
    }
    let length = match question.body.len() {
        0 => BodyLength::None,
        length => BodyLength::Sized(length as u64),
    };
    let (method, target) = (&question.method, question.url.target());
    let mut head = buffers::take_output();
    encode::request(&mut head, method, target, &headers, b"", length, None);
    Outbound {
        head,
        body: Body::from(question.body.clone()),
        framing: length,
        method: question.method.clone(),
    }
}

fn failed(failure: client::Failure, limits: &Limits) -> Failure {
    match failure {
        client::Failure::Closed(error) => Failure::Unreached(format!("the connection broke off: {error}")),
        client::Failure::Timeout => Failure::Late(limits.time),
        client::Failure::Invalid(refusal) => Failure::Invalid(refusal.detail.to_owned()),
        client::Failure::Unasked(what) => Failure::Invalid(what.to_owned()),
        client::Failure::Request(error) => Failure::Invalid(error.to_string()),
    }
}
