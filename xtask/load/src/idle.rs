//! Connections by TLS that are there and do nothing.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::Resumption;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::connect::connect;
use crate::tls::{self, Groups};
use crate::{answer, upstream};

/// Opens so many, by a full handshake and with a request each, says how many there are, waits until standard input ends, and says
/// how many still answer.
///
/// # Errors
/// When one can't be made, or a request on it fails.
pub(crate) async fn run(address: SocketAddr, count: usize) -> Result<(), String> {
    let mut config = tls::config(Groups::Default, &["http/1.1"])?;
    config.resumption = Resumption::disabled();
    let connector = TlsConnector::from(Arc::new(config));
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        let connection = open(&connector, address).await;
        held.push(connection.map_err(|failure| failure.to_string())?);
    }
    println!("{}", held.len());
    upstream::told_to_end().await;
    let mut answered = 0;
    for connection in &mut held {
        if ask(connection).await.is_ok() {
            answered += 1;
        }
    }
    println!("{answered}");
    Ok(())
}

async fn open(connector: &TlsConnector, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
    let stream = connect(address).await?;
    let mut stream = connector.connect(tls::name(), stream).await?;
    ask(&mut stream).await?;
    Ok(stream)
}

async fn ask(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    stream.write_all(answer::REQUEST).await?;
    answer::read(stream, &mut Vec::with_capacity(4096)).await
}
