use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{CONTENT, echo};
use crate::answer;

/// Longer heads than this no proxy sends here.
const LONGEST_HEAD: usize = 16 * 1024;

/// Answers requests whose content, if any, has a length, until one asks for WebSocket. What goes wrong on a connection, the load's clients tell.
pub(super) async fn serve(mut stream: TcpStream) -> io::Result<()> {
    let (small, large) = (answer_of(&CONTENT), answer_of(&CONTENT.repeat(64)));
    let mut input = Vec::with_capacity(LONGEST_HEAD);
    while input.len() < LONGEST_HEAD && stream.read_buf(&mut input).await? > 0 {
        let Some(end) = answer::head_end(&input) else {
            continue;
        };
        if asks_for_websocket(&input[..end]) {
            return echo::serve(stream, input.split_off(end), "").await;
        }
        let whole = end + answer::announced(&input[..end]).unwrap_or(0);
        if input.len() < whole {
            continue;
        }
        let answer = if input.starts_with(b"GET /64k ") {
            &large
        } else {
            &small
        };
        stream.write_all(answer).await?;
        input.drain(..whole);
    }
    Ok(())
}

fn answer_of(content: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len());
    [head.as_bytes(), content].concat()
}

/// Whether a head asks to go on with WebSocket.
pub(crate) fn asks_for_websocket(head: &[u8]) -> bool {
    head.split(|byte| *byte == b'\n')
        .any(|line| line.trim_ascii_end().eq_ignore_ascii_case(b"upgrade: websocket"))
}
