//! Answers of HTTP/1.1, as a client of this load may get them.

use std::io::{self, ErrorKind};

use tokio::io::{AsyncRead, AsyncReadExt};

/// How long the content of each answer is.
pub(crate) const LENGTH: usize = 1024;

/// The request that each client of HTTP/1.1 sends.
pub(crate) const REQUEST: &[u8] =
    b"GET /1k HTTP/1.1\r\nHost: gate.test\r\nUser-Agent: portcullis-load\r\nAccept: */*\r\n\r\n";

/// A search as a browser sends it, for what inspects requests.
pub(crate) const SEARCH: &[u8] = b"GET /search?q=blue+widgets&page=2&sort=price&in_stock=true HTTP/1.1\r\n\
    Host: gate.test\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-GB,en;q=0.5\r\n\
    Referer: https://gate.test/catalogue\r\n\
    Cookie: session=0a1b2c3d4e5f60718293a4b5; theme=dark\r\n\r\n";

/// An order as a program sends it, for the same.
pub(crate) const ORDER: &[u8] = b"POST /orders HTTP/1.1\r\n\
    Host: gate.test\r\n\
    User-Agent: portcullis-load\r\n\
    Accept: application/json\r\n\
    Content-Type: application/json\r\n\
    Content-Length: 228\r\n\r\n\
    {\"customer\": {\"id\": 4711, \"name\": \"Ada Lovelace\", \"email\": \"ada@example.com\"}, \
    \"lines\": [{\"sku\": \"W-1001\", \"count\": 3, \"price\": 9.99}, {\"sku\": \"W-1002\", \"count\": 1, \"price\": 24.5}], \
    \"note\": \"Please leave it with the neighbour.\"}";

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
