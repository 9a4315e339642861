//! The way of one connection by QUIC: its handshake, and HTTP/3.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use portcullis_core::{Connection, DrainTicket};
use quinn::crypto::rustls::HandshakeData;
use quinn::{Incoming, VarInt, ZeroRttAccepted};
use rustls::pki_types::CertificateDer;

use crate::listener::Admitted;
use crate::pipeline::Pipeline;
use crate::telemetry::log;

/// Nothing more to say (RFC 9114 §8.1).
const NO_ERROR: VarInt = VarInt::from_u32(0x100);

/// How many handshakes are under way.
#[derive(Clone, Default)]
pub(super) struct Handshakes(Rc<Cell<usize>>);

/// A handshake under way. It counts until it is dropped.
pub(super) struct UnderWay(Handshakes);

impl Handshakes {
    pub(super) fn count(&self) -> usize {
        self.0.get()
    }

    pub(super) fn begin(&self) -> UnderWay {
        self.0.set(self.0.get() + 1);
        UnderWay(self.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.set(self.0.0.get() - 1);
    }
}

/// Starts to serve a connection that was taken in.
pub(super) fn begin(
    admitted: Admitted,
    incoming: Incoming,
    local: SocketAddr,
    under_way: UnderWay,
    ticket: DrainTicket,
) {
    tokio::task::spawn_local(async move {
        let local = SocketAddr::new(incoming.local_ip().unwrap_or(local.ip()), local.port());
        match secure(&admitted, incoming, under_way).await {
            Some(secured) => serve(admitted, secured, local, ticket).await,
            None => {
                let tallies = &admitted.worker.state.tallies;
                tallies.handshakes_failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
}

/// A connection that can be served, though its handshake may still lack its end.
struct Secured {
    connection: quinn::Connection,
    server_name: Option<Box<str>>,
}

/// Does the handshake, if the client does its part in time.
async fn secure(admitted: &Admitted, incoming: Incoming, under_way: UnderWay) -> Option<Secured> {
    let rules = &admitted.rules;
    let quic = rules.quic.as_ref()?;
    let due = tokio::time::Instant::now() + rules.settings.head_timeout;
    let mut connecting = incoming.accept_with(quic.server(rules).ok()?).ok()?;
    let hello = tokio::time::timeout_at(due, connecting.handshake_data())
        .await
        .ok()?
        .ok()?;
    let hello = hello.downcast::<HandshakeData>().ok()?;
    let server_name = hello.server_name.map(Box::from);
    if quic.takes_early_data() {
        match connecting.into_0rtt() {
            Ok((connection, established)) => {
                tokio::task::spawn_local(establish(connection.clone(), established, due, under_way));
                return Some(Secured {
                    connection,
                    server_name,
                });
            }
            Err(refused) => connecting = refused,
        }
    }
    let connection = tokio::time::timeout_at(due, connecting).await.ok()?.ok()?;
    Some(Secured {
        connection,
        server_name,
    })
}

/// Sees to the end of a handshake while requests of its early data are served.
async fn establish(
    connection: quinn::Connection,
    established: ZeroRttAccepted,
    due: tokio::time::Instant,
    _under_way: UnderWay,
) {
    if tokio::time::timeout_at(due, established).await.is_err() {
        connection.close(NO_ERROR, b"the handshake took too long");
    }
}

/// Speaks HTTP/3 on a connection until it ends.
async fn serve(admitted: Admitted, secured: Secured, local: SocketAddr, ticket: DrainTicket) {
    let Secured {
        connection,
        server_name,
    } = secured;
    let mut facts = Connection::new(connection.remote_address(), local, server_name, true);
    let shown = connection.peer_identity();
    let shown = shown.and_then(|shown| shown.downcast::<Vec<CertificateDer<'static>>>().ok());
    let client = admitted
        .rules
        .tls
        .as_ref()
        .map(|tls| tls.identify(shown.as_deref().map(Vec::as_slice)));
    match client {
        Some(Ok(client)) => facts.client_certificate = client,
        refused => {
            if let Some(Err(error)) = refused {
                log::refused_client(&admitted.rules.name, facts.peer, &error);
            }
            return connection.close(NO_ERROR, b"the certificate was refused");
        }
    }
    let settings = admitted.rules.settings.clone();
    let pipeline = Rc::new(Pipeline {
        admitted,
        connection: Rc::new(facts),
    });
    portcullis_http3::serve(connection, pipeline, settings, ticket).await;
}
