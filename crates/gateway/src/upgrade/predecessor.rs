//! The new process's side: the process whose place it takes.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use super::line::Line;
use super::message::{Described, Message, Offer, VARIABLE, VERSION};
use crate::handover::Document;

/// How long the old process may take to say what it has to say. It has all at hand.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most sockets that anybody hands over: a thousand workers with a few listeners each.
const MOST_SOCKETS: usize = 16 * 1024;

/// Sockets, and what each of them is for.
pub(crate) type Sockets = Vec<(Described, OwnedFd)>;

/// The process whose place this one takes.
pub(crate) struct Predecessor {
    line: Line,
    pub(crate) offer: Offer,
}

impl Predecessor {
    /// The one that started this process to take its place, if one did, and the sockets that it hands over. Blocks.
    ///
    /// # Errors
    /// One line that says why its place can't be taken.
    pub(crate) fn meet() -> Result<Option<(Predecessor, Sockets)>, String> {
        let Some(version) = std::env::var_os(VARIABLE) else {
            return Ok(None);
        };
        if version != VERSION {
            return Err(format!(
                "can't take over from a process that speaks version {version:?}, not {VERSION}"
            ));
        }
        let meet = || {
            let line = Line::given(own_input()?);
            let (sockets, offer) = hear_offer(&line)?;
            Ok((Predecessor { line, offer }, sockets))
        };
        meet()
            .map(Some)
            .map_err(|error: io::Error| format!("can't take over from the process that runs: {error}"))
    }

    /// Says that this process is ready and will serve the sockets with these numbers. Returns when it is to serve, with what
    /// the old one wants to live on, and whether the configuration has been reloaded meanwhile. Blocks.
    ///
    /// # Errors
    /// One line, where the old process has changed its mind and goes on.
    pub(crate) fn take_over(self, kept: Vec<usize>) -> Result<(Document, bool), String> {
        let ask = || -> io::Result<(File, bool)> {
            self.line.say(&Message::Ready { kept }, &[])?;
            match self.line.hear(Instant::now() + PATIENCE)? {
                (Message::Yours { reload }, mut descriptors) => {
                    let document = descriptors.pop().ok_or(io::ErrorKind::InvalidData)?;
                    Ok((File::from(document), reload))
                }
                (other, _) => Err(io::Error::other(format!("it said {other:?}"))),
            }
        };
        let (file, reload) = ask().map_err(|error| format!("the process that runs goes on: {error}"))?;
        // From here on nobody else serves, so that what can't be read must keep this process from nothing.
        let document = Document::read(file).unwrap_or_else(|why| {
            crate::telemetry::log::warn(format_args!("what the process before handed over can't be read: {why}"));
            Document::default()
        });
        Ok((document, reload))
    }
}

/// Standard input as a descriptor of its own. In its place there is nothing to read from then on.
fn own_input() -> io::Result<OwnedFd> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(input)
}

fn hear_offer(line: &Line) -> io::Result<(Sockets, Offer)> {
    let due = Instant::now() + PATIENCE;
    let mut all = Vec::new();
    loop {
        match line.hear(due)? {
            (Message::Sockets { sockets }, descriptors) => {
                if sockets.len() != descriptors.len() || all.len() + sockets.len() > MOST_SOCKETS {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "the sockets don't fit what is said of them",
                    ));
                }
                all.extend(sockets.into_iter().zip(descriptors));
            }
            (Message::Offer(offer), _) => return Ok((all, offer)),
            (other, _) => return Err(io::Error::other(format!("it said {other:?}"))),
        }
    }
}
