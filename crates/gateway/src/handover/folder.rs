//! The folder in which the document outlives the process.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::document::Document;
use crate::telemetry::log;

/// The document.
const NAME: &str = "portcullis.state.json";

/// The document that is being written. Readable by nobody else: names of targets are nobody else's business.
const BESIDE: &str = "portcullis.state.json~";
const MODE: u32 = 0o600;

/// A document that could not be read, for people to look at.
const DAMAGED: &str = "portcullis.state.json.damaged";

/// A folder that can be written to.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`, in which another process may still write.
    pub(super) fn of(path: &Path) -> Folder {
        Folder(path.to_owned())
    }

    /// The folder at `path`, and the document in it, if there is one that can be read.
    ///
    /// # Errors
    /// When the folder can't be written to, or what is in it can't be looked at.
    pub(super) fn open(path: &Path) -> Result<(Folder, Option<Document>), String> {
        let folder = Folder::of(path);
        let cannot = |error: io::Error| format!("can't keep the state in {}: {error}", path.display());
        // Found out now, and not when an operator relies on it.
        folder.create_beside().map_err(cannot)?;
        fs::remove_file(path.join(BESIDE)).map_err(cannot)?;
        let kept = match folder.read().map_err(cannot)? {
            None => None,
            Some(Ok(document)) => Some(document),
            Some(Err(why)) => {
                folder.put_aside(&why);
                None
            }
        };
        Ok((folder, kept))
    }

    /// Replaces the document, so that a loss of power leaves the one before or this one.
    ///
    /// # Errors
    /// One line that names the folder.
    pub(super) fn write(&self, document: &Document) -> Result<(), String> {
        let written = document
            .to_bytes()
            .and_then(|text| self.replace(&text).map_err(|error| error.to_string()));
        written.map_err(|why| format!("can't keep the state in {}: {why}", self.0.display()))
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        let mut file = self.create_beside()?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(self.0.join(BESIDE), self.0.join(NAME))?;
        File::open(&self.0)?.sync_all()
    }

    /// A new file. What stands in its place, such as a link that somebody put there, is removed and not followed.
    fn create_beside(&self) -> io::Result<File> {
        let path = self.0.join(BESIDE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)
    }

    fn read(&self) -> io::Result<Option<Result<Document, String>>> {
        let file = match File::open(self.0.join(NAME)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Document::read(file)))
    }

    fn put_aside(&self, why: &str) {
        let place = self.0.join(NAME);
        log::warn(format_args!(
            "the state in {} can't be read and is put aside as {DAMAGED}: {why}. What operators had changed before is \
             no longer in force.",
            place.display()
        ));
        if let Err(error) = fs::rename(&place, self.0.join(DAMAGED)) {
            log::warn(format_args!("can't put {} aside: {error}", place.display()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;

    fn document() -> Document {
        Document::new(BTreeMap::from([("swaps".to_owned(), json!({"a": "b"}))]))
    }

    #[test]
    fn what_was_kept_is_found_again_and_nobody_else_can_read_it() {
        let place = tempfile::tempdir().expect("a folder");
        let (folder, kept) = Folder::open(place.path()).expect("it can be done");
        assert_eq!(kept, None);
        folder.write(&document()).expect("it can be done");
        folder.write(&document()).expect("it can be done");
        let (_, kept) = Folder::open(place.path()).expect("it can be done");
        assert_eq!(kept, Some(document()));
        let mode = fs::metadata(place.path().join(NAME))
            .expect("it can be done")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, MODE);
        assert_eq!(fs::read_dir(place.path()).expect("it can be done").count(), 1);
    }

    #[test]
    fn a_damaged_document_is_put_aside() {
        let place = tempfile::tempdir().expect("a folder");
        fs::write(place.path().join(NAME), "{\"version\": 1, \"sect").expect("it can be done");
        let (_, kept) = Folder::open(place.path()).expect("it can be done");
        assert_eq!(kept, None);
        assert!(place.path().join(DAMAGED).exists());
        assert!(!place.path().join(NAME).exists());
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let place = tempfile::tempdir().expect("a folder");
        let why = Folder::open(&place.path().join("missing"))
            .map(|_| ())
            .expect_err("it can't be done");
        assert!(why.contains("missing"), "{why}");
    }
}
