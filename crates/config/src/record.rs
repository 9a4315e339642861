//! A configuration that is remembered, so that it can be put in force again when its file says something else.

use std::fmt;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::file::File;
use crate::load::Loaded;
use crate::written::Written;

/// A configuration as it was understood, with the variables and secrets that were put in then, in little more memory than
/// its file takes.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// As JSON, with its secrets: never to be shown.
    understood: Box<[u8]>,
    digest: String,
    base: PathBuf,
    name: String,
}

/// Bytes of a digest that are shown: enough to tell configurations apart, and few enough to be read out.
const DIGEST_BYTES: usize = 6;

impl Record {
    pub(crate) fn new(written: &Written<'_>, base: PathBuf, name: String) -> Record {
        Record {
            understood: written.to_json_with_secrets().into(),
            digest: digest(&written.to_json()),
            base,
            name,
        }
    }

    /// What tells this configuration from others: twelve hexadecimal digits, the same on every gate that has the same.
    /// Secrets don't count, for whoever knew all else could guess at them by it.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Bytes of memory that it takes.
    pub fn size(&self) -> usize {
        self.understood.len()
    }

    /// What it says.
    ///
    /// # Errors
    /// When this program doesn't understand what it has understood before.
    pub fn file(&self) -> Result<File, String> {
        serde_json::from_slice(&self.understood).map_err(|error| error.to_string())
    }

    /// What was written, with its secrets: for comparing them, never to be shown.
    pub(crate) fn written(&self) -> serde_json::Value {
        serde_json::from_slice(&self.understood).unwrap_or_default()
    }

    /// The configuration as if it had been loaded now, but without places in a file, and without warnings, which were
    /// told when it was.
    ///
    /// # Errors
    /// As of [`Record::file`].
    pub fn load(&self) -> Result<Loaded, String> {
        Ok(Loaded {
            file: self.file()?,
            base: self.base.clone(),
            warnings: Vec::new(),
            record: self.clone(),
            name: self.name.clone(),
            tree: None,
        })
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({} of {})", self.digest, self.name)
    }
}

fn digest(text: &[u8]) -> String {
    let digest = Sha256::digest(text);
    digest[..DIGEST_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn loaded(key: &str, path: &str) -> Loaded {
        let text = format!(
            "listeners: [127.0.0.1:8080]\npolicies: {{keys: {{api_key: {{consumers: [{{name: a, key: '${{KEY}}'}}]}}}}}}\n\
             routes:\n  - {{path: {path}, policies: keys, to: {{respond: hello}}}}\n"
        );
        let environment = |_: &str| Some(key.to_owned());
        let read = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        crate::parse(&text, "folder/gate.yaml".as_ref(), &environment, &read).unwrap()
    }

    #[test]
    fn what_is_remembered_says_the_same() {
        let loaded = loaded("hunter2", "/a");
        let again = loaded.record.load().unwrap();
        assert_eq!(crate::effective(&again.file), crate::effective(&loaded.file));
        assert_eq!(again.base, loaded.base);
        assert_eq!(again.record, loaded.record);
        let consumers = &again.file.policies["keys"].api_key.as_ref().unwrap().consumers;
        assert_eq!(consumers[0].key.as_ref().unwrap().expose(), "hunter2");
        assert_eq!(
            again.problem("routes[0].to", "so").to_string(),
            "folder/gate.yaml: routes[0].to: so"
        );
    }

    #[test]
    fn the_digest_tells_configurations_apart_and_no_secrets() {
        let one = loaded("hunter2", "/a").record;
        assert_eq!(one.digest().len(), 12);
        assert_eq!(one.digest(), loaded("correct horse", "/a").record.digest());
        assert_ne!(one, loaded("correct horse", "/a").record, "it is another configuration");
        assert_ne!(one.digest(), loaded("hunter2", "/b").record.digest());
        assert!(!format!("{one:?}").contains("hunter2"));
    }
}
