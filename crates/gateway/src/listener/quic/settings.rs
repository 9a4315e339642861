//! What a connection by QUIC may take.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portcullis_config::listener::Listener;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{IdleTimeout, TransportConfig, VarInt};
use rustls::ServerConfig;
use rustls::server::{ProducesTickets, ServerSessionMemoryCache};

use crate::snapshot::ListenerRules;

/// How much of a request's body, and of all on a connection, a client may send ahead of its reader: what fills
/// 80 Mbit/s over a line of 100 ms, and what a connection may hold of our memory.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;

/// How much of a connection's responses may be on the way to a client that has not said it has them.
const SEND_WINDOW: u64 = 2 * 1024 * 1024;

/// Streams that only a client writes on: three that HTTP/3 has (RFC 9114 §6.2), and some of which it means nothing.
const CONTROL_STREAMS: u32 = 8;

/// How often a client that says nothing is asked whether it is still there. Browsers give up on a connection after 30 s
/// of silence, and a request may be waiting for its answer for longer. Connections without requests end before that
/// gets out of hand, by the listener's idle timeout.
const ASK_AFTER: Duration = Duration::from_secs(20);

/// After how long a client that doesn't answer is taken for gone: as long as a phone may well be without a network.
const MOST_SILENCE: Duration = Duration::from_secs(60);

/// Clients that may resume a session. Each session is good for one handshake: so early data that somebody records is
/// worth nothing after it has arrived.
const SESSIONS: usize = 4096;

/// QUIC of a listener.
pub(crate) struct Quic {
    early_data: bool,
    /// What was made of the certificates in force, and those.
    made: Mutex<Option<(Arc<ServerConfig>, Arc<quinn::ServerConfig>)>>,
}

impl Quic {
    /// QUIC, where the listener speaks HTTP/3.
    pub(crate) fn of(listener: &Listener) -> Quic {
        Quic {
            // A client must show its certificate before it is listened to.
            early_data: listener.http3.early_data
                && listener
                    .tls
                    .as_ref()
                    .is_some_and(|tls| tls.client_certificates.is_none()),
            made: Mutex::new(None),
        }
    }

    /// Whether requests are taken before the handshake is complete.
    pub(super) fn takes_early_data(&self) -> bool {
        self.early_data
    }

    /// What holds for connections that begin now.
    ///
    /// # Errors
    /// When the certificates can't be used for QUIC.
    pub(super) fn server(&self, rules: &ListenerRules) -> Result<Arc<quinn::ServerConfig>, String> {
        let tls = rules.tls.as_ref().ok_or("there is no TLS")?.quic();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, server)) = &*made
            && Arc::ptr_eq(of, &tls)
        {
            return Ok(server.clone());
        }
        let server = Arc::new(self.make(&tls, rules)?);
        *made = Some((tls, server.clone()));
        Ok(server)
    }

    fn make(&self, tls: &ServerConfig, rules: &ListenerRules) -> Result<quinn::ServerConfig, String> {
        let mut tls = tls.clone();
        if self.early_data {
            // Early data wants sessions that we remember: a ticket could be used twice (RFC 8446 §8.1).
            tls.ticketer = Arc::new(NoTickets);
            tls.session_storage = ServerSessionMemoryCache::new(SESSIONS);
            // The one size there is in QUIC (RFC 9001 §4.6.1).
            tls.max_early_data_size = u32::MAX;
        }
        let crypto = QuicServerConfig::try_from(tls).map_err(|error| error.to_string())?;
        let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        server.transport_config(Arc::new(transport(rules)));
        Ok(server)
    }
}

fn transport(rules: &ListenerRules) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(rules.max_streams))
        .max_concurrent_uni_streams(VarInt::from_u32(CONTROL_STREAMS))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(IdleTimeout::try_from(MOST_SILENCE).ok())
        .keep_alive_interval(Some(ASK_AFTER));
    transport
}

/// Makes no session tickets that stand for themselves.
#[derive(Debug)]
struct NoTickets;

impl ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }

    fn lifetime(&self) -> u32 {
        0
    }

    fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}
