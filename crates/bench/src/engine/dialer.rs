//! Makes connections to a target, and counts them.

use std::cell::{Cell, RefCell, RefMut};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use rustls::pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::engine::failing;
use crate::engine::http1::Heads;
use crate::outcome::Failed;
use crate::plan::Plan;
use crate::target::{Protocol, Target};

/// The last of the addresses of this machine that connections to it may come from, when the ports of one are used up:
/// 127.0.0.1 to 127.0.0.200 is more than five million connections.
const LAST_SOURCE: u8 = 200;

/// How much is read at a time.
const ROOM: usize = 64 * 1024;

/// What connections of one thread come from.
pub(super) struct Dialer {
    target: Target,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    fresh: bool,
    turn: Cell<usize>,
    source: Cell<u8>,
    counts: Rc<Counts>,
    reading: RefCell<Reading>,
}

/// What reading takes.
pub(super) struct Reading {
    /// Room for what comes.
    pub(super) room: Box<[u8]>,
    /// What came before.
    pub(super) heads: Heads,
}

#[derive(Default)]
struct Counts {
    open: Cell<u64>,
    most: Cell<u64>,
    made: Cell<u64>,
}

/// An open connection, counted until it is dropped.
pub(super) struct Open(Rc<Counts>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

/// Connections since the last look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connections {
    /// The most at a time.
    pub(super) most: u64,
    /// How many were made.
    pub(super) made: u64,
}

impl Dialer {
    /// One for thread `number`; the threads begin at different addresses of the target.
    pub(super) fn new(plan: &Plan, number: usize) -> Dialer {
        let target = plan.target.clone();
        let tls = target.tls.as_ref().map(|tls| {
            let mut config = (*tls.config).clone();
            config.alpn_protocols = vec![alpn(target.protocol).to_vec()];
            (TlsConnector::from(std::sync::Arc::new(config)), tls.name.clone())
        });
        Dialer {
            target,
            tls,
            fresh: plan.fresh_connections,
            turn: Cell::new(number),
            source: Cell::new(1),
            counts: Rc::default(),
            reading: RefCell::new(Reading {
                room: vec![0; ROOM].into(),
                heads: Heads::default(),
            }),
        }
    }

    /// What reading takes, for as long as nothing is awaited. There is one for all, so that connections that wait hold no room.
    pub(super) fn reading(&self) -> RefMut<'_, Reading> {
        self.reading.borrow_mut()
    }

    /// Whether each request is to have a connection of its own.
    pub(super) fn fresh(&self) -> bool {
        self.fresh
    }

    /// The target.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// The target's address whose turn it is.
    ///
    /// # Errors
    /// When the target has none.
    pub(super) fn address(&self) -> Result<SocketAddr, Failed> {
        let addresses = &self.target.addresses;
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        match addresses.len() {
            0 => Err(failing::connect("the target has no address")),
            count => Ok(addresses[turn % count]),
        }
    }

    /// Counts a connection that was just made.
    pub(super) fn opened(&self) -> Open {
        let counts = self.counts.clone();
        counts.open.set(counts.open.get() + 1);
        counts.most.set(counts.most.get().max(counts.open.get()));
        counts.made.set(counts.made.get() + 1);
        Open(counts)
    }

    /// A connection in clear text.
    ///
    /// # Errors
    /// With the class `connect` when there is none.
    pub(super) async fn tcp(&self) -> Result<(TcpStream, Open), Failed> {
        let address = self.address()?;
        let mut sources = if is_loopback_v4(address) { LAST_SOURCE } else { 1 };
        loop {
            match self.attempt(address).await {
                Ok(stream) => {
                    // Requests are written whole, so that nothing is gained by waiting for more of them.
                    stream.set_nodelay(true).map_err(|error| failing::connecting(&error))?;
                    return Ok((stream, self.opened()));
                }
                // Nothing was sent: this was no attempt at the target.
                Err(error) if failing::is_out_of_ports(&error) && sources > 1 => {
                    sources -= 1;
                    self.source.set(self.source.get() % LAST_SOURCE + 1);
                }
                Err(error) => return Err(failing::connecting(&error)),
            }
        }
    }

    /// Agrees on TLS over a connection, and on the target's protocol. Nothing is done where the target has no TLS.
    ///
    /// # Errors
    /// With the class `tls` and what was wrong.
    pub(super) async fn tls(&self, stream: TcpStream) -> Result<Secured, Failed> {
        let Some((connector, name)) = &self.tls else {
            return Ok(Secured::Clear(stream));
        };
        let stream = connector
            .connect(name.clone(), stream)
            .await
            .map_err(|error| failing::agreeing(&error))?;
        let wanted = alpn(self.target.protocol);
        match stream.get_ref().1.alpn_protocol() {
            Some(agreed) if agreed == wanted => {}
            // Servers of HTTP/1.1 need not know ALPN at all.
            None if self.target.protocol == Protocol::Http1 => {}
            _ => return Err(failing::tls("the server does not speak this protocol")),
        }
        Ok(Secured::Tls(Box::new(stream)))
    }

    /// What was counted since the last time.
    pub(super) fn take_counts(&self) -> Connections {
        let counts = &self.counts;
        Connections {
            most: counts.most.replace(counts.open.get()),
            made: counts.made.take(),
        }
    }

    async fn attempt(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        let source = self.source.get();
        if source > 1 && is_loopback_v4(address) {
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, source)), 0))?;
        }
        socket.connect(address).await
    }
}

/// A connection, with TLS or without.
pub(super) enum Secured {
    /// In clear text.
    Clear(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

fn is_loopback_v4(address: SocketAddr) -> bool {
    address.is_ipv4() && address.ip().is_loopback()
}

/// The name of a protocol in the handshake (RFC 7301).
pub(super) fn alpn(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Http1 => b"http/1.1",
        Protocol::Http2 => b"h2",
        Protocol::Http3 => b"h3",
    }
}
