//! Packets of connections that another process of this gate serves.
//!
//! When another binary takes over (`upgrade.rs`), the new process reads the UDP sockets, and connections of the old one go
//! on until they have ended. Connection IDs say which process made them (`steering.rs`). What is for an older one is passed
//! on to it over a Unix socket, with what the system said of the packet, and that one answers by its own copy of
//! the UDP socket: for the client nothing has changed.

mod header;

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime as _, TokioRuntime, UdpPoller};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendFlags, SocketFlags,
    SocketType, recvmsg, sendmsg, socketpair, sockopt,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

use self::header::Header;
use super::steering;

/// How many bytes of packets may wait for an older process. What is beyond that is lost, as packets may be.
const QUEUE: usize = 1024 * 1024;

/// A pair of sockets over which packets are passed on: the end to read from, and the one to write to.
///
/// # Errors
/// The system's.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (read, write) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    // The system gives as much of it as its settings allow.
    let _ = sockopt::set_socket_send_buffer_size(&write, QUEUE);
    Ok((read, write))
}

/// An older process that still has connections.
pub(crate) struct Elder {
    pub(crate) generation: u8,
    line: OwnedFd,
    gone: AtomicBool,
}

impl Elder {
    /// The process of that generation, at the other end of this socket.
    pub(crate) fn new(generation: u8, line: OwnedFd) -> Elder {
        Elder {
            generation,
            line,
            gone: AtomicBool::new(false),
        }
    }

    /// Another descriptor of the way to it, if it still listens as far as we know.
    pub(crate) fn line(&self) -> Option<OwnedFd> {
        let listens = !self.gone.load(Ordering::Relaxed);
        listens.then(|| self.line.try_clone().ok()).flatten()
    }

    fn pass_on(&self, header: &Header, packet: &[u8]) {
        if self.gone.load(Ordering::Relaxed) {
            return;
        }
        let header = header.to_bytes();
        let parts = [IoSlice::new(&header), IoSlice::new(packet)];
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let sent = sendmsg(&self.line, &parts, &mut SendAncillaryBuffer::default(), flags);
        // A packet that finds no room is lost, and its sender will send it again.
        if let Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) = sent {
            self.gone.store(true, Ordering::Relaxed);
        }
    }
}

/// Tells an endpoint that another process reads its packets from now on, and where it finds those that are its own.
#[derive(Default)]
pub(crate) struct Ceded {
    inbox: OnceLock<OwnedFd>,
    waker: Mutex<Option<Waker>>,
}

impl Ceded {
    /// From now on packets come by this socket.
    pub(crate) fn to(&self, inbox: OwnedFd) {
        let _ = self.inbox.set(inbox);
        if let Some(waker) = self.waker().take() {
            waker.wake();
        }
    }

    fn wake(&self, cx: &Context<'_>) {
        let mut waker = self.waker();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }

    fn waker(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A UDP socket that passes on what is for older processes, and that can be ceded to a newer one.
pub(super) struct Passage {
    socket: Arc<dyn AsyncUdpSocket>,
    elders: Arc<Vec<Elder>>,
    ceded: Arc<Ceded>,
    /// It carries messages and no stream; the event loop only tells when there are some.
    inbox: OnceLock<UnixStream>,
}

impl Passage {
    /// For an endpoint of the event loop that runs.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn new(socket: UdpSocket, elders: Arc<Vec<Elder>>, ceded: Arc<Ceded>) -> io::Result<Passage> {
        Ok(Passage {
            socket: TokioRuntime.wrap_udp_socket(socket)?,
            elders,
            ceded,
            inbox: OnceLock::new(),
        })
    }

    /// Where packets come from since the socket was ceded.
    fn inbox(&self) -> Option<io::Result<&UnixStream>> {
        let given = self.ceded.inbox.get()?;
        if self.inbox.get().is_none() {
            let made = given.try_clone().and_then(|inbox| UnixStream::from_std(inbox.into()));
            match made {
                Ok(inbox) => drop(self.inbox.set(inbox)),
                Err(error) => return Some(Err(error)),
            }
        }
        self.inbox.get().map(Ok)
    }

    /// Passes on what is for others, and moves what is ours together.
    fn keep_ours(&self, room: &mut [u8], meta: &mut RecvMeta) {
        let (mut kept, mut at) = (0, 0);
        while at < meta.len {
            let end = meta.len.min(at + meta.stride.max(1));
            match self.elder_of(&room[at..end]) {
                Some(elder) => elder.pass_on(&Header::of(meta), &room[at..end]),
                None => {
                    if kept != at {
                        room.copy_within(at..end, kept);
                    }
                    kept += end - at;
                }
            }
            at = end;
        }
        meta.len = kept;
    }

    fn elder_of(&self, packet: &[u8]) -> Option<&Elder> {
        let generation = steering::generation_of(packet)?;
        self.elders.iter().find(|elder| elder.generation == generation)
    }
}

impl AsyncUdpSocket for Passage {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.socket.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        room: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.ceded.wake(cx);
        if let Some(inbox) = self.inbox() {
            return poll_inbox(inbox?, cx, room, meta);
        }
        let count = ready!(self.socket.poll_recv(cx, room, meta))?;
        if !self.elders.is_empty() {
            for (room, meta) in room.iter_mut().zip(meta.iter_mut()).take(count) {
                self.keep_ours(room, meta);
            }
        }
        Poll::Ready(Ok(count))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage").finish_non_exhaustive()
    }
}

/// The packets that were passed on to us. When whoever passed them on is gone, none come any more, and connections end by
/// their own clocks.
fn poll_inbox(
    inbox: &UnixStream,
    cx: &mut Context<'_>,
    room: &mut [IoSliceMut<'_>],
    meta: &mut [RecvMeta],
) -> Poll<io::Result<usize>> {
    let most = room.len().min(meta.len());
    let mut count = 0;
    while count < most {
        match inbox.poll_read_ready(cx) {
            Poll::Ready(ready) => ready?,
            Poll::Pending => break,
        }
        match inbox.try_io(Interest::READABLE, || receive(inbox, &mut room[count])) {
            Ok(Some(received)) => {
                meta[count] = received;
                count += 1;
            }
            // It hung up, and that stays so.
            Ok(None) => break,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    if count > 0 {
        Poll::Ready(Ok(count))
    } else {
        Poll::Pending
    }
}

/// One packet that was passed on; `None` at the end.
fn receive(inbox: impl AsFd, room: &mut [u8]) -> io::Result<Option<RecvMeta>> {
    let mut header = [0; Header::LENGTH];
    let received = {
        let parts = &mut [IoSliceMut::new(&mut header), IoSliceMut::new(room)];
        recvmsg(inbox, parts, &mut RecvAncillaryBuffer::default(), RecvFlags::DONTWAIT)?
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let length = received.bytes.checked_sub(Header::LENGTH);
    let length = length.filter(|_| !received.flags.contains(ReturnFlags::TRUNC));
    let length = length.ok_or(io::ErrorKind::InvalidData)?;
    Ok(Some(Header::from_bytes(&header).meta(length)))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn passage(elders: Vec<Elder>, ceded: Arc<Ceded>) -> (Passage, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_nonblocking(true).expect("it can be");
        let address = socket.local_addr().expect("it has one");
        (
            Passage::new(socket, Arc::new(elders), ceded).expect("a passage"),
            address,
        )
    }

    async fn receive_one(passage: &Passage) -> (Vec<u8>, RecvMeta) {
        let mut room = vec![0; 2048];
        let mut meta = [RecvMeta::default()];
        loop {
            let mut parts = [IoSliceMut::new(&mut room)];
            let count = poll_fn(|cx| passage.poll_recv(cx, &mut parts, &mut meta)).await;
            assert_eq!(count.expect("it works"), 1);
            // A batch from which all was passed on is empty.
            if meta[0].len > 0 {
                return (room[..meta[0].len].to_vec(), meta[0]);
            }
        }
    }

    /// A short header, a connection ID of that generation, content.
    fn packet(generation: u8, content: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x40];
        packet.extend(steering::example(generation));
        packet.extend(content);
        packet
    }

    #[tokio::test]
    async fn what_is_for_an_older_process_reaches_it_with_its_sender() {
        let (read, write) = pair().expect("a pair");
        let (new, address) = passage(vec![Elder::new(7, write)], Arc::default());
        let ceded = Arc::<Ceded>::default();
        ceded.to(read);
        let (old, _) = passage(Vec::new(), ceded);
        let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        for (generation, content) in [(7, b"old"), (8, b"new"), (7, b"odd")] {
            client
                .send_to(&packet(generation, content), address)
                .expect("it is sent");
        }
        let (received, _) = receive_one(&new).await;
        assert!(received.ends_with(b"new"));
        for content in [b"old", b"odd"] {
            if content == b"odd" {
                // The new one passes it on when it looks.
                client.send_to(&packet(8, b"new"), address).expect("it is sent");
                receive_one(&new).await;
            }
            let (received, meta) = receive_one(&old).await;
            assert!(received.ends_with(content));
            assert_eq!(meta.addr, client.local_addr().expect("it has one"));
            assert_eq!(meta.dst_ip, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        }
    }

    #[tokio::test]
    async fn an_endpoint_that_waits_learns_that_it_was_ceded() {
        let ceded = Arc::<Ceded>::default();
        let (old, _) = passage(Vec::new(), ceded.clone());
        let (read, write) = pair().expect("a pair");
        let cede = async {
            tokio::task::yield_now().await;
            ceded.to(read);
            let meta = RecvMeta::default();
            Elder::new(0, write).pass_on(&Header::of(&meta), b"x");
        };
        let ((received, _), ()) = tokio::join!(receive_one(&old), cede);
        assert_eq!(received, b"x");
    }

    #[test]
    fn a_batch_is_taken_apart() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let _context = runtime.enter();
        let (read, write) = pair().expect("a pair");
        let (new, _) = passage(vec![Elder::new(7, write)], Arc::default());
        let parts = [packet(8, b"aa"), packet(7, b"bb"), packet(9, b"cc"), packet(7, b"d")];
        let mut room = parts.concat();
        let mut meta = RecvMeta {
            len: room.len(),
            stride: parts[0].len(),
            ..RecvMeta::default()
        };
        new.keep_ours(&mut room, &mut meta);
        assert_eq!(room[..meta.len], [parts[0].clone(), parts[2].clone()].concat());
        let mut room = vec![0; 100];
        for part in [&parts[1], &parts[3]] {
            let meta = receive(&read, &mut room).expect("it works").expect("a packet");
            assert_eq!(room[..meta.len], **part);
        }
    }
}
