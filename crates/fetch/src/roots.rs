//! The authorities by which the certificates of servers are verified.

use std::fmt::Display;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The authorities of the PEM file, or the system's. It reads files.
///
/// # Errors
/// Says in words which file can't be read, or that there are none.
pub fn roots(file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = file {
        let cannot = |error: &dyn Display| format!("can't read authorities from {}: {error}", path.display());
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| cannot(&error))? {
            let certificate = certificate.map_err(|error| cannot(&error))?;
            roots.add(certificate).map_err(|error| cannot(&error))?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if roots.is_empty() {
        return Err("there is no authority to verify certificates of servers by".to_owned());
    }
    Ok(roots)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::roots;

    #[test]
    fn a_file_without_authorities_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(roots(Some(&path)).unwrap_err().contains("ca.pem"));
        std::fs::write(&path, "").unwrap();
        assert!(roots(Some(&path)).unwrap_err().contains("no authority"));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(roots(Some(&path)).unwrap_err().contains("ca.pem"));
    }
}
