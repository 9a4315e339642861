//! What this process was started as, so that it can be started again.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What the system appends to the path of a program whose file is gone.
const GONE: &[u8] = b" (deleted)";

/// A program and its arguments.
#[derive(Debug)]
pub(crate) struct Program {
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<OsString>,
}

impl Program {
    /// What this process was started as. To be asked at its start, while the path still leads to the file that runs.
    ///
    /// # Errors
    /// When the system doesn't say.
    pub(crate) fn started() -> io::Result<Program> {
        let mut arguments = env::args_os();
        let called = arguments.next().unwrap_or_default();
        let running = env::current_exe()?;
        let path = as_called(&called.into(), &running).unwrap_or_else(|| without_mark(&running));
        Ok(Program {
            path,
            arguments: arguments.collect(),
        })
    }
}

/// The path by which it was called, with its links: a link to the current version is the usual way to replace it. `None`
/// where that doesn't lead to the file that runs.
fn as_called(called: &PathBuf, running: &Path) -> Option<PathBuf> {
    let here = env::current_dir().ok()?;
    let candidates: Vec<PathBuf> = if called.as_os_str().as_bytes().contains(&b'/') {
        vec![here.join(called)]
    } else {
        let path = env::var_os("PATH")?;
        env::split_paths(&path)
            .map(|folder| here.join(folder).join(called))
            .collect()
    };
    let identity = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let ours = identity(running)?;
    candidates.into_iter().find(|path| identity(path) == Some(ours))
}

fn without_mark(path: &Path) -> PathBuf {
    let name = path.as_os_str().as_bytes();
    match name.strip_suffix(GONE) {
        Some(name) if !path.exists() => OsString::from_vec(name.to_vec()).into(),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_file_that_was_replaced_is_the_path_it_had() {
        let check = |path: &str, expected: &str| assert_eq!(without_mark(path.as_ref()), Path::new(expected));
        check("/nowhere/portcullis (deleted)", "/nowhere/portcullis");
        check("/nowhere/portcullis", "/nowhere/portcullis");
    }

    #[test]
    fn a_link_by_which_it_was_called_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("portcullis-1"), folder.path().join("portcullis"));
        fs::write(&file, "").expect("a file");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        assert_eq!(as_called(&link, &file), Some(link.clone()));
        let other = folder.path().join("other");
        fs::write(&other, "").expect("a file");
        assert_eq!(as_called(&other, &file), None);
        assert_eq!(as_called(&PathBuf::from("no-such-program"), &file), None);
    }
}
