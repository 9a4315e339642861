//! The handshake with a client.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use portcullis_core::ClientCertificate;
use rustls::HandshakeKind;
use rustls::server::Acceptor;
use tokio::time::error::Elapsed;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use super::certificates::is_challenge;
use super::{InForce, ListenerTls};
use crate::listener::Socket;

/// A connection whose handshake is complete.
pub(crate) struct Secured {
    pub(crate) stream: Box<TlsStream<Socket>>,
    /// The host that the client named, in small letters.
    pub(crate) server_name: Option<Box<str>>,
    /// Who the client is, if it showed that.
    pub(crate) client: Option<Box<ClientCertificate>>,
}

/// How a handshake ended without a connection to serve.
pub(crate) enum Unserved {
    /// An authority saw that a host is ours, and wants no more (RFC 8737 §3).
    Proved,
    /// The client took too long, or went away.
    Gone,
    /// The client was refused.
    Refused(rustls::Error),
}

/// A handshake under way, boxed: its state is large, and gone when the connection is idle.
pub(crate) type Handshake = Pin<Box<dyn Future<Output = Result<Secured, Unserved>>>>;

/// Does the handshake, if the client does its part in time.
pub(crate) fn handshake(tls: &ListenerTls, socket: Socket, patience: Duration) -> Handshake {
    let in_force = tls.in_force();
    Box::pin(async move {
        let secured = tokio::time::timeout(patience, secure(&in_force, socket));
        secured.await.unwrap_or_else(|_: Elapsed| Err(Unserved::Gone))
    })
}

async fn secure(in_force: &InForce, socket: Socket) -> Result<Secured, Unserved> {
    let stream = match &in_force.challenges {
        None => TlsAcceptor::from(in_force.server.clone()).accept(socket).await?,
        Some(challenges) => {
            let start = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
            if is_challenge(&start.client_hello()) {
                start.into_stream(challenges.clone()).await?;
                return Err(Unserved::Proved);
            }
            start.into_stream(in_force.server.clone()).await?
        }
    };
    let stream = Box::new(stream);
    let session = stream.get_ref().1;
    let client = match &in_force.clients {
        None => None,
        Some(clients) => {
            let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
            clients
                .identify(session.peer_certificates(), resumed)
                .map_err(Unserved::Refused)?
                .map(Box::new)
        }
    };
    Ok(Secured {
        server_name: session.server_name().map(Box::from),
        client,
        stream,
    })
}

impl From<io::Error> for Unserved {
    fn from(error: io::Error) -> Self {
        match error.downcast::<rustls::Error>() {
            Ok(error) => Unserved::Refused(error),
            Err(_) => Unserved::Gone,
        }
    }
}
