//! WebSocket where the two sides open it in different ways: HTTP/1.1 by an upgrade with a key (RFC 6455 §4), HTTP/2 by
//! extended CONNECT without one (RFC 8441 §5).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::{Headers, Known};

/// What RFC 6455 §1.3 appends to the key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Adds to the answer what a client that asked by HTTP/1.1 needs: the protocol, and the proof that its key was read.
pub(super) fn complete_handshake(request: &Headers, protocol: Option<&str>, answer: &mut Headers) {
    answer.set(Known::Upgrade, protocol.unwrap_or_default());
    if let Some(key) = request.get("sec-websocket-key") {
        answer.set("Sec-WebSocket-Accept", accept_of(key));
    }
}

fn accept_of(key: &[u8]) -> String {
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_answered_as_the_standard_shows() {
        // RFC 6455 §1.3
        assert_eq!(accept_of(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
