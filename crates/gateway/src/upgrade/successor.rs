//! The old process's side: the process that is to take over, from its start until it serves.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::line::{DESCRIPTORS, Line, borrowed, in_memory};
use super::message::{Described, Message, Offer, VARIABLE, VERSION};
use super::program::Program;
use crate::handover::Document;
use crate::telemetry::log;

/// How long the new process may take until it is ready: to read its configuration, to open its databases.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a service manager told this process and nobody else.
const OURS_ALONE: [&str; 4] = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID"];

/// All that a process has to offer the next one.
pub(crate) struct Offered {
    pub(crate) offer: Offer,
    pub(crate) sockets: Vec<(Described, OwnedFd)>,
}

/// What the old process does without from now on: the sockets with these numbers have another owner.
pub(crate) struct Ceding(pub(crate) Vec<usize>);

/// A process that was started to take over.
pub(super) struct Started {
    child: Child,
    line: Arc<Line>,
}

/// A process that is ready to take over.
pub(crate) struct Successor {
    started: Started,
    kept: Vec<usize>,
}

/// Starts the program with a line to this process as its standard input.
///
/// # Errors
/// One line that names the program.
pub(super) fn start(program: &Program) -> Result<Started, String> {
    if std::process::id() == 1 {
        return Err("this is process 1 of its container, which ends with it: replace the container".to_owned());
    }
    let path = program.path.display();
    let (line, theirs) = Line::new().map_err(|error| format!("can't start {path}: {error}"))?;
    let mut command = Command::new(&program.path);
    command
        .args(&program.arguments)
        .env(VARIABLE, VERSION)
        .stdin(Stdio::from(theirs));
    for name in OURS_ALONE {
        command.env_remove(name);
    }
    let child = command
        .spawn()
        .map_err(|error| format!("can't start {path}: {error}"))?;
    log::info(format_args!("upgrade: started {path} as process {}", child.id()));
    Ok(Started {
        child,
        line: Arc::new(line),
    })
}

impl Started {
    pub(super) fn line(&self) -> Arc<Line> {
        self.line.clone()
    }

    /// Hands it the sockets and waits until it is ready. Blocks.
    ///
    /// # Errors
    /// Why it will not take over. It has ended then.
    pub(super) fn become_ready(self, offered: &Offered) -> Result<Successor, String> {
        match self.converse(offered) {
            Ok(kept) => Ok(Successor { started: self, kept }),
            Err(error) => {
                let silent = error.kind() == io::ErrorKind::TimedOut;
                let gone = matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                );
                let how = self.end(gone);
                Err(match () {
                    () if silent => format!("the new process was not ready within {PATIENCE:?}"),
                    () if gone => format!("the new process ended before it was ready ({how})"),
                    () => format!("the new process can't be talked to: {error}"),
                })
            }
        }
    }

    fn converse(&self, offered: &Offered) -> io::Result<Vec<usize>> {
        let due = Instant::now() + PATIENCE;
        for sockets in offered.sockets.chunks(DESCRIPTORS) {
            let described = sockets.iter().map(|(described, _)| described.clone()).collect();
            let descriptors = borrowed(sockets.iter().map(|(_, descriptor)| descriptor));
            self.line.say(&Message::Sockets { sockets: described }, &descriptors)?;
        }
        self.line.say(&Message::Offer(offered.offer), &[])?;
        match self.line.hear(due)? {
            (Message::Ready { kept }, _) => Ok(kept),
            (other, _) => Err(io::Error::other(format!("it said {other:?}"))),
        }
    }

    /// Sees to its end, and says how it was. One that has hung up is given a moment to end by itself.
    fn end(mut self, gone: bool) -> String {
        self.line.cut();
        let due = Instant::now() + Duration::from_secs(1);
        while gone && Instant::now() < due {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.to_string();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        self.child
            .wait()
            .map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

impl Successor {
    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.started.child.id()
    }

    /// Tells it to serve from now on. Blocks.
    ///
    /// # Errors
    /// Why it doesn't. It has ended then, and nothing has changed.
    pub(crate) fn cede(self, document: &Document, reload: bool) -> Result<Ceding, String> {
        let said = in_memory(document).and_then(|file| {
            let said = self.started.line.say(&Message::Yours { reload }, &[file.as_fd()]);
            said.map_err(|error| format!("the new process can't be told to serve: {error}"))
        });
        match said {
            // Nobody waits for it: it outlives this process.
            Ok(()) => Ok(Ceding(self.kept)),
            Err(why) => {
                self.dismiss();
                Err(why)
            }
        }
    }

    /// Ends it. Blocks.
    pub(crate) fn dismiss(self) {
        self.started.end(false);
    }
}
