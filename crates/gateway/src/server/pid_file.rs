//! The file that says which process serves, for scripts and supervisors.

use std::fs;
use std::path::{Path, PathBuf};

/// A file with the number of this process, removed when it ends; unless another process has put its own there.
pub(super) struct PidFile(PathBuf);

impl PidFile {
    /// Writes the file. Whoever reads it meets a whole number: the one before, or this one.
    ///
    /// # Errors
    /// One line that names the file.
    pub(super) fn write(path: &Path) -> Result<PidFile, String> {
        let mut beside = path.as_os_str().to_owned();
        beside.push("~");
        fs::write(&beside, format!("{}\n", std::process::id()))
            .and_then(|()| fs::rename(&beside, path))
            .map_err(|error| format!("can't write the process's number to {}: {error}", path.display()))?;
        Ok(PidFile(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let said = fs::read_to_string(&self.0).unwrap_or_default();
        if said.trim_end() == std::process::id().to_string() {
            let _ = fs::remove_file(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_there_as_long_as_the_process_and_is_left_to_the_next_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("gate.pid");
        let file = PidFile::write(&path).expect("it is written");
        let said = fs::read_to_string(&path).expect("it is read");
        assert_eq!(said, format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());

        let file = PidFile::write(&path).expect("it is written");
        fs::write(&path, "1\n").expect("it is written");
        drop(file);
        assert_eq!(fs::read_to_string(&path).expect("it is read"), "1\n");
    }
}
