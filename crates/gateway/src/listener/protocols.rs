use portcullis_config::bind::Bind;
use portcullis_config::listener::{Listener, ListenerProtocol};

/// The protocols that a listener speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protocols {
    pub(crate) http1: bool,
    pub(crate) http2: bool,
    /// Only where there are TLS and a network.
    pub(crate) http3: bool,
}

/// How a TLS handshake names HTTP/2 (RFC 9113 §3.1).
pub(super) const ALPN_HTTP2: &[u8] = b"h2";

impl Protocols {
    /// Those that the file names.
    pub(crate) fn of(listener: &Listener) -> Protocols {
        let speaks = |protocol| listener.protocols.contains(&protocol);
        Protocols {
            http1: speaks(ListenerProtocol::Http1),
            http2: speaks(ListenerProtocol::Http2),
            http3: listener.tls.is_some() && matches!(listener.bind, Bind::Tcp(_)) && speaks(ListenerProtocol::Http3),
        }
    }

    /// Those to agree on in a TLS handshake, the preferred one first (RFC 7301).
    pub(crate) fn for_alpn(self) -> Vec<Vec<u8>> {
        let names = [(self.http2, ALPN_HTTP2), (self.http1, &b"http/1.1"[..])];
        let spoken = names.iter().filter(|(spoken, _)| *spoken);
        spoken.map(|(_, name)| name.to_vec()).collect()
    }
}
