//! Frames of HTTP/2 (RFC 9113), written one by one, as no honest client would.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::gate::PATIENCE;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// The settings that a peer may choose.
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frames in a row, to be written at once.
#[derive(Clone, Default)]
pub(crate) struct Frames(Vec<u8>);

impl Frames {
    pub(crate) fn new() -> Frames {
        Frames::default()
    }

    /// What a client begins with; settings have to follow.
    pub(crate) fn preface() -> Frames {
        Frames(PREFACE.to_vec())
    }

    pub(crate) fn frame(mut self, kind: u8, flags: u8, stream: u32, content: &[u8]) -> Frames {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        self.0.extend_from_slice(&length[1..]);
        self.0.extend_from_slice(&[kind, flags]);
        self.0.extend_from_slice(&stream.to_be_bytes());
        self.0.extend_from_slice(content);
        self
    }

    pub(crate) fn setting(self, name: u16, value: u32) -> Frames {
        let content = [&name.to_be_bytes()[..], &value.to_be_bytes()].concat();
        self.frame(SETTINGS, 0, 0, &content)
    }

    /// The head of a GET, which ends the stream.
    pub(crate) fn get(self, stream: u32, path: &str) -> Frames {
        self.frame(HEADERS, END_STREAM | END_HEADERS, stream, &head("GET", path))
    }

    /// The head of a POST, whose content is to follow.
    pub(crate) fn post(self, stream: u32, path: &str) -> Frames {
        self.frame(HEADERS, END_HEADERS, stream, &head("POST", path))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A request's head as HPACK without Huffman's code and without the dynamic table (RFC 7541 §6).
pub(crate) fn head(method: &str, path: &str) -> Vec<u8> {
    let mut block = match method {
        "GET" => vec![0x82],
        "POST" => vec![0x83],
        _ => unreachable!("no such method here"),
    };
    // `:scheme: http` is the sixth of the static table, `:authority` the first and `:path` the fourth.
    block.push(0x86);
    literal(&mut block, 1, "gate.test");
    literal(&mut block, 4, path);
    block
}

/// A field whose name is in the static table.
fn literal(block: &mut Vec<u8>, name: u8, value: &str) {
    block.extend([name, u8::try_from(value.len()).unwrap()]);
    block.extend_from_slice(value.as_bytes());
}

/// A connection with prior knowledge that speaks frames. Nothing waits: what can't be written is tried again.
pub(crate) struct Raw {
    stream: TcpStream,
}

impl Raw {
    /// Connects, and sends the preface.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Raw> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut raw = Raw { stream };
        let opening = Frames::preface().frame(SETTINGS, 0, 0, &[]);
        raw.write(opening.bytes(), &|| true)?;
        Ok(raw)
    }

    /// Writes everything, as long as it is wanted. What the other side says is left where it is.
    pub(crate) fn write(&mut self, mut bytes: &[u8], wanted: &dyn Fn() -> bool) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(length) => bytes = &bytes[length..],
                Err(full) if full.kind() == ErrorKind::WouldBlock => {
                    if !wanted() {
                        return Err(full);
                    }
                    // The other side takes no more for now, which is its right.
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// Takes what is there and forgets it. An error is the end of the connection.
    pub(crate) fn forget(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(nothing) if nothing.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
    }
}
