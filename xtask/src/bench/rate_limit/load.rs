//! Clients that ask at a pace, whatever they are answered, and count by time what became of it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Slices of time are so long.
const SLICE: Duration = Duration::from_millis(100);

/// Clients of each gate.
const CLIENTS: u32 = 8;

/// A load that is running.
pub(super) struct Load {
    pub(super) start: Instant,
    counted: Arc<Counted>,
    threads: Vec<JoinHandle<()>>,
}

/// What became of requests.
#[derive(Default)]
pub(super) struct Counted {
    admitted: Vec<AtomicU64>,
    refused: AtomicU64,
    failed: AtomicU64,
    /// The longest that any waited for its answer, in microseconds.
    longest: AtomicU64,
}

impl Load {
    /// Sends each gate its part of so many requests a second, for so long.
    pub(super) fn start(gates: &[SocketAddr], rate: u32, time: Duration) -> Load {
        let slices = usize::try_from(time.as_millis() / SLICE.as_millis()).unwrap_or(0);
        let counted = Arc::new(Counted {
            admitted: (0..=slices).map(|_| AtomicU64::new(0)).collect(),
            ..Counted::default()
        });
        let start = Instant::now();
        let clients = gates.iter().flat_map(|gate| (0..CLIENTS).map(move |_| *gate));
        let count = CLIENTS * u32::try_from(gates.len()).unwrap_or(1);
        let every = Duration::from_secs(1) * count / rate;
        let threads = clients
            .enumerate()
            .map(|(nth, gate)| {
                let counted = Arc::clone(&counted);
                // Not all at the same moment.
                let first = start + every * u32::try_from(nth).unwrap_or(0) / count;
                thread::spawn(move || ask(gate, first, start + time, every, start, &counted))
            })
            .collect();
        Load {
            start,
            counted,
            threads,
        }
    }

    /// Waits until it has ended.
    pub(super) fn finish(self) -> Arc<Counted> {
        for thread in self.threads {
            let _ = thread.join();
        }
        self.counted
    }
}

impl Counted {
    /// How many were admitted between two times since the start, in seconds.
    pub(super) fn admitted(&self, from: u32, to: u32) -> u64 {
        let slice = |seconds: u32| usize::try_from(seconds).unwrap_or(usize::MAX).saturating_mul(10);
        let slices = self.admitted.iter().take(slice(to)).skip(slice(from));
        slices.map(|slice| slice.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// How many were neither admitted nor refused.
    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn longest(&self) -> Duration {
        Duration::from_micros(self.longest.load(Ordering::Relaxed))
    }

    fn count(&self, answered: &io::Result<u16>, at: Duration, took: Duration) {
        let slice = usize::try_from(at.as_millis() / SLICE.as_millis()).unwrap_or(usize::MAX);
        match (answered, self.admitted.get(slice)) {
            (Ok(200), Some(slice)) => slice.fetch_add(1, Ordering::Relaxed),
            (Ok(429), _) => self.refused.fetch_add(1, Ordering::Relaxed),
            (Ok(200), None) => 0,
            _ => self.failed.fetch_add(1, Ordering::Relaxed),
        };
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.longest.fetch_max(took, Ordering::Relaxed);
    }
}

/// One client: a request each so often, on one connection for as long as that lasts.
fn ask(gate: SocketAddr, first: Instant, end: Instant, every: Duration, start: Instant, counted: &Counted) {
    let mut connection = None;
    let mut due = first;
    while due < end {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        let answered = exchange(&mut connection, gate);
        if answered.is_err() {
            connection = None;
        }
        counted.count(&answered, start.elapsed(), sent.elapsed());
        due += every;
    }
}

/// Sends a request and gives the status of its answer.
fn exchange(connection: &mut Option<TcpStream>, gate: SocketAddr) -> io::Result<u16> {
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(gate)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            connection.insert(stream)
        }
    };
    stream.write_all(b"GET / HTTP/1.1\r\nHost: gate.test\r\n\r\n")?;
    let mut input = Vec::with_capacity(1024);
    let mut piece = [0; 2048];
    loop {
        let length = stream.read(&mut piece)?;
        if length == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        input.extend_from_slice(&piece[..length]);
        if let Some(status) = status_of_whole(&input) {
            return Ok(status);
        }
    }
}

/// The status of an answer, once it is all there.
fn status_of_whole(input: &[u8]) -> Option<u16> {
    let end = input.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&input[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    let status = head.strip_prefix("http/1.1 ")?.get(..3)?.parse().ok();
    (input.len() >= end + 4 + length).then_some(status?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_content() {
        let answer = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(status_of_whole(answer), Some(429));
        assert_eq!(status_of_whole(&answer[..answer.len() - 1]), None);
    }
}
