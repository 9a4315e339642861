//! Where a configuration comes from: a file, or the command line.

use std::path::PathBuf;

use portcullis_config::{Loaded, Problems, load, parse};

/// Where a configuration comes from.
pub(crate) enum Source {
    /// A file, read anew for each reload.
    File(PathBuf),
    /// A text that the program made itself.
    Text(String),
}

impl Source {
    /// Reads and checks the configuration. Variables come from the environment of the process.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn load(&self) -> Result<Loaded, Problems> {
        let environment = |name: &str| std::env::var(name).ok();
        match self {
            Source::File(path) => load(path, &environment),
            Source::Text(text) => {
                let read = |path: &std::path::Path| std::fs::read_to_string(path);
                parse(text, "command line".as_ref(), &environment, &read)
            }
        }
    }
}
