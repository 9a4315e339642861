//! Requests of HTTP/1.1 on connections that are kept.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::CONTENT;
use super::outcome::{Asked, Failure};
use super::plan::Stream;
use crate::answer;
use crate::connect::connect;

pub(super) struct Client {
    address: SocketAddr,
    stream: Stream,
    /// Taken in turn, so that none grows old unused.
    idle: Mutex<VecDeque<TcpStream>>,
}

impl Client {
    pub(super) fn new(stream: &Stream) -> Client {
        Client {
            address: stream.address,
            stream: stream.clone(),
            idle: Mutex::default(),
        }
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// When it isn't answered as it has to be.
    pub(super) async fn ask(&self) -> Result<Asked, Failure> {
        let (mut connection, kept) = match self.kept() {
            Some(connection) => (connection, true),
            None => (connect(self.address).await.map_err(|_| Failure::refused())?, false),
        };
        let mut input = Vec::with_capacity(2048);
        let sent = connection.write_all(&self.request()).await;
        let answered = match sent {
            Ok(()) => read(&mut connection, &mut input).await,
            // An answer may have come before the request was taken as a whole.
            Err(failure) => read(&mut connection, &mut input).await.map_err(|_| failure),
        };
        let answer = answered.map_err(|_| match (kept, input.is_empty()) {
            (true, true) => Failure::closed(),
            _ => Failure::cut(),
        })?;
        if answer.status != 200 {
            return Err(Failure::status(answer.status));
        }
        if answer.length != Some(answer::LENGTH) {
            return Err(Failure::wrong());
        }
        if !answer.last {
            self.idle().push_back(connection);
        }
        Ok(Asked::default())
    }

    /// A connection that was kept and hasn't been closed, as far as can be seen.
    fn kept(&self) -> Option<TcpStream> {
        let mut idle = self.idle();
        while let Some(connection) = idle.pop_front() {
            match connection.try_read(&mut [0]) {
                Err(failure) if failure.kind() == io::ErrorKind::WouldBlock => return Some(connection),
                // Closed, or something came that nobody asked for.
                _ => {}
            }
        }
        None
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, VecDeque<TcpStream>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request(&self) -> Vec<u8> {
        let (method, path) = (&self.stream.method, self.stream.next_path());
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: gate.test\r\nUser-Agent: portcullis-load\r\nAccept: */*\r\n");
        if !self.stream.has_content() {
            request.push_str("\r\n");
            return request.into_bytes();
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n", CONTENT.len()));
        [request.as_bytes(), &CONTENT].concat()
    }
}

struct Answer {
    status: u16,
    length: Option<usize>,
    /// Whether the connection ends with it.
    last: bool,
}

/// Reads an answer; of those that aren't a 200 only the head.
async fn read(connection: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<Answer> {
    loop {
        if connection.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(end) = answer::head_end(input) else { continue };
        let answer = parse(&input[..end]).ok_or(io::ErrorKind::InvalidData)?;
        if answer.status != 200 || answer.length.is_none_or(|length| input.len() >= end + length) {
            return Ok(answer);
        }
    }
}

fn parse(head: &[u8]) -> Option<Answer> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.lines();
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let mut answer = Answer {
        status,
        length: None,
        last: false,
    };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            answer.length = value.parse().ok();
        } else if name.eq_ignore_ascii_case("connection") {
            answer.last = value.eq_ignore_ascii_case("close");
        }
    }
    Some(answer)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_what_is_needed_of_it() {
        let answer = parse(b"HTTP/1.1 503 Busy\r\ncontent-length: 12\r\nConnection: close\r\n\r\n").unwrap();
        assert_eq!((answer.status, answer.length, answer.last), (503, Some(12), true));
        let answer = parse(b"HTTP/1.1 200 OK\r\nContent-Length:1024\r\n\r\n").unwrap();
        assert_eq!((answer.status, answer.length, answer.last), (200, Some(1024), false));
        assert!(parse(b"HTTP/1.0 200 OK\r\n\r\n").is_none());
    }
}
