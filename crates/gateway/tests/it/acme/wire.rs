//! Requests and answers of an authority as HTTP/1.1.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};

use serde_json::{Value, json};

/// One request.
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) fields: HashMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// What to answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    /// When to come again, in seconds.
    pub(super) retry_after: u32,
    pub(super) kind: &'static str,
    pub(super) body: String,
}

impl Answer {
    /// The head, with a nonce for the next request.
    pub(super) fn head(&self, nonce: &str) -> String {
        let location = self
            .location
            .as_ref()
            .map(|location| format!("Location: {location}\r\n"));
        format!(
            "HTTP/1.1 {} Answer\r\nConnection: close\r\nReplay-Nonce: {nonce}\r\nRetry-After: {}\r\n\
             Content-Type: {}\r\nContent-Length: {}\r\n{}\r\n",
            self.status,
            self.retry_after,
            self.kind,
            self.body.len(),
            location.unwrap_or_default()
        )
    }
}

/// An answer in JSON.
pub(super) fn ok(status: u16, body: Value) -> Answer {
    Answer {
        status,
        location: None,
        retry_after: 1,
        kind: "application/json",
        body: body.to_string(),
    }
}

/// An answer of what is wrong (RFC 8555, section 6.7).
pub(super) fn problem(status: u16, kind: &str, detail: &str) -> Answer {
    let body = json!({"type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail, "status": status});
    Answer {
        kind: "application/problem+json",
        ..ok(status, body)
    }
}

/// One request; nothing when the client goes away.
pub(super) fn read(stream: &mut impl Read) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut first = lines[0].split(' ');
    let fields: HashMap<_, _> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = fields.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked {
        method: first.next()?.to_owned(),
        path: first.next()?.to_owned(),
        fields,
        body,
    })
}
