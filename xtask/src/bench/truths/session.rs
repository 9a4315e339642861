//! Servers whose behaviour is known on one processor, and the load tester on another.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::counted;
use crate::bench::bench_process::CODES;
use crate::bench::proxies::{CPU, pinned};
use crate::process;

/// The program.
pub(super) struct Session {
    program: PathBuf,
}

/// A server. It ends when this is dropped.
pub(super) struct StandIn {
    child: Child,
    url: String,
}

impl StandIn {
    /// Starts one.
    ///
    /// # Errors
    /// When it doesn't say where it listens.
    pub(super) fn start(session: &Session, words: &[&str]) -> Result<StandIn, String> {
        let mut command = pinned(CPU, &session.program);
        let mut child = command
            .args(["bench", "stand-in"])
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|failure| format!("{command:?}: {failure}"))?;
        let mut url = String::new();
        let output = child.stdout.take().expect("standard output was asked for");
        let read = BufReader::new(output).read_line(&mut url);
        let server = StandIn {
            child,
            url: format!("{}/", url.trim()),
        };
        match read {
            Ok(1..) => Ok(server),
            _ => Err("a stand-in didn't start".to_owned()),
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Session {
    pub(super) fn new(program: PathBuf) -> Result<Session, String> {
        if program.is_file() {
            Ok(Session { program })
        } else {
            Err(format!("{} isn't there", program.display()))
        }
    }

    fn command(&self, server: &StandIn, words: &[&str]) -> Command {
        let mut command = pinned(CPU + 1, &self.program);
        command
            .args(["bench", &server.url, "--threads", "1", "--quiet", "--format", "json"])
            .args(words);
        command
    }

    /// The report of a run.
    ///
    /// # Errors
    /// When it can't be run.
    pub(super) fn measure(&self, server: &StandIn, words: &[&str]) -> Result<Value, String> {
        read(&process::output_with(&mut self.command(server, words), &[0, 3, 4])?)
    }

    /// The same, and the most memory that it held, in MiB.
    ///
    /// # Errors
    /// When it can't be run.
    pub(super) fn measure_with_peak(&self, server: &StandIn, words: &[&str]) -> Result<(Value, f64), String> {
        let mut command = self.command(server, words);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|failure| format!("{command:?}: {failure}"))?;
        let status = format!("/proc/{}/status", child.id());
        let watcher = std::thread::spawn(move || {
            let mut peak = 0.0;
            // It is gone when the process has ended and been waited for.
            while let Some(now) = std::fs::read_to_string(&status).ok().and_then(|text| high_water(&text)) {
                peak = now;
                std::thread::sleep(Duration::from_millis(200));
            }
            peak
        });
        let output = child.wait_with_output().map_err(|failure| failure.to_string())?;
        let peak = watcher.join().map_err(|_| "memory couldn't be watched")?;
        if !output.status.code().is_some_and(|code| CODES.contains(&code)) {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        Ok((read(&String::from_utf8_lossy(&output.stdout))?, peak))
    }

    /// Five runs of one in turn with five of the other.
    ///
    /// # Errors
    /// When they can't be run.
    pub(super) fn compare(&self, base: &StandIn, head: &StandIn) -> Result<Value, String> {
        let words = ["--against", &base.url, "-n", "5", "--min-effect", "2"];
        let load = ["--rate", "4k", "--for", "300ms", "--warm-up", "100ms", "-c", "200"];
        self.measure(head, &[&words[..], &load].concat())
    }
}

fn read(said: &str) -> Result<Value, String> {
    serde_json::from_str(said).map_err(|error| format!("the load said `{said}`: {error}"))
}

/// The most memory that a process ever held, by its `status`: kept for as long as it has memory.
fn high_water(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}

pub(super) fn today() -> Result<String, String> {
    process::output(Command::new("date").arg("+%F")).map(|date| date.trim().to_owned())
}

/// How many descriptors a process may have.
pub(super) fn descriptors() -> u64 {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// A quantile of all that counts, in milliseconds.
///
/// # Errors
/// When nothing does.
pub(super) fn quantile(report: &Value, share: f64) -> Result<f64, String> {
    let mut values: Vec<(f64, f64)> = counted(report)
        .flat_map(|phase| phase["routes"].as_object().into_iter().flatten())
        .flat_map(|(_, route)| route["latency"].as_array().into_iter().flatten())
        .filter_map(|pair| Some((pair[0].as_f64()?, pair[1].as_f64()?)))
        .collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wanted = share * values.iter().map(|(_, count)| count).sum::<f64>();
    let mut seen = 0.0;
    for (micros, count) in values {
        seen += count;
        if seen >= wanted {
            return Ok(micros / 1000.0);
        }
    }
    Err("nothing was measured".to_owned())
}

/// Requests that failed, in any phase.
pub(super) fn failures(report: &Value) -> u64 {
    let phases = report["measured"]["phases"].as_array().into_iter().flatten();
    let routes = phases.flat_map(|phase| phase["routes"].as_object().into_iter().flatten());
    let kinds = routes.flat_map(|(_, route)| route["failures"].as_object().into_iter().flatten());
    let causes = kinds.flat_map(|(_, causes)| causes.as_object().into_iter().flatten());
    causes.filter_map(|(_, count)| count.as_u64()).sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_quantile_is_read_from_all_that_counts() {
        let route = |latency: Value| json!({"latency": latency, "failures": {"reset": {"closed": 2}}});
        let report = json!({"measured": {"phases": [
            {"counts": false, "routes": {"a": route(json!([[9_000_000, 1000]]))}},
            {"counts": true, "routes": {"a": route(json!([[1000, 98]])), "b": route(json!([[5000, 2]]))}},
        ]}});
        assert_eq!(quantile(&report, 0.5).unwrap(), 1.0);
        assert_eq!(quantile(&report, 0.99).unwrap(), 5.0);
        assert_eq!(failures(&report), 6);
        assert!(quantile(&json!({}), 0.5).is_err());
    }

    #[test]
    fn a_high_water_mark_is_in_the_status_of_a_process() {
        assert_eq!(high_water("Name:\tx\nVmHWM:\t    2048 kB\n"), Some(2.0));
        assert_eq!(high_water("Name:\tgone\n"), None);
    }
}
