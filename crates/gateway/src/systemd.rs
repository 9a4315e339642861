//! What a service manager is told (`sd_notify(3)`), and when it wants to hear that we live.

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::telemetry::log;

/// The service manager, where there is one that listens.
pub(crate) struct Manager {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Manager {
    /// The one that the environment names: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    pub(crate) fn from_environment() -> Manager {
        let socket = env::var_os("NOTIFY_SOCKET").and_then(|name| {
            let connected = connect(name.as_bytes());
            connected
                .inspect_err(|error| log::warn(format_args!("can't reach the service manager: {error}")))
                .ok()
        });
        let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|limit| for_us && socket.is_some() && *limit > 0);
        Manager {
            socket,
            watchdog: watchdog.map(Duration::from_micros),
        }
    }

    /// How often it wants to hear that we live: twice in the time after which it would take us for dead.
    pub(crate) fn heartbeat(&self) -> Option<Duration> {
        self.watchdog.map(|limit| limit / 2)
    }

    /// The gate listens and serves.
    pub(crate) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// Another process is the one to watch from now on. What this one says later isn't heard.
    pub(crate) fn hand_over(&mut self, pid: u32) {
        self.tell(&format!("MAINPID={pid}"));
        self.socket = None;
        self.watchdog = None;
    }

    /// The gate serves from now on. Where it has taken over from another process, this is the one to watch.
    pub(crate) fn begin(&self, takes_over: bool) {
        if takes_over {
            let pid = std::process::id();
            self.tell(&format!("MAINPID={pid}\nREADY=1\nSTATUS=serving"));
        } else {
            self.ready("serving");
        }
    }

    /// A reload has begun; [`Manager::ready`] ends it.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The gate drains and ends, within `limit`.
    pub(crate) fn stopping(&self, limit: Duration) {
        let micros = limit.as_micros();
        self.tell(&format!("STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC={micros}"));
    }

    /// The gate lives.
    pub(crate) fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// A manager that does not take it hears nothing: that must not keep a gate from serving.
    fn tell(&self, state: &str) {
        if let Some(socket) = &self.socket {
            let _ = socket.send(state.as_bytes());
        }
    }
}

/// A path, or a name of the abstract namespace behind an `@`.
fn connect(name: &[u8]) -> std::io::Result<UnixDatagram> {
    let address = match name {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
