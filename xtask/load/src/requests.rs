//! Requests of a file over HTTP/1.1, in any order, on connections that are kept.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::answer::{announced, head_end};
use crate::connect::connect;
use crate::tally::{self, Tally};

/// As many clients as a busy service has, and no more than pools of connections to databases bear.
const CONNECTIONS: usize = 32;

/// Sends requests from `path`, where each stands behind its length in bytes on a line of its own. Notes how long the
/// content of the first answer is.
///
/// # Errors
/// When the file isn't understood; at the first answer that isn't of the class 2xx.
pub(crate) async fn run(address: SocketAddr, path: &str, tally: &Arc<Tally>) -> Result<(), String> {
    let file = std::fs::read(path).map_err(|failure| format!("{path}: {failure}"))?;
    let requests = Arc::new(split(&file).ok_or_else(|| format!("{path} has no requests"))?);
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        clients.spawn(ask(address, Arc::clone(&requests), Arc::clone(tally)));
    }
    tally::all(clients).await
}

fn split(mut file: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut requests = Vec::new();
    while !file.is_empty() {
        let end = file.iter().position(|byte| *byte == b'\n')?;
        let length: usize = str::from_utf8(&file[..end]).ok()?.parse().ok()?;
        let (request, rest) = file[end + 1..].split_at_checked(length)?;
        requests.push(request.to_vec());
        file = rest;
    }
    (!requests.is_empty()).then_some(requests)
}

async fn ask(address: SocketAddr, requests: Arc<Vec<Vec<u8>>>, tally: Arc<Tally>) -> io::Result<()> {
    let mut stream = connect(address).await?;
    let mut input = Vec::with_capacity(64 * 1024);
    while tally.goes_on() {
        stream.write_all(&requests[fastrand::usize(..requests.len())]).await?;
        let length = answer(&mut stream, &mut input).await?;
        tally.note(|| format!("{length} bytes"));
        tally.count();
    }
    Ok(())
}

/// Reads one answer, and gives back how long its content is, with the lengths of its chunks where it has any.
async fn answer(stream: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<usize> {
    input.clear();
    let head = loop {
        more(stream, input).await?;
        if let Some(end) = head_end(input) {
            break end;
        }
    };
    if !input.starts_with(b"HTTP/1.1 2") {
        return Err(refused(input));
    }
    if let Some(length) = announced(&input[..head]) {
        while input.len() < head + length {
            more(stream, input).await?;
        }
        return Ok(length);
    }
    if !chunked(&input[..head]) {
        return if input.starts_with(b"HTTP/1.1 204") {
            Ok(0)
        } else {
            Err(refused(input))
        };
    }
    let mut at = head;
    loop {
        match chunk(&input[at..]).ok_or_else(|| refused(input))? {
            Chunk::Whole(length) => at += length,
            Chunk::Last => return Ok(at - head),
            Chunk::Unfinished => more(stream, input).await?,
        }
    }
}

enum Chunk {
    /// How long it is with its line and its line end.
    Whole(usize),
    Last,
    Unfinished,
}

/// The chunk that the input begins with (RFC 9112 §7.1); `None` of what isn't one. Trailers are not expected.
fn chunk(input: &[u8]) -> Option<Chunk> {
    let Some(line) = input.windows(2).position(|window| window == b"\r\n") else {
        return Some(Chunk::Unfinished);
    };
    let length = usize::from_str_radix(str::from_utf8(&input[..line]).ok()?, 16).ok()?;
    let whole = line + 2 + length + 2;
    Some(match length {
        _ if input.len() < whole => Chunk::Unfinished,
        0 => Chunk::Last,
        _ => Chunk::Whole(whole),
    })
}

fn chunked(head: &[u8]) -> bool {
    String::from_utf8_lossy(head)
        .to_ascii_lowercase()
        .contains("\r\ntransfer-encoding: chunked\r\n")
}

async fn more(stream: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_buf(input).await? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn refused(input: &[u8]) -> io::Error {
    let shown = &input[..input.len().min(1000)];
    io::Error::other(format!("not as it should be: {}", String::from_utf8_lossy(shown)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_stand_behind_their_lengths() {
        assert_eq!(split(b"3\nabc2\n\n\n"), Some(vec![b"abc".to_vec(), b"\n\n".to_vec()]));
        assert_eq!(split(b"3\nab"), None);
        assert_eq!(split(b""), None);
    }

    #[test]
    fn chunks_are_found_one_after_the_other() {
        assert!(matches!(chunk(b"3\r\nabc\r\n0\r\n\r\n"), Some(Chunk::Whole(8))));
        assert!(matches!(chunk(b"0\r\n\r\n"), Some(Chunk::Last)));
        assert!(matches!(chunk(b"3\r\nabc"), Some(Chunk::Unfinished)));
        assert!(chunk(b"x\r\n").is_none());
    }
}
