//! Messages over WebSocket (RFC 6455) that come back.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use crate::answer;
use crate::connect::connect;
use crate::tally::{self, Tally};

const CONNECTIONS: usize = 64;

/// The key and what must be answered to it are the example of RFC 6455, section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const BINARY: u8 = 0x82;
const MASKED: u8 = 0x80;

/// # Errors
/// At the first message that doesn't come back as it was.
pub(crate) async fn run(address: SocketAddr, size: usize, tally: &Arc<Tally>) -> Result<(), String> {
    if size > usize::from(u16::MAX) {
        return Err(format!("a message has {} bytes at the most", u16::MAX));
    }
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        clients.spawn(talk(address, size, Arc::clone(tally)));
    }
    tally::all(clients).await
}

async fn talk(address: SocketAddr, size: usize, tally: Arc<Tally>) -> io::Result<()> {
    let mut stream = connect(address).await?;
    stream.write_all(handshake("/echo").as_bytes()).await?;
    let mut head = Vec::new();
    while answer::head_end(&head).is_none() {
        if stream.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    let text = String::from_utf8_lossy(&head);
    if !text.starts_with("HTTP/1.1 101") || !text.contains(ACCEPT) {
        return Err(io::Error::other(format!("no WebSocket: {text}")));
    }
    let payload = vec![b'm'; size];
    // A mask of zeros is one, and costs neither side anything.
    let sent = [header(size, MASKED), vec![0; 4], payload.clone()].concat();
    let wanted = [header(size, 0), payload].concat();
    let mut came = vec![0; wanted.len()];
    while tally.goes_on() {
        stream.write_all(&sent).await?;
        stream.read_exact(&mut came).await?;
        if came != wanted {
            return Err(io::Error::other("a message came back as another"));
        }
        tally.count();
    }
    Ok(())
}

/// The request for WebSocket.
pub(crate) fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: gate.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
}

/// A frame's header, of a message in one frame, up to its mask.
pub(crate) fn header(size: usize, mask: u8) -> Vec<u8> {
    match u8::try_from(size) {
        Ok(size @ 0..126) => vec![BINARY, mask | size],
        _ => {
            let size = u16::try_from(size).expect("the size was looked at").to_be_bytes();
            vec![BINARY, mask | 126, size[0], size[1]]
        }
    }
}
