//! The way of one connection: what a proxy before us says of it, TLS, and the protocol that it speaks.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portcullis_core::Connection;
use portcullis_http1::server;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Admitted, Socket};
use crate::pipeline::Pipeline;

/// The two ends of a connection.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
}

/// Starts to serve a connection that was taken in.
pub(super) fn begin(admitted: Admitted, socket: Socket, ends: Ends) {
    // Two kinds of tasks, so that a connection in clear text doesn't hold the room that a handshake needs.
    match admitted.rules.tls.clone() {
        None => {
            let connection = Rc::new(Connection::new(ends.peer, ends.local, None, false));
            tokio::task::spawn_local(speak(admitted, socket, connection));
        }
        Some(acceptor) => {
            tokio::task::spawn_local(decrypt(admitted, acceptor, socket, ends));
        }
    }
}

/// Does the TLS handshake, then speaks HTTP.
async fn decrypt(admitted: Admitted, acceptor: TlsAcceptor, socket: Socket, ends: Ends) {
    let Some(stream) = handshake(acceptor, socket, admitted.rules.settings.head_timeout).await else {
        let tallies = &admitted.worker.state.tallies;
        tallies.handshakes_failed.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let server_name = stream.get_ref().1.server_name().map(Box::from);
    let connection = Rc::new(Connection::new(ends.peer, ends.local, server_name, true));
    speak(admitted, stream, connection).await;
}

type Handshake = Pin<Box<dyn Future<Output = Option<Box<TlsStream<Socket>>>>>>;

/// The handshake, boxed: its state is large, and gone when the connection is idle.
fn handshake(acceptor: TlsAcceptor, socket: Socket, patience: Duration) -> Handshake {
    Box::pin(async move {
        let accepted = tokio::time::timeout(patience, acceptor.accept(socket)).await;
        accepted.ok()?.ok().map(Box::new)
    })
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
