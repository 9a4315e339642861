//! By HTTP/3.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use h3::client::{RequestStream, SendRequest};
use h3_quinn::{BidiStream, OpenStreams};
use http::Request;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::{ClientConfig, RootCertStore};

use super::super::secure::Identity;
use super::{Passage, Pattern, run, size, whole};

/// A connection, which ends with this.
struct Connection {
    requests: SendRequest<OpenStreams, Bytes>,
    _endpoint: quinn::Endpoint,
}

async fn connect(address: SocketAddr, identity: &Identity) -> io::Result<Connection> {
    let mut trusted = RootCertStore::empty();
    trusted.add(identity.certificate.clone()).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let crypto = QuicClientConfig::try_from(tls).map_err(io::Error::other)?;
    let endpoint = quinn::Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let connecting = endpoint.connect_with(quinn::ClientConfig::new(Arc::new(crypto)), address, "localhost");
    let connection = connecting.map_err(io::Error::other)?.await?;
    let (mut driver, requests) = h3::client::new(h3_quinn::Connection::new(connection))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(async move { driver.wait_idle().await });
    Ok(Connection {
        requests,
        _endpoint: endpoint,
    })
}

async fn ask(
    connection: &mut Connection,
    method: &str,
    path: &str,
) -> io::Result<RequestStream<BidiStream<Bytes>, Bytes>> {
    let uri = format!("https://localhost{path}");
    let mut request = Request::builder().method(method).uri(uri);
    if method == "POST" {
        request = request.header("content-length", size());
    }
    let request = request.body(()).unwrap();
    connection
        .requests
        .send_request(request)
        .await
        .map_err(io::Error::other)
}

async fn up(address: SocketAddr, identity: &Identity) -> io::Result<()> {
    let mut connection = connect(address, identity).await?;
    let mut stream = ask(&mut connection, "POST", "/up").await?;
    let mut pattern = Pattern::new();
    while pattern.0 < size() {
        let piece = pattern.next(size() - pattern.0);
        stream.send_data(piece).await.map_err(io::Error::other)?;
    }
    stream.finish().await.map_err(io::Error::other)?;
    stream.recv_response().await.map_err(io::Error::other)?;
    let mut text = Vec::new();
    while let Some(mut piece) = stream.recv_data().await.map_err(io::Error::other)? {
        text.extend_from_slice(&piece.copy_to_bytes(piece.remaining()));
    }
    assert_eq!(String::from_utf8(text).unwrap(), whole());
    Ok(())
}

async fn down(address: SocketAddr, identity: &Identity) -> io::Result<()> {
    let mut connection = connect(address, identity).await?;
    let mut stream = ask(&mut connection, "GET", "/down").await?;
    stream.finish().await.map_err(io::Error::other)?;
    stream.recv_response().await.map_err(io::Error::other)?;
    let mut pattern = Pattern::new();
    while let Some(mut piece) = stream.recv_data().await.map_err(io::Error::other)? {
        pattern.check(&piece.copy_to_bytes(piece.remaining()));
    }
    assert_eq!(pattern.0, size());
    Ok(())
}

#[test]
fn up_and_down() {
    let passage = Passage::start();
    passage.pass("HTTP/3 up", || run(up(passage.secure(), &passage.identity)));
    passage.pass("HTTP/3 down", || run(down(passage.secure(), &passage.identity)));
}
