//! The load as a process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::report::Report;
use crate::bench::proxies::{CPU, pinned};

/// A load that is running. It ends when this is dropped.
pub(in crate::bench) struct Client {
    child: Child,
    output: BufReader<ChildStdout>,
    /// When its first request is due.
    pub(in crate::bench) start: Instant,
}

impl Client {
    /// Starts streams (`NAME=KIND,ADDRESS,METHOD,PATH,RATE`) that go on for so many seconds.
    ///
    /// # Errors
    /// When they don't start.
    pub(in crate::bench) fn start(program: &Path, seconds: u32, streams: &[String]) -> Result<Client, String> {
        let mut command = pinned(CPU + 1, program);
        let mut child = command
            .args(["steady", &seconds.to_string()])
            .args(streams)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|failure| format!("{command:?}: {failure}"))?;
        let output = BufReader::new(child.stdout.take().expect("standard output was asked for"));
        let mut client = Client {
            child,
            output,
            start: Instant::now(),
        };
        let line = client.line()?;
        let since = line.strip_prefix("started ").and_then(|time| time.parse().ok());
        let begins = UNIX_EPOCH + Duration::from_micros(since.ok_or_else(|| format!("the load said `{line}`"))?);
        let ahead = begins.duration_since(SystemTime::now()).unwrap_or_default();
        client.start = Instant::now() + ahead;
        Ok(client)
    }

    /// Waits until all requests have ended.
    ///
    /// # Errors
    /// When it doesn't report.
    pub(in crate::bench) fn finish(mut self) -> Result<Report, String> {
        let line = self.line()?;
        serde_json::from_str(&line).map_err(|error| format!("the load said `{line}`: {error}"))
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .map_err(|failure| failure.to_string())?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
