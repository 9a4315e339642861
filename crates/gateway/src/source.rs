//! Where a configuration comes from: a file, or the command line.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use portcullis_config::{Loaded, Problems, load_with, parse, read};

use crate::bench::policies::Isolation;
use crate::watched::Watched;

/// Where a configuration comes from.
pub(crate) struct Source {
    from: From,
    /// The file and the files of its secrets, as they were when they were read last.
    files: Mutex<Watched>,
}

enum From {
    File(PathBuf),
    Text(String),
    Isolated(PathBuf, Isolation),
}

impl Source {
    /// A file, read anew for each reload.
    pub(crate) fn file(path: PathBuf) -> Source {
        Source {
            from: From::File(path),
            files: Mutex::default(),
        }
    }

    /// A text that the program made itself.
    pub(crate) fn text(text: String) -> Source {
        Source {
            from: From::Text(text),
            files: Mutex::default(),
        }
    }

    /// A file, of which what is isolated is otherwise: for a gate under test.
    pub(crate) fn isolated(path: PathBuf, isolation: Isolation) -> Source {
        Source {
            from: From::Isolated(path, isolation),
            files: Mutex::default(),
        }
    }

    /// Reads and checks the configuration. Variables come from the environment of the process.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn load(&self) -> Result<Loaded, Problems> {
        let environment = |name: &str| std::env::var(name).ok();
        let files = RefCell::new(Watched::default());
        let read = |path: &Path| {
            // How it is before it is read: what is written meanwhile is a change.
            files.borrow_mut().add(path.to_owned());
            read(path)
        };
        let loaded = match &self.from {
            From::File(path) => load_with(path, &environment, &read),
            From::Text(text) => parse(text, "command line".as_ref(), &environment, &read),
            From::Isolated(path, isolation) => load_with(path, &environment, &read).map(|mut loaded| {
                isolation.apply(&mut loaded.file);
                loaded
            }),
        };
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files.into_inner();
        loaded
    }

    /// Whether what was read last has changed and come to rest. It says so once for each change. Looks at files: not for
    /// event loops.
    pub(crate) fn has_changed(&self) -> bool {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).changed()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const CONFIGURATION: &str = "listeners: [127.0.0.1:0]\npolicies: {keys: {api_key: {consumers: [{name: a, key: 'file:key'}]}}}\n\
        routes: [{path: /, policies: keys, to: {respond: a}}]\n";

    /// Looks until a change is at rest, which takes two looks.
    fn told(source: &Source) -> bool {
        (0..3).any(|_| source.has_changed())
    }

    #[test]
    fn the_file_and_its_secrets_are_watched_and_each_change_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.yaml");
        std::fs::write(&path, CONFIGURATION).unwrap();
        std::fs::write(folder.path().join("key"), "hunter2").unwrap();
        let source = Source::file(path.clone());
        source.load().unwrap();
        assert!(!told(&source));
        std::fs::write(folder.path().join("key"), "correct horse").unwrap();
        assert!(told(&source) && !told(&source));
        source.load().unwrap();
        assert!(!told(&source), "it was read as it is");
        std::fs::write(&path, "listeners: nowhere").unwrap();
        assert!(told(&source));
        source.load().unwrap_err();
        assert!(!told(&source), "what is wrong is told once");
    }

    #[test]
    fn a_folder_that_is_exchanged_by_its_link_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        for version in ["..v1", "..v2"] {
            std::fs::create_dir(folder.path().join(version)).unwrap();
            let text = CONFIGURATION.replace("file:key", "file:../key");
            std::fs::write(folder.path().join(version).join("portcullis.yaml"), text).unwrap();
        }
        std::fs::write(folder.path().join("key"), "hunter2").unwrap();
        let link = |version: &str| {
            std::os::unix::fs::symlink(version, folder.path().join("..next")).unwrap();
            std::fs::rename(folder.path().join("..next"), folder.path().join("..data")).unwrap();
        };
        link("..v1");
        let source = Source::file(folder.path().join("..data/portcullis.yaml"));
        source.load().unwrap();
        assert!(!told(&source));
        link("..v2");
        assert!(told(&source));
    }
}
