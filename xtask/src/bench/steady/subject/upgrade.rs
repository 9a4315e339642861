//! How each proxy's binary is replaced while it serves, as its documentation says.

use std::fs;

use rustix::process::Signal;

use super::{Kind, Subject, family};
use crate::bench::process_tree;

impl Subject {
    /// Replaces the running binary by itself. Returns when the new one serves and the old one has been told to end.
    ///
    /// # Errors
    /// When the new one doesn't come up.
    pub(in crate::bench) fn upgrade(&mut self) -> Result<(), String> {
        self.epoch += 1;
        let upgraded = match self.kind {
            Kind::Portcullis => self.upgrade_portcullis(),
            Kind::Nginx => self.upgrade_nginx(),
            // Its master runs its own binary anew with every reload.
            Kind::Haproxy => family::signal(self.leader()?, Signal::USR2),
            Kind::Envoy => self.upgrade_envoy(),
            Kind::Traefik => self.upgrade_traefik(),
        };
        if upgraded.is_err() {
            self.epoch -= 1;
        }
        upgraded
    }

    /// What its upgrade is.
    pub(in crate::bench) fn way_of_upgrade(&self) -> &'static str {
        match self.kind {
            Kind::Portcullis => "SIGUSR2",
            Kind::Nginx => "SIGUSR2, SIGWINCH, SIGQUIT",
            Kind::Haproxy => "SIGUSR2 to the master, which is also its reload",
            Kind::Envoy => "hot restart",
            Kind::Traefik => "none: a second process by reusePort, then SIGTERM for the first",
        }
    }

    fn upgrade_portcullis(&mut self) -> Result<(), String> {
        // The next process writes where this one does.
        let before = times_ready(&self.said());
        family::signal(self.leader()?, Signal::USR2)?;
        self.wait("isn't ready after SIGUSR2", |subject| {
            times_ready(&subject.said()) > before
        })
    }

    fn upgrade_nginx(&mut self) -> Result<(), String> {
        let old = self.leader()?;
        family::signal(old, Signal::USR2)?;
        let threads = usize::try_from(self.threads).unwrap_or(1);
        self.wait(
            "ignored SIGUSR2, as it does while the one before is still ending",
            |subject| {
                subject
                    .leader()
                    .is_ok_and(|new| new != old && process_tree::members(new).len() > threads)
            },
        )?;
        family::signal(old, Signal::WINCH)?;
        family::signal(old, Signal::QUIT)
    }

    fn upgrade_envoy(&mut self) -> Result<(), String> {
        self.launch()?;
        let wanted = format!("\"restart_epoch\": {},", self.epoch);
        self.wait("doesn't become live", |subject| {
            subject
                .ask_admin("/server_info")
                .is_ok_and(|info| info.contains(&wanted) && info.contains("\"state\": \"LIVE\""))
        })
    }

    fn upgrade_traefik(&mut self) -> Result<(), String> {
        let old = self.newest();
        self.launch()?;
        let port = self.http2;
        self.wait("doesn't listen", |subject| listens(subject.newest(), port))?;
        family::signal(old, Signal::TERM)
    }
}

/// How often Portcullis has said that it is ready.
fn times_ready(said: &str) -> usize {
    said.lines().filter(|line| line.contains("ready")).count()
}

/// Whether a process listens on a port.
fn listens(process: u32, port: u16) -> bool {
    const LISTENING: &str = "0A";
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let ending = format!(":{port:04X}");
    let sockets: Vec<String> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.len() > 9 && fields[1].ends_with(&ending) && fields[3] == LISTENING)
        .map(|fields| format!("socket:[{}]", fields[9]))
        .collect();
    fs::read_dir(format!("/proc/{process}/fd"))
        .into_iter()
        .flatten()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .any(|link| sockets.iter().any(|socket| link.to_str() == Some(socket)))
}
