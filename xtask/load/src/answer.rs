//! Answers of HTTP/1.1, as a client of this load may get them.

use std::io::{self, ErrorKind};

use tokio::io::{AsyncRead, AsyncReadExt};

/// How long the content of each answer is.
pub(crate) const LENGTH: usize = 1024;

/// The request that each client of HTTP/1.1 sends.
pub(crate) const REQUEST: &[u8] =
    b"GET /1k HTTP/1.1\r\nHost: gate.test\r\nUser-Agent: portcullis-load\r\nAccept: */*\r\n\r\n";

/// Reads one answer, which has to be a 200 with all of the content. `input` is a place to read into, used again each time.
///
/// # Errors
/// When it is another one.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin), input: &mut Vec<u8>) -> io::Result<()> {
    input.clear();
    loop {
        if stream.read_buf(input).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = head_end(input) {
            let whole = end + content_length(&input[..end])?;
            if input.len() == whole {
                return Ok(());
            }
            if input.len() > whole {
                return Err(io::Error::other("more came than one answer"));
            }
        }
    }
}

/// Where the content begins, once the head is there.
pub(crate) fn head_end(input: &[u8]) -> Option<usize> {
    input
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|end| end + 4)
}

fn content_length(head: &[u8]) -> io::Result<usize> {
    let text = String::from_utf8_lossy(head);
    let length = text.lines().skip(1).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim())
    });
    match length.and_then(|length| length.parse().ok()) {
        Some(LENGTH) if text.starts_with("HTTP/1.1 200") => Ok(LENGTH),
        _ => Err(io::Error::other(format!("not the answer that was waited for: {text}"))),
    }
}
