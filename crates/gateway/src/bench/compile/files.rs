//! Files that the file of a load test names.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use portcullis_config::bench::Loaded;

/// The largest file of certificates or keys.
pub(super) const MOST_PEM: u64 = 1024 * 1024;

/// Reads files, whose paths start from the folder of the file that names them.
pub(super) struct Files<'l> {
    base: &'l Path,
}

impl<'l> Files<'l> {
    pub(super) fn of(loaded: &'l Loaded) -> Files<'l> {
        Files { base: &loaded.base }
    }

    /// Where a file is.
    pub(super) fn path(&self, file: &Path) -> PathBuf {
        self.base.join(file)
    }

    /// The bytes of a file, `most` of them at the most.
    ///
    /// # Errors
    /// In words: why it can't be read, or that it is too large.
    pub(super) fn read(&self, file: &Path, most: u64) -> Result<Vec<u8>, String> {
        let told = |error: io::Error| format!("the file `{}` can't be read: {error}", file.display());
        let mut bytes = Vec::new();
        let opened = File::open(self.path(file)).map_err(told)?;
        opened.take(most + 1).read_to_end(&mut bytes).map_err(told)?;
        if bytes.len() as u64 > most {
            return Err(format!("the file `{}` has more than {most} bytes", file.display()));
        }
        Ok(bytes)
    }
}
