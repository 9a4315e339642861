//! The folder in which everything is kept, and which several gates may share.
//!
//! What holds on a network file system, and is all that is relied on: a file is created by one of those who try at the
//! same time (`O_EXCL`), a file takes another's place whole (`rename`), and whoever opens a file or lists a folder
//! afresh sees what was closed before (close-to-open consistency of NFS). Locks of the file system are not used: on some
//! mounts they hold for one machine only.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

/// No file here is larger: chains of certificates have a few KiB.
const LARGEST: u64 = 256 * 1024;

/// No folder here has more files that matter.
const MOST: usize = 4096;

/// When what was left of a write that broke off is cleared away.
const LEFTOVER: Duration = Duration::from_secs(3600);

/// What is kept, each kind in a folder of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shelf {
    /// Accounts at authorities, with their keys.
    Accounts,
    /// Certificates with their keys, one file for both so that they change together; and what failed last.
    Certificates,
    /// What authorities ask at the moment.
    Challenges,
    /// Whose turn it is to order.
    Turns,
}

const SHELVES: [Shelf; 4] = [Shelf::Accounts, Shelf::Certificates, Shelf::Challenges, Shelf::Turns];

impl Shelf {
    fn name(self) -> &'static str {
        match self {
            Shelf::Accounts => "accounts",
            Shelf::Certificates => "certificates",
            Shelf::Challenges => "challenges",
            Shelf::Turns => "turns",
        }
    }
}

/// The folder. Only its owner may read what is in it.
pub(crate) struct Storage {
    root: PathBuf,
}

/// Tells one version of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    modified: (i64, i64),
    length: u64,
}

impl Storage {
    /// Opens the folder, and makes it where it is missing.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(root: &Path) -> io::Result<Storage> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        for shelf in SHELVES {
            builder.create(root.join(shelf.name()))?;
        }
        let storage = Storage { root: root.to_owned() };
        storage.clear_leftovers();
        Ok(storage)
    }

    /// Works with the storage on a thread for work that blocks: the folder may be on another machine.
    ///
    /// # Errors
    /// Those of the work.
    pub(crate) async fn aside<T, W>(self: &Arc<Storage>, work: W) -> io::Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&Arc<Storage>) -> io::Result<T> + Send + 'static,
    {
        let storage = self.clone();
        let done = Handle::current().spawn_blocking(move || work(&storage)).await;
        done.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// Where a file is.
    pub(crate) fn path(&self, shelf: Shelf, name: &str) -> PathBuf {
        self.root.join(shelf.name()).join(name)
    }

    /// A file, if there is one.
    ///
    /// # Errors
    /// The system's, or that it is too large to be one of ours.
    pub(crate) fn read(&self, shelf: Shelf, name: &str) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.path(shelf, name)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            return Err(io::Error::other(format!("the file has more than {LARGEST} bytes")));
        }
        Ok(Some(bytes))
    }

    /// Which version of a file there is. The file is opened for it, so that no cache of attributes answers.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn stamp(&self, shelf: Shelf, name: &str) -> io::Result<Option<Stamp>> {
        let metadata = match File::open(self.path(shelf, name)) {
            Ok(file) => file.metadata()?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Stamp {
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            length: metadata.len(),
        }))
    }

    /// Writes a file whole: whoever reads it sees the one before or this one, after a power failure too.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn write(&self, shelf: Shelf, name: &str, bytes: &[u8]) -> io::Result<()> {
        let folder = self.root.join(shelf.name());
        let draft = folder.join(format!(".{:016x}.draft", fastrand::u64(..)));
        let written = write_new(&draft, bytes)
            .and_then(|()| fs::rename(&draft, folder.join(name)))
            .and_then(|()| File::open(&folder)?.sync_all());
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written
    }

    /// Creates a file unless there is one, and says whether it did: of several who try, one does.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn create(&self, shelf: Shelf, name: &str, bytes: &[u8]) -> io::Result<bool> {
        match write_new(&self.path(shelf, name), bytes) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes a file, if there is one.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn remove(&self, shelf: Shelf, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(shelf, name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The names of files, but for those that are still being written.
    ///
    /// # Errors
    /// The system's, or that there are too many to be all ours.
    pub(crate) fn list(&self, shelf: Shelf) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root.join(shelf.name()))? {
            if let Ok(name) = entry?.file_name().into_string()
                && !name.starts_with('.')
            {
                names.push(name);
            }
            if names.len() > MOST {
                let message = format!("there are more than {MOST} files in `{}`", shelf.name());
                return Err(io::Error::other(message));
            }
        }
        Ok(names)
    }

    /// A gate that died while it wrote left a draft.
    fn clear_leftovers(&self) {
        let entries = SHELVES
            .into_iter()
            .filter_map(|shelf| fs::read_dir(self.root.join(shelf.name())).ok());
        for entry in entries.flatten().flatten() {
            let is_draft = entry.file_name().to_string_lossy().ends_with(".draft");
            let age = || {
                let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok()?;
                SystemTime::now().duration_since(modified).ok()
            };
            if is_draft && age().is_some_and(|age| age > LEFTOVER) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// A name for a file, from something that people recognise and all that tells it apart.
pub(crate) fn file_name(known_as: &str, identity: &str) -> String {
    let fine = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
    let known_as: String = known_as.chars().filter(|letter| fine(*letter)).take(100).collect();
    let hash: String = Sha256::digest(identity)[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}-{hash}", known_as.trim_start_matches('.'))
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn storage() -> (tempfile::TempDir, Storage) {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(&folder.path().join("acme")).unwrap();
        (folder, storage)
    }

    #[test]
    fn only_the_owner_may_read() {
        let (folder, storage) = storage();
        storage.write(Shelf::Accounts, "a", b"key").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.path().join("acme")), 0o700);
        assert_eq!(mode(&folder.path().join("acme/accounts")), 0o700);
        assert_eq!(mode(&storage.path(Shelf::Accounts, "a")), 0o600);
    }

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_behind() {
        let (_folder, storage) = storage();
        assert_eq!(storage.read(Shelf::Certificates, "a").unwrap(), None);
        assert_eq!(storage.stamp(Shelf::Certificates, "a").unwrap(), None);
        storage.write(Shelf::Certificates, "a", b"one").unwrap();
        let first = storage.stamp(Shelf::Certificates, "a").unwrap();
        storage.write(Shelf::Certificates, "a", b"two").unwrap();
        assert_ne!(storage.stamp(Shelf::Certificates, "a").unwrap(), first);
        assert_eq!(storage.read(Shelf::Certificates, "a").unwrap().unwrap(), b"two");
        assert_eq!(storage.list(Shelf::Certificates).unwrap(), ["a"]);
        let folder = storage.path(Shelf::Certificates, "");
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }

    #[test]
    fn one_of_those_who_create_does() {
        let (_folder, storage) = storage();
        assert!(storage.create(Shelf::Turns, "a", b"first").unwrap());
        assert!(!storage.create(Shelf::Turns, "a", b"second").unwrap());
        assert_eq!(storage.read(Shelf::Turns, "a").unwrap().unwrap(), b"first");
        storage.remove(Shelf::Turns, "a").unwrap();
        storage.remove(Shelf::Turns, "a").unwrap();
        assert!(storage.create(Shelf::Turns, "a", b"third").unwrap());
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let (_folder, storage) = storage();
        fs::write(storage.path(Shelf::Challenges, "a"), vec![0; 300 * 1024]).unwrap();
        assert!(storage.read(Shelf::Challenges, "a").is_err());
        for number in 0..=MOST {
            fs::write(storage.path(Shelf::Challenges, &number.to_string()), "").unwrap();
        }
        assert!(storage.list(Shelf::Challenges).is_err());
    }

    #[test]
    fn drafts_of_the_dead_are_cleared_away() {
        let (folder, storage) = storage();
        let old = storage.path(Shelf::Accounts, ".1.draft");
        let new = storage.path(Shelf::Accounts, ".2.draft");
        fs::write(&new, "").unwrap();
        let file = File::create(&old).unwrap();
        file.set_modified(SystemTime::now() - 2 * LEFTOVER).unwrap();
        Storage::open(&folder.path().join("acme")).unwrap();
        assert!(!old.exists() && new.exists());
    }

    #[test]
    fn names_are_short_and_harmless() {
        let long = "a".repeat(300);
        for known_as in ["shop.example.com", "../../etc/passwd", &long] {
            let name = file_name(known_as, known_as);
            assert!(
                name.len() < 128 && !name.contains('/') && !name.starts_with('.'),
                "{name}"
            );
        }
        assert_ne!(file_name("a", "one"), file_name("a", "two"));
    }
}
