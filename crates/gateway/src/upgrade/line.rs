//! What two processes talk over: messages that carry descriptors, each whole and in order.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Seek as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::MemfdFlags;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType, recvmsg, sendmsg, shutdown, socketpair,
};

use super::message::Message;
use crate::handover::Document;

/// Descriptors of one message. The system takes up to 253.
pub(super) const DESCRIPTORS: usize = 64;

/// The most bytes of a message's text.
const TEXT: usize = 64 * 1024;

/// How long a message may wait for room. The other one reads as soon as it runs.
const SEND_PATIENCE: Duration = Duration::from_secs(10);

/// One end of a line between two processes.
pub(super) struct Line(OwnedFd);

impl Line {
    /// A line of messages in order, of which each comes whole or not at all; and a descriptor of its other end.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn new() -> io::Result<(Line, OwnedFd)> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Line(ours), theirs))
    }

    /// The end that this process was given.
    pub(super) fn given(descriptor: OwnedFd) -> Line {
        Line(descriptor)
    }

    /// Says something, and hands over descriptors with it: at most [`DESCRIPTORS`].
    ///
    /// # Errors
    /// The system's; `BrokenPipe` where the other process has ended.
    pub(super) fn say(&self, message: &Message, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        if text.len() > TEXT || descriptors.len() > DESCRIPTORS {
            return Err(io::Error::other("the message is too long"));
        }
        set_socket_timeout(&self.0, Timeout::Send, Some(SEND_PATIENCE))?;
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut room);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::Error::other("there are too many descriptors"));
        }
        sendmsg(&self.0, &[IoSlice::new(&text)], &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// What the other one says next, and the descriptors that came with it. Blocks until then.
    ///
    /// # Errors
    /// `UnexpectedEof` where the other process has ended or hung up; `TimedOut` where it said nothing until `due`;
    /// `InvalidData` where nobody could understand it.
    pub(super) fn hear(&self, due: Instant) -> io::Result<(Message, Vec<OwnedFd>)> {
        let mut text = vec![0; TEXT];
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            set_socket_timeout(&self.0, Timeout::Recv, Some(left))?;
            let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut room);
            let parts = &mut [IoSliceMut::new(&mut text)];
            let received = match recvmsg(&self.0, parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Ok(received) => received,
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if received.bytes == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let cut = received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
            let descriptors = descriptors(&mut ancillary);
            if cut {
                // The system cuts descriptors off where this process may have no more of them.
                let why = "a message was cut off: are there enough descriptors (ulimit -n)?";
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            let message = serde_json::from_slice(&text[..received.bytes])?;
            return Ok((message, descriptors));
        }
    }

    /// Hangs up, which ends the waiting on both sides.
    pub(super) fn cut(&self) {
        let _ = shutdown(&self.0, Shutdown::Both);
    }
}

fn descriptors(ancillary: &mut RecvAncillaryBuffer<'_>) -> Vec<OwnedFd> {
    let mut all = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(some) = message {
            all.extend(some);
        }
    }
    all
}

/// A document in memory that can be handed over like a file.
///
/// # Errors
/// One line that says why not.
pub(super) fn in_memory(document: &Document) -> Result<File, String> {
    let text = document.to_bytes()?;
    let write = || -> io::Result<File> {
        let mut file = File::from(rustix::fs::memfd_create("portcullis-state", MemfdFlags::CLOEXEC)?);
        file.write_all(&text)?;
        // Both processes read and write at one place.
        file.rewind()?;
        Ok(file)
    };
    write().map_err(|error| format!("can't write what is to be handed over: {error}"))
}

/// The sockets of a list as they are sent.
pub(super) fn borrowed<'a>(descriptors: impl IntoIterator<Item = &'a OwnedFd>) -> Vec<BorrowedFd<'a>> {
    descriptors.into_iter().map(AsFd::as_fd).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::message::Message;
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn descriptors_arrive_with_their_message() {
        let (ours, theirs) = Line::new().expect("a line");
        let document = Document::new(BTreeMap::from([("a".to_owned(), serde_json::json!(1))]));
        let file = in_memory(&document).expect("a file in memory");
        ours.say(&Message::Yours { reload: true }, &[file.as_fd()])
            .expect("it is said");
        let (message, descriptors) = Line::given(theirs).hear(soon()).expect("it is heard");
        assert_eq!(message, Message::Yours { reload: true });
        let [given] = <[OwnedFd; 1]>::try_from(descriptors).expect("one descriptor");
        assert_eq!(Document::read(File::from(given)), Ok(document));
    }

    #[test]
    fn silence_and_the_end_of_the_other_are_told_apart() {
        let (ours, theirs) = Line::new().expect("a line");
        let silent = ours.hear(Instant::now() + Duration::from_millis(5));
        assert_eq!(silent.expect_err("nothing was said").kind(), io::ErrorKind::TimedOut);
        drop(theirs);
        let ended = ours.hear(soon());
        assert_eq!(ended.expect_err("it ended").kind(), io::ErrorKind::UnexpectedEof);
        let said = ours.say(&Message::Yours { reload: false }, &[]);
        assert_eq!(said.expect_err("it ended").kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        let (ours, theirs) = Line::new().expect("a line");
        rustix::net::send(&theirs, b"hello", SendFlags::empty()).expect("it is sent");
        assert_eq!(
            ours.hear(soon()).expect_err("it is no message").kind(),
            io::ErrorKind::InvalidData
        );
    }

    #[test]
    fn whoever_waits_learns_that_the_line_was_cut() {
        let (ours, _theirs) = Line::new().expect("a line");
        ours.cut();
        assert_eq!(
            ours.hear(soon()).expect_err("it was cut").kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
