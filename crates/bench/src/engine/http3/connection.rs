//! A connection of QUIC with HTTP/3 on it, which tasks of its own keep going.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use h3::client::{RequestStream, SendRequest};
use h3::error::{Code, ConnectionError, LocalError, StreamError};
use h3::quic::ConnectionErrorIncoming;
use h3_quinn::{BidiStream, OpenStreams};
use http::Request;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, ConnectError, Endpoint, TransportErrorCode};

use crate::engine::dialer::{Dialer, alpn};
use crate::engine::failing;
use crate::engine::multiplexed::Handle;
use crate::outcome::Failed;
use crate::target::Protocol;

/// The largest head of an answer, as RFC 9114 §4.2.2 counts it.
const HEAD: u64 = 64 * 1024;

/// A handle on a connection.
#[derive(Clone)]
pub(super) struct Connection {
    requests: SendRequest<OpenStreams, Bytes>,
    ended: Rc<Cell<bool>>,
}

impl Handle for Connection {
    /// Each connection has a socket of its own, as those of clients have.
    async fn open(dialer: &Dialer) -> Result<Connection, Failed> {
        let address = dialer.address()?;
        let Some(tls) = &dialer.target().tls else {
            return Err(failing::tls("HTTP/3 has no clear text"));
        };
        let endpoint = Endpoint::client(any_port(address)).map_err(|error| failing::connecting(&error))?;
        let connecting = endpoint.connect_with(config(&tls.config)?, address, &tls.name.to_str());
        let connection = connecting.map_err(|error| not_begun(&error))?;
        let connection = connection.await.map_err(|error| not_connected(&error))?;
        let open = dialer.opened();
        let mut builder = h3::client::builder();
        builder.max_field_section_size(HEAD).send_grease(false);
        let begun = builder.build(h3_quinn::Connection::new(connection)).await;
        let (mut driver, requests) = begun.map_err(|error| failed(&error))?;
        let ended = Rc::new(Cell::new(false));
        let mark = ended.clone();
        tokio::task::spawn_local(async move {
            // What went wrong is told to each stream.
            let _ = poll_fn(|cx| driver.poll_close(cx)).await;
            mark.set(true);
            drop((open, endpoint));
        });
        Ok(Connection { requests, ended })
    }

    fn is_usable(&self) -> bool {
        !self.ended.get()
    }
}

impl Connection {
    /// Sends the head of a request, as soon as the server allows one more stream.
    pub(super) async fn start(
        &mut self,
        head: &Request<()>,
    ) -> Result<RequestStream<BidiStream<Bytes>, Bytes>, StreamError> {
        let started = self.requests.send_request(head.clone()).await;
        if let Err(StreamError::ConnectionError { .. } | StreamError::RemoteClosing { .. }) = started {
            self.ended.set(true);
        }
        started
    }
}

fn config(tls: &Arc<rustls::ClientConfig>) -> Result<ClientConfig, Failed> {
    let mut tls = rustls::ClientConfig::clone(tls);
    tls.alpn_protocols = vec![alpn(Protocol::Http3).to_vec()];
    let tls = QuicClientConfig::try_from(tls).map_err(|error| failing::tls(&error.to_string()))?;
    Ok(ClientConfig::new(Arc::new(tls)))
}

fn any_port(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

#[cold]
fn not_begun(error: &ConnectError) -> Failed {
    match error {
        ConnectError::InvalidServerName(_) => failing::tls("the name is none that a certificate can have"),
        other => failing::connect(&other.to_string()),
    }
}

/// Why no connection came to be. What TLS finds wrong comes as an error of QUIC (RFC 9001 §4.8).
#[cold]
fn not_connected(error: &quinn::ConnectionError) -> Failed {
    match error {
        quinn::ConnectionError::TransportError(error) if is_of_tls(error.code) => {
            failing::tls(&of_certificate(&error.reason))
        }
        quinn::ConnectionError::ConnectionClosed(close) if is_of_tls(close.error_code) => {
            // 120 is the alert no_application_protocol (RFC 7301 §3.2).
            match u64::from(close.error_code) & 0xff {
                120 => failing::tls("the server does not speak this protocol"),
                alert => failing::tls(&format!("the server refused: alert {alert}")),
            }
        }
        quinn::ConnectionError::TimedOut => failing::connect("no reply to connecting"),
        quinn::ConnectionError::VersionMismatch => failing::connect("no common version of QUIC"),
        other => failing::connect(&other.to_string()),
    }
}

fn is_of_tls(code: TransportErrorCode) -> bool {
    (0x100..0x200).contains(&u64::from(code))
}

/// The words that the same causes have over TCP. Only the text of what rustls found comes through QUIC.
fn of_certificate(reason: &str) -> String {
    let words = [
        ("UnknownIssuer", "unknown issuer"),
        ("expired", "certificate expired"),
        ("not valid for name", "wrong name"),
        ("NotValidForName", "wrong name"),
        ("not valid yet", "certificate not valid yet"),
    ];
    let known = words.iter().find(|(part, _)| reason.contains(part));
    known.map_or(reason, |(_, word)| word).to_owned()
}

/// What the streams of a connection failed of.
#[cold]
pub(super) fn failed(error: &ConnectionError) -> Failed {
    match error {
        ConnectionError::Timeout { .. }
        | ConnectionError::Remote {
            0: ConnectionErrorIncoming::Timeout,
            ..
        } => failing::reset("the connection went silent"),
        ConnectionError::Remote {
            0: ConnectionErrorIncoming::ApplicationClose { error_code, .. },
            ..
        } => failing::reset(&format!("connection closed: {}", Code::from(*error_code))),
        ConnectionError::Local {
            error: LocalError::Application { code, .. },
            ..
        } => failing::protocol(&format!("the answer breaks HTTP/3: {code}")),
        _ => failing::reset("connection lost"),
    }
}
