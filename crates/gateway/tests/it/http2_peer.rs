//! An upstream that speaks HTTP/2 (RFC 9113) by the `h2` crate, under the control of a test.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;

use super::folder::Folder;
use super::gate::eventually;

/// A server for a test. It goes with the process.
pub(crate) struct Http2Upstream {
    address: SocketAddr,
    seen: Arc<Seen>,
}

/// What came in.
#[derive(Default)]
pub(crate) struct Seen {
    accepted: AtomicUsize,
    open: AtomicUsize,
    in_progress: AtomicUsize,
    most: AtomicUsize,
    sent: AtomicUsize,
    requests: Mutex<Vec<Request<()>>>,
}

/// A byte stream that a connection is served on.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// What serves one connection; it learns which one it is, from 0.
type Script =
    dyn Fn(Connection<Box<dyn Stream>, Bytes>, usize, Arc<Seen>) -> Pin<Box<dyn Future<Output = ()>>> + Send + Sync;

/// One request and the way to answer it.
pub(crate) struct Call {
    pub(crate) head: http::request::Parts,
    pub(crate) content: RecvStream,
    pub(crate) answer: SendResponse<Bytes>,
    /// Which request it is, over all connections, from 0.
    pub(crate) number: usize,
    seen: Arc<Seen>,
}

impl Http2Upstream {
    /// A server that answers each request by `handler`, in a task of its own.
    pub(crate) fn answering<F>(handler: impl Fn(Call) -> F + Send + Sync + 'static) -> Http2Upstream
    where
        F: Future<Output = ()> + 'static,
    {
        Http2Upstream::with(Builder::new(), handler)
    }

    /// The same with settings of its own.
    pub(crate) fn with<F>(settings: Builder, handler: impl Fn(Call) -> F + Send + Sync + 'static) -> Http2Upstream
    where
        F: Future<Output = ()> + 'static,
    {
        let handler = Arc::new(handler);
        Http2Upstream::playing(settings, move |mut connection, _, seen| {
            let handler = handler.clone();
            async move {
                while let Some(Ok((request, answer))) = connection.accept().await {
                    let call = Call::of(request, answer, &seen);
                    tokio::task::spawn_local(handler(call));
                }
            }
        })
    }

    /// A server that speaks TLS and chooses among these protocols; its certificate, for `upstream.test`, becomes
    /// `upstream.pem` in the folder. To who chooses HTTP/1.1 it says `http1`.
    pub(crate) fn secure(folder: &Folder, protocols: &[&str]) -> Http2Upstream {
        let made = rcgen::generate_simple_self_signed(vec!["upstream.test".to_owned()]).unwrap();
        folder.write("upstream.pem", made.cert.pem());
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let script = |mut connection: Connection<Box<dyn Stream>, Bytes>, _, seen| async move {
            while let Some(Ok((request, answer))) = connection.accept().await {
                Call::of(request, answer, &seen).whole("http2");
            }
        };
        Http2Upstream::start(Builder::new(), Some(TlsAcceptor::from(Arc::new(config))), script)
    }

    /// A server that plays a script on each connection.
    pub(crate) fn playing<F>(
        settings: Builder,
        script: impl Fn(Connection<Box<dyn Stream>, Bytes>, usize, Arc<Seen>) -> F + Send + Sync + 'static,
    ) -> Http2Upstream
    where
        F: Future<Output = ()> + 'static,
    {
        Http2Upstream::start(settings, None, script)
    }

    fn start<F>(
        settings: Builder,
        tls: Option<TlsAcceptor>,
        script: impl Fn(Connection<Box<dyn Stream>, Bytes>, usize, Arc<Seen>) -> F + Send + Sync + 'static,
    ) -> Http2Upstream
    where
        F: Future<Output = ()> + 'static,
    {
        let script: Arc<Script> = Arc::new(move |connection, number, seen| Box::pin(script(connection, number, seen)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let known = seen.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            LocalSet::new().block_on(&runtime, async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    let serving = serve(stream, tls.clone(), settings.clone(), script.clone(), known.clone());
                    tokio::task::spawn_local(serving);
                }
            });
        });
        Http2Upstream { address, seen }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were made so far.
    pub(crate) fn accepted(&self) -> usize {
        self.seen.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.seen.open.load(Ordering::SeqCst)
    }

    /// How many requests are in progress.
    pub(crate) fn in_progress(&self) -> usize {
        self.seen.in_progress.load(Ordering::SeqCst)
    }

    /// How many requests were in progress at a time, at the most.
    pub(crate) fn most_in_progress(&self) -> usize {
        self.seen.most.load(Ordering::SeqCst)
    }

    /// How many bytes of content tests said that they sent.
    pub(crate) fn sent(&self) -> usize {
        self.seen.sent.load(Ordering::SeqCst)
    }

    /// The heads of the requests that came in so far.
    pub(crate) fn requests(&self) -> Vec<Request<()>> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// The last request, once there is one.
    pub(crate) fn last(&self) -> Request<()> {
        eventually("a request at the upstream", || !self.requests().is_empty());
        self.requests().pop().unwrap()
    }
}

async fn serve(
    stream: tokio::net::TcpStream,
    tls: Option<TlsAcceptor>,
    settings: Builder,
    script: Arc<Script>,
    seen: Arc<Seen>,
) {
    let number = seen.accepted.fetch_add(1, Ordering::SeqCst);
    seen.open.fetch_add(1, Ordering::SeqCst);
    stream.set_nodelay(true).unwrap();
    if let Some(stream) = secured(stream, tls).await
        && let Ok(connection) = settings.handshake(stream).await
    {
        script(connection, number, seen.clone()).await;
    }
    seen.open.fetch_sub(1, Ordering::SeqCst);
}

/// The stream to speak HTTP/2 on; none where TLS failed, or HTTP/1.1 was chosen, which has been spoken then.
async fn secured(stream: tokio::net::TcpStream, tls: Option<TlsAcceptor>) -> Option<Box<dyn Stream>> {
    let Some(tls) = tls else {
        return Some(Box::new(stream));
    };
    let mut stream = tls.accept(stream).await.ok()?;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        return Some(Box::new(stream));
    }
    let mut input = Vec::new();
    while stream.read_buf(&mut input).await.ok()? > 0 {
        if input.ends_with(b"\r\n\r\n") {
            input.clear();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhttp1";
            stream.write_all(answer).await.ok()?;
            stream.flush().await.ok()?;
        }
    }
    None
}

impl Call {
    pub(crate) fn of(request: Request<RecvStream>, answer: SendResponse<Bytes>, seen: &Arc<Seen>) -> Call {
        let (head, content) = request.into_parts();
        let in_progress = seen.in_progress.fetch_add(1, Ordering::SeqCst) + 1;
        seen.most.fetch_max(in_progress, Ordering::SeqCst);
        let mut requests = seen.requests.lock().unwrap();
        let number = requests.len();
        requests.push(Request::from_parts(head.clone(), ()));
        drop(requests);
        Call {
            head,
            content,
            answer,
            number,
            seen: seen.clone(),
        }
    }

    /// Answers with content, whole.
    pub(crate) fn whole(&mut self, text: impl Into<Bytes>) {
        let mut stream = self.begin(Response::new(()));
        let _ = stream.send_data(text.into(), true);
    }

    /// Sends a head; content is to follow.
    pub(crate) fn begin(&mut self, head: Response<()>) -> SendStream<Bytes> {
        self.answer.send_response(head, false).unwrap()
    }

    /// The next piece of the content; none at its end.
    pub(crate) async fn piece(&mut self) -> Option<Bytes> {
        let piece = self.content.data().await?.ok()?;
        let _ = self.content.flow_control().release_capacity(piece.len());
        Some(piece)
    }

    /// All of the content, and the trailers.
    pub(crate) async fn all(&mut self) -> (Vec<u8>, Option<HeaderMap>) {
        let mut all = Vec::new();
        while let Some(piece) = self.piece().await {
            all.extend_from_slice(&piece);
        }
        (all, self.content.trailers().await.ok().flatten())
    }

    /// Counts content that is being sent.
    pub(crate) fn sends(&self, bytes: usize) {
        self.seen.sent.fetch_add(bytes, Ordering::SeqCst);
    }

    /// Waits until the client gives the request up before it has an answer, and says why.
    pub(crate) async fn abandoned(&mut self) -> h2::Reason {
        std::future::poll_fn(|cx| self.answer.poll_reset(cx)).await.unwrap()
    }
}

/// Waits until the client gives up a request whose answer has begun, and says why.
pub(crate) async fn given_up(stream: &mut SendStream<Bytes>) -> h2::Reason {
    std::future::poll_fn(|cx| stream.poll_reset(cx)).await.unwrap()
}

impl Drop for Call {
    fn drop(&mut self) {
        self.seen.in_progress.fetch_sub(1, Ordering::SeqCst);
    }
}
