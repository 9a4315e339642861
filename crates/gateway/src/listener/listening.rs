//! Sockets that listen: made, found, shared by the workers, accepted from.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::Socket;
use super::connection::Ends;

/// How many connections may wait in the queue that the system keeps for us.
const BACKLOG: i32 = 4096;

/// What a client over a Unix socket counts as: a process of this machine.
const LOCAL: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0));

/// A listening socket, before an event loop has it.
pub(crate) enum Listening {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

/// One socket for each worker, all on one address, over which the system spreads connections; and that address.
///
/// # Errors
/// The system's, such as an address that is in use.
pub(crate) fn open_tcp(bind: SocketAddr, count: usize) -> io::Result<(SocketAddr, Vec<Listening>)> {
    // Sockets that share an address would share its connections with whoever had it before: the first makes sure that
    // nobody else listens there.
    if bind.port() != 0 {
        tcp_socket(bind)?.bind(&bind.into())?;
    }
    let mut address = bind;
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..count {
        let socket = tcp_socket(address)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let socket = std::net::TcpListener::from(socket);
        address = socket.local_addr()?;
        sockets.push(Listening::Tcp(socket));
    }
    Ok((address, sockets))
}

fn tcp_socket(bind: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(bind), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A socket at `path` with these permissions, and the file that it is.
///
/// # Errors
/// The system's; `AddrInUse` where something else is there: a process that listens, or a file of another kind.
pub(crate) fn open_unix(path: &Path, mode: u32) -> io::Result<(Listening, SocketFile)> {
    make_room(path)?;
    // Made beside its place and moved there once it listens with the right permissions, so that nobody meets it before.
    let mut beside = path.as_os_str().to_owned();
    beside.push("~");
    let beside = PathBuf::from(beside);
    let _ = fs::remove_file(&beside);
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&socket2::SockAddr::unix(&beside)?)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(mode))?;
    socket.listen(BACKLOG)?;
    fs::rename(&beside, path)?;
    let file = SocketFile::at(path)?;
    Ok((Listening::Unix(socket.into()), file))
}

/// Makes sure that nobody listens at `path`: a socket that a dead process left there may be replaced.
fn make_room(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "there is a file of another kind",
        ));
    }
    match StdUnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
    }
}

/// The file of a Unix socket, removed when this is dropped; unless another has taken its place.
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
    is_ours: bool,
}

impl SocketFile {
    /// The one that the process before made, if it is still there.
    pub(crate) fn taken_over(path: &Path, identity: (u64, u64)) -> Option<SocketFile> {
        SocketFile::at(path).ok().filter(|file| file.identity == identity)
    }

    /// The device that it is on, and its number there.
    pub(crate) fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Leaves it to the process that serves the socket now.
    pub(crate) fn leave(mut self) {
        self.is_ours = false;
    }

    fn at(path: &Path) -> io::Result<SocketFile> {
        Ok(SocketFile {
            path: path.to_owned(),
            identity: identity(path)?,
            is_ours: true,
        })
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_ours && identity(&self.path).is_ok_and(|now| now == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Listening {
    /// The same socket once more.
    ///
    /// # Errors
    /// When the system has no descriptor for it.
    pub(crate) fn try_clone(&self) -> io::Result<Listening> {
        Ok(match self {
            Listening::Tcp(socket) => Listening::Tcp(socket.try_clone()?),
            Listening::Unix(socket) => Listening::Unix(socket.try_clone()?),
        })
    }

    /// The descriptor, to be given to another process.
    pub(crate) fn into_descriptor(self) -> OwnedFd {
        match self {
            Listening::Tcp(socket) => socket.into(),
            Listening::Unix(socket) => socket.into(),
        }
    }
}

/// A listening socket in an event loop.
pub(super) enum Incoming {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Incoming {
    pub(super) fn new(socket: Listening) -> io::Result<Incoming> {
        Ok(match socket {
            Listening::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                Incoming::Tcp(TcpListener::from_std(socket)?)
            }
            Listening::Unix(socket) => {
                socket.set_nonblocking(true)?;
                Incoming::Unix(UnixListener::from_std(socket)?)
            }
        })
    }

    /// The next connection. One whose peer is gone already is none.
    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<(Socket, Ends)>>> {
        match self {
            Incoming::Tcp(listener) => listener.poll_accept(cx).map_ok(|(stream, peer)| over_tcp(stream, peer)),
            Incoming::Unix(listener) => listener.poll_accept(cx).map_ok(|(stream, _)| Some(over_unix(stream))),
        }
    }

    /// The connections that the system has accepted for us, and the event loop may not know of yet.
    pub(super) fn into_waiting(self) -> Vec<(Socket, Ends)> {
        let mut waiting = Vec::new();
        match self {
            Incoming::Tcp(listener) => {
                let Ok(listener) = listener.into_std() else {
                    return waiting;
                };
                while let Ok((stream, peer)) = listener.accept() {
                    let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                    waiting.extend(stream.ok().and_then(|stream| over_tcp(stream, peer)));
                }
            }
            Incoming::Unix(listener) => {
                let Ok(listener) = listener.into_std() else {
                    return waiting;
                };
                while let Ok((stream, _)) = listener.accept() {
                    let stream = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
                    waiting.extend(stream.ok().map(over_unix));
                }
            }
        }
        waiting
    }
}

fn over_tcp(stream: TcpStream, peer: SocketAddr) -> Option<(Socket, Ends)> {
    // Without a local address the peer is gone already.
    let local = stream.local_addr().ok()?;
    stream.set_nodelay(true).ok()?;
    Some((Socket::Tcp(stream), Ends { peer, local }))
}

fn over_unix(stream: UnixStream) -> (Socket, Ends) {
    let ends = Ends {
        peer: LOCAL,
        local: LOCAL,
    };
    (Socket::Unix(stream), ends)
}
