//! A client that speaks HTTP/2 (RFC 9113) by the `h2` crate.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, LocalSet};

use super::gate::PATIENCE;

/// A connection to the gate.
pub(crate) struct Http2Client {
    pub(crate) requests: SendRequest<Bytes>,
    /// Becomes ready when the connection has ended, with what ended it.
    pub(crate) connection: JoinHandle<Result<(), h2::Error>>,
}

/// An answer with all its content.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) head: Response<()>,
    pub(crate) content: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

/// Runs what a test does with clients, all on this thread, in a time that is far too long.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let patiently = async {
        tokio::time::timeout(PATIENCE * 2, test)
            .await
            .expect("the test waited in vain")
    };
    LocalSet::new().block_on(&runtime, patiently)
}

/// Asks until the answer is yes, while the connections of the test go on.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A GET of the gate.
pub(crate) fn get(path: &str) -> Request<()> {
    request("GET", path)
}

/// A request to the gate.
pub(crate) fn request(method: &str, path: &str) -> Request<()> {
    let uri = format!("http://gate.test{path}");
    Request::builder().method(method).uri(uri).body(()).unwrap()
}

impl Http2Client {
    /// A connection in clear text.
    pub(crate) async fn connect(address: SocketAddr) -> Http2Client {
        Http2Client::with(&Builder::new(), address).await
    }

    /// The same with settings of its own.
    pub(crate) async fn with(builder: &Builder, address: SocketAddr) -> Http2Client {
        Http2Client::over(builder, TcpStream::connect(address).await.unwrap()).await
    }

    /// A connection over a stream that is open.
    pub(crate) async fn over<IO>(builder: &Builder, stream: IO) -> Http2Client
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (requests, connection) = builder.handshake(stream).await.unwrap();
        Http2Client {
            requests,
            connection: tokio::task::spawn_local(connection),
        }
    }

    /// Starts a request, whose content is to follow or not.
    pub(crate) async fn start(&self, request: Request<()>, ends: bool) -> (ResponseFuture, SendStream<Bytes>) {
        let mut requests = self.requests.clone().ready().await.unwrap();
        requests.send_request(request, ends).unwrap()
    }

    /// A request without content, and its answer.
    pub(crate) async fn ask(&self, request: Request<()>) -> Whole {
        let (response, _) = self.start(request, true).await;
        whole(response.await.unwrap()).await.unwrap()
    }
}

/// All of an answer.
pub(crate) async fn whole(response: Response<RecvStream>) -> Result<Whole, h2::Error> {
    let (head, mut stream) = response.into_parts();
    let mut content = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        stream.flow_control().release_capacity(data.len()).unwrap();
        content.extend_from_slice(&data);
    }
    Ok(Whole {
        head: Response::from_parts(head, ()),
        content,
        trailers: stream.trailers().await?,
    })
}

/// Sends content as the other side takes it.
pub(crate) async fn send_all(stream: &mut SendStream<Bytes>, mut content: Bytes, ends: bool) {
    while !content.is_empty() {
        stream.reserve_capacity(content.len());
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
        let room = room.expect("the stream is open").unwrap();
        let piece = content.split_to(room.min(content.len()));
        stream.send_data(piece, ends && content.is_empty()).unwrap();
    }
}

impl Whole {
    pub(crate) fn status(&self) -> u16 {
        self.head.status().as_u16()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.content).unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.headers().get(name).map(|value| value.to_str().unwrap())
    }

    /// Checks that it is a problem document with this code.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status(), status, "{self:?}");
        let problem: serde_json::Value = serde_json::from_slice(&self.content).unwrap();
        assert_eq!(problem["code"], code, "{problem}");
    }
}
