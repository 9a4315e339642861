//! WebSocket where the two sides open it in different ways: HTTP/1.1 by an upgrade with a key (RFC 6455 §4), HTTP/2 by
//! extended CONNECT without one (RFC 8441 §5).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::{Headers, Known};

/// What RFC 6455 §1.3 appends to the key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const KEY: &str = "Sec-WebSocket-Key";
const ACCEPT: &str = "Sec-WebSocket-Accept";

/// Adds to the answer what a client that asked by HTTP/1.1 needs: the protocol, and the proof that its key was read.
pub(super) fn complete_handshake(request: &Headers, protocol: Option<&str>, answer: &mut Headers) {
    answer.set(Known::Upgrade, protocol.unwrap_or_default());
    if let Some(key) = request.get(KEY) {
        answer.set(ACCEPT, accept_of(key));
    }
}

/// The key of a handshake by HTTP/1.1 that we make ourselves, since a client that asked by HTTP/2 or HTTP/3 has none.
pub(super) struct Key(String);

impl Key {
    /// A key, if the request is for a WebSocket and has none.
    pub(super) fn wanted(request: &Headers, protocol: Option<&str>) -> Option<Key> {
        let protocol = protocol?;
        let wanted = protocol.eq_ignore_ascii_case("websocket") && !request.contains(KEY);
        wanted.then(|| Key(STANDARD.encode(fastrand::u128(..).to_ne_bytes())))
    }

    /// Appends the field that tells the server the key, as a line of a head.
    pub(super) fn write_line(&self, lines: &mut Vec<u8>) {
        for part in [KEY, ": ", &self.0, "\r\n"] {
            lines.extend_from_slice(part.as_bytes());
        }
    }

    /// Takes the proof that the key was read out of the answer, where the client doesn't expect it; whether it was good.
    pub(super) fn take_proof(&self, answer: &mut Headers) -> bool {
        let proven = answer.get(ACCEPT) == Some(accept_of(self.0.as_bytes()).as_bytes());
        answer.remove(ACCEPT);
        proven
    }
}

fn accept_of(key: &[u8]) -> String {
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_ours_is_proven_read() {
        let mut request = Headers::new();
        assert!(Key::wanted(&request, None).is_none());
        assert!(Key::wanted(&request, Some("connect-udp")).is_none());
        let key = Key::wanted(&request, Some("WebSocket")).expect("there is none");
        let mut line = Vec::new();
        key.write_line(&mut line);
        let line = String::from_utf8(line).expect("it is text");
        let sent = line
            .strip_prefix("Sec-WebSocket-Key: ")
            .and_then(|line| line.strip_suffix("\r\n"));
        let sent = sent.expect("it is the field");
        assert_eq!(sent.len(), 24);
        let mut answer = Headers::new();
        assert!(!key.take_proof(&mut answer));
        answer.append(ACCEPT, accept_of(sent.as_bytes()));
        assert!(key.take_proof(&mut answer));
        assert!(answer.is_empty());
        request.append("sec-websocket-key", sent);
        assert!(Key::wanted(&request, Some("websocket")).is_none());
    }

    #[test]
    fn a_key_is_answered_as_the_standard_shows() {
        // RFC 6455 §1.3
        assert_eq!(accept_of(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
