//! The same request over HTTP/1.1 again and again, on connections that are kept.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::answer;
use crate::tally::{self, Tally};

const CONNECTIONS: usize = 64;

/// # Errors
/// At the first request that fails.
pub(crate) async fn run(address: SocketAddr, request: &'static [u8], tally: &Arc<Tally>) -> Result<(), String> {
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        clients.spawn(ask(address, request, Arc::clone(tally)));
    }
    tally::all(clients).await
}

async fn ask(address: SocketAddr, request: &'static [u8], tally: Arc<Tally>) -> io::Result<()> {
    let mut stream = connect(address).await?;
    let mut input = Vec::with_capacity(4096);
    while tally.goes_on() {
        stream.write_all(request).await?;
        answer::read(&mut stream, &mut input).await?;
        tally.count();
    }
    Ok(())
}

/// A connection that sends at once what it is given.
///
/// # Errors
/// When it can't be made.
pub(crate) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
