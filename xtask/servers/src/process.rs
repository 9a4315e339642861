//! A server's process, and all that it starts.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};

use crate::account::Account;
use crate::folder::Folder;

/// How long a server may take to start or to end: on a machine under load that is a while.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(3);

/// Where ports are looked for: below those that the kernel gives to connections, which would otherwise take the port of a
/// server that is being restarted.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// What can be done with every server. The signal is the one by which it ends in order.
macro_rules! controls {
    ($server:ty, $orderly:expr) => {
        impl $server {
            /// Its port of 127.0.0.1.
            #[must_use]
            pub fn port(&self) -> u16 {
                self.server.port
            }

            /// The folder of all that is its own, with its Unix socket.
            #[must_use]
            pub fn folder(&self) -> &std::path::Path {
                self.server.folder.path()
            }

            /// The file of all that it logged.
            #[must_use]
            pub fn log(&self) -> std::path::PathBuf {
                self.server.log()
            }

            /// The server itself, while it runs.
            #[must_use]
            pub fn pid(&self) -> Option<u32> {
                self.server.number()
            }

            /// All its processes; the first is the server itself. Empty when it doesn't run.
            #[must_use]
            pub fn pids(&self) -> Vec<u32> {
                self.server.numbers()
            }

            /// Kills all its processes (SIGKILL): what they had in memory is lost.
            ///
            /// # Errors
            /// When they don't end.
            pub fn kill(&mut self) -> Result<(), String> {
                self.server.kill()
            }

            /// Ends it in order: what it does is cut off, what was committed is kept.
            ///
            /// # Errors
            /// When it doesn't end.
            pub fn stop(&mut self) -> Result<(), String> {
                self.server.stop($orderly)
            }

            /// Starts it again, on the same port with the same data; one that runs is ended in order first.
            ///
            /// # Errors
            /// What the server said.
            pub fn restart(&mut self) -> Result<(), String> {
                self.stop()?;
                self.run()
            }
        }
    };
}

pub(crate) use controls;

/// One server: its folder, who runs it, and its process while it runs.
pub(crate) struct Server {
    pub(crate) folder: Folder,
    pub(crate) account: Account,
    pub(crate) port: u16,
    child: Option<Child>,
}

impl Server {
    /// One that doesn't run yet, with a free port.
    pub(crate) fn new(folder: Folder, account: Account) -> Result<Server, String> {
        let port = free_port()?;
        Ok(Server {
            folder,
            account,
            port,
            child: None,
        })
    }

    /// Starts it, and waits until it is ready, which is asked with the number of its process.
    ///
    /// # Errors
    /// The end of what it logged, when it ends instead.
    pub(crate) fn run(&mut self, command: &mut Command, ready: impl Fn(u32) -> bool) -> Result<(), String> {
        if self.child.is_some() {
            return Err("the server runs already".to_owned());
        }
        let log = self.log_file()?;
        let errors = log.try_clone().map_err(|failure| failure.to_string())?;
        self.account.runs(command);
        let child = command
            .current_dir(self.folder.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(|failure| format!("{command:?} can't be run: {failure}"))?;
        let number = child.id();
        self.child = Some(child);
        self.folder.keep(Some(number))?;
        let deadline = Instant::now() + PATIENCE;
        while !ready(number) {
            if self.has_ended() {
                self.gone()?;
                return Err(format!("{command:?} ended: {}", end_of(&self.log())));
            }
            if Instant::now() > deadline {
                return Err(format!("{command:?} isn't ready: {}", end_of(&self.log())));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    pub(crate) fn number(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Its process, and all that this has started; the first is the server itself. Empty when it doesn't run.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.number().map_or_else(Vec::new, tree)
    }

    /// Kills all of them. None of them gets to do anything about it, as when the machine loses its power, but that what was
    /// written to the kernel is not lost.
    pub(crate) fn kill(&mut self) -> Result<(), String> {
        let Some(child) = &mut self.child else { return Ok(()) };
        let server = child.id();
        // It is stopped first, so that it starts nobody while we look.
        signal(server, Signal::STOP);
        wait_for("stopping", || matches!(state(server), None | Some('T' | 't' | 'Z')))?;
        let all = tree(server);
        for number in &all {
            signal(*number, Signal::KILL);
        }
        child.wait().map_err(|failure| failure.to_string())?;
        self.gone()?;
        wait_for("being killed", || {
            all.iter().all(|number| matches!(state(*number), None | Some('Z')))
        })
    }

    /// Has it end in order, by the signal that it takes for that.
    pub(crate) fn stop(&mut self, by: Signal) -> Result<(), String> {
        let Some(server) = self.number() else { return Ok(()) };
        signal(server, by);
        if wait_for("ending", || self.has_ended()).is_err() {
            return self.kill();
        }
        self.gone()
    }

    /// Where everything goes that it says.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log_file(&self) -> Result<File, String> {
        let path = self.log();
        let file = File::options().create(true).append(true).open(&path);
        let file = file.map_err(|failure| format!("{}: {failure}", path.display()))?;
        self.account.owns(&path)?;
        Ok(file)
    }

    fn has_ended(&mut self) -> bool {
        let ended = self.child.as_mut().map(Child::try_wait);
        matches!(ended, None | Some(Ok(Some(_)) | Err(_)))
    }

    fn gone(&mut self) -> Result<(), String> {
        self.child = None;
        self.folder.keep(None)
    }
}

/// All settings in the order in which a server's file has them, in which the last of a name holds: those that every server of its
/// kind has, those that were asked for, and those that are its own.
pub(crate) fn settings<'s>(
    given: impl Iterator<Item = &'s (&'s str, &'s str)>,
    asked: &'s [(String, String)],
    own: &'s [(&'s str, String)],
) -> impl Iterator<Item = (&'s str, &'s str)> {
    let asked = asked.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let own = own.iter().map(|(name, value)| (*name, value.as_str()));
    given.copied().chain(asked).chain(own)
}

/// A port of 127.0.0.1 on which nobody listens.
fn free_port() -> Result<u16, String> {
    let moment = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    // Processes that start at once look at different ones first.
    let first = moment.wrapping_add(std::process::id().wrapping_mul(7919)) as usize;
    let ports: Vec<u16> = PORTS.collect();
    (0..ports.len())
        .map(|offset| ports[(first + offset * 31) % ports.len()])
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .ok_or_else(|| "no port is free".to_owned())
}

fn signal(number: u32, signal: Signal) {
    let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // One that has ended in the meantime needs none.
        let _ = kill_process(pid, signal);
    }
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        if Instant::now() > deadline {
            return Err(format!("the server is still {what} after {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// A process and its descendants.
fn tree(root: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return vec![root];
    };
    let parents: Vec<(u32, u32)> = entries
        .filter_map(|entry| {
            let number = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let (_, parent) = status(number)?;
            Some((number, parent))
        })
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        let children = parents.iter().filter(|(_, of)| *of == parent);
        found.extend(children.map(|(number, _)| *number));
        next += 1;
    }
    found
}

fn state(number: u32) -> Option<char> {
    status(number).map(|(state, _)| state)
}

/// The state and the parent of a process.
fn status(number: u32) -> Option<(char, u32)> {
    let line = std::fs::read_to_string(Path::new("/proc").join(number.to_string()).join("stat")).ok()?;
    // A program's name is in parentheses, and may hold some itself.
    let (_, rest) = line.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn end_of(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_its_descendants() {
        let mut child = Command::new("sh")
            .args(["-c", "sleep 60 & wait"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("starting", || tree(child.id()).len() == 2).unwrap();
        for number in tree(child.id()) {
            signal(number, Signal::KILL);
        }
        child.wait().unwrap();
        assert_eq!(state(child.id()), None);
    }
}
