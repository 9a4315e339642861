//! Where clients and operators connect.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::acme::Acme;
use crate::bind::Bind;
use crate::schema::form;
use crate::{defaults, units};

/// An address on which clients connect. Short form: the address alone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("bind"))]
pub struct Listener {
    /// Address and port, such as `0.0.0.0:8080` or `[::]:8080`, or `unix:PATH` for a socket of this machine. A client
    /// over a Unix socket counts as 127.0.0.1.
    pub bind: Bind,
    /// Who may connect to a Unix socket: its permissions in octal digits, such as `0660`. By default the owner and the
    /// group.
    #[serde(default)]
    #[schemars(extend("format" = "file-mode"))]
    pub mode: Option<String>,
    /// Its name in logs and metrics. By default the address.
    #[serde(default)]
    #[schemars(extend("format" = "label"))]
    pub name: Option<String>,
    /// Speak TLS on it.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// The protocols to speak, all that there are by default. Clients choose: in the TLS handshake, or in clear text by
    /// how they begin.
    #[serde(default = "defaults::listener_protocols")]
    #[schemars(length(min = 1))]
    pub protocols: Vec<ListenerProtocol>,
    /// How HTTP/3 is spoken.
    #[serde(default)]
    pub http3: Http3,
    /// Redirect every request in clear text to HTTPS on this port, usually 443 (308). What lies below
    /// `/.well-known/acme-challenge/` is answered all the same.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub redirect_to_https: Option<u16>,
    /// Networks of proxies before us whose `Forwarded` and `X-Forwarded-*` fields and `X-Request-Id` are believed.
    /// From anybody else they are replaced.
    #[serde(default)]
    #[schemars(with = "Vec<String>", transform = form::items("ip-network"))]
    pub trusted_proxies: Vec<IpNet>,
    /// Networks of proxies that begin each connection with a header of the PROXY protocol, version 1 or 2, and say so whose
    /// it is. From there it must come, or the connection is closed; from anywhere else it is not understood. A client over
    /// a Unix socket counts as 127.0.0.1.
    #[serde(default)]
    #[schemars(with = "Vec<String>", transform = form::items("ip-network"))]
    pub proxy_protocol: Vec<IpNet>,
    /// How large the head of a request may be, and how many connections there may be.
    #[serde(default)]
    pub limits: ListenerLimits,
    /// How long a client may take.
    #[serde(default)]
    pub timeouts: ListenerTimeouts,
}

/// A protocol that clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListenerProtocol {
    /// HTTP/1.1 and HTTP/1.0.
    Http1,
    /// HTTP/2. In clear text a client must know beforehand that it is spoken.
    Http2,
    /// HTTP/3, where the listener speaks TLS: by QUIC, on the UDP port of the same number. Clients learn of it from the
    /// answers of the other protocols.
    Http3,
}

/// How HTTP/3 is spoken.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http3 {
    /// The port that clients are told of in `Alt-Svc`, where it is not the listener's: a router before us may have
    /// another.
    #[schemars(range(min = 1))]
    pub advertised_port: Option<u16>,
    /// Take requests of clients that come back before the handshake is complete (0-RTT): GET, HEAD and OPTIONS without
    /// content. Backends see `Early-Data: 1`; other requests are answered with 425. Never where clients show
    /// certificates.
    pub early_data: bool,
}

impl Default for Http3 {
    fn default() -> Self {
        defaults::http3()
    }
}

/// TLS 1.2 and 1.3 on a listener.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificates; the client's server name chooses, the first is for clients that name none or another.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// A certificate that the gate gets and renews by itself. For a name that is among `certificates`, those go before.
    #[serde(default)]
    pub acme: Option<Acme>,
    /// The oldest version to speak.
    #[serde(default)]
    pub min_version: TlsVersion,
    /// Refuse clients whose server name no certificate is for, and those that name none, in place of giving them the
    /// first certificate.
    #[serde(default)]
    pub strict_sni: bool,
    /// Ask clients for certificates.
    #[serde(default)]
    pub client_certificates: Option<ClientCertificates>,
    /// Tell browsers to come by TLS only, with `Strict-Transport-Security` on every answer (RFC 6797).
    #[serde(default)]
    pub hsts: Option<Hsts>,
}

/// A certificate chain and its key, as PEM files. Paths are relative to the configuration file. Files that change are
/// read again within seconds; what can't be used then leaves the old ones in force.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The chain, the server's certificate first.
    #[schemars(extend("format" = "path"))]
    pub cert: PathBuf,
    /// The private key.
    #[schemars(extend("format" = "path"))]
    pub key: PathBuf,
    /// An OCSP response of the authority, as a DER file, for clients that ask for it (RFC 6066, section 8). One that is
    /// out of date or of another certificate is left out.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub ocsp: Option<PathBuf>,
}

/// Which certificates clients show, and what becomes of them. Short form: the file of authorities.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("ca"))]
pub struct ClientCertificates {
    /// A PEM file of the authorities that clients' certificates must come from.
    #[schemars(extend("format" = "path"))]
    pub ca: PathBuf,
    /// Whether a client may come without one.
    #[serde(default)]
    pub mode: ClientCertificateMode,
    /// A PEM file with a list of revoked certificates of each authority. With it, a certificate whose authority has no
    /// list there, or one that is out of date, is refused.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub crl: Option<PathBuf>,
    /// Hand the certificate on to backends, as `Client-Cert` (RFC 9440). Fields of that name that clients send are
    /// removed always.
    #[serde(default)]
    pub forward: bool,
}

/// Whether a client may come without a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificateMode {
    /// No: the handshake fails.
    #[default]
    Required,
    /// Yes; one that it shows must be good.
    Optional,
}

/// `Strict-Transport-Security`. Short form: how long it holds.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("max_age"))]
pub struct Hsts {
    /// How long a browser remembers it, such as `365d`. `0s` makes it forget.
    pub max_age: units::Duration,
    /// It holds for all names below the host too.
    #[serde(default)]
    pub include_subdomains: bool,
    /// Agree to be listed in browsers themselves, which is hard to undo.
    #[serde(default)]
    pub preload: bool,
}

impl Hsts {
    /// The value of `Strict-Transport-Security` (RFC 6797 §6.1).
    pub fn field_value(&self) -> String {
        let mut value = format!("max-age={}", self.max_age.0.as_secs());
        if self.include_subdomains {
            value.push_str("; includeSubDomains");
        }
        if self.preload {
            value.push_str("; preload");
        }
        value
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub enum TlsVersion {
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    #[serde(rename = "1.3")]
    V1_3,
}

/// What a listener accepts at the most.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerLimits {
    /// Bytes of a request's head: request line and fields (431).
    pub head: units::ByteSize,
    /// Bytes of the request target (414).
    pub target: units::ByteSize,
    /// Number of header fields (431).
    #[schemars(range(min = 1))]
    pub fields: u16,
    /// Connections at a time; one more is closed at once.
    #[schemars(range(min = 1))]
    pub connections: u32,
    /// Connections of one client at a time; one more is closed at once. A client is an address, or a /64 network of IPv6. Proxies
    /// before us (`trusted_proxies`, `proxy_protocol`) may have any number. By default a client may have any number, too.
    #[schemars(range(min = 1))]
    pub connections_per_client: Option<u32>,
    /// New connections of one client in a time: `50/10s`; one more is closed at once. By default any number.
    pub new_connections_per_client: Option<units::Quota>,
    /// Requests in progress on one connection of HTTP/2 or HTTP/3; one more is refused in a way that lets the client repeat it.
    #[schemars(range(min = 1))]
    pub streams: u32,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        defaults::listener_limits()
    }
}

/// How long a client may take.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerTimeouts {
    /// From the first byte of a head, or the start of a TLS handshake, to its end (408).
    #[schemars(extend("format" = "timeout"))]
    pub head: units::Duration,
    /// Between two pieces of a request's body (408).
    #[schemars(extend("format" = "timeout"))]
    pub body: units::Duration,
    /// Between two requests on a connection; it is closed silently.
    #[schemars(extend("format" = "timeout"))]
    pub idle: units::Duration,
    /// Between two pieces of an answer that the client takes; it is cut off.
    #[schemars(extend("format" = "timeout"))]
    pub write: units::Duration,
}

impl Default for ListenerTimeouts {
    fn default() -> Self {
        defaults::listener_timeouts()
    }
}

/// The operators' listener: `/healthz`, `/readyz`, `/metrics`, `/config`, `/reload`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("bind"))]
pub struct Admin {
    /// Address and port, such as `127.0.0.1:9901`.
    #[schemars(extend("format" = "socket-address"))]
    pub bind: SocketAddr,
}
