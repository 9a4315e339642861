//! The generators: how each is told to do the same, and how each says how much it did.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::process;

/// Connections or users of every one of them.
const CONNECTIONS: &str = "50";

/// What a generator speaks.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    pub(super) fn words(self) -> &'static str {
        match self {
            Protocol::Http1 => "HTTP/1.1, 50 connections",
            Protocol::Http2 => "HTTP/2, 50 connections of 10 requests",
        }
    }
}

/// One that loads.
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) program: &'static str,
    pub(super) protocol: Protocol,
    pub(super) ours: bool,
    /// How many times its requests ours must do at least, where something is asked.
    pub(super) least: Option<f64>,
    /// Tells it what to do: a URL, how many seconds, and a folder for files.
    pub(super) arguments: fn(&mut Command, &str, u32, &Path),
    /// How many requests it did, by what it said or left in the folder.
    pub(super) count: fn(&str, &Path) -> Option<f64>,
}

pub(super) const TOOLS: &[Tool] = &[
    Tool {
        name: "portcullis bench",
        program: "portcullis",
        protocol: Protocol::Http1,
        ours: true,
        least: None,
        arguments: |command, url, seconds, _| portcullis(command, url, seconds, &[]),
        count: portcullis_count,
    },
    Tool {
        name: "wrk",
        program: "wrk",
        protocol: Protocol::Http1,
        ours: false,
        least: Some(1.0),
        arguments: |command, url, seconds, _| {
            command.args(["-t1", "-c", CONNECTIONS, &format!("-d{seconds}s"), url]);
        },
        count: |said, _| number_before(said, " requests in "),
    },
    Tool {
        name: "h2load --h1",
        program: "h2load",
        protocol: Protocol::Http1,
        ours: false,
        least: Some(1.0),
        arguments: |command, url, seconds, _| {
            command.args(["--h1", "-t1", "-c", CONNECTIONS, "-D", &seconds.to_string(), url]);
        },
        count: |said, _| number_before(said, " succeeded"),
    },
    Tool {
        name: "oha",
        program: "oha",
        protocol: Protocol::Http1,
        ours: false,
        least: Some(2.0),
        arguments: |command, url, seconds, _| {
            command.args(["--no-tui", "--output-format", "json", "-c", CONNECTIONS]);
            command.args(["-z", &format!("{seconds}s"), url]);
        },
        count: |said, _| json(said)?.pointer("/statusCodeDistribution/200")?.as_f64(),
    },
    Tool {
        name: "hey",
        program: "hey",
        protocol: Protocol::Http1,
        ours: false,
        least: None,
        arguments: |command, url, seconds, _| {
            command.env("GOMAXPROCS", "1");
            command.args(["-c", CONNECTIONS, "-z", &format!("{seconds}s"), url]);
        },
        count: |said, _| number_before(said, " responses"),
    },
    Tool {
        name: "k6",
        program: "k6",
        protocol: Protocol::Http1,
        ours: false,
        least: Some(5.0),
        arguments: |command, url, seconds, folder| {
            command.env("GOMAXPROCS", "1");
            command.args(["run", "--quiet", "--no-usage-report", "--summary-export"]);
            command.arg(folder.join("k6.json"));
            command.args(["--env", &format!("URL={url}"), "--env", &format!("SECONDS={seconds}")]);
            command.arg(process::root().join("conformance/peers/generators/k6.js"));
        },
        count: |_, folder| {
            let text = fs::read_to_string(folder.join("k6.json")).ok()?;
            json(&text)?.pointer("/metrics/http_reqs/count")?.as_f64()
        },
    },
    Tool {
        name: "autocannon",
        program: "autocannon",
        protocol: Protocol::Http1,
        ours: false,
        least: None,
        arguments: |command, url, seconds, _| {
            command.args(["--json", "-c", CONNECTIONS, "-d", &seconds.to_string(), url]);
        },
        count: |said, _| json(said)?.pointer("/2xx")?.as_f64(),
    },
    Tool {
        name: "portcullis bench",
        program: "portcullis",
        protocol: Protocol::Http2,
        ours: true,
        least: None,
        arguments: |command, url, seconds, _| {
            portcullis(command, url, seconds, &["--protocol", "http2", "--streams", "10"]);
        },
        count: portcullis_count,
    },
    Tool {
        name: "h2load",
        program: "h2load",
        protocol: Protocol::Http2,
        ours: false,
        least: Some(1.0),
        arguments: |command, url, seconds, _| {
            command.args(["-t1", "-m10", "-c", CONNECTIONS, "-D", &seconds.to_string(), url]);
        },
        count: |said, _| number_before(said, " succeeded"),
    },
];

fn portcullis(command: &mut Command, url: &str, seconds: u32, rest: &[&str]) {
    let users = if rest.is_empty() { CONNECTIONS } else { "500" };
    command.args(["bench", url, "--users", users, "-c", CONNECTIONS, "--threads", "1"]);
    command.args(["--for", &format!("{seconds}s"), "--format", "json"]);
    command.args(rest);
}

/// All that ended in any phase, warming up included, for its time is in what was spent.
fn portcullis_count(said: &str, _: &Path) -> Option<f64> {
    let report = json(said)?;
    let phases = report.pointer("/measured/phases")?.as_array()?;
    let routes = phases.iter().filter_map(|phase| phase.get("routes")?.as_object());
    let ended = routes
        .flat_map(|routes| routes.values())
        .map(|route| route.get("ended")?.as_f64());
    ended.sum()
}

fn json(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// The number right before these words.
fn number_before(said: &str, words: &str) -> Option<f64> {
    let (before, _) = said.split_once(words)?;
    let digits = before.rsplit(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_found_in_what_generators_say() {
        let wrk = "Running 5s test\n  639820 requests in 5.00s, 98.85MB read\nRequests/sec: 127963.99";
        assert_eq!(number_before(wrk, " requests in "), Some(639_820.0));
        let h2load = "requests: 9 total, 9 started, 9 done, 7 succeeded, 2 failed, 0 errored";
        assert_eq!(number_before(h2load, " succeeded"), Some(7.0));
        assert_eq!(number_before("  [200]\t42 responses\n", " responses"), Some(42.0));
        assert_eq!(number_before("nothing", " responses"), None);
        let report =
            r#"{"measured": {"phases": [{"routes": {"a": {"ended": 2}, "b": {"ended": 3}}}, {"routes": {}}]}}"#;
        assert_eq!(portcullis_count(report, Path::new("")), Some(5.0));
    }
}
