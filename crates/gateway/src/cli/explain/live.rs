//! Asks a gate that runs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::explain::Asked;
use crate::source::Source;

/// How long the gate may take. Its operators' listener has a thread of its own.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest answer: that of some thousands of targets.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// What a running gate says of a request: the one whose operators' listener has this URL, or that of the file where the URL is
/// empty.
pub(super) fn ask(url: &str, file: &Path, asked: &Asked, all: bool) -> Result<Value, String> {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut target = format!("/explain?method={}&url={}", encoded(&asked.method), encoded(&asked.url));
    for field in &asked.headers {
        target.push_str("&header=");
        target.push_str(&encoded(field));
    }
    if all {
        target.push_str("&all");
    }
    of_gate(url, file, &target)
}

/// The document that a running gate has at that path of its operators' listener.
pub(in crate::cli) fn of_gate(url: &str, file: &Path, target: &str) -> Result<Value, String> {
    let address = match url {
        "" => of_file(file)?,
        url => {
            let rest = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
            rest.parse().map_err(|_| {
                format!("`{url}` is not the operators' listener of a gate, such as `http://127.0.0.1:9901`")
            })?
        }
    };
    let failed = |error: std::io::Error| format!("the gate at {address} can't be asked: {error}");
    let (status, body) = get(address, target).map_err(failed)?;
    let answer: Value = serde_json::from_slice(&body)
        .map_err(|_| format!("what is at {address} doesn't answer as a gate does: {status}"))?;
    match status.split(' ').nth(1) {
        Some("200") => Ok(answer),
        _ => Err(answer["detail"].as_str().unwrap_or(&status).to_owned()),
    }
}

/// Where the file says that the operators' listener is.
fn of_file(file: &Path) -> Result<SocketAddr, String> {
    let loaded = Source::file(file.to_owned())
        .load()
        .map_err(|problems| problems.to_string())?;
    let named = "name it: --live http://127.0.0.1:9901";
    match &loaded.file.admin {
        Some(admin) if admin.bind.port() != 0 => {
            // What listens at all addresses is reached at this machine's own.
            let mut address = admin.bind;
            if address.ip().is_unspecified() {
                address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
            }
            Ok(address)
        }
        Some(_) => Err(format!("the system chooses the port of `admin`; {named}")),
        None => Err(format!("{} has no `admin`; {named}", file.display())),
    }
}

/// The status line and the content of an answer. In HTTP/1.0 the end of the connection is the end of it.
fn get(address: SocketAddr, target: &str) -> std::io::Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {target} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer)?;
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let body = head.map_or(answer.len(), |head| head + 4);
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok((String::from_utf8_lossy(line).into_owned(), answer[body..].to_vec()))
}
