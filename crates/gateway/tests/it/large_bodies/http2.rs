//! By HTTP/2, and through to an upstream that speaks it too, as gRPC does.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use h2::{RecvStream, SendStream, client, server};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};

use super::super::upstream::Upstream;
use super::{Passage, Pattern, run, size, whole};

/// What may be on its way before it was taken. With less, the test is about how fast windows come.
const WINDOW: u32 = 1 << 20;

/// What a failure of the protocol is to these tests.
fn broken(failure: h2::Error) -> io::Error {
    io::Error::other(failure)
}

async fn connect(address: SocketAddr) -> io::Result<client::SendRequest<Bytes>> {
    let stream = TcpStream::connect(address).await?;
    let (requests, connection) = client::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .handshake(stream)
        .await
        .map_err(broken)?;
    tokio::spawn(connection);
    requests.ready().await.map_err(broken)
}

fn request(method: &str, path: &str) -> Request<()> {
    let uri = format!("http://localhost{path}");
    Request::builder().method(method).uri(uri).body(()).unwrap()
}

/// Sends as the windows allow.
async fn send(stream: &mut SendStream<Bytes>, mut piece: Bytes) -> io::Result<()> {
    while !piece.is_empty() {
        stream.reserve_capacity(piece.len());
        let room = poll_fn(|cx| stream.poll_capacity(cx)).await;
        let room = room
            .ok_or_else(|| io::Error::other("the stream is closed"))?
            .map_err(broken)?;
        let now = piece.split_to(room.min(piece.len()));
        stream.send_data(now, false).map_err(broken)?;
    }
    Ok(())
}

async fn send_pattern(stream: &mut SendStream<Bytes>) -> io::Result<()> {
    let mut pattern = Pattern::new();
    while pattern.0 < size() {
        send(stream, pattern.next(size() - pattern.0)).await?;
    }
    Ok(())
}

/// The next piece of content, whose room is given back.
async fn receive(stream: &mut RecvStream) -> io::Result<Option<Bytes>> {
    let Some(piece) = stream.data().await else {
        return Ok(None);
    };
    let piece = piece.map_err(broken)?;
    stream.flow_control().release_capacity(piece.len()).map_err(broken)?;
    Ok(Some(piece))
}

async fn check_pattern(stream: &mut RecvStream) -> io::Result<()> {
    let mut pattern = Pattern::new();
    while let Some(piece) = receive(stream).await? {
        pattern.check(&piece);
    }
    assert_eq!(pattern.0, size());
    Ok(())
}

async fn up(address: SocketAddr) -> io::Result<()> {
    let mut requests = connect(address).await?;
    let mut head = request("POST", "/up");
    let length = HeaderValue::from_str(&size().to_string()).unwrap();
    head.headers_mut().insert("content-length", length);
    let (response, mut stream) = requests.send_request(head, false).map_err(broken)?;
    send_pattern(&mut stream).await?;
    stream.send_data(Bytes::new(), true).map_err(broken)?;
    let mut body = response.await.map_err(broken)?.into_body();
    let mut text = Vec::new();
    while let Some(piece) = receive(&mut body).await? {
        text.extend_from_slice(&piece);
    }
    assert_eq!(String::from_utf8(text).unwrap(), whole());
    Ok(())
}

async fn down(address: SocketAddr) -> io::Result<()> {
    let mut requests = connect(address).await?;
    let (response, _) = requests.send_request(request("GET", "/down"), true).map_err(broken)?;
    check_pattern(&mut response.await.map_err(broken)?.into_body()).await
}

/// Both directions of one call at once, with trailers at the end.
async fn call(address: SocketAddr) -> io::Result<()> {
    let mut requests = connect(address).await?;
    let mut head = request("POST", "/pattern.Echo/Call");
    let fields = head.headers_mut();
    fields.insert("content-type", HeaderValue::from_static("application/grpc"));
    fields.insert("te", HeaderValue::from_static("trailers"));
    let (response, mut stream) = requests.send_request(head, false).map_err(broken)?;
    let sending = async move {
        send_pattern(&mut stream).await?;
        stream.send_data(Bytes::new(), true).map_err(broken)
    };
    let receiving = async move {
        let mut body = response.await.map_err(broken)?.into_body();
        check_pattern(&mut body).await?;
        let trailers = body
            .trailers()
            .await
            .map_err(broken)?
            .expect("a call ends with trailers");
        assert_eq!(trailers["grpc-status"], "0");
        Ok(())
    };
    tokio::try_join!(sending, receiving).map(|_| ())
}

/// An upstream that echoes calls by HTTP/2 with prior knowledge.
fn echo() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        run(async move {
            let listener = TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(async move {
                    let mut connection = server::Builder::new()
                        .initial_window_size(WINDOW)
                        .initial_connection_window_size(WINDOW)
                        .handshake(stream)
                        .await
                        .map_err(broken)?;
                    while let Some(call) = connection.accept().await {
                        let (request, respond) = call.map_err(broken)?;
                        tokio::spawn(answer(request.into_body(), respond));
                    }
                    io::Result::Ok(())
                });
            }
        });
    });
    address
}

async fn answer(mut body: RecvStream, mut respond: server::SendResponse<Bytes>) -> io::Result<()> {
    let head = Response::builder()
        .header("content-type", "application/grpc")
        .body(())
        .unwrap();
    let mut stream = respond.send_response(head, false).map_err(broken)?;
    while let Some(piece) = receive(&mut body).await? {
        send(&mut stream, piece).await?;
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers).map_err(broken)
}

#[test]
fn up_and_down() {
    let passage = Passage::start();
    passage.pass("HTTP/2 up", || run(up(passage.clear())));
    passage.pass("HTTP/2 down", || run(down(passage.clear())));
}

#[test]
fn through_to_http_2() {
    let service = format!("{{targets: \"http://{}\", protocol: http2}}", echo());
    let passage = Passage::to(&service, Upstream::ok());
    passage.pass("HTTP/2 to HTTP/2, both ways", || run(call(passage.clear())));
}
