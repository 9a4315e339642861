use std::path::PathBuf;

use crate::process;

/// The files of the checkout: those that Git knows, and those that it would take.
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

/// A file by its path from the root.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
    /// Its text; empty when it is none.
    pub(crate) text: String,
}

impl Tree {
    /// # Errors
    /// When Git can't be asked.
    pub(crate) fn read() -> Result<Tree, String> {
        let listed = process::output(&mut process::command(
            "git ls-files --cached --others --exclude-standard",
        ))?;
        let mut files = Vec::new();
        for path in listed.lines() {
            // A file that is listed and gone was deleted just now.
            if let Ok(bytes) = std::fs::read(process::root().join(path)) {
                let text = String::from_utf8(bytes.clone()).unwrap_or_default();
                files.push(File {
                    path: path.to_owned(),
                    bytes,
                    text,
                });
            }
        }
        Ok(Tree { files })
    }

    /// The files whose names end so.
    pub(crate) fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.path.ends_with(end))
    }

    /// A file by its path.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl File {
    /// The file's name without folder and ending.
    pub(crate) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.split('.').next().unwrap_or(name)
    }

    /// The folder, from the root of the file system.
    pub(crate) fn folder(&self) -> PathBuf {
        let path = process::root().join(&self.path);
        path.parent().map(PathBuf::from).unwrap_or_default()
    }

    /// `PATH:LINE: message`, the line counted from 0.
    pub(crate) fn at(&self, line: usize, message: &str) -> String {
        format!("{}:{}: {message}", self.path, line + 1)
    }
}
