//! The way of one connection: what a proxy before us says of it, TLS, and the protocol that it speaks.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use portcullis_core::Connection;
use portcullis_http1::server;
use tokio::io::{AsyncRead, AsyncWrite};

use super::tls::{Handshake, Unserved, handshake};
use super::{Admitted, Socket};
use crate::pipeline::Pipeline;
use crate::telemetry::log;

/// The two ends of a connection.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
}

/// Starts to serve a connection that was taken in.
pub(super) fn begin(admitted: Admitted, socket: Socket, ends: Ends) {
    // Two kinds of tasks, so that a connection in clear text doesn't hold the room that a handshake needs.
    match &admitted.rules.tls {
        None => {
            let connection = Rc::new(Connection::new(ends.peer, ends.local, None, false));
            tokio::task::spawn_local(speak(admitted, socket, connection));
        }
        Some(tls) => {
            let handshake = handshake(tls, socket, admitted.rules.settings.head_timeout);
            tokio::task::spawn_local(decrypt(admitted, handshake, ends));
        }
    }
}

/// Does the TLS handshake, then speaks HTTP.
async fn decrypt(admitted: Admitted, handshake: Handshake, ends: Ends) {
    let secured = match handshake.await {
        Ok(secured) => secured,
        Err(Unserved::Proved) => return,
        Err(unserved) => {
            let tallies = &admitted.worker.state.tallies;
            tallies.handshakes_failed.fetch_add(1, Ordering::Relaxed);
            if let Unserved::Refused(error) = unserved {
                log::refused_client(&admitted.rules.name, ends.peer, &error);
            }
            return;
        }
    };
    let mut connection = Connection::new(ends.peer, ends.local, secured.server_name, true);
    connection.client_certificate = secured.client;
    speak(admitted, secured.stream, Rc::new(connection)).await;
}

/// Speaks HTTP/1.1 on a connection until it ends.
async fn speak<IO>(admitted: Admitted, io: IO, connection: Rc<Connection>)
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let ticket = admitted.worker.drain.join();
    let pipeline = Pipeline { admitted, connection };
    server::serve(io, &pipeline, &pipeline.admitted.rules.settings, &ticket).await;
}
