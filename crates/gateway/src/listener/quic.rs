//! Connections by QUIC, for HTTP/3: one endpoint on each worker, all on one address.
//!
//! `settings.rs` says what a connection may take, `steering.rs` sees to it that a client's packets find its worker
//! wherever they come from, `passage.rs` that they find their process while another binary takes over, and `connection.rs`
//! leads one connection from its first packet to its end.

mod connection;
mod passage;
mod settings;
mod steering;

use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use portcullis_core::{Drain, DrainTicket};
use quinn::{Endpoint, Incoming, TokioRuntime};

use self::connection::Handshakes;
use self::passage::Passage;
pub(crate) use self::passage::{Ceded, Elder, pair};
pub(crate) use self::settings::Quic;
use super::Admitted;
use crate::snapshot::{ListenerKey, ListenerRules};
use crate::telemetry::log;
use crate::worker::Worker;

/// How many bytes of packets the system keeps for each worker while it does something else, as far as it allows that.
const RECEIVE_BUFFER: usize = 2 * 1024 * 1024;

/// How many handshakes may be under way on a worker before clients must show, at the cost of a round trip, that they are
/// where they say (RFC 9000 §8.1.2). From then on a flood from addresses that aren't the sender's costs us no memory.
const UNPROVED_HANDSHAKES: usize = 64;

/// How many handshakes may be under way on a worker at all.
const MOST_HANDSHAKES: usize = 4096;

/// How long the end of an endpoint waits for its last packets to go out.
const LAST_PACKETS: Duration = Duration::from_millis(200);

/// A worker's share of a listener's address.
pub(crate) struct Share {
    pub(crate) socket: UdpSocket,
    /// Which of the sockets on the address it is, and how many there are.
    pub(crate) place: usize,
    pub(crate) of: usize,
    /// Which process this is since the first one.
    pub(crate) generation: u8,
    /// Those before it that still have connections.
    pub(crate) elders: Arc<Vec<Elder>>,
    pub(crate) ceded: Arc<Ceded>,
}

impl Share {
    /// The same once more, to be given to the next process.
    ///
    /// # Errors
    /// When the system has no descriptor for it.
    pub(crate) fn try_clone(&self) -> io::Result<Share> {
        Ok(Share {
            socket: self.socket.try_clone()?,
            place: self.place,
            of: self.of,
            generation: self.generation,
            elders: self.elders.clone(),
            ceded: self.ceded.clone(),
        })
    }
}

/// One socket for each worker, all on one address. The first one makes sure that no other process is there.
///
/// # Errors
/// The system's, such as an address that is in use.
pub(crate) fn open(address: SocketAddr, workers: usize, generation: u8) -> io::Result<Vec<Share>> {
    let probe = socket(address)?;
    probe.bind(&address.into())?;
    drop(probe);
    let mut shares = Vec::with_capacity(workers);
    for worker in 0..workers {
        let socket = socket(address)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        if worker == 0 {
            steering::steer(&socket, workers)?;
        }
        shares.push(Share {
            socket: socket.into(),
            place: worker,
            of: workers,
            generation,
            elders: Arc::default(),
            ceded: Arc::default(),
        });
    }
    Ok(shares)
}

fn socket(address: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    // The system gives as much of it as its settings allow.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    Ok(socket)
}

/// Accepts connections until it is told to end. Those that there are then end after their requests; the socket is theirs
/// too, and goes with the last of them.
pub(crate) async fn accept(worker: Rc<Worker>, key: ListenerKey, share: Share, end: DrainTicket) {
    let Some(rules) = rules_of(&worker, key) else { return };
    let endpoint = match endpoint(&rules, share) {
        Ok(endpoint) => endpoint,
        Err(error) => return log::warn(format_args!("can't listen on {} by QUIC: {error}", key.bind)),
    };
    let mut door = Door {
        handshakes: Handshakes::default(),
        connections: Drain::new(),
        endpoint,
        worker,
        key,
        rules,
    };
    while let Some(incoming) = door.next(&end).await {
        door.admit(incoming);
    }
    tokio::task::spawn_local(door.close());
}

fn rules_of(worker: &Worker, key: ListenerKey) -> Option<Arc<ListenerRules>> {
    let snapshot = worker.snapshot();
    snapshot.listeners.iter().find(|rules| rules.key == key).cloned()
}

fn endpoint(rules: &ListenerRules, share: Share) -> io::Result<Endpoint> {
    let quic = rules.quic.as_ref().ok_or(io::ErrorKind::InvalidInput)?;
    let server = quic.server(rules).map_err(io::Error::other)?;
    let mut config = quinn::EndpointConfig::default();
    steering::number(&mut config, share.place, share.of, share.generation);
    // The key of stateless resets is this endpoint's own: shared with others, it would let a packet that went astray
    // among the workers end a connection that lives.
    let socket = Passage::new(share.socket, share.elders, share.ceded)?;
    Endpoint::new_with_abstract_socket(
        config,
        Some((*server).clone()),
        Arc::new(socket),
        Arc::new(TokioRuntime),
    )
}

/// Lets connections in to one listener.
struct Door {
    endpoint: Endpoint,
    handshakes: Handshakes,
    /// The connections that came in by it.
    connections: Rc<Drain>,
    worker: Rc<Worker>,
    key: ListenerKey,
    rules: Arc<ListenerRules>,
}

impl Door {
    /// The next client; `None` when the listener ends.
    async fn next(&self, end: &DrainTicket) -> Option<Incoming> {
        let mut accept = pin!(self.endpoint.accept());
        poll_fn(|cx| match accept.as_mut().poll(cx) {
            Poll::Ready(incoming) => Poll::Ready(incoming),
            Poll::Pending if end.poll_draining(cx) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Takes a connection in, if the limits allow it.
    fn admit(&mut self, incoming: Incoming) {
        if let Some(rules) = rules_of(&self.worker, self.key) {
            self.rules = rules;
        }
        let under_way = self.handshakes.count();
        if under_way >= UNPROVED_HANDSHAKES && !incoming.remote_address_validated() && incoming.may_retry() {
            // It says no only to a client that has proved its address.
            let _ = incoming.retry();
            return;
        }
        let tallies = &self.worker.state.tallies;
        tallies.connections.fetch_add(1, Ordering::Relaxed);
        let mut admitted = Admitted::new(self.worker.clone(), self.rules.clone());
        if admitted.exceeds_limit() || under_way >= MOST_HANDSHAKES {
            tallies.connections_shed.fetch_add(1, Ordering::Relaxed);
            return incoming.refuse();
        }
        if !admitted.takes(incoming.remote_address().ip()) {
            // No answer: the address may be somebody else's.
            return incoming.ignore();
        }
        let local = self.endpoint.local_addr();
        let Ok(local) = local else { return };
        connection::begin(
            admitted,
            incoming,
            local,
            self.handshakes.begin(),
            self.connections.join(),
        );
    }

    /// Lets nobody in any more, and waits until all have left.
    async fn close(self) {
        // The worker must not end before the last packets are out.
        let _busy = self.worker.busy();
        self.endpoint.set_server_config(None);
        self.connections.start();
        while self.connections.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let _ = tokio::time::timeout(LAST_PACKETS, self.endpoint.wait_idle()).await;
    }
}
