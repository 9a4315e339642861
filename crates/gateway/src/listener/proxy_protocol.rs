//! What a proxy before us says of a connection, ahead of its first byte.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use portcullis_core::proxy_protocol::{self, LONGEST};
use rustix::net::RecvFlags;
use tokio::io::{AsyncReadExt, Interest};

use super::Socket;
use super::connection::Ends;

/// Why a connection that should begin with a header is not served.
pub(super) enum Unproxied {
    /// It ended, or took too long.
    Gone,
    /// What it begins with is no header.
    Malformed(&'static str),
}

/// Reads the header that `socket` must begin with, and not a byte more. `ends` are those of the socket; they stay where
/// the header names none.
pub(super) async fn read(socket: &mut Socket, ends: Ends, patience: Duration) -> Result<Ends, Unproxied> {
    let read = tokio::time::timeout(patience, read_header(socket)).await;
    let told = read.map_err(|_| Unproxied::Gone)??;
    Ok(told.map_or(ends, |(peer, local)| Ends { peer, local }))
}

type Told = Option<(SocketAddr, SocketAddr)>;

async fn read_header(socket: &mut Socket) -> Result<Told, Unproxied> {
    let gone = |_: io::Error| Unproxied::Gone;
    let mut input = vec![0; LONGEST];
    let mut taken = 0;
    loop {
        let seen = taken + peek(socket, &mut input[taken..]).await.map_err(gone)?;
        if seen == taken {
            return Err(Unproxied::Gone);
        }
        // What is only a part of the header belongs to it whole, and is taken out of the way.
        let header = proxy_protocol::parse(&input[..seen]).map_err(Unproxied::Malformed)?;
        let end = header.map_or(seen, |header| header.length);
        socket.read_exact(&mut input[taken..end]).await.map_err(gone)?;
        taken = end;
        match header {
            Some(header) => return Ok(header.ends),
            None if taken == input.len() => return Err(Unproxied::Malformed("the header does not end")),
            None => {}
        }
    }
}

/// Looks at what has arrived, and leaves it there.
async fn peek(socket: &Socket, room: &mut [u8]) -> io::Result<usize> {
    match socket {
        Socket::Tcp(stream) => stream.peek(room).await,
        Socket::Unix(stream) => {
            let peek = || Ok(rustix::net::recv(stream, &mut *room, RecvFlags::PEEK)?.0);
            stream.async_io(Interest::READABLE, peek).await
        }
    }
}
