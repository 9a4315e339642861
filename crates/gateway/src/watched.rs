//! When files were changed, without reading them: certificates, and the configuration.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Files that are read together, and how they were when they were read last.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    paths: Vec<PathBuf>,
    read: Vec<Option<Stamp>>,
    seen: Vec<Option<Stamp>>,
}

/// What tells one state of a file from another. A file that can't be looked at has none. Of a link it is the file that it
/// leads to, so that a folder that is exchanged as a whole, as Kubernetes does by its link `..data`, is a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Watched {
    /// Files that are about to be read for the first time.
    pub(crate) fn new(paths: Vec<PathBuf>) -> Watched {
        let now = stamps(&paths);
        Watched {
            paths,
            read: now.clone(),
            seen: now,
        }
    }

    /// One more file, which is about to be read for the first time.
    pub(crate) fn add(&mut self, path: PathBuf) {
        let now = Stamp::of(&path);
        self.paths.push(path);
        self.read.push(now);
        self.seen.push(now);
    }

    /// Whether they have to be read again. Each change is told once, and only when a second look finds the files as the
    /// first one did: a certificate and its key are rarely written in the same moment.
    pub(crate) fn changed(&mut self) -> bool {
        let now = stamps(&self.paths);
        let at_rest = now == self.seen;
        self.seen = now;
        if at_rest && self.seen != self.read {
            self.read.clone_from(&self.seen);
            return true;
        }
        false
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Option<Stamp>> {
    paths.iter().map(|path| Stamp::of(path)).collect()
}

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        let of = std::fs::metadata(path).ok()?;
        Some(Stamp {
            device: of.dev(),
            inode: of.ino(),
            size: of.size(),
            modified: (of.mtime(), of.mtime_nsec()),
            changed: (of.ctime(), of.ctime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_and_when_the_files_are_at_rest() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("a.pem");
        std::fs::write(&path, "1").expect("the file is written");
        let mut watched = Watched::new(vec![path.clone(), folder.path().join("missing")]);
        assert!(!watched.changed());
        std::fs::write(&path, "22").expect("the file is written");
        assert!(!watched.changed(), "it may still be written");
        std::fs::write(&path, "333").expect("the file is written");
        assert!(!watched.changed(), "it was still written");
        assert!(watched.changed());
        assert!(!watched.changed());
        std::fs::remove_file(&path).expect("the file goes");
        assert!(!watched.changed());
        assert!(watched.changed(), "a file that is gone is a change too");
    }
}
