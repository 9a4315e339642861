//! A client of HTTP/3, and one of QUIC alone that sends what it is told to.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, Bytes};
use h3::client::{RequestStream, SendRequest};
use h3::error::{Code, StreamError};
use http::HeaderMap;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connecting, Connection, Endpoint, ReadError, RecvStream, SendStream, TransportConfig, VarInt};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::client::Answer;
use super::gate::PATIENCE;
use super::secure::Returning;

type Stream = RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>;

/// A way to the gate by QUIC.
pub(crate) struct Quic {
    runtime: Runtime,
    endpoint: Endpoint,
}

/// A connection that speaks HTTP/3.
pub(crate) struct Http3<'q> {
    quic: &'q Quic,
    pub(crate) connection: Connection,
    requests: SendRequest<h3_quinn::OpenStreams, Bytes>,
    driver: JoinHandle<()>,
}

/// A request that was begun.
pub(crate) struct Exchange<'q> {
    quic: &'q Quic,
    stream: Stream,
}

impl Quic {
    /// A way that trusts and shows what `visitor` does.
    pub(crate) fn new(visitor: &Returning) -> Quic {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let mut tls = visitor.settings();
        tls.alpn_protocols = vec![b"h3".to_vec()];
        tls.enable_early_data = true;
        let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let mut transport = TransportConfig::default();
        // A gate that is gone shall not hold a test up.
        transport.max_idle_timeout(Some(PATIENCE.try_into().unwrap()));
        config.transport_config(Arc::new(transport));
        let mut endpoint = {
            let _context = runtime.enter();
            Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()
        };
        endpoint.set_default_client_config(config);
        Quic { runtime, endpoint }
    }

    /// A connection whose handshake is complete.
    pub(crate) fn try_connect(&self, address: SocketAddr) -> Result<Connection, quinn::ConnectionError> {
        self.wait(self.start(address))
    }

    /// HTTP/3 over a new connection.
    pub(crate) fn connect(&self, address: SocketAddr) -> Http3<'_> {
        self.speak(self.try_connect(address).unwrap())
    }

    /// HTTP/3 over a connection whose handshake has only begun, of which an earlier one has left the means.
    pub(crate) fn connect_early(&self, address: SocketAddr) -> Option<Http3<'_>> {
        let (connection, _accepted) = self.start(address).into_0rtt().ok()?;
        Some(self.speak(connection))
    }

    fn start(&self, address: SocketAddr) -> Connecting {
        let _context = self.runtime.enter();
        self.endpoint.connect(address, "gate.test").unwrap()
    }

    pub(crate) fn speak(&self, connection: Connection) -> Http3<'_> {
        let made = h3::client::new(h3_quinn::Connection::new(connection.clone()));
        let (mut driver, requests) = self.wait(made).unwrap();
        let driver = self.runtime.spawn(async move {
            std::future::poll_fn(|cx| driver.poll_close(cx)).await;
        });
        Http3 {
            quic: self,
            connection,
            requests,
            driver,
        }
    }

    /// Goes on from another port.
    pub(crate) fn move_away(&self) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let _context = self.runtime.enter();
        self.endpoint.rebind(socket).unwrap();
    }

    /// A stream for a request, with nothing on it.
    pub(crate) fn open(&self, connection: &Connection) -> (SendStream, RecvStream) {
        self.wait(connection.open_bi()).unwrap()
    }

    /// Sends bytes as they are, and perhaps the end.
    pub(crate) fn send(&self, stream: &mut SendStream, bytes: &[u8], end: bool) {
        self.wait(stream.write_all(bytes)).unwrap();
        if end {
            stream.finish().unwrap();
        }
    }

    /// The code by which the gate breaks a stream off.
    pub(crate) fn broken_off(&self, stream: &mut RecvStream) -> u64 {
        let end = self.wait(async {
            loop {
                match stream.read_chunk(usize::MAX, true).await {
                    Ok(Some(_)) => {}
                    Ok(None) => return None,
                    Err(ReadError::Reset(code)) => return Some(code.into_inner()),
                    Err(error) => panic!("{error}"),
                }
            }
        });
        end.expect("the stream was broken off")
    }

    /// The code by which the gate ends a connection.
    pub(crate) fn closed(&self, connection: &Connection) -> u64 {
        match self.wait(connection.closed()) {
            quinn::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
            other => panic!("{other}"),
        }
    }

    /// Handshakes that have begun.
    pub(crate) fn begin_handshakes(&self, address: SocketAddr, count: usize) -> Vec<Connecting> {
        (0..count).map(|_| self.start(address)).collect()
    }

    /// Sends bytes as they are, and says whether the gate took them within a second.
    pub(crate) fn try_send(&self, stream: &mut SendStream, bytes: &[u8]) -> bool {
        self.wait(async {
            let soon = tokio::time::timeout(Duration::from_secs(1), stream.write_all(bytes));
            soon.await.is_ok_and(|sent| sent.is_ok())
        })
    }

    /// Another stream that only the client writes on, if the gate lets it have one in that time.
    pub(crate) fn opens_another(&self, connection: &Connection, patience: Duration) -> Option<SendStream> {
        self.wait(async {
            let mut stream = tokio::time::timeout(patience, connection.open_uni())
                .await
                .ok()?
                .unwrap();
            // The first byte of two, so that the stream is there and its kind is not.
            stream.write_all(b"\x40").await.unwrap();
            Some(stream)
        })
    }

    /// What comes of `work`, which must not take long.
    pub(crate) fn wait<F: Future>(&self, work: F) -> F::Output {
        let done = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, work).await });
        done.expect("it takes too long")
    }
}

impl<'q> Http3<'q> {
    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.ask("GET", target, &[], b"")
    }

    /// One request, and its whole answer.
    pub(crate) fn ask(&mut self, method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut exchange = self.begin(method, target, fields);
        exchange.send(body);
        exchange.finish();
        exchange.answer().unwrap()
    }

    /// The head of a request.
    pub(crate) fn begin(&mut self, method: &str, target: &str, fields: &[(&str, &str)]) -> Exchange<'q> {
        self.try_begin(method, target, fields).unwrap()
    }

    pub(crate) fn try_begin(
        &mut self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
    ) -> Result<Exchange<'q>, StreamError> {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("https://gate.test{target}"));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let sent = self.quic.wait(self.requests.send_request(request.body(()).unwrap()));
        Ok(Exchange {
            quic: self.quic,
            stream: sent?,
        })
    }
}

impl Drop for Http3<'_> {
    fn drop(&mut self) {
        self.connection.close(VarInt::from_u32(0x100), b"");
        self.driver.abort();
    }
}

impl Exchange<'_> {
    /// Sends content. The gate may want no more of it, and answer all the same.
    pub(crate) fn send(&mut self, body: &[u8]) {
        for part in body.chunks(60_000) {
            let _ = self.quic.wait(self.stream.send_data(Bytes::copy_from_slice(part)));
        }
    }

    /// The code with which the gate says that it wants no more of the request.
    pub(crate) fn stopped(&mut self) -> u64 {
        loop {
            match self.quic.wait(self.stream.send_data(Bytes::from_static(b"more"))) {
                Ok(()) => std::thread::yield_now(),
                Err(StreamError::RemoteTerminate { code, .. }) => return code.value(),
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(crate) fn send_trailers(&mut self, fields: &[(&'static str, &str)]) {
        let fields = fields
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        self.quic
            .wait(self.stream.send_trailers(HeaderMap::from_iter(fields)))
            .unwrap();
    }

    pub(crate) fn finish(&mut self) {
        let _ = self.quic.wait(self.stream.finish());
    }

    /// Breaks the request off.
    pub(crate) fn cancel(&mut self) {
        self.stream.stop_stream(Code::H3_REQUEST_CANCELLED);
        self.stream.stop_sending(Code::H3_REQUEST_CANCELLED);
    }

    /// The head of the answer: status and fields.
    pub(crate) fn head(&mut self) -> Result<Answer, StreamError> {
        let (parts, ()) = self.quic.wait(self.stream.recv_response())?.into_parts();
        Ok(Answer {
            status: parts.status.as_u16(),
            fields: texts(&parts.headers),
            body: Vec::new(),
            trailers: Vec::new(),
        })
    }

    /// Some of the content; none at its end.
    pub(crate) fn some(&mut self) -> Result<Option<Vec<u8>>, StreamError> {
        let data = self.quic.wait(self.stream.recv_data())?;
        Ok(data.map(|mut data| data.copy_to_bytes(data.remaining()).to_vec()))
    }

    /// The whole answer.
    pub(crate) fn answer(&mut self) -> Result<Answer, StreamError> {
        let mut answer = self.head()?;
        while let Some(data) = self.some()? {
            answer.body.extend(data);
        }
        let trailers = self.quic.wait(self.stream.recv_trailers())?;
        answer.trailers = trailers.iter().flat_map(texts).collect();
        Ok(answer)
    }

    /// The code by which the gate broke the answer off.
    pub(crate) fn broken_off(&mut self) -> u64 {
        match self.answer() {
            Err(StreamError::RemoteTerminate { code, .. }) => code.value(),
            other => panic!("{other:?}"),
        }
    }
}

/// A line between a client and the gate, on which what the gate says can be held back.
pub(crate) struct Line {
    pub(crate) address: SocketAddr,
    held: Arc<Mutex<Option<Vec<Vec<u8>>>>>,
    client: Arc<Mutex<Option<SocketAddr>>>,
    near: Arc<UdpSocket>,
    retried: Arc<AtomicBool>,
}

impl Line {
    pub(crate) fn to(gate: SocketAddr) -> Line {
        let (near, far) = (socket(), socket());
        far.connect(gate).unwrap();
        let line = Line {
            address: near.local_addr().unwrap(),
            held: Arc::default(),
            client: Arc::default(),
            near: near.clone(),
            retried: Arc::default(),
        };
        let (client, out) = (line.client.clone(), far.clone());
        std::thread::spawn(move || {
            let mut packet = [0; 65_536];
            while let Ok((length, from)) = line_in(&near, &mut packet) {
                *client.lock().unwrap() = Some(from);
                let _ = out.send(&packet[..length]);
            }
        });
        let (held, client, back) = (line.held.clone(), line.client.clone(), line.near.clone());
        let retried = line.retried.clone();
        std::thread::spawn(move || {
            let mut packet = [0; 65_536];
            while let Ok((length, _)) = line_in(&far, &mut packet) {
                let packet = &packet[..length];
                // A packet of that type (RFC 9000 §17.2.5).
                if packet[0] & 0xf0 == 0xf0 {
                    retried.store(true, Ordering::SeqCst);
                }
                match &mut *held.lock().unwrap() {
                    Some(held) => held.push(packet.to_vec()),
                    None => drop(client.lock().unwrap().map(|client| back.send_to(packet, client))),
                }
            }
        });
        line
    }

    /// Whether the gate has asked a client to show that it is where it says.
    pub(crate) fn saw_retry(&self) -> bool {
        self.retried.load(Ordering::SeqCst)
    }

    /// Holds back what the gate says from now on.
    pub(crate) fn hold(&self) {
        *self.held.lock().unwrap() = Some(Vec::new());
    }

    /// Lets it through.
    pub(crate) fn release(&self) {
        let held = self.held.lock().unwrap().take();
        let client = self.client.lock().unwrap().unwrap();
        for packet in held.into_iter().flatten() {
            self.near.send_to(&packet, client).unwrap();
        }
    }
}

fn socket() -> Arc<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE * 2)).unwrap();
    Arc::new(socket)
}

/// The next packet. An error of an earlier one that was sent in vain is passed over.
fn line_in(socket: &UdpSocket, packet: &mut [u8]) -> std::io::Result<(usize, SocketAddr)> {
    loop {
        match socket.recv_from(packet) {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {}
            received => return received,
        }
    }
}

/// How long a test leaves something undisturbed that must not happen.
pub(crate) const UNDISTURBED: Duration = Duration::from_millis(300);

fn texts(fields: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    fields
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}
