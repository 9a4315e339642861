//! What a server proves itself by.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::account::Account;

/// A certificate and its key, in PEM.
pub(crate) struct Certificate {
    certificate: String,
    key: String,
}

impl Certificate {
    pub(crate) fn new(certificate: &str, key: &str) -> Certificate {
        Certificate {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        }
    }

    /// Writes both into a folder as servers want them, a key that nobody else reads, and says where they are.
    pub(crate) fn write(&self, folder: &Path, account: &Account) -> Result<[PathBuf; 2], String> {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            let said = |failure: std::io::Error| format!("{}: {failure}", path.display());
            std::fs::write(&path, text).map_err(said)?;
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).map_err(said)?;
            account.owns(&path)?;
            Ok::<PathBuf, String>(path)
        };
        Ok([
            write("certificate.pem", &self.certificate)?,
            write("key.pem", &self.key)?,
        ])
    }
}
