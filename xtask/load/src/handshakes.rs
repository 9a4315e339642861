//! Handshakes of TLS 1.3, each on a connection of its own, with one request.

use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use rustls::HandshakeKind;
use rustls::client::Resumption;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::answer;
use crate::connect::connect;
use crate::tally::{self, Tally};
use crate::tls::{self, Groups};

const CLIENTS: usize = 16;

/// What kind of handshake.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// With certificate and signature.
    Full,
    /// With a ticket of the connection before.
    Resumed,
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(word: &str) -> Result<Kind, ()> {
        match word {
            "full" => Ok(Kind::Full),
            "resumed" => Ok(Kind::Resumed),
            _ => Err(()),
        }
    }
}

/// # Errors
/// At the first handshake or request that fails, and at a handshake of another kind.
pub(crate) async fn run(address: SocketAddr, kind: Kind, groups: Groups, tally: &Arc<Tally>) -> Result<(), String> {
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut config = tls::config(groups, &["http/1.1"])?;
        if kind == Kind::Full {
            config.resumption = Resumption::disabled();
        }
        let connector = TlsConnector::from(Arc::new(config));
        clients.spawn(client(connector, address, kind, Arc::clone(tally)));
    }
    tally::all(clients).await
}

async fn client(connector: TlsConnector, address: SocketAddr, kind: Kind, tally: Arc<Tally>) -> io::Result<()> {
    let mut input = Vec::with_capacity(4096);
    // The first brings the ticket of the second; of thousands it is left out of the count.
    let mut first = true;
    while tally.goes_on() {
        let stream = connect(address).await?;
        let mut stream = connector.connect(tls::name(), stream).await?;
        stream.write_all(answer::REQUEST).await?;
        answer::read(&mut stream, &mut input).await?;
        let session = stream.get_ref().1;
        let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        if kind == Kind::Full || !first {
            if resumed != (kind == Kind::Resumed) {
                return Err(io::Error::other("the server doesn't resume sessions"));
            }
            tally.note(|| {
                let group = session.negotiated_key_exchange_group();
                group.map_or_else(String::new, |group| format!("{:?}", group.name()))
            });
            tally.count();
        }
        first = false;
        stream.shutdown().await?;
    }
    Ok(())
}
