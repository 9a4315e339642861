//! A file of targets that something else writes.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis_config::read_targets;
use portcullis_config::service::Target;

/// The time between two looks.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// A file of targets, and how it was when it was looked at.
#[derive(Debug)]
pub(super) struct TargetFile {
    path: PathBuf,
    read: Option<Stamp>,
    seen: Option<Stamp>,
    looks: u32,
}

/// What tells one state of a file from another. It is that of the file to which symbolic links lead in the end, so that a
/// link that is swapped is seen. A file that can't be looked at has none.
type Stamp = (u64, u64, u64, (i64, i64), (i64, i64));

impl TargetFile {
    /// A file that was not read yet.
    pub(super) fn new(path: PathBuf) -> TargetFile {
        TargetFile {
            path,
            read: None,
            seen: None,
            looks: 0,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says, or all that is wrong with it; nothing when it is as it was, or may still be written. Reads files.
    pub(super) fn look(&mut self) -> Option<Result<Vec<Target>, String>> {
        let now = self.stamp();
        let at_rest = now == self.seen;
        self.seen = now;
        let first = self.looks == 0;
        self.looks = self.looks.saturating_add(1);
        // Nobody waits for a file to come to rest before the first requests.
        if first || (at_rest && self.seen != self.read) {
            self.read = self.seen;
            return Some(read_targets(&self.path).map_err(|problems| problems.to_string()));
        }
        None
    }

    fn stamp(&self) -> Option<Stamp> {
        let of = std::fs::metadata(&self.path).ok()?;
        Some((
            of.dev(),
            of.ino(),
            of.size(),
            (of.mtime(), of.mtime_nsec()),
            (of.ctime(), of.ctime_nsec()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_once_and_when_the_file_is_at_rest() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("targets.yaml");
        let write = |text: &str| std::fs::write(&path, text).expect("the file is written");
        let mut file = TargetFile::new(path.clone());
        let mut urls = || {
            let read = file.look()?;
            Some(read.map(|targets| targets.into_iter().map(|it| it.url).collect::<Vec<_>>()))
        };
        let first = urls().expect("it is read at once").expect_err("it is missing");
        assert!(first.contains("targets.yaml: the file can't be read"), "{first}");
        assert_eq!(urls(), None);
        write("- http://10.0.0.1:1\n");
        assert_eq!(urls(), None, "it may still be written");
        write("- http://10.0.0.1:1\n- http://10.0.0.2:1\n");
        assert_eq!(urls(), None, "it was still written");
        assert_eq!(urls().expect("it is at rest").expect("it is good").len(), 2);
        assert_eq!(urls(), None);
        write("- {url: nowhere}\n");
        assert_eq!(urls(), None);
        let wrong = urls().expect("it is at rest").expect_err("it is wrong");
        assert!(wrong.contains("targets.yaml:1:9: [0].url"), "{wrong}");
        assert_eq!(urls(), None, "it is told once");
    }

    #[test]
    fn a_link_that_is_swapped_is_seen() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let at = |name: &str| folder.path().join(name);
        for (name, url) in [("one", "http://10.0.0.1:1"), ("two", "http://10.0.0.2:1")] {
            std::fs::create_dir(at(name)).expect("a folder");
            std::fs::write(at(name).join("targets.yaml"), format!("- {url}\n")).expect("a file");
        }
        // As Kubernetes does it: the file is a link through a link that is replaced.
        std::os::unix::fs::symlink(at("one"), at("..data")).expect("a link");
        std::os::unix::fs::symlink("..data/targets.yaml", at("targets.yaml")).expect("a link");
        let mut file = TargetFile::new(at("targets.yaml"));
        assert_eq!(file.look().expect("read").expect("good")[0].url, "http://10.0.0.1:1");
        std::os::unix::fs::symlink(at("two"), at("..new")).expect("a link");
        std::fs::rename(at("..new"), at("..data")).expect("the link is swapped");
        assert!(file.look().is_none());
        assert_eq!(file.look().expect("read").expect("good")[0].url, "http://10.0.0.2:1");
    }
}
