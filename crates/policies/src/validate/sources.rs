//! Files of schemas and descriptions, with what they refer to.

use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use portcullis_contract::schema::Documents;
use portcullis_contract::yaml;

/// The most bytes of all files together: the largest description that is published has 47 MB.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Reads documents into one collection.
pub(crate) struct Sources<'b> {
    base: &'b Path,
    documents: Documents,
    left: u64,
    inline: u32,
}

impl<'b> Sources<'b> {
    /// Paths are relative to that folder.
    pub(crate) fn new(base: &'b Path) -> Sources<'b> {
        Sources {
            base,
            documents: Documents::default(),
            left: LARGEST,
            inline: 0,
        }
    }

    /// Takes a schema as the file says it: a path, perhaps with a pointer, or the schema itself. Gives the name of the document
    /// and the pointer to the schema in it.
    pub(crate) fn schema(&mut self, written: &str) -> Result<(String, String), String> {
        if written.trim_start().starts_with('{') {
            let document = yaml::parse(written).map_err(|error| format!("the schema can't be read: {error}"))?;
            self.inline += 1;
            let name = format!("inline-{}", self.inline);
            let references = Documents::references(&name, &document);
            self.documents.add(&name, document).map_err(|error| error.to_string())?;
            self.follow(references, self.base)?;
            return Ok((name, String::new()));
        }
        let (path, pointer) = written.split_once('#').unwrap_or((written, ""));
        self.file(path)?;
        Ok((path.to_owned(), pointer.to_owned()))
    }

    /// Reads a file, and what it refers to beside and below it.
    pub(crate) fn file(&mut self, path: &str) -> Result<(), String> {
        if self.documents.get(path).is_some() {
            return Ok(());
        }
        let whole = self.base.join(path);
        let folder = whole.parent().unwrap_or(self.base).to_owned();
        let references = self.read(path, &whole)?;
        self.follow(references, &folder)
    }

    pub(crate) fn into_documents(self) -> Documents {
        self.documents
    }

    fn follow(&mut self, mut pending: Vec<String>, folder: &Path) -> Result<(), String> {
        while let Some(name) = pending.pop() {
            // What has a scheme is no file. Whether it is among what was given is for the compiler to say.
            if name.contains(':') || self.documents.get(&name).is_some() {
                continue;
            }
            let Some(whole) = within(&self.base.join(&name), &[self.base, folder]) else {
                return Err(format!(
                    "it refers to `{name}`, which is not in the folder of the configuration or of the document"
                ));
            };
            // What isn't there may not be meant as a file: schemas have names, and examples may look like references. Whether
            // it is missed is for the compiler to say.
            if whole.is_file() {
                pending.extend(self.read(&name, &whole)?);
            }
        }
        Ok(())
    }

    /// Reads one file, and gives what it refers to.
    fn read(&mut self, name: &str, whole: &Path) -> Result<Vec<String>, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("can't read {}: {error}", whole.display());
        let mut text = String::new();
        let file = File::open(whole).map_err(|error| wrong(&error))?;
        let count = file
            .take(self.left + 1)
            .read_to_string(&mut text)
            .map_err(|error| wrong(&error))? as u64;
        self.left = self
            .left
            .checked_sub(count)
            .ok_or_else(|| wrong(&"all files together are larger than 64 MiB"))?;
        let document = yaml::parse(&text).map_err(|error| wrong(&error))?;
        let references = Documents::references(name, &document);
        self.documents.add(name, document).map_err(|error| wrong(&error))?;
        Ok(references)
    }
}

/// A path without its dots, if it is below one of the folders.
fn within(path: &Path, folders: &[&Path]) -> Option<PathBuf> {
    let plain = without_dots(path)?;
    folders
        .iter()
        .any(|folder| without_dots(folder).is_some_and(|folder| plain.starts_with(folder)))
        .then_some(plain)
}

fn without_dots(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !plain.pop() {
                    return None;
                }
            }
            other => plain.push(other),
        }
    }
    Some(plain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn references_are_followed_within_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("etc");
        fs::create_dir_all(base.join("schemas")).unwrap();
        fs::write(
            base.join("schemas/a.json"),
            r##"{"$ref": "b.yaml#/x", "p": {"$ref": "https://example.com/c"}}"##,
        )
        .unwrap();
        fs::write(base.join("schemas/b.yaml"), "x: {$ref: '../c.yaml'}").unwrap();
        fs::write(base.join("c.yaml"), "type: string").unwrap();
        fs::write(folder.path().join("secret.yaml"), "type: string").unwrap();
        fs::write(base.join("out.json"), r#"{"$ref": "../secret.yaml"}"#).unwrap();

        let mut sources = Sources::new(&base);
        let found = sources.schema("schemas/a.json#/p").unwrap();
        assert_eq!(found, ("schemas/a.json".to_owned(), "/p".to_owned()));
        let documents = sources.into_documents();
        assert_eq!(
            documents.uris().collect::<Vec<_>>(),
            ["c.yaml", "schemas/a.json", "schemas/b.yaml"]
        );

        let refused = |path: &str| Sources::new(&base).schema(path).unwrap_err();
        // What would lead out of the folder stays in it (RFC 3986 §5.2.4), and isn't there.
        let mut sources = Sources::new(&base);
        sources.schema("out.json").unwrap();
        assert_eq!(sources.into_documents().uris().count(), 1);
        assert!(within(Path::new("/etc/gate/../x"), &[Path::new("/etc/gate")]).is_none());
        assert!(refused("missing.json").contains("can't read"));
        assert!(refused("{\"a\": ").contains("can't be read"));
    }
}
