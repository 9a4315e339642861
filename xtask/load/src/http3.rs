//! GET over HTTP/3.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use h3::client::SendRequest;
use http::{Request, StatusCode};
use quinn::Endpoint;
use quinn::crypto::rustls::QuicClientConfig;
use tokio::task::JoinSet;

use crate::answer::LENGTH;
use crate::tally::{self, Tally};
use crate::tls::{self, Groups};

const CONNECTIONS: usize = 8;
/// Requests in progress on each.
const REQUESTS: usize = 16;

/// # Errors
/// At the first request that fails.
pub(crate) async fn run(address: SocketAddr, tally: &Arc<Tally>) -> Result<(), String> {
    let tls = QuicClientConfig::try_from(tls::config(Groups::Default, &["h3"])?).map_err(|error| error.to_string())?;
    let config = quinn::ClientConfig::new(Arc::new(tls));
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        // A socket for each, as clients have.
        let mut endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).map_err(|failure| failure.to_string())?;
        endpoint.set_default_client_config(config.clone());
        clients.spawn(client(endpoint, address, Arc::clone(tally)));
    }
    tally::all(clients).await
}

async fn client(endpoint: Endpoint, address: SocketAddr, tally: Arc<Tally>) -> Result<(), String> {
    let connecting = endpoint
        .connect(address, "gate.test")
        .map_err(|error| error.to_string())?;
    let connection = connecting.await.map_err(|error| error.to_string())?;
    let (mut driver, requests) = h3::client::new(h3_quinn::Connection::new(connection))
        .await
        .map_err(|error| error.to_string())?;
    let driving = tokio::spawn(async move { std::future::poll_fn(|context| driver.poll_close(context)).await });
    let mut asking = JoinSet::new();
    for _ in 0..REQUESTS {
        asking.spawn(ask(requests.clone(), Arc::clone(&tally)));
    }
    drop(requests);
    tally::all(asking).await?;
    driving.abort();
    endpoint.close(0u32.into(), b"");
    endpoint.wait_idle().await;
    Ok(())
}

async fn ask(mut requests: SendRequest<h3_quinn::OpenStreams, Bytes>, tally: Arc<Tally>) -> Result<(), String> {
    while tally.goes_on() {
        match get(&mut requests).await {
            Ok((StatusCode::OK, LENGTH)) => tally.count(),
            Ok((status, length)) => return Err(format!("an answer has the status {status} and {length} bytes")),
            Err(failure) => return Err(failure.to_string()),
        }
    }
    Ok(())
}

/// One request; gives back the status and how long the content was.
async fn get(
    requests: &mut SendRequest<h3_quinn::OpenStreams, Bytes>,
) -> Result<(StatusCode, usize), h3::error::StreamError> {
    let head = Request::get("https://gate.test/1k")
        .header("user-agent", "portcullis-load")
        .body(())
        .expect("the request is well formed");
    let mut stream = requests.send_request(head).await?;
    stream.finish().await?;
    let status = stream.recv_response().await?.status();
    let mut length = 0;
    while let Some(piece) = stream.recv_data().await? {
        length += piece.remaining();
    }
    Ok((status, length))
}
