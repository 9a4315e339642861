//! A server behind a proxy as a process that can be killed, stopped, slowed down and made deaf.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};
use rustix::process::{Pid, Signal, kill_process};

use crate::bench::proxies::{CPU, pinned};

/// What a target does for each request.
#[derive(Clone, Copy)]
pub(in crate::bench) struct Work {
    /// How long it takes, give or take a half.
    pub(in crate::bench) time: Duration,
    /// How many it serves at a time.
    pub(in crate::bench) places: u32,
}

/// A target on a port of its own. It ends when this is dropped.
pub(in crate::bench) struct Target {
    program: PathBuf,
    pub(in crate::bench) port: u16,
    work: Work,
    running: Option<Running>,
    deaf: Option<Deaf>,
}

struct Running {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// A socket that listens while nobody accepts and no place is left, so that a connection is neither made nor refused.
struct Deaf {
    _listener: OwnedFd,
    _waiting: Vec<TcpStream>,
}

impl Target {
    /// # Errors
    /// When it doesn't start.
    pub(in crate::bench) fn start(program: &Path, port: u16, work: Work) -> Result<Target, String> {
        let mut target = Target {
            program: program.to_owned(),
            port,
            work,
            running: None,
            deaf: None,
        };
        target.revive()?;
        Ok(target)
    }

    /// Starts it, where it isn't running.
    ///
    /// # Errors
    /// When it doesn't start.
    pub(in crate::bench) fn revive(&mut self) -> Result<(), String> {
        if self.running.is_some() {
            return Ok(());
        }
        self.deaf = None;
        let mut command = pinned(CPU + 1, &self.program);
        let mut child = command
            .args(["target", &self.address().to_string()])
            .args([self.work.time.as_micros().to_string(), self.work.places.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|failure| format!("{command:?}: {failure}"))?;
        let input = child.stdin.take().expect("standard input was asked for");
        let output = BufReader::new(child.stdout.take().expect("standard output was asked for"));
        let running = self.running.insert(Running { child, input, output });
        match running.line()?.as_str() {
            "ready" => Ok(()),
            other => Err(format!("the target on port {} said `{other}`", self.port)),
        }
    }

    /// Ends it in the middle of whatever it does (SIGKILL).
    pub(in crate::bench) fn kill(&mut self) {
        self.running = None;
    }

    /// Lets it do nothing more, not even end: what it has accepted stays open, and the system makes connections for it
    /// (SIGSTOP).
    pub(in crate::bench) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(in crate::bench) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends it and puts in its place a socket on which nobody is ever heard.
    ///
    /// # Errors
    /// When the port can't be had.
    pub(in crate::bench) fn deafen(&mut self) -> Result<(), String> {
        self.kill();
        let failed = |failure: rustix::io::Errno| format!("port {} can't be had: {failure}", self.port);
        // A process that is started meanwhile must not keep it.
        let listener =
            socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).map_err(failed)?;
        rustix::net::sockopt::set_socket_reuseaddr(&listener, true).map_err(failed)?;
        bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port)).map_err(failed)?;
        listen(&listener, 0).map_err(failed)?;
        // Those that find a place take it, until one finds none.
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&self.address(), Duration::from_millis(100)) {
            waiting.push(stream);
        }
        self.deaf = Some(Deaf {
            _listener: listener,
            _waiting: waiting,
        });
        Ok(())
    }

    /// Changes how long a request takes, until it is started anew.
    ///
    /// # Errors
    /// When it doesn't listen.
    pub(in crate::bench) fn slow_down(&mut self, times: u32) -> Result<(), String> {
        let time = self.work.time * times;
        self.command(&format!("delay {}", time.as_micros())).map(drop)
    }

    /// Gives it a command.
    ///
    /// # Errors
    /// When it doesn't answer.
    pub(in crate::bench) fn command(&mut self, words: &str) -> Result<String, String> {
        let port = self.port;
        let running = self
            .running
            .as_mut()
            .ok_or_else(|| format!("no target on port {port}"))?;
        writeln!(running.input, "{words}").map_err(|failure| failure.to_string())?;
        running.line()
    }

    /// How many requests it has had since it was started.
    ///
    /// # Errors
    /// When it doesn't answer.
    pub(in crate::bench) fn requests(&mut self) -> Result<u64, String> {
        let answer = self.command("count")?;
        let count = answer.split(' ').next().and_then(|count| count.parse().ok());
        count.ok_or_else(|| format!("a target counted `{answer}`"))
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    fn signal(&self, signal: Signal) {
        let pid = self.running.as_ref().map(|running| running.child.id());
        if let Some(pid) = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }
}

impl Running {
    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .map_err(|failure| failure.to_string())?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
