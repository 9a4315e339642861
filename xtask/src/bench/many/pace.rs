//! Requests at a pace that waits for nobody: what comes late is counted from when it was due.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::bench::load::{self, Connection};

/// Connections, each with requests of its own.
const CONNECTIONS: u32 = 8;

/// Between two requests of one connection: 800 requests in a second over all are a load that two processors barely feel.
const EVERY: Duration = Duration::from_millis(10);

/// One request.
pub(super) struct Taken {
    pub(super) due: Instant,
    /// In seconds from when it was due; nothing where it failed.
    pub(super) latency: Option<f64>,
}

/// A load that goes on until it is stopped.
pub(super) struct Pace {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Taken>>>,
}

impl Pace {
    /// # Errors
    /// When no connection can be made.
    pub(super) fn start(address: SocketAddr, paths: &[String]) -> Result<Pace, String> {
        let stop = Arc::new(AtomicBool::new(false));
        let requests: Arc<[Vec<u8>]> = paths.iter().map(|path| load::get(path)).collect();
        let mut threads = Vec::new();
        for number in 0..CONNECTIONS {
            let connection = Connection::open(address).map_err(|failure| failure.to_string())?;
            let (stop, requests) = (stop.clone(), requests.clone());
            let first = Instant::now() + EVERY * number / CONNECTIONS;
            threads.push(std::thread::spawn(move || {
                ask(address, connection, &requests, first, &stop)
            }));
        }
        Ok(Pace { stop, threads })
    }

    /// Ends it, and gives back all that was taken.
    pub(super) fn stop(self) -> Vec<Taken> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_default())
            .collect()
    }
}

fn ask(address: SocketAddr, first: Connection, requests: &[Vec<u8>], begin: Instant, stop: &AtomicBool) -> Vec<Taken> {
    let mut connection = Some(first);
    let mut taken = Vec::new();
    let mut due = begin;
    for request in requests.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if connection.is_none() {
            connection = Connection::open(address).ok();
        }
        let answered = connection
            .as_mut()
            .is_some_and(|connection| connection.send(request).and_then(|()| connection.receive()).is_ok());
        if !answered {
            connection = None;
        }
        let latency = answered.then(|| due.elapsed().as_secs_f64());
        taken.push(Taken { due, latency });
        due += EVERY;
    }
    taken
}

/// The value below which that share of all lies.
pub(super) fn percentile(values: impl Iterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "there are few values, and shares are from 0 to 1"
    )]
    let place = (values.len() as f64 * share) as usize;
    values
        .get(place.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values = || (1..=100).map(f64::from);
        assert!((percentile(values(), 0.99) - 100.0).abs() < f64::EPSILON);
        assert!((percentile(values(), 0.5) - 51.0).abs() < f64::EPSILON);
        assert!(percentile(std::iter::empty(), 0.5).is_nan());
    }
}
