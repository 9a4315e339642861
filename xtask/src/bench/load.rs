//! A load that is the same each time: connections in lockstep, each request answered before the next.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// A kept connection with what it has read and not used.
pub(crate) struct Connection {
    stream: Stream,
    input: Vec<u8>,
}

enum Stream {
    Clear(TcpStream),
    Secure(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Connection> {
        Ok(Connection {
            stream: Stream::Clear(socket(address)?),
            input: Vec::new(),
        })
    }

    pub(crate) fn open_secure(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Connection> {
        let name = ServerName::try_from("gate.test").expect("it is a name");
        let session = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        let stream = StreamOwned::new(session, socket(address)?);
        Ok(Connection {
            stream: Stream::Secure(Box::new(stream)),
            input: Vec::new(),
        })
    }

    pub(crate) fn send(&mut self, request: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Clear(stream) => stream.write_all(request),
            Stream::Secure(stream) => stream.write_all(request).and_then(|()| stream.flush()),
        }
    }

    /// Reads one answer, which has to be a 200 with a length.
    pub(crate) fn receive(&mut self) -> io::Result<()> {
        loop {
            if let Some(length) = whole(&self.input)? {
                self.input.drain(..length);
                return Ok(());
            }
            let mut piece = [0; 4096];
            let length = match &mut self.stream {
                Stream::Clear(stream) => stream.read(&mut piece)?,
                Stream::Secure(stream) => stream.read(&mut piece)?,
            };
            if length == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.input.extend_from_slice(&piece[..length]);
        }
    }
}

fn socket(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

/// How long the answer at the start of the input is, once it is all there.
fn whole(input: &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&input[..end]).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") {
        return Err(io::Error::other(head));
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length
        .and_then(|length| length.trim().parse().ok())
        .ok_or_else(|| io::Error::other(head.clone()))?;
    Ok((input.len() >= end + 4 + length).then_some(end + 4 + length))
}

/// The bytes of a GET.
pub(crate) fn get(target: &str) -> Vec<u8> {
    get_with(target, "")
}

/// As [`get`], with more fields, each with its line break.
pub(crate) fn get_with(target: &str, fields: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: gate.test\r\nUser-Agent: xtask\r\nAccept: */*\r\n{fields}\r\n").into_bytes()
}

/// Sends so many requests over kept connections: a wave over all of them, then their answers.
///
/// # Errors
/// At the first answer that isn't 200.
pub(crate) fn run(connections: &mut [Connection], requests: &[Vec<u8>], count: usize) -> Result<(), String> {
    let mut next = 0;
    let mut done = 0;
    while done < count {
        for connection in &mut *connections {
            connection
                .send(&requests[next % requests.len()])
                .map_err(|failure| failure.to_string())?;
            next += 1;
        }
        for connection in &mut *connections {
            connection
                .receive()
                .map_err(|failure| format!("a request failed: {failure}"))?;
            done += 1;
        }
    }
    Ok(())
}

/// Opens connections by TLS.
///
/// # Errors
/// When one can't be made.
pub(crate) fn connect_secure(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    count: usize,
) -> Result<Vec<Connection>, String> {
    (0..count)
        .map(|_| Connection::open_secure(address, config).map_err(|failure| failure.to_string()))
        .collect()
}

/// Opens connections.
///
/// # Errors
/// When one can't be made.
pub(crate) fn connect(address: SocketAddr, count: usize) -> Result<Vec<Connection>, String> {
    (0..count)
        .map(|_| Connection::open(address).map_err(|failure| failure.to_string()))
        .collect()
}
