//! A server whose behaviour is known, so that what is measured of it can be compared with the truth.
//!
//! It speaks HTTP/1.1, in clear text or by TLS, on a thread of its own with one event loop: what it knows of its queue and its stalls is
//! in one place, and times are those of the kernel's timers, not of an event loop that counts milliseconds. With [`Behaviour::default`]
//! it is the server that does nothing, by which a load generator is calibrated.

mod behaviour;
mod clock;
mod conduct;
mod connection;
mod serving;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rustls::ServerConfig;
use tokio::sync::oneshot;

pub use self::behaviour::{Behaviour, Capacity, Content, Delay, Failures, Fault, Stalls, Which};

/// A server of ours that runs until this is dropped.
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    shared: Arc<Shared>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Where and how a stand-in serves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens; by port 0 the system chooses one.
    pub address: SocketAddr,
    /// Its certificate and versions, where it speaks TLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// The most connections at a time. Others are closed at once.
    pub connections: usize,
    /// The processor that its thread runs on; `None`: wherever the system puts it.
    pub processor: Option<usize>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            tls: None,
            connections: 100_000,
            processor: None,
        }
    }
}

/// What the server's thread and its owner both see.
#[derive(Debug)]
struct Shared {
    /// What holds now, and since when.
    behaviour: Mutex<(Arc<Behaviour>, Instant)>,
    /// Grows with each change, so that the thread looks behind the lock only then.
    changes: AtomicU64,
    requests: AtomicU64,
    refused: AtomicU64,
    accepted: AtomicU64,
    open: AtomicU64,
}

impl StandIn {
    /// Starts a server on a port of loopback that the system chooses.
    ///
    /// # Errors
    /// Those of the system, and `InvalidInput` for a behaviour that none can have.
    pub fn start(behaviour: Behaviour) -> io::Result<StandIn> {
        StandIn::start_with(behaviour, Settings::default())
    }

    /// Starts a server. When this returns it takes connections.
    ///
    /// # Errors
    /// As [`StandIn::start`].
    pub fn start_with(behaviour: Behaviour, settings: Settings) -> io::Result<StandIn> {
        behaviour.check()?;
        let listener = serving::listen(settings.address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            behaviour: Mutex::new((Arc::new(behaviour), Instant::now())),
            changes: AtomicU64::new(1),
            requests: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            open: AtomicU64::new(0),
        });
        let (end, ended) = oneshot::channel();
        let thread = serving::start(listener, settings, Arc::clone(&shared), ended)?;
        Ok(StandIn {
            address,
            shared,
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Behaves otherwise from the next request on, and says since when. Requests that it has taken are answered as it was decided when
    /// they came, and a queue that has built up is still before those that come.
    ///
    /// # Errors
    /// `InvalidInput` for a behaviour that no server can have; then nothing changes.
    pub fn change(&self, behaviour: Behaviour) -> io::Result<Instant> {
        behaviour.check()?;
        let mut current = self.shared.behaviour.lock().unwrap_or_else(PoisonError::into_inner);
        *current = (Arc::new(behaviour), Instant::now());
        self.shared.changes.fetch_add(1, Ordering::Release);
        Ok(current.1)
    }

    /// When its behaviour began to hold. Stalls are counted from there.
    pub fn epoch(&self) -> Instant {
        self.shared.current().1
    }

    /// Requests that came whole, up to their content.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Of these, the ones that were refused because the queue was too long.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Connections that were made since the start.
    pub fn connections(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Connections that are open.
    pub fn open_connections(&self) -> u64 {
        self.shared.open.load(Ordering::Relaxed)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // The thread sees that the sender is gone.
        self.end = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// What holds now, and since when.
    fn current(&self) -> (Arc<Behaviour>, Instant) {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
