//! Connections in clear text.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

/// A connection that sends at once what it is given.
///
/// # Errors
/// When it can't be made.
pub(crate) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
