//! The configuration that a running gate has in force, by its admin listener: one request over clear text.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long the gate may take to be reached.
const CONNECT: Duration = Duration::from_secs(5);

/// How long it may be silent: a large configuration takes a moment to write out.
const SILENCE: Duration = Duration::from_secs(30);

/// The largest answer: far more than the largest file comes to.
const MOST: u64 = 512 * 1024 * 1024;

/// The URL of an admin listener that is bound to this address, from this machine.
pub(super) fn url_of(bind: SocketAddr) -> String {
    let mut reached = bind;
    if bind.ip().is_unspecified() {
        reached.set_ip(match bind {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{reached}")
}

/// What `GET /config` answers.
///
/// # Errors
/// Why there is no answer, or what it is instead.
pub(super) fn configuration(url: &str) -> Result<Vec<u8>, String> {
    let authority = url
        .strip_prefix("http://")
        .ok_or("the admin listener speaks http only")?;
    let authority = authority.trim_end_matches('/');
    if authority.contains(['/', '@', '?', '#', '\r', '\n', ' ']) {
        return Err("name scheme, host and port alone, such as http://127.0.0.1:9901".to_owned());
    }
    let answer = ask(authority).map_err(|error| error.to_string())?;
    content(answer)
}

#[allow(
    clippy::disallowed_methods,
    reason = "this command has no worker that a name could block"
)]
fn ask(authority: &str) -> io::Result<Vec<u8>> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return exchange(stream, authority),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn exchange(mut stream: TcpStream, authority: &str) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    write!(
        stream,
        "GET /config HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer)?;
    Ok(answer)
}

/// The content of an answer that is whole. Our admin listener gives the length of each.
fn content(mut answer: Vec<u8>) -> Result<Vec<u8>, String> {
    let no_gate = || "what answers there is no admin listener".to_owned();
    let end = answer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .ok_or_else(no_gate)?;
    let content = answer.split_off(end + 4);
    let head = String::from_utf8(answer).map_err(|_| no_gate())?;
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .ok_or_else(no_gate)?;
    if !status.starts_with("200") {
        return Err(format!("it answers {}", status.trim_end()));
    }
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length
        .and_then(|(_, length)| length.trim().parse().ok())
        .ok_or_else(no_gate)?;
    if content.len() != length {
        return Err(format!("{} of {length} bytes came", content.len()));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_answer_counts() {
        let of = |text: &str| content(text.as_bytes().to_vec());
        assert_eq!(of("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), Ok(b"{}".to_vec()));
        for wrong in [
            "",
            "SSH-2.0\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\n\r\n{}",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_plain_url_is_asked() {
        for wrong in [
            "https://127.0.0.1:1",
            "http://127.0.0.1:1/config",
            "http://a@b:1",
            "http://a:1\r\nX: y",
        ] {
            assert!(configuration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_listener_on_every_address_is_asked_on_this_machine() {
        let url = |bind: &str| url_of(bind.parse().expect("an address"));
        assert_eq!(url("0.0.0.0:9901"), "http://127.0.0.1:9901");
        assert_eq!(url("[::]:9901"), "http://[::1]:9901");
        assert_eq!(url("10.0.0.1:9901"), "http://10.0.0.1:9901");
    }
}
