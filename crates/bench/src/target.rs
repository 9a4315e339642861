//! Where requests go, and how.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

/// The version of HTTP that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 (RFC 9112).
    #[default]
    Http1,
    /// HTTP/2 (RFC 9113): by TLS, or in clear text without asking first.
    Http2,
    /// HTTP/3 (RFC 9114).
    Http3,
}

/// A server under load.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name in reports: the URL without path and credentials, such as `https://example.com:8443`.
    pub name: String,
    /// What requests say as `Host` and `:authority`: the host, with the port where it isn't the scheme's own.
    pub authority: String,
    /// Addresses; connections take them in turn.
    pub addresses: Vec<SocketAddr>,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// With whom and how TLS is agreed on; `None` in clear text.
    pub tls: Option<Tls>,
}

/// TLS towards a target.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The name that its certificate must have.
    pub name: ServerName<'static>,
    /// Authorities, own certificate, versions. ALPN is set by the engine.
    pub config: Arc<ClientConfig>,
}
