//! The clients and servers of a comparison, as processes on a processor that isn't the proxy's.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::proxies::{CPU, pinned};
use crate::process;

/// The program of all loads.
pub(super) struct Load {
    program: PathBuf,
}

/// What a load did.
pub(super) struct Done {
    pub(super) count: f64,
    pub(super) seconds: f64,
    /// What is worth knowing of how it was done.
    pub(super) note: String,
}

impl Load {
    /// Builds it.
    ///
    /// # Errors
    /// When it can't be built.
    pub(super) fn build(release: bool) -> Result<Load, String> {
        process::run(if release {
            "cargo build --quiet --release -p portcullis-load"
        } else {
            "cargo build --quiet -p portcullis-load"
        })?;
        let profile = if release { "release" } else { "debug" };
        Ok(Load {
            program: process::target().join(profile).join("portcullis-load"),
        })
    }

    /// One that was built before.
    pub(super) fn of(program: PathBuf) -> Load {
        Load { program }
    }

    /// The program itself, for those who start it in other ways.
    pub(super) fn into_program(self) -> PathBuf {
        self.program
    }

    /// Starts a server.
    ///
    /// # Errors
    /// When it doesn't start.
    pub(super) fn upstream(&self, protocol: &str) -> Result<Server, String> {
        let mut held = Held::start(&self.program, &["upstream", protocol])?;
        let address = held.line()?.parse().map_err(|_| "an upstream has no address")?;
        Ok(Server { address, _held: held })
    }

    /// Opens idle connections by TLS and holds them.
    ///
    /// # Errors
    /// When one can't be made.
    pub(super) fn hold(&self, address: SocketAddr, count: u32) -> Result<Held, String> {
        let mut held = Held::start(&self.program, &["idle", &address.to_string(), &count.to_string()])?;
        if held.line()? == count.to_string() {
            Ok(held)
        } else {
            Err("not all connections could be made".to_owned())
        }
    }

    /// Loads a proxy for some seconds.
    ///
    /// # Errors
    /// When anything isn't answered as it must be.
    pub(super) fn run(&self, load: &str, rest: &[&str], address: SocketAddr, seconds: u32) -> Result<Done, String> {
        let (address, seconds) = (address.to_string(), seconds.to_string());
        let words = [load, &address, &seconds];
        self.run_words(&[&words, rest].concat())
    }

    /// The same in the load's own words.
    ///
    /// # Errors
    /// When anything isn't answered as it must be.
    pub(super) fn run_words(&self, words: &[&str]) -> Result<Done, String> {
        let mut command = pinned(CPU + 1, &self.program);
        command.args(words);
        let output = process::output(&mut command)?;
        let mut words = output.trim().splitn(3, ' ');
        let mut number = || words.next().and_then(|word| word.parse().ok());
        let (Some(count), Some(seconds)) = (number(), number()) else {
            return Err(format!("a load said `{output}`"));
        };
        let note = words.next().unwrap_or_default().to_owned();
        Ok(Done { count, seconds, note })
    }
}

/// A server behind proxies. It ends when this is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    _held: Held,
}

/// A process that goes on until its standard input ends.
pub(super) struct Held {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Held {
    fn start(program: &Path, arguments: &[&str]) -> Result<Held, String> {
        let mut command: Command = pinned(CPU + 1, program);
        let mut child = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|failure| format!("{command:?}: {failure}"))?;
        Ok(Held {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().expect("standard output was asked for")),
            child,
        })
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .map_err(|failure| failure.to_string())?;
        Ok(line.trim().to_owned())
    }

    /// Tells it to end, and gives back its last word.
    ///
    /// # Errors
    /// When it has none.
    pub(super) fn end(mut self) -> Result<String, String> {
        self.input = None;
        self.line()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
