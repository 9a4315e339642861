use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Mode, Target};
use crate::answer;
use crate::steady::CONTENT as SENT;
use crate::upstream::{CONTENT, asks_for_websocket, echo};

/// Longer requests than this the load doesn't send.
const LONGEST: usize = 32 * 1024;

const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
const MALFORMED: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Checks what health checks ask for without counting it as a request.
const HEALTH: &[u8] = b"GET /healthz ";

/// Answers requests until one asks for WebSocket. What goes wrong on a connection, the load's clients tell.
pub(super) async fn serve(mut stream: TcpStream, target: Arc<Target>) -> io::Result<()> {
    let field = format!("X-Target: {}\r\n", target.name);
    let head = format!("HTTP/1.1 200 OK\r\n{field}Content-Length: {}\r\n\r\n", CONTENT.len());
    let answer = [head.as_bytes(), &CONTENT].concat();
    let mut input = Vec::with_capacity(LONGEST);
    while let Some(end) = next(&mut stream, &mut input).await? {
        let Some(length) = content_length(&input[..end]) else {
            return stream.write_all(MALFORMED).await;
        };
        let is_check = input.starts_with(HEALTH);
        if !is_check {
            target.requests.fetch_add(1, Ordering::Relaxed);
        }
        match target.mode() {
            Mode::Well => {}
            Mode::Unavailable => {
                take(&mut stream, &mut input, end + length).await?;
                stream.write_all(UNAVAILABLE).await?;
                continue;
            }
            Mode::Reset => return stream.set_zero_linger(),
        }
        if asks_for_websocket(&input[..end]) {
            return echo::serve(stream, input.split_off(end), &field).await;
        }
        let request = take(&mut stream, &mut input, end + length).await?;
        if length > 0 && request[end..] != SENT {
            return stream.write_all(MALFORMED).await;
        }
        target.work().await;
        stream.write_all(&answer).await?;
    }
    Ok(())
}

/// Waits for the head of a request and says where it ends. None, when no more come.
async fn next(stream: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<Option<usize>> {
    loop {
        if let Some(end) = answer::head_end(input) {
            return Ok(Some(end));
        }
        if input.len() >= LONGEST || stream.read_buf(input).await? == 0 {
            return Ok(None);
        }
    }
}

/// Takes a whole request out of what has come, and waits for the rest of it.
async fn take(stream: &mut TcpStream, input: &mut Vec<u8>, length: usize) -> io::Result<Vec<u8>> {
    while input.len() < length {
        if stream.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let rest = input.split_off(length);
    Ok(std::mem::replace(input, rest))
}

/// None where the content isn't framed by its length, or is longer than the load sends it.
fn content_length(head: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(head).ok()?;
    let mut length = 0;
    for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return None;
        }
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    (length <= SENT.len()).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_framed_by_its_length_alone() {
        assert_eq!(content_length(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Some(0));
        assert_eq!(
            content_length(b"PUT / HTTP/1.1\r\ncontent-length: 8192\r\n\r\n"),
            Some(8192)
        );
        assert_eq!(content_length(b"PUT / HTTP/1.1\r\nContent-Length: 8193\r\n\r\n"), None);
        assert_eq!(
            content_length(b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            None
        );
    }
}
