//! Opening files without leaving a folder.
//!
//! The kernel itself resolves a path beneath the folder (`openat2` with `RESOLVE_BENEATH`), so there is no moment
//! between a check and the opening in which somebody could put a link. A symbolic link is followed where it leads to
//! another place within the folder; one that is absolute or leads out is refused. Where the kernel lacks `openat2`
//! (before Linux 5.6, or in a sandbox that forbids it), no symbolic link is followed at all.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

/// How a file is opened: `NONBLOCK`, because opening a named pipe would wait for a writer.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The kernel gives up with `EAGAIN` when a folder on the way was moved meanwhile; it says nothing about the file.
const ATTEMPTS: usize = 8;

/// Opens a folder as the place to look for files from.
pub(super) fn folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, FOLDER, Mode::empty())?)
}

/// Opens a regular file beneath the folder. A folder in its place is `IsADirectory`; anything else that is no file
/// (a pipe, a socket, a device) is `NotFound`'s neighbour `ENXIO`.
pub(super) fn beneath(root: &OwnedFd, path: &Path) -> io::Result<(File, Metadata)> {
    let opened = match kernel_beneath(root.as_fd(), path) {
        Err(Errno::NOSYS | Errno::PERM) => without_links(root.as_fd(), path),
        opened => opened,
    };
    let file = File::from(opened?);
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    if !metadata.is_file() {
        return Err(Errno::NXIO.into());
    }
    Ok((file, metadata))
}

fn kernel_beneath(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 1..ATTEMPTS {
        match openat2(root, path, FILE, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            opened => return opened,
        }
    }
    openat2(root, path, FILE, Mode::empty(), resolve)
}

/// Goes down one segment at a time and follows no symbolic link.
fn without_links(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    let mut folder: Option<OwnedFd> = None;
    let mut segments = path
        .components()
        .filter(|segment| *segment != Component::CurDir)
        .peekable();
    while let Some(segment) = segments.next() {
        let Component::Normal(name) = segment else {
            return Err(Errno::XDEV);
        };
        let from = folder.as_ref().map_or(root, AsFd::as_fd);
        let flags = if segments.peek().is_some() { FOLDER } else { FILE };
        let opened = openat(from, name, flags | OFlags::NOFOLLOW, Mode::empty())?;
        if segments.peek().is_none() {
            return Ok(opened);
        }
        folder = Some(opened);
    }
    Err(Errno::ISDIR)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{folder, kernel_beneath, without_links};
    use rustix::io::Errno;
    use std::fs;
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    #[test]
    fn neither_way_leads_out_of_the_folder() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(outer.path().join("secret"), "s").unwrap();
        fs::write(root.join("a/b/file"), "f").unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink(outer.path().join("secret"), root.join("absolute")).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("a/b", root.join("within")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let root = folder(&root).unwrap();
        let kernel = |path: &str| kernel_beneath(root.as_fd(), Path::new(path)).map(drop);
        let walk = |path: &str| without_links(root.as_fd(), Path::new(path)).map(drop);
        if kernel("a/b/file") != Err(Errno::NOSYS) {
            for (path, expected) in [
                ("a/b/file", Ok(())),
                ("within/file", Ok(())),
                ("out", Err(Errno::XDEV)),
                ("absolute", Err(Errno::XDEV)),
                ("up/secret", Err(Errno::XDEV)),
                ("../secret", Err(Errno::XDEV)),
                ("loop", Err(Errno::LOOP)),
                ("a/none", Err(Errno::NOENT)),
            ] {
                assert_eq!(kernel(path), expected, "{path}");
            }
        }
        for (path, expected) in [
            ("a/b/file", Ok(())),
            ("out", Err(Errno::LOOP)),
            ("absolute", Err(Errno::LOOP)),
            ("loop", Err(Errno::LOOP)),
            ("../secret", Err(Errno::XDEV)),
            ("/etc/passwd", Err(Errno::XDEV)),
            ("a/none", Err(Errno::NOENT)),
        ] {
            assert_eq!(walk(path), expected, "{path}");
        }
        assert!(walk("up/secret").is_err());
        assert!(walk("within/file").is_err());
    }
}
