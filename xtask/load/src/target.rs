//! A server behind a proxy whose faults are commanded: it takes its time, refuses, or cuts connections, and counts.

mod control;
mod http1;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// What all connections share.
struct Target {
    name: String,
    /// How long a request takes, in microseconds, give or take a half.
    delay: AtomicU64,
    mode: AtomicU8,
    /// How many requests are served at a time; others wait.
    places: Semaphore,
    requests: AtomicU64,
    connections: AtomicU64,
}

/// How requests are answered.
#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
enum Mode {
    Well = 0,
    /// With 503, at once.
    Unavailable = 1,
    /// Not at all: the connection is reset.
    Reset = 2,
}

/// Serves at an address until standard input ends. Says `ready`, and answers each command with a line; see `control.rs`.
///
/// # Errors
/// When the address can't be had.
pub(crate) async fn run(address: SocketAddr, delay: u64, places: usize) -> Result<(), String> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|failure| failure.to_string())?;
    let target = Arc::new(Target {
        name: address.port().to_string(),
        delay: AtomicU64::new(delay),
        mode: AtomicU8::new(Mode::Well as u8),
        places: Semaphore::new(places),
        requests: AtomicU64::new(0),
        connections: AtomicU64::new(0),
    });
    println!("ready");
    tokio::select! {
        () = control::obey(&target) => Ok(()),
        failure = accept(&listener, &target) => Err(failure.to_string()),
    }
}

async fn accept(listener: &TcpListener, target: &Arc<Target>) -> std::io::Error {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                target.connections.fetch_add(1, Ordering::Relaxed);
                // Without it answers are slower, and still right.
                let _ = stream.set_nodelay(true);
                tokio::spawn(http1::serve(stream, Arc::clone(target)));
            }
            Err(failure) => return failure,
        }
    }
}

impl Target {
    fn mode(&self) -> Mode {
        match self.mode.load(Ordering::Relaxed) {
            1 => Mode::Unavailable,
            2 => Mode::Reset,
            _ => Mode::Well,
        }
    }

    /// Takes the time that a request takes, once there is a place for it.
    async fn work(&self) {
        let _place = self.places.acquire().await;
        let delay = self.delay.load(Ordering::Relaxed);
        if delay > 0 {
            let delay = fastrand::u64(delay / 2..=delay + delay / 2);
            tokio::time::sleep(Duration::from_micros(delay)).await;
        }
    }
}
