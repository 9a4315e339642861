//! Unary calls of gRPC over HTTP/2 in clear text.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, StatusCode};
use tokio::task::JoinSet;

use crate::connect::connect;
use crate::tally::{self, Tally};

const CONNECTIONS: usize = 8;
/// Calls in progress on each.
const CALLS: usize = 16;

/// A message of sixteen bytes that isn't compressed.
pub(crate) const MESSAGE: &[u8] = b"\0\0\0\0\x10sixteen bytes...";

/// # Errors
/// At the first call that doesn't end with the status 0.
pub(crate) async fn run(address: SocketAddr, tally: &Arc<Tally>) -> Result<(), String> {
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        clients.spawn(client(address, Arc::clone(tally)));
    }
    tally::all(clients).await
}

async fn client(address: SocketAddr, tally: Arc<Tally>) -> Result<(), String> {
    let stream = connect(address).await.map_err(|failure| failure.to_string())?;
    let (requests, connection) = h2::client::handshake(stream)
        .await
        .map_err(|failure| failure.to_string())?;
    // It ends when the last of those that ask has ended.
    tokio::spawn(connection);
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        calls.spawn(call(requests.clone(), Arc::clone(&tally)));
    }
    drop(requests);
    tally::all(calls).await
}

async fn call(mut requests: SendRequest<Bytes>, tally: Arc<Tally>) -> Result<(), String> {
    while tally.goes_on() {
        requests = requests.ready().await.map_err(|failure| failure.to_string())?;
        let status = status(&mut requests).await.map_err(|failure| failure.to_string())?;
        if status.as_deref() != Some("0") {
            return Err(format!("a call ended with the status {status:?}"));
        }
        tally.count();
    }
    Ok(())
}

/// One call; gives back the status that the trailers say, where all came that had to.
async fn status(requests: &mut SendRequest<Bytes>) -> Result<Option<String>, h2::Error> {
    let head = Request::post("http://gate.test/echo.Echo/Say")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .expect("the request is well formed");
    let (answer, mut content) = requests.send_request(head, false)?;
    content.send_data(Bytes::from_static(MESSAGE), true)?;
    let answer = answer.await?;
    let found = answer.status() == StatusCode::OK;
    let mut content = answer.into_body();
    let mut length = 0;
    while let Some(piece) = content.data().await.transpose()? {
        length += piece.len();
        content.flow_control().release_capacity(piece.len())?;
    }
    let trailers = content.trailers().await?.unwrap_or_default();
    let status = trailers
        .get("grpc-status")
        .map(|status| String::from_utf8_lossy(status.as_bytes()).into_owned());
    Ok(status.filter(|_| found && length == MESSAGE.len()))
}
