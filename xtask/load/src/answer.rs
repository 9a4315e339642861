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

/// The length of the content that a head announces.
pub(crate) fn announced(head: &[u8]) -> Option<usize> {
    head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let (name, value) = line.split_at_checked("content-length:".len())?;
        let value = name.eq_ignore_ascii_case(b"content-length:").then_some(value)?;
        str::from_utf8(value).ok()?.trim().parse().ok()
    })
}

fn content_length(head: &[u8]) -> io::Result<usize> {
    let text = String::from_utf8_lossy(head);
    match announced(head) {
        Some(LENGTH) if text.starts_with("HTTP/1.1 200") => Ok(LENGTH),
        _ => Err(io::Error::other(format!("not the answer that was waited for: {text}"))),
    }
}
