//! The gate under test: this same program in a process of its own, which ends with us.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::isolation::{Isolation, MOST_BYTES};
use crate::server;
use crate::source::Source;

/// The program that runs, even if its file has been replaced meanwhile (proc(5)).
const OURSELVES: &str = "/proc/self/exe";

/// How long a gate may take until it serves.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lines of its log that are told when it doesn't start.
const LAST_LINES: usize = 5;

/// The line that names its listener has this before the URL.
const LISTENING: &str = "listening on http://";

/// The line that says that it serves ends so.
const READY: &str = " ready";

/// Variables by which a service manager speaks to the process that it started, which is us.
const OF_THE_MANAGER: [&str; 5] = [
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
];

/// A gate that serves on loopback until this is dropped.
pub(super) struct TestGate {
    child: Child,
    address: SocketAddr,
}

impl TestGate {
    /// Starts a gate by a file, isolated. When this returns it serves.
    ///
    /// # Errors
    /// Why it can't, with the end of its log.
    pub(super) fn start(file: &Path, isolation: &Isolation) -> Result<TestGate, String> {
        let failed =
            |what: &str, error: &dyn std::fmt::Display| format!("no gate could be started to test: {what}: {error}");
        let mut command = Command::new(OURSELVES);
        command.args(["bench", "isolated-gate"]).arg(file);
        for name in OF_THE_MANAGER {
            command.env_remove(name);
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // The keyboard's signals are for us: a gate that ended first would look as if it had failed.
        command.process_group(0);
        let child = command.spawn().map_err(|error| failed("the process", &error))?;
        let mut gate = TestGate {
            child,
            address: ([127, 0, 0, 1], 0).into(),
        };
        let log = gate.log();
        gate.tell(isolation)
            .map_err(|error| failed("its standard input", &error))?;
        gate.address = serving(&log)?;
        Ok(gate)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its standard input stays open after this: its end is the gate's.
    fn tell(&mut self, isolation: &Isolation) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(isolation)?;
        line.push(b'\n');
        match &mut self.child.stdin {
            Some(stdin) => stdin.write_all(&line),
            None => Ok(()),
        }
    }

    /// The lines of its log. They are read to their end even if nobody wants them, so that the gate never waits.
    fn log(&mut self) -> Receiver<String> {
        let (lines, log) = channel();
        if let Some(stderr) = self.child.stderr.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    let _ = lines.send(line);
                }
            });
        }
        log
    }
}

impl Drop for TestGate {
    fn drop(&mut self) {
        // Nothing of it is worth a drain.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for the lines that say where the gate listens, and that it serves.
fn serving(log: &Receiver<String>) -> Result<SocketAddr, String> {
    let due = Instant::now() + PATIENCE;
    let mut address = None;
    let mut last = VecDeque::new();
    loop {
        match log.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if let Some((_, listens)) = line.split_once(LISTENING) {
                    address = address.or(listens.trim_end_matches('/').parse().ok());
                }
                match address {
                    Some(address) if line.ends_with(READY) => return Ok(address),
                    _ => {}
                }
                last.push_back(line);
                if last.len() > LAST_LINES {
                    last.pop_front();
                }
            }
            Err(ended) => {
                let why = match ended {
                    RecvTimeoutError::Timeout => "it isn't ready after 30 seconds",
                    RecvTimeoutError::Disconnected => "it ended",
                };
                let said = Vec::from(last).join("\n");
                return Err(format!("the gate of the test doesn't serve: {why}\n{said}"));
            }
        }
    }
}

/// Serves as such a gate: the first line of standard input says what is isolated how, and its end is the end.
///
/// # Errors
/// When that line isn't there.
pub(crate) fn serve(file: &Path) -> Result<u8, String> {
    let mut line = String::new();
    let read = BufReader::new(std::io::stdin().lock().take(MOST_BYTES)).read_line(&mut line);
    read.map_err(|error| format!("what to isolate can't be read: {error}"))?;
    let isolation: Isolation =
        serde_json::from_str(&line).map_err(|error| format!("standard input doesn't say what to isolate: {error}"))?;
    std::thread::spawn(|| {
        // Whoever started us is gone, however it ended.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        std::process::exit(0);
    });
    let ended = server::run(Source::isolated(file.to_owned(), isolation), false, None);
    Ok(u8::from(ended != ExitCode::SUCCESS))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn said(lines: &[&str]) -> Result<SocketAddr, String> {
        let (sender, log) = channel();
        for line in lines {
            sender.send((*line).to_owned()).unwrap();
        }
        drop(sender);
        serving(&log)
    }

    #[test]
    fn a_gate_serves_when_it_says_so() {
        let address = said(&["INFO  listening on http://127.0.0.1:4321", "INFO  ready"]);
        assert_eq!(address.unwrap().port(), 4321);
        let why = said(&["INFO  listening on http://127.0.0.1:4321", "can't open x"]).unwrap_err();
        assert!(why.contains("it ended\n") && why.ends_with("can't open x"), "{why}");
    }
}
