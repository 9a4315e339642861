//! Asks for each request of a plan once, before any load: does it work, and is the answer as it is described?

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use portcullis_bench::flow::Iteration;
use portcullis_bench::request::Request;
use portcullis_bench::{Plan, Target};
use portcullis_core::{Body, Headers, Known, Method};
use portcullis_http1::client::{Connection, Failure, Outbound, Timeouts};
use portcullis_http1::framing::BodyLength;
use portcullis_http1::{HeadLimits, buffers};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;

/// What the head of an answer may have.
const HEAD: HeadLimits = HeadLimits {
    head_bytes: 64 * 1024,
    target_bytes: 8 * 1024,
    fields: 200,
};

/// The most of an answer's content that is looked at.
const LARGEST: u64 = 8 * 1024 * 1024;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came back.
pub(crate) struct Answered {
    /// The status.
    pub(crate) status: u16,
    /// The fields.
    pub(crate) headers: Headers,
    /// The content; nothing where it is too large to be looked at.
    pub(crate) body: Option<Bytes>,
}

/// Asks for the first request of each flow, one after the other, by HTTP/1.1. Gives one outcome for each.
///
/// # Errors
/// When nothing can be asked at all.
pub(crate) fn each(plan: &Plan) -> Result<Vec<Result<Answered, String>>, String> {
    on_a_runtime(async {
        let mut outcomes = Vec::with_capacity(plan.flows.len());
        for (number, flow) in (0..).zip(plan.flows.iter()) {
            let step = flow
                .steps
                .first()
                .ok_or_else(|| format!("the flow {} does nothing", flow.name))?;
            let mut iteration = Iteration::new(plan.seed, number);
            let outcome = match step.request(&mut iteration) {
                Ok(ready) => {
                    let asked = ask(&plan.target, ready.request());
                    let outcome = tokio::time::timeout(PATIENCE, asked).await;
                    outcome.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
                }
                Err(unfit) => Err(unfit.0),
            };
            outcomes.push(outcome);
        }
        Ok(outcomes)
    })?
}

/// Asks for a document of the target.
///
/// # Errors
/// When there is no answer, or no good one.
pub(crate) fn document(target: &Target, path: &str, headers: &[(String, String)]) -> Result<Bytes, String> {
    let mut fields = Headers::new();
    for (name, value) in headers {
        fields.append(name.as_str(), value);
    }
    let request = Request::new(&target.authority, Method::Get, path, fields, Bytes::new()).map_err(|unfit| unfit.0)?;
    let answered = on_a_runtime(async {
        let outcome = tokio::time::timeout(PATIENCE, ask(target, &request)).await;
        outcome.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
    })??;
    match answered.body {
        Some(body) if answered.status == 200 => Ok(body),
        Some(_) => Err(format!("it is answered with {}", answered.status)),
        None => Err("it is too large".to_owned()),
    }
}

/// Our HTTP stays on one thread.
fn on_a_runtime<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    Ok(LocalSet::new().block_on(&runtime, work))
}

async fn ask(target: &Target, request: &Request) -> Result<Answered, String> {
    let stream = connect(&target.addresses).await?;
    match &target.tls {
        None => exchange(stream, request).await,
        Some(tls) => {
            let mut config = (*tls.config).clone();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            let connector = TlsConnector::from(std::sync::Arc::new(config));
            let stream = connector
                .connect(tls.name.clone(), stream)
                .await
                .map_err(|error| format!("can't speak TLS: {error}"))?;
            exchange(stream, request).await
        }
    }
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let stream = TcpStream::connect(addresses)
        .await
        .map_err(|error| format!("can't connect: {error}"))?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    Ok(stream)
}

async fn exchange<IO>(stream: IO, request: &Request) -> Result<Answered, String>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let timeouts = Timeouts {
        first_byte: PATIENCE,
        idle: PATIENCE,
        tunnel_idle: PATIENCE,
        deadline: Some(Instant::now() + PATIENCE),
    };
    let mut exchange = Connection::new(stream).start(outbound(request), timeouts);
    let head = exchange.head(drop, &HEAD).await;
    let head = head.map_err(told)?;
    let body = exchange.into_body(&head, &HEAD, drop).read_to_end(LARGEST).await;
    Ok(Answered {
        status: head.status.code(),
        headers: head.headers,
        body: body.ok(),
    })
}

fn outbound(request: &Request) -> Outbound {
    let framing = match request.body.len() {
        0 => BodyLength::None,
        length => BodyLength::Sized(length as u64),
    };
    let mut head = buffers::take_output();
    head.extend_from_slice(&request.http1[..request.http1.len() - request.body.len()]);
    Outbound {
        head,
        body: Body::from(request.body.clone()),
        framing,
        method: request.method.clone(),
    }
}

fn told(failure: Failure) -> String {
    match failure {
        Failure::Closed(error) => format!("the connection broke off: {error}"),
        Failure::Timeout => format!("no answer within {PATIENCE:?}"),
        Failure::Invalid(refusal) => format!("no answer of HTTP/1.1 came: {}", refusal.detail),
        Failure::Unasked(what) => format!("no answer of HTTP/1.1 came: {what}"),
        Failure::Request(error) => error.to_string(),
    }
}

impl Answered {
    /// The media type of the content, without parameters and in lower case.
    pub(crate) fn media_type(&self) -> Option<String> {
        let written = self.headers.get_str(Known::ContentType)?;
        Some(
            written
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase(),
        )
    }
}
